"""V2 in steps and V3: everything is read in its turn, and a sample is restored for real."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backup_engine import NewItem, Repository, Snapshot, StorageUnreachable
from backup_engine.receipts import Arc
from backup_engine.rolling import Reading, position
from backup_engine.storage import MemoryStorage
from backup_engine.testing.faulty import FaultyStorage
from backup_engine.testing.keys import LocalKeyWrapper

Mail = Callable[..., bytes]
Commit = Callable[..., Snapshot]
Ulid = Callable[[int], str]
NOW = datetime(2026, 3, 2, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def snapshot(repository: Repository, mail: Mail, commit: Commit, ulid: Ulid) -> Snapshot:
    with repository.open_session("box", ulid(1), parent=None) as session:
        session.put_record("inbox", "folder", "1", "", {})
        for n in range(30):
            session.put_item(NewItem(f"m{n:02d}", "mail", "1", "inbox"), mail(n, attachment=n))
        return commit(session)


class Reads(MemoryStorage):
    """Remembers which objects were read whole."""

    def __init__(self, objects: dict[str, bytes]) -> None:
        super().__init__()
        self.objects = objects
        self.whole: list[str] = []

    def get(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        if (offset, length) == (0, None):
            self.whole.append(key)
        return super().get(key, offset, length)


def test_one_step_can_read_everything(
    reopened: Callable[[], Repository], memory: MemoryStorage, snapshot: Snapshot, ulid: Ulid
) -> None:
    before = dict(memory.objects)
    found = reopened().checks.rolling(at=NOW, session=ulid(9))
    assert found.report.good
    assert (found.report.level, found.report.covered, found.objects) == (2, len(before), len(before))
    assert found.report.bytes == sum(len(body) for body in before.values())
    assert (found.read_since, found.damage, found.affected) == (NOW, None, ())
    # A sound repository gets a receipt and nothing else.
    assert set(memory.objects) - set(before) == {"receipts/00000000"}


def test_daily_steps_read_everything_within_their_number_of_days(
    memory: MemoryStorage, wrapper: LocalKeyWrapper, repository: Repository, snapshot: Snapshot, ulid: Ulid
) -> None:
    storage = Reads(memory.objects)
    there = {key for key in memory.objects if key.startswith("data/")}
    since = None
    for day in range(30):
        # Another process each day: the chain of receipts is all that is remembered.
        found = Repository.open(storage, wrapper).checks.rolling(at=NOW + day * DAY, session=ulid(9), share=1 / 30)
        assert found.report.good
        assert found.report.denominator < found.objects
        since = found.read_since
    assert there <= set(storage.whole)
    assert since is not None
    assert NOW <= since < NOW + 30 * DAY


def test_a_step_goes_on_where_the_last_one_ended(
    repository: Repository, snapshot: Snapshot, memory: MemoryStorage, ulid: Ulid
) -> None:
    ring = sorted(memory.objects, key=position)
    first = repository.checks.rolling(at=NOW, session=ulid(9), max_objects=2)
    second = repository.checks.rolling(at=NOW + DAY, session=ulid(9), max_objects=3)
    assert first.receipt.attestation.arc == Arc(bytes(32), position(ring[1]))
    assert second.receipt.attestation.arc is not None
    assert second.receipt.attestation.arc.start == position(ring[1])
    assert (first.report.denominator, second.report.denominator) == (2, 3)
    assert (first.read_since, second.read_since) == (None, None)


def test_a_step_that_is_stopped_keeps_what_it_has_read(
    repository: Repository, snapshot: Snapshot, memory: MemoryStorage, ulid: Ulid
) -> None:
    seen: list[Reading] = []

    def watch(reading: Reading) -> bool:
        seen.append(reading)
        return reading.objects < 3

    ring = sorted(memory.objects, key=position)
    first = repository.checks.rolling(at=NOW, session=ulid(9), watch=watch)
    assert ([one.objects for one in seen], seen[0].of) == ([1, 2, 3], first.objects)
    assert (first.report.denominator, first.report.good) == (3, True)
    second = repository.checks.rolling(at=NOW + DAY, session=ulid(9))
    assert second.receipt.attestation.arc is not None
    assert second.receipt.attestation.arc.start == position(ring[2])


def test_a_step_reads_at_least_one_object(repository: Repository, snapshot: Snapshot, ulid: Ulid) -> None:
    assert repository.checks.rolling(at=NOW, session=ulid(9), max_bytes=0).report.denominator == 1


@given(steps=st.lists(st.integers(1, 9), min_size=1, max_size=25))
@settings(max_examples=25, deadline=None)
def test_read_since_never_claims_an_object_that_was_not_read(steps: list[int]) -> None:
    wrapper, memory = LocalKeyWrapper(), MemoryStorage()
    storage = Reads(memory.objects)
    repository = Repository.create(storage, wrapper, tenant="contoso")
    for n in range(8):
        repository._backing.damage.write({f"data/none-{n}": "missing_pack"}, at=NOW)
    reads: dict[str, int] = {}
    for day, objects in enumerate(steps):
        there = set(memory.objects)
        storage.whole.clear()
        session = f"01ARZ3NDEKTSV4RRFFQ{day:07d}"
        found = repository.checks.rolling(at=NOW + day * DAY, session=session, max_objects=objects)
        reads |= dict.fromkeys(there & set(storage.whole), day)
        if found.read_since is not None:
            oldest = (found.read_since - NOW).days
            damage = {key for key in there if key.startswith("damage/")}
            assert all(reads.get(key, -1) >= oldest for key in damage)


def test_a_step_that_cannot_read_the_storage_is_an_error_and_leaves_no_receipt(
    memory: MemoryStorage, wrapper: LocalKeyWrapper, snapshot: Snapshot, ulid: Ulid
) -> None:
    with FaultyStorage(memory) as faulty:
        repository = Repository.open(faulty, wrapper)
        faulty.plan("get", "data/", StorageUnreachable("gone"))
        with pytest.raises(StorageUnreachable):
            repository.checks.rolling(at=NOW, session=ulid(9))
    assert not [key for key in memory.objects if key.startswith("receipts/")]


def test_a_restore_point_that_disappeared_is_missed(
    repository: Repository, reopened: Callable[[], Repository], memory: MemoryStorage, snapshot: Snapshot, ulid: Ulid
) -> None:
    repository.checks.attest(snapshot, [repository.verify("box", snapshot.id, 0)], at=NOW)
    name = f"snapshots/box/{snapshot.id}"
    del memory.objects[name]
    found = reopened().checks.rolling(at=NOW, session=ulid(9))
    assert [(p.kind, p.key) for p in found.report.problems] == [("missing_snapshot", name)]
    after = reopened().checks.rolling(at=snapshot.expires_at, session=ulid(8))
    assert after.report.good, "collected when its time was over"


def test_a_drill_restores_a_sample_and_compares_it(
    repository: Repository, memory: MemoryStorage, snapshot: Snapshot, tmp_path: Path
) -> None:
    done = repository.checks.drill(at=NOW, seed=1, items=12, scratch=tmp_path)
    assert (done.report.good, done.report.level, done.report.denominator, done.population) == (True, 3, 12, 30)
    assert [(one.snapshot, one.sampled, one.sound) for one in done.drilled] == [(snapshot.id, 12, 12)]
    assert list(tmp_path.iterdir()) == []
    assert repository.checks.check_receipts().good
    assert next(repository.checks.receipts()).reports == (done.report,)


def test_the_seed_decides_the_sample(
    memory: MemoryStorage, wrapper: LocalKeyWrapper, snapshot: Snapshot, tmp_path: Path
) -> None:
    def bytes_read(seed: int) -> int:
        return Repository.open(memory, wrapper).checks.drill(at=NOW, seed=seed, items=5, scratch=tmp_path).report.bytes

    sizes = [bytes_read(seed) for seed in range(6)]
    assert [bytes_read(seed) for seed in range(6)] == sizes
    assert len(set(sizes)) > 1


def test_a_drill_takes_every_item_when_there_are_fewer(
    repository: Repository, snapshot: Snapshot, tmp_path: Path
) -> None:
    done = repository.checks.drill(at=NOW, seed=1, items=1000, scratch=tmp_path)
    assert (done.report.covered, done.report.denominator, done.population) == (30, 30, 30)


def test_a_drill_leaves_expired_restore_points_alone(
    repository: Repository, snapshot: Snapshot, tmp_path: Path
) -> None:
    done = repository.checks.drill(at=snapshot.expires_at, seed=1, items=10, scratch=tmp_path)
    assert (done.population, done.report.denominator) == (0, 0)


def test_a_drill_names_what_does_not_come_back(
    reopened: Callable[[], Repository], memory: MemoryStorage, snapshot: Snapshot, tmp_path: Path
) -> None:
    del memory.objects[snapshot.packs[0].key]
    done = reopened().checks.drill(at=NOW, seed=1, items=30, scratch=tmp_path)
    assert not done.report.good
    assert 0 < done.report.covered < 30
    assert {p.kind for p in done.report.problems} == {"damaged_item"}
    assert "m00" in {p.key for p in done.report.problems}


def test_a_drill_counts_a_restore_point_whose_manifest_is_gone(
    reopened: Callable[[], Repository], memory: MemoryStorage, snapshot: Snapshot, tmp_path: Path
) -> None:
    del memory.objects[snapshot.segments[0]]
    done = reopened().checks.drill(at=NOW, seed=1, items=30, scratch=tmp_path)
    assert [(p.kind, p.key) for p in done.report.problems] == [("damaged_point", f"box/{snapshot.id}")]


def test_many_restore_points_are_followed_at_the_cost_of_one(
    repository: Repository,
    *,
    memory: MemoryStorage,
    wrapper: LocalKeyWrapper,
    snapshot: Snapshot,
    commit: Commit,
    ulid: Ulid,
) -> None:
    parent = snapshot.id
    for n in range(2, 12):
        with repository.open_session("box", ulid(n), parent=parent) as session:
            parent = commit(session).id
        repository.checks.attest(snapshot, [], at=NOW)
    storage = Reads(memory.objects)
    found = Repository.open(storage, wrapper).checks.rolling(at=NOW, session=ulid(20))
    assert found.report.good
    assert found.report.items == 31, "of the one segment they share"
    assert storage.whole.count(snapshot.segments[0]) == 1
    receipts = [key for key in storage.whole if key.startswith("receipts/")]
    assert len(receipts) <= 2 * len(set(receipts))
