"""A copy equals its source, whatever interrupts it and whoever writes meanwhile; locks come along."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from backup_engine import (
    AlreadyExists,
    NewItem,
    NotFound,
    Repository,
    Snapshot,
    StorageUnreachable,
    Tuning,
    copy_repository,
)
from backup_engine.copying import Copied
from backup_engine.storage import LocalStorage, LockMode, MemoryStorage, Retention, Storage
from backup_engine.testing.keys import LocalKeyWrapper
from backup_engine.testing.seaweed import SeaweedServer
from backup_engine.testing.sftp_server import SFTPTestServer

Mail = Callable[..., bytes]
Commit = Callable[..., Snapshot]
Ulid = Callable[[int], str]
NOW = datetime(2026, 3, 2, tzinfo=UTC)
LATER = datetime(2036, 3, 2, tzinfo=UTC)


@pytest.fixture
def back_up(mail: Mail, commit: Commit, ulid: Ulid) -> Callable[..., Snapshot]:
    def run(repository: Repository, number: int, parent: str | None = None) -> Snapshot:
        with repository.open_session("box", ulid(number), parent=parent) as session:
            for n in range(10 * number, 10 * number + 10):
                session.put_item(NewItem(f"m{n:02d}", "mail", "1", ""), mail(n, attachment=n))
            snapshot = commit(session)
        repository.checks.attest(snapshot, [repository.verify("box", snapshot.id, 0)], at=NOW)
        return snapshot

    return run


class TiredStorage(MemoryStorage):
    """Takes `left` more objects."""

    left = 0

    def put(self, key: str, body: bytes, *, retain_until: datetime | None = None) -> None:
        if self.left <= 0:
            raise StorageUnreachable("no answer", key=key)
        self.left -= 1
        super().put(key, body, retain_until=retain_until)


def contents(storage: Storage, wrapper: LocalKeyWrapper) -> dict[str, dict[str, bytes]]:
    """Every item of every restore point, read from this storage alone."""
    repository = Repository.open(storage, wrapper)
    return {
        point.id: {row.key: repository.read(row) for row in repository.items("box", point.id)}
        for point in repository.snapshots()
    }


def test_a_copy_gives_every_restore_point_and_verifies(
    repository: Repository,
    memory: MemoryStorage,
    wrapper: LocalKeyWrapper,
    back_up: Callable[..., Snapshot],
    ulid: Ulid,
) -> None:
    first = back_up(repository, 1)
    back_up(repository, 2, first.id)
    repository.open_session("other", ulid(7), parent=None).abort()
    target = MemoryStorage()
    report = copy_repository(memory, target)
    assert (report.good, report.commits, report.gone) == (True, 2, ())
    assert target.objects == {key: body for key, body in memory.objects.items() if not key.startswith("sessions/")}
    assert report.bytes == sum(len(body) for body in target.objects.values())
    assert contents(target, wrapper) == contents(memory, wrapper)
    checked = Repository.open(target, wrapper).checks.read_all(at=NOW)
    assert (checked.good, checked.covered) == (True, len(target.objects))
    assert len(target.objects) == report.copied, "the check wrote nothing"


def test_a_second_run_copies_what_is_new(
    repository: Repository, memory: MemoryStorage, wrapper: LocalKeyWrapper, back_up: Callable[..., Snapshot]
) -> None:
    first = back_up(repository, 1)
    target = MemoryStorage()
    there = copy_repository(memory, target).copied
    nothing = copy_repository(memory, target)
    assert (nothing.copied, nothing.there) == (0, there)
    back_up(repository, 2, first.id)
    report = copy_repository(memory, target)
    assert (report.there, report.commits) == (there, 2)
    assert contents(target, wrapper) == contents(memory, wrapper)


def test_an_interrupted_copy_shows_no_restore_point_that_is_not_whole_and_goes_on(
    repository: Repository, memory: MemoryStorage, wrapper: LocalKeyWrapper, back_up: Callable[..., Snapshot]
) -> None:
    back_up(repository, 2, back_up(repository, 1).id)
    whole = contents(memory, wrapper)
    target = tired = TiredStorage()
    total = sum(1 for key in memory.objects if not key.startswith("sessions/"))
    runs = 0
    while len(target.objects) < total:
        runs += 1
        tired.left = 3
        with suppress(StorageUnreachable):
            copy_repository(memory, tired)
        if "config" in target.objects and "keys/1" in target.objects:
            assert contents(target, wrapper).items() <= whole.items()
    assert runs > 3
    assert contents(target, wrapper) == whole


def test_backups_may_go_on_meanwhile(
    repository: Repository, memory: MemoryStorage, wrapper: LocalKeyWrapper, back_up: Callable[..., Snapshot]
) -> None:
    first = back_up(repository, 1)
    started: list[str] = []

    def watch(_: Copied) -> None:
        if not started:
            started.append(back_up(repository, 2, first.id).id)

    target = MemoryStorage()
    assert copy_repository(memory, target, watch=watch).commits == 1
    assert contents(target, wrapper).keys() == {first.id}
    assert copy_repository(memory, target).commits == 2


def test_another_repository_is_never_mixed_in(
    repository: Repository, memory: MemoryStorage, wrapper: LocalKeyWrapper, tuning: Tuning
) -> None:
    target = MemoryStorage()
    Repository.create(target, wrapper, tenant="contoso", tuning=tuning)
    before = dict(target.objects)
    with pytest.raises(AlreadyExists, match="another repository"):
        copy_repository(memory, target)
    assert target.objects == before


def test_without_a_repository_there_is_nothing_to_copy() -> None:
    with pytest.raises(NotFound):
        copy_repository(MemoryStorage(), MemoryStorage())


def test_a_damaged_pack_is_named_and_not_copied(
    repository: Repository, memory: MemoryStorage, back_up: Callable[..., Snapshot]
) -> None:
    snapshot = back_up(repository, 1)
    pack = snapshot.packs[0].key
    memory.objects[pack] = memory.objects[pack][:-1] + b"?"
    target = MemoryStorage()
    report = copy_repository(memory, target)
    assert [(p.kind, p.key) for p in report.problems] == [("damaged_pack", pack)]
    assert pack not in target.objects
    assert report.commits == 1


@pytest.mark.parametrize("fault", [b"", b"other bytes"])
def test_what_differs_at_the_target_is_named(
    repository: Repository, memory: MemoryStorage, back_up: Callable[..., Snapshot], fault: bytes
) -> None:
    back_up(repository, 1)
    target = MemoryStorage()
    copy_repository(memory, target)
    name = max(key for key in target.objects if key.startswith("manifests/"))
    target.objects[name] = fault
    assert [(p.kind, p.key) for p in copy_repository(memory, target).problems] == [("wrong_size", name)]


def test_locks_and_holds_come_along_and_are_extended(
    wrapper: LocalKeyWrapper, tuning: Tuning, back_up: Callable[..., Snapshot]
) -> None:
    source = MemoryStorage(lock=LockMode.COMPLIANCE, clock=lambda: NOW)
    repository = Repository.create(source, wrapper, tenant="contoso", tuning=tuning)
    snapshot = back_up(repository, 1)
    pack = snapshot.packs[0].key
    source.hold(pack, on=True)
    target = MemoryStorage(lock=LockMode.GOVERNANCE, clock=lambda: NOW)
    assert copy_repository(source, target).good
    for name in target.objects:
        assert target.retention(name) == source.retention(name), name
    source.extend(pack, LATER)
    copy_repository(source, target)
    assert target.retention(pack) == Retention(LATER, held=True)


def test_a_copy_can_be_locked_though_its_source_is_not(
    repository: Repository, memory: MemoryStorage, back_up: Callable[..., Snapshot]
) -> None:
    back_up(repository, 1)
    target = MemoryStorage(lock=LockMode.COMPLIANCE, clock=lambda: NOW)
    copy_repository(memory, target, retain_until=LATER)
    assert {target.retention(name).until for name in target.objects} == {LATER}
    copy_repository(memory, target, retain_until=LATER + timedelta(days=30))
    assert {target.retention(name).until for name in target.objects} == {LATER + timedelta(days=30)}


@pytest.fixture
def stores(tmp_path: Path, seaweed: SeaweedServer, sftp: SFTPTestServer) -> Iterator[list[Storage]]:
    """A bucket, an SFTP server, a folder."""
    remote = sftp.address.storage("copy")
    yield [seaweed.storage("contoso", "contoso/copy"), remote, LocalStorage(tmp_path / "copy")]
    remote.close()


def test_from_a_folder_to_s3_to_sftp_and_back(
    tmp_path: Path, stores: list[Storage], wrapper: LocalKeyWrapper, tuning: Tuning, back_up: Callable[..., Snapshot]
) -> None:
    source: Storage = LocalStorage(tmp_path / "first")
    repository = Repository.create(source, wrapper, tenant="contoso", tuning=tuning)
    back_up(repository, 2, back_up(repository, 1).id)
    expected = contents(source, wrapper)
    for target in stores:
        assert copy_repository(source, target).good
        assert Repository.open(target, wrapper).checks.read_all(at=NOW).good
        source = target
    assert contents(source, wrapper) == expected
