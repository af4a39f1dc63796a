"""Object lock: what a restore point needs cannot go before it expires, and that costs one request a month."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from minio.deleteobjects import DeleteObject
from minio.error import S3Error
from minio.retention import Retention as S3Retention

from backup_engine import IntegrityError, NewItem, ObjectLocked, Repository, Snapshot, StorageDenied, Tuning
from backup_engine.closure import objects_of
from backup_engine.holds import Hold, Release, Scope
from backup_engine.retention import GFS, Period, Scheme, lock_until
from backup_engine.storage import LockMode, MeasuredStorage, MemoryStorage, Meter, Storage
from backup_engine.testing.faulty import FaultyStorage, SimulatedCrash
from backup_engine.testing.keys import LocalKeyWrapper
from backup_engine.testing.seaweed import LOCK_BUCKET, SeaweedServer

START = datetime(2026, 1, 1, 2, tzinfo=UTC)
Mail = Callable[..., bytes]
Ulid = Callable[[int], str]
Commit = Callable[..., Snapshot]


class Days:
    """A mailbox backed up day after day, each time by a new process."""

    def __init__(self, storage: Storage, wrapper: LocalKeyWrapper, tuning: Tuning, mail: Mail, ulid: Ulid) -> None:
        self.storage = storage
        self.wrapper = wrapper
        self.tuning = tuning
        self.now = START
        self._mail = mail
        self._ulid = ulid
        self._n = 0
        self._newest: dict[str, str] = {}

    def repository(self) -> Repository:
        return Repository.open_or_create(self.storage, self.wrapper, tenant="contoso", tuning=self.tuning)

    def back_up(self, scheme: str, *, shard: str = "anna", mails: range = range(0)) -> Snapshot:
        repository = self.repository()
        self._n += 1
        kept = repository.custody.decide(shard, Scheme.parse(scheme), self.now, complete=True)
        parent, session = self._newest.get(shard), self._ulid(self._n)
        with repository.open_session(shard, session, parent=parent, keep_until=kept.expires_at) as writer:
            for n in mails:
                writer.put_item(NewItem(f"m{n}", "mail", "1", "inbox"), self._mail(n, attachment=n))
            snapshot = writer.commit(
                b"", listed=0, skipped=[], failed=[], taken_at=self.now,
                expires_at=kept.expires_at, retention_class=kept.name,
            )  # fmt: skip
        self._newest[shard] = snapshot.id
        return snapshot

    def needed(self, snapshot: Snapshot) -> set[str]:
        return objects_of(self.repository()._backing, snapshot)


@pytest.fixture
def clock() -> list[datetime]:
    return [START]


@pytest.fixture
def locked(clock: list[datetime]) -> MemoryStorage:
    return MemoryStorage(lock=LockMode.COMPLIANCE, clock=lambda: clock[0])


@pytest.fixture
def meter() -> Meter:
    return Meter()


@pytest.fixture
def days(  # noqa: PLR0917 - pytest hands them over by name
    locked: MemoryStorage, meter: Meter, wrapper: LocalKeyWrapper, tuning: Tuning, mail: Mail, ulid: Ulid
) -> Days:
    return Days(MeasuredStorage(locked, meter), wrapper, tuning, mail, ulid)


def assert_locked(days: Days, storage: MemoryStorage, snapshot: Snapshot) -> None:
    assert snapshot.locked_until == lock_until(snapshot.expires_at) >= snapshot.expires_at
    for name in days.needed(snapshot):
        until = storage.retention(name).until
        assert until is not None, name
        assert until >= snapshot.locked_until, name


def test_everything_a_restore_point_needs_is_locked_and_nothing_else(days: Days, locked: MemoryStorage) -> None:
    snapshot = days.back_up("90d", mails=range(20))
    assert_locked(days, locked, snapshot)
    assert snapshot.locked_until == datetime(2026, 5, 1, tzinfo=UTC)
    names = {name.split("/")[0] for name in days.needed(snapshot)}
    assert names == {"config", "keys", "data", "index", "manifests", "snapshots"}
    with days.repository().open_session("anna", "01ARZ3NDEKTSV4RRFFQ0000099", parent=None) as session:
        session.put_item(NewItem("x", "mail", "1", ""), b"x")
        session.checkpoint(b"")
    assert all(locked.retention(info.key).until is None for info in locked.list("sessions/"))


def test_nobody_deletes_it_before_it_expires(days: Days, locked: MemoryStorage, clock: list[datetime]) -> None:
    snapshot = days.back_up("30d", mails=range(5))
    for name in days.needed(snapshot):
        with pytest.raises(ObjectLocked):
            locked.delete(name)
    assert snapshot.locked_until is not None
    clock[0] = snapshot.locked_until
    for name in days.needed(snapshot):
        locked.delete(name)


@pytest.mark.parametrize("scheme", ["90d", GFS])
def test_an_object_is_extended_at_most_once_per_class_and_month(
    scheme: str, days: Days, locked: MemoryStorage, meter: Meter, clock: list[datetime]
) -> None:
    """Each day in a new process, which remembers nothing: what is known comes from earlier restore points."""
    calls: dict[tuple[str, datetime | None], int] = {}
    objects: dict[tuple[str, datetime | None], int] = {}
    for day in range(120):
        clock[0] = days.now = START + timedelta(days=day)
        before = meter.requests.get("extend", 0)
        snapshot = days.back_up(scheme, mails=range(20) if day == 0 else range(20 + day, 20 + day + (day % 9 == 0)))
        bucket = (snapshot.retention_class, snapshot.locked_until)
        calls[bucket] = calls.get(bucket, 0) + meter.requests.get("extend", 0) - before
        objects[bucket] = len(days.needed(snapshot)) - 1  # its own put locks the snapshot
        assert_locked(days, locked, snapshot)
    assert len(calls) >= 4
    assert {bucket for bucket in calls if calls[bucket] > objects[bucket]} == set()


def test_a_restore_point_that_changed_nothing_costs_no_extension(
    days: Days, meter: Meter, clock: list[datetime]
) -> None:
    days.back_up("90d", mails=range(20))
    before = meter.requests["extend"]
    clock[0] = days.now = START + timedelta(days=1)
    days.back_up("90d")
    assert meter.requests["extend"] == before


def test_what_another_shard_stored_is_locked_for_longer(days: Days, locked: MemoryStorage) -> None:
    short = days.back_up("30d", shard="anna", mails=range(5))
    long = days.back_up("10y", shard="bert", mails=range(5))
    assert long.stored_bytes == 0  # all of it deduplicated
    assert days.needed(short) & days.needed(long) >= {name for name in days.needed(short) if name.startswith("data/")}
    assert_locked(days, locked, long)


def test_a_restore_point_of_a_floor_or_promotion_is_locked_for_its_real_date(days: Days, locked: MemoryStorage) -> None:
    days.repository().custody.set_floor(Period.parse("3y"), by="admin", at=START)
    snapshot = days.back_up("30d", mails=range(5))
    assert snapshot.locked_until == datetime(2029, 2, 1, tzinfo=UTC)
    assert_locked(days, locked, snapshot)
    assert locked.retention("policies/00000001").until is None  # put before anything was worth locking
    days.repository().custody.set_floor(Period.parse("1y"), by="thief", at=START)
    assert locked.retention("policies/00000002").until == snapshot.locked_until


def test_earlier_restore_points_without_locks_vouch_for_nothing(
    days: Days, locked: MemoryStorage, clock: list[datetime], wrapper: LocalKeyWrapper
) -> None:
    unlocked = MemoryStorage()
    first = Days(unlocked, wrapper, days.tuning, days._mail, days._ulid)
    first.back_up("90d", mails=range(5))
    locked.objects.update(unlocked.objects)  # the customer turned object lock on later
    days._n, days._newest = first._n, first._newest
    clock[0] = days.now = START + timedelta(days=1)
    assert_locked(days, locked, days.back_up("90d"))


def test_restore_points_copied_without_their_locks_vouch_for_nothing(days: Days, locked: MemoryStorage) -> None:
    first = days.back_up("90d", mails=range(5))
    assert first.locked_until is not None
    copied = MemoryStorage(lock=LockMode.COMPLIANCE, clock=lambda: START)
    copied.objects.update(locked.objects)  # by a tool that knows no locks
    days.storage = copied
    days.now = START + timedelta(days=1)
    assert_locked(days, copied, days.back_up("90d"))


def test_a_refused_extension_is_said_before_anything_is_committed(days: Days, locked: MemoryStorage) -> None:
    days.back_up("30d", mails=range(5))
    honest = days.storage
    with FaultyStorage(locked) as days.storage:
        days.storage.plan("extend", "data/", StorageDenied("AccessDenied", key="data/…"))
        with pytest.raises(StorageDenied, match=r"data/.* cannot be locked until 2036-02-01, so nothing is committed"):
            days.back_up("10y")
    days.storage = honest
    assert [one.retention_class for one in days.repository().snapshots()] == ["30d"]
    assert_locked(days, locked, days.back_up("10y"))


@pytest.mark.parametrize("applied", [False, True])
@pytest.mark.parametrize("prefix", ["config", "data/", "index/", "keys/", "manifests/"])
def test_a_crash_among_the_extensions_costs_only_a_repeat(
    prefix: str,
    applied: bool,  # noqa: FBT001 - pytest hands it over
    days: Days,
    locked: MemoryStorage,
) -> None:
    days.back_up("30d", mails=range(5))
    honest = days.storage
    with FaultyStorage(locked) as days.storage:
        days.storage.plan("extend", prefix, SimulatedCrash(), applied=applied)
        with pytest.raises(SimulatedCrash):
            days.back_up("10y")
    days.storage = honest
    assert len(days.repository().snapshots()) == 1
    assert_locked(days, locked, days.back_up("10y"))


def test_what_vanished_is_missed_before_the_commit(days: Days, locked: MemoryStorage) -> None:
    first = days.back_up("30d", mails=range(5))
    pack = next(name for name in days.needed(first) if name.startswith("data/"))
    del locked.objects[pack]
    with pytest.raises(IntegrityError, match=pack):
        days.back_up("10y")
    assert len(days.repository().snapshots()) == 1


def test_a_merged_index_is_locked_only_until_the_next_one_may_replace_it(days: Days, locked: MemoryStorage) -> None:
    days.back_up("10y", mails=range(5))
    storage = days.repository()._backing.storage
    storage.put("index/merged/000001/000000", b"x")
    until = locked.retention("index/merged/000001/000000").until
    assert until is not None
    assert until < datetime.now(UTC) + timedelta(days=63)
    storage.put("receipts/00000001", b"x")
    assert locked.retention("receipts/00000001").until == datetime(2036, 2, 1, tzinfo=UTC)
    storage.put("gc/1/condemned", b"x")
    assert locked.retention("gc/1/condemned").until is None


def held(storage: MemoryStorage) -> set[str]:
    return {info.key for info in storage.list("") if storage.retention(info.key).held}


def test_a_hold_is_on_every_object_until_no_hold_needs_it(
    days: Days, locked: MemoryStorage, ulid: Ulid, clock: list[datetime]
) -> None:
    first = days.back_up("30d", mails=range(5))
    other = days.back_up("30d", shard="bert", mails=range(3, 9))
    custody = days.repository().custody
    one, all_of_bert = ulid(71), ulid(72)
    custody.place_hold(Hold(one, Scope("anna", first.id), "lawsuit", "admin", START))
    custody.place_hold(Hold(all_of_bert, Scope("bert"), "audit", "admin", START))
    assert custody.protect(one) == len(days.needed(first)) + 1
    assert held(locked) == days.needed(first) | {f"holds/{one}"}
    custody.protect(all_of_bert)
    clock[0] = START + timedelta(days=9999)
    with pytest.raises(ObjectLocked, match="legal hold: True"):
        locked.delete(next(iter(days.needed(first))))

    custody.release_hold(one, Release("judge", clock[0], "settled"))
    custody.protect(one)
    assert held(locked) == days.needed(other) | {f"holds/{all_of_bert}"}
    custody.release_hold(all_of_bert, Release("judge", clock[0], "settled"))
    custody.protect(all_of_bert)
    assert held(locked) == set()


def test_placing_a_hold_goes_on_where_it_crashed(days: Days, locked: MemoryStorage, ulid: Ulid) -> None:
    first = days.back_up("30d", mails=range(5))
    honest, days.storage = days.storage, FaultyStorage(locked)
    days.storage.plan("hold", "keys/", SimulatedCrash())
    days.repository().custody.place_hold(Hold(ulid(71), Scope(), "lawsuit", "admin", START))
    with pytest.raises(SimulatedCrash):
        days.repository().custody.protect(ulid(71))
    days.storage = honest
    assert held(locked) < days.needed(first) | {f"holds/{ulid(71)}"}
    days.repository().custody.protect(ulid(71))
    assert held(locked) == days.needed(first) | {f"holds/{ulid(71)}"}


def test_a_hold_on_a_store_without_locks_is_the_engines_alone(
    wrapper: LocalKeyWrapper, tuning: Tuning, mail: Mail, ulid: Ulid
) -> None:
    days = Days(MemoryStorage(), wrapper, tuning, mail, ulid)
    assert days.back_up("30d", mails=range(3)).locked_until is None
    custody = days.repository().custody
    custody.place_hold(Hold(ulid(71), Scope(), "lawsuit", "admin", START))
    assert custody.protect(ulid(71)) == 0
    assert custody.holds()[0].active


@pytest.mark.parametrize("mode", list(LockMode))
def test_on_a_real_store_nobody_with_the_backups_credentials_deletes_or_shortens(
    mode: LockMode, seaweed: SeaweedServer, days: Days, mail: Mail
) -> None:
    days.storage = store = seaweed.storage("contoso", f"contoso/locks-{mode.lower()}", lock=mode)
    days.now = datetime.now(UTC)
    first = days.back_up("30d", mails=range(8))
    with FaultyStorage(store) as days.storage:
        days.storage.plan("extend", "index/", SimulatedCrash())
        with pytest.raises(SimulatedCrash):
            days.back_up("90d", mails=range(8))
    days.storage = store
    assert len(days.repository().snapshots()) == 1
    days.back_up("90d", mails=range(8))
    needed = days.needed(first)
    longer = lock_until(Period.parse("90d").end(days.now))
    thief = seaweed.client("contoso")
    for name in sorted(needed):
        expected = first.locked_until if name.startswith("snapshots/") else longer
        assert store.retention(name).until == expected, name
        with pytest.raises(ObjectLocked):
            store.delete(name)
        path = f"contoso/locks-{mode.lower()}/{name}"
        version = next(iter(thief.list_objects(LOCK_BUCKET, path, include_version=True))).version_id
        with pytest.raises(S3Error, match="AccessDenied"):
            thief.remove_object(LOCK_BUCKET, path, version)
        victim = DeleteObject(path, version)
        refused = [list(thief.remove_objects(LOCK_BUCKET, [victim], bypass_governance_mode=by)) for by in (False, True)]
        assert [[error.code for error in errors] for errors in refused] == [["AccessDenied"]] * 2
        with pytest.raises(S3Error):
            thief.set_object_retention(LOCK_BUCKET, path, S3Retention(mode, days.now + timedelta(days=1)), version)
        store.extend(name, days.now + timedelta(days=1))  # the port never shortens
        assert store.retention(name).until == expected, name
    restored = days.repository()
    rows = list(restored.items("anna", first.id))
    assert [body for _, body in restored.read_many(rows)] == [mail(n, attachment=n) for n in range(8)]
    store.close()


@pytest.mark.parametrize("mode", list(LockMode))
def test_what_a_real_store_refuses_to_delete_is_collected_later(
    mode: LockMode, seaweed: SeaweedServer, days: Days, mail: Mail, ulid: Ulid
) -> None:
    days.storage = store = seaweed.storage("contoso", f"contoso/later-{mode.lower()}", lock=mode)
    now = datetime.now(UTC)
    days.now = now - timedelta(days=30, seconds=2)
    point = days.back_up("30d", mails=range(8))  # has expired, and is locked until the end of the month
    dead = days.repository().open_session("ben", ulid(50), parent=None, keep_until=now + timedelta(days=1))
    for n in range(20, 28):
        dead.put_item(NewItem(f"m{n}", "mail", "1", "inbox"), mail(n, attachment=n))
    dead.checkpoint(b"half")
    abandoned = {name for name in stored(store) if name.startswith(f"data/{dead.id}/")}
    for _ in range(2):
        report = days.repository().maintain(now, grace=timedelta(0), session_grace=timedelta(0))
        assert report.good
        assert set(report.locked) >= {f"snapshots/anna/{point.id}", *abandoned}
        assert report.waste.locked > 0
    assert stored(store) >= abandoned
    assert [found.id for found in days.repository().snapshots()] == [point.id]
    assert days.repository().verify("anna", point.id, 2).good
    store.close()


def stored(storage: Storage) -> set[str]:
    return {info.key for info in storage.list("")}
