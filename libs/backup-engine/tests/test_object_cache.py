"""Sealed objects kept on this machine: fewer requests, and never believed where storage must be asked."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from backup_engine import IntegrityError, NewItem, NotFound, Repository, Snapshot, Tuning
from backup_engine.object_cache import ObjectCache
from backup_engine.storage import MeasuredStorage, MemoryStorage, Meter
from backup_engine.testing.keys import LocalKeyWrapper

Mail = Callable[..., bytes]
Commit = Callable[..., Snapshot]
Ulid = Callable[[int], str]
NOW = datetime(2026, 3, 2, tzinfo=UTC)
BIG = 5000  # bytes: too many for memory


@pytest.fixture
def cache(tmp_path: Path) -> ObjectCache:
    return ObjectCache(tmp_path, bytes(32), limit=100_000)


def files(folder: Path) -> list[Path]:
    return sorted((folder / "objects").iterdir())


def test_another_process_finds_what_one_kept(cache: ObjectCache, tmp_path: Path) -> None:
    cache.put("small", b"1")
    cache.put("big", bytes(BIG))
    again = ObjectCache(tmp_path, bytes(32), limit=100_000)
    assert (again.get("small"), again.get("big"), again.get("other")) == (b"1", bytes(BIG), None)
    assert ObjectCache(tmp_path, b"another repository's key........", limit=100_000).get("small") is None


def test_the_folder_stays_below_its_limit_and_keeps_what_was_used(cache: ObjectCache, tmp_path: Path) -> None:
    for n in range(200):
        cache.put(f"object-{n}", bytes(BIG))
        assert cache.get("object-0") is not None
        assert sum(path.stat().st_size for path in files(tmp_path)) <= 100_000
    assert cache.get("object-199") is not None
    assert cache.get("object-1") is None


def test_without_a_folder_only_small_objects_are_kept(tmp_path: Path) -> None:
    cache = ObjectCache(None, bytes(32), limit=100_000)
    cache.put("small", b"1")
    cache.put("big", bytes(BIG))
    assert (cache.get("small"), cache.get("big")) == (b"1", None)


def test_a_folder_that_cannot_be_written_costs_requests_only(tmp_path: Path) -> None:
    (tmp_path / "objects").write_text("a file stands where the folder should be")
    cache = ObjectCache(tmp_path, bytes(32), limit=100_000)
    cache.put("big", bytes(BIG))
    cache.drop("big")
    assert cache.get("big") is None


class Machine:
    """Processes that share a folder, one after the other, each with a meter."""

    def __init__(self, memory: MemoryStorage, wrapper: LocalKeyWrapper, folder: Path) -> None:
        self.memory, self._wrapper = memory, wrapper
        self._tuning = Tuning(compressors=0, uploaders=0, folder=folder)
        Repository.create(memory, wrapper, tenant="contoso", tuning=self._tuning)
        self.meter = Meter()

    def process(self) -> Repository:
        self.meter = Meter()
        return Repository.open(MeasuredStorage(self.memory, self.meter), self._wrapper, tuning=self._tuning)

    def only(self, prefix: str) -> str:
        (name,) = (name for name in self.memory.objects if name.startswith(prefix))
        return name


@pytest.fixture
def empty(memory: MemoryStorage, wrapper: LocalKeyWrapper, tmp_path: Path) -> Machine:
    return Machine(memory, wrapper, tmp_path)


@pytest.fixture
def machine(empty: Machine, mail: Mail, commit: Commit, ulid: Ulid) -> Machine:
    """With a mailbox that was backed up once."""
    machine = empty
    with machine.process().open_session("box", ulid(1), parent=None) as session:
        for n in range(40):
            session.put_item(NewItem(f"m{n}", "mail", "1", "", {"subject": "x" * 200}), mail(n, attachment=n))
        commit(session)
    return machine


def test_the_next_process_fetches_only_what_must_be_asked(machine: Machine, commit: Commit, ulid: Ulid) -> None:
    repository = machine.process()
    assert machine.meter.requests["get"] == 2  # config, the key; the index is kept
    parent = repository.newest("box")
    assert parent is not None
    with repository.open_session("box", ulid(2), parent=parent.id) as session:
        commit(session)
    assert machine.meter.requests["get"] == 2 + 1  # whether the parent is still there, storage alone knows


def test_a_kept_object_that_was_meddled_with_is_fetched_again(
    machine: Machine, tmp_path: Path, commit: Commit, ulid: Ulid
) -> None:
    for path in files(tmp_path):
        body = bytearray(path.read_bytes())
        body[-1] ^= 1
        path.write_bytes(body)
    for n in (2, 3):  # then with what was fetched instead
        repository = machine.process()
        parent = repository.newest("box")
        assert parent is not None
        with repository.open_session("box", ulid(n), parent=parent.id) as session:
            commit(session)
            assert all(report.good for report in session.verify())
    assert machine.meter.requests["get"] == 2 + 1 + 1


def test_a_segment_that_is_kept_here_and_gone_there_commits_nothing(
    machine: Machine, commit: Commit, ulid: Ulid
) -> None:
    del machine.memory.objects[machine.only("manifests/box/")]
    repository = machine.process()
    with (
        repository.open_session("box", ulid(2), parent=ulid(1)) as session,
        pytest.raises(IntegrityError, match="missing_segment"),
    ):
        commit(session)
    assert machine.only("snapshots/box/").endswith(ulid(1))


def test_a_parent_that_is_kept_here_and_gone_there_is_none(machine: Machine, ulid: Ulid) -> None:
    del machine.memory.objects[machine.only("snapshots/box/")]
    repository = machine.process()
    assert repository.newest("box") is None
    with pytest.raises(NotFound):
        repository.snapshot("box", ulid(1))
    with pytest.raises(NotFound):
        repository.open_session("box", ulid(2), parent=ulid(1))


def test_the_next_process_writes_its_receipt_without_looking_for_the_last(machine: Machine, ulid: Ulid) -> None:
    for n in range(3):
        repository = machine.process()
        snapshot = repository.snapshot("box", ulid(1))
        before = machine.meter.requests
        assert repository.checks.attest(snapshot, [], at=NOW).n == n
        asked = {name: count - before.get(name, 0) for name, count in machine.meter.requests.items()}
        assert {name: count for name, count in asked.items() if count} == {"put": 1}
    assert machine.process().checks.check_receipts().good


def test_receipts_of_others_are_followed_and_a_removed_one_is_missed(
    machine: Machine, wrapper: LocalKeyWrapper, ulid: Ulid
) -> None:
    snapshot = machine.process().snapshot("box", ulid(1))
    machine.process().checks.attest(snapshot, [], at=NOW)
    Repository.open(machine.memory, wrapper).checks.attest(snapshot, [], at=NOW)  # on another machine
    assert machine.process().checks.attest(snapshot, [], at=NOW).n == 2
    assert machine.process().checks.check_receipts().good
    del machine.memory.objects["receipts/00000002"]
    assert machine.process().checks.attest(snapshot, [], at=NOW).n == 3
    (problem,) = [one for one in machine.process().checks.check_receipts().problems if one.kind == "missing_receipt"]
    assert problem.key == "receipts/00000002"
