"""What Repository.maintain removes, what it keeps, and in which order."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from backup_engine import (
    IntegrityError,
    MaintenanceReport,
    NewItem,
    NotFound,
    Repository,
    Session,
    SessionFenced,
    Snapshot,
    StorageFull,
    Tuning,
    commits,
)
from backup_engine.header import Kind
from backup_engine.holds import Hold, Scope
from backup_engine.maintenance.merging import MERGE_ABOVE
from backup_engine.storage import LockMode, MemoryStorage
from backup_engine.testing.faulty import FaultyStorage
from backup_engine.testing.keys import LocalKeyWrapper
from backup_engine.testing.scripted import Script, ScriptedStorage

Mail = Callable[..., bytes]
Commit = Callable[..., Snapshot]
Ulid = Callable[[int], str]

DAY = timedelta(days=1)
NOW = datetime(2026, 6, 1, tzinfo=UTC)
NEVER = timedelta(days=100_000)
BEFORE, LATER = NOW - DAY, NOW + 3650 * DAY


class Backups:
    """Makes restore points of one repository and looks at what is left of it."""

    def __init__(self, storage: MemoryStorage, tuning: Tuning, mail: Mail, commit: Commit, ulid: Ulid) -> None:
        self.storage, self.wrapper, self.tuning = storage, LocalKeyWrapper(), tuning
        self._mail, self._commit, self._ulid = mail, commit, ulid
        self._sessions = iter(range(1, 1000))
        self.repository = Repository.create(storage, self.wrapper, tenant="contoso", tuning=tuning)

    def open(self, shard: str = "box", parent: Snapshot | None = None, adopt: str | None = None) -> Session:
        session = self._ulid(next(self._sessions))
        return self.repository.open_session(shard, session, parent=parent and parent.id, adopt=adopt)

    def put(self, session: Session, *numbers: int) -> None:
        for n in numbers:
            session.put_item(NewItem(f"m{n:03d}", "mail", "1", ""), self._mail(n, attachment=n))

    def backup(
        self, *numbers: int, expires_at: datetime = LATER, shard: str = "box", parent: Snapshot | None = None
    ) -> Snapshot:
        """A restore point of exactly these mails."""
        with self.open(shard, parent) as session:
            for row in list(session.keys("mail")):
                if int(row.key[1:]) not in numbers:
                    session.remove(row.key)
            self.put(session, *numbers)
            return self._commit(session, expires_at=expires_at)

    def finish(self, session: Session) -> Snapshot:
        return self._commit(session, expires_at=LATER)

    def maintain(self, now: datetime = NOW, **policy: object) -> MaintenanceReport:
        """In another process, as a job of the product does it."""
        settings = {"grace": timedelta(0), "session_grace": NEVER, **policy}
        return self.another().maintain(now, **settings)

    def another(self) -> Repository:
        return Repository.open(self.storage, self.wrapper, tuning=self.tuning)

    def names(self, prefix: str) -> list[str]:
        return [info.key for info in self.storage.list(prefix)]

    def packs(self) -> set[str]:
        return set(self.names("data/"))

    def check(self, *snapshots: Snapshot) -> None:
        """Exactly these restore points are there, and whole, for who has looked long ago and for who looks now."""
        for repository in (self.repository, self.another()):
            assert {found.id for found in repository.snapshots()} == {one.id for one in snapshots}
            for one in snapshots:
                rows = repository.items(one.shard, one.id)
                bodies = {int(row.key[1:]): body for row, body in repository.read_many(rows)}
                assert bodies == {n: self._mail(n, attachment=n) for n in bodies}
                assert len(bodies) == one.items
                assert all(repository.verify(one.shard, one.id, level).good for level in (0, 1, 2))


Make = Callable[[MemoryStorage], Backups]


@pytest.fixture
def storage() -> MemoryStorage:
    return MemoryStorage()


@pytest.fixture
def make(tuning: Tuning, mail: Mail, commit: Commit, ulid: Ulid) -> Make:
    return lambda storage: Backups(storage, tuning, mail, commit, ulid)


@pytest.fixture
def backups(make: Make, storage: MemoryStorage) -> Backups:
    return make(storage)


def test_a_repository_in_use_loses_nothing(backups: Backups) -> None:
    one = backups.backup(*range(20))
    before = dict(backups.storage.objects)
    report = backups.maintain()
    assert (report.good, report.run, report.deleted, report.waste.total) == (True, None, 0, 0)
    assert report.stored_bytes == sum(len(body) for key, body in before.items() if key.startswith("data/"))
    assert backups.storage.objects == before
    backups.check(one)


def test_what_has_expired_goes_with_everything_only_it_needs(backups: Backups) -> None:
    old = backups.backup(*range(20), expires_at=BEFORE)
    new = backups.backup(*range(100, 120), parent=old)
    report = backups.maintain()
    assert report.good
    assert report.expired == (f"snapshots/box/{old.id}",)
    assert backups.packs() == {pack.key for pack in new.packs}
    assert {name.split("/")[1] for name in backups.names("index/")} == {new.id}
    backups.check(new)
    assert report.deleted_bytes >= old.stored_bytes
    assert (report.packs, report.stored_bytes) == (len(new.packs), new.stored_bytes)


def test_the_last_restore_point_may_go_as_well(backups: Backups) -> None:
    backups.backup(*range(20), expires_at=BEFORE)
    backups.maintain()
    assert backups.packs() == set()
    assert backups.names("manifests/") == backups.names("index/") == backups.names("snapshots/") == []
    backups.check(backups.backup(*range(20)))


def test_packs_wait_for_the_grace_snapshots_do_not(backups: Backups) -> None:
    old = backups.backup(*range(20), expires_at=BEFORE)
    report = backups.maintain(grace=DAY)
    assert backups.names("snapshots/") == []
    assert backups.packs() == {pack.key for pack in old.packs}
    assert (report.sweep_after, report.waste.waiting) == (NOW + DAY, old.stored_bytes)
    early = backups.maintain(NOW + DAY - timedelta(seconds=1), grace=DAY)
    assert (early.deleted, early.sweep_after, early.run) == (0, NOW + DAY, 1)
    done = backups.maintain(NOW + DAY, grace=DAY)
    assert backups.packs() == set()
    assert (done.sweep_after, done.waste.total) == (None, 0)
    assert backups.names("gc/") == ["gc/00000001/condemned", "gc/00000001/done"]


def test_a_clock_a_year_ahead_of_the_storage_costs_nothing_and_is_reported(make: Make) -> None:
    backups = make(MemoryStorage(clock=lambda: NOW))
    old = backups.backup(*range(20), expires_at=BEFORE)
    kept = backups.backup(*range(100, 120), expires_at=NOW + 90 * DAY)
    report = backups.maintain(NOW + 365 * DAY, grace=DAY)
    assert (report.clock_ahead, report.good) == (365 * DAY, False)
    assert [(problem.kind, problem.key) for problem in report.problems] == [("clock", "storage")]
    assert (report.sweep_after, report.waste.waiting) == (NOW + DAY, old.stored_bytes)
    backups.check(kept)


def test_a_clock_a_year_behind_the_storage_costs_time_not_data(make: Make) -> None:
    backups = make(MemoryStorage(clock=lambda: NOW))
    points = [backups.backup(*range(20), expires_at=BEFORE), backups.backup(*range(100, 120))]
    report = backups.maintain(NOW - 365 * DAY)
    assert (report.good, report.deleted) == (True, 0)
    backups.check(*points)


def test_a_full_storage_that_cannot_tell_its_time_is_swept_all_the_same(make: Make) -> None:
    backups = make(MemoryStorage(clock=lambda: NOW + DAY))
    backups.backup(*range(20), expires_at=BEFORE)
    backups.maintain(grace=DAY)
    with FaultyStorage(backups.storage) as full:
        full.plan("clock", "", StorageFull("no space left", key=""))
        full.plan("put", "", StorageFull("no space left", key=""))  # the word that the run has ended
        collector = Repository.open(full, backups.wrapper, tuning=backups.tuning)
        with pytest.raises(StorageFull):
            collector.maintain(NOW + DAY, grace=DAY, session_grace=NEVER)
    assert backups.packs() == set()


def test_where_the_storage_has_no_clock_a_collector_goes_by_its_own(backups: Backups) -> None:
    """A folder: it cannot know better, and removes what expires within the year its clock is ahead."""
    old = backups.backup(*range(20), expires_at=BEFORE)
    new = backups.backup(*range(100, 120))
    backups.maintain(NOW + 365 * DAY, grace=DAY)
    report = backups.maintain(NOW, grace=DAY)
    assert report.sweep_after == NOW + 366 * DAY
    assert report.waste.waiting == old.stored_bytes
    backups.check(new)


def test_a_snapshot_goes_before_what_it_needs(backups: Backups) -> None:
    """Stopped before any removal, a restore point is whole or no longer listed."""
    order: list[str] = []

    class Watching(MemoryStorage):
        def delete(self, key: str) -> None:
            order.append(key.split("/", maxsplit=1)[0])
            super().delete(key)

    backups.backup(*range(20), expires_at=BEFORE)
    watching = Watching()
    watching.objects = backups.storage.objects
    Repository.open(watching, backups.wrapper).maintain(NOW, grace=timedelta(0))
    assert list(dict.fromkeys(order)) == ["snapshots", "manifests", "index", "data"]


def test_an_unfinished_session_keeps_its_packs_and_what_it_started_from(backups: Backups) -> None:
    parent = backups.backup(*range(20), expires_at=BEFORE)
    session = backups.open(parent=parent)
    backups.put(session, *range(100, 120))
    session.checkpoint(b"half")
    report = backups.maintain()
    assert (report.good, report.expired, report.deleted) == (True, (), 0)
    snapshot = backups.finish(session)
    backups.check(parent, snapshot)


def test_a_dead_session_is_given_up_after_its_grace(backups: Backups) -> None:
    kept = backups.backup(*range(20))
    dead = backups.open("other")
    backups.put(dead, *range(100, 120))
    dead.checkpoint(b"half")
    assert backups.maintain().deleted == 0
    report = backups.maintain(session_grace=timedelta(days=7))
    assert report.fenced == (dead.id,)
    assert backups.names("sessions/") == []
    assert backups.packs() == {pack.key for pack in kept.packs}
    with pytest.raises(SessionFenced):
        backups.finish(dead)
    # Its job goes on with another session, which finds nothing to adopt.
    with backups.open("other", adopt=dead.id) as session:
        assert session.cursor is None
        backups.put(session, *range(100, 120))
        again = backups.finish(session)
    backups.check(kept, again)


def test_left_overs_of_a_committed_session_are_cleared(backups: Backups, storage: MemoryStorage) -> None:
    session = backups.open()
    backups.put(session, 1)
    left = {key: body for key, body in storage.objects.items() if key.startswith("sessions/")}
    snapshot = backups.finish(session)
    storage.objects |= left
    backups.maintain()
    assert backups.names("sessions/") == []
    backups.check(snapshot)


def test_a_writer_does_not_rely_on_what_is_condemned(backups: Backups) -> None:
    """The blobs of an expired restore point are found again between condemning and sweeping."""
    old = backups.backup(*range(20), expires_at=BEFORE)
    session = backups.open("other")
    backups.put(session, *range(10))  # nothing to store: the old packs hold it
    session.checkpoint(b"half")
    # Another shard, so that the session's state is a root, but its next items are not known to anybody.
    backups.put(session, *range(10, 20))
    backups.maintain(grace=DAY)
    snapshot = backups.finish(session)
    assert snapshot.stored_bytes > 0, "own copies of what was condemned meanwhile"
    assert not {pack.key for pack in snapshot.packs} & {pack.key for pack in old.packs}
    backups.maintain(NOW + DAY, grace=DAY)
    backups.check(snapshot)


def test_own_copies_of_what_is_condemned_come_from_below_what_somebody_put_on_top(make: Make) -> None:
    storage = MemoryStorage(lock=LockMode.GOVERNANCE, clock=lambda: NOW)
    backups = make(storage)
    old = backups.backup(*range(20), expires_at=BEFORE)
    session = backups.open("other")
    backups.put(session, *range(20))  # nothing to store, nothing known to anybody
    backups.maintain(grace=DAY)
    for pack in old.packs:
        storage.cover(pack.key, b"nothing")
    snapshot = backups.finish(session)
    assert snapshot.stored_bytes > 0
    assert backups.another().verify("other", snapshot.id, 2).good


def test_what_was_collected_under_a_writer_makes_it_start_again(backups: Backups) -> None:
    backups.backup(*range(20), expires_at=BEFORE)
    session = backups.open("other")
    backups.put(session, *range(20))
    backups.maintain()
    with pytest.raises(IntegrityError, match=r"collected while the session relied on it|missing_blob"):
        backups.finish(session)
    with backups.open("other", adopt=session.id) as again:
        assert again.cursor is None, "the progress is lost, and known to be"
        backups.put(again, *range(20))
        snapshot = backups.finish(again)
    backups.check(snapshot)


def test_progress_whose_segments_were_collected_is_none(backups: Backups) -> None:
    """A writer that stalls may write its checkpoint after a collector has removed what the checkpoint names."""
    backups.backup(*range(20), expires_at=BEFORE)
    backups.maintain(grace=DAY)
    with backups.open("other") as session:
        backups.put(session, *range(100, 110))
        session.checkpoint(b"as far as here")
    for name in backups.names("manifests/other/"):
        backups.storage.delete(name)
    with backups.open("other", adopt=session.id) as again:
        assert again.cursor is None
        backups.put(again, *range(100, 110))
        snapshot = backups.finish(again)
    backups.check(snapshot)


def test_a_parent_that_is_being_removed_counts_as_none(backups: Backups) -> None:
    parent = backups.backup(*range(20), expires_at=BEFORE)
    backups.maintain(grace=DAY)
    with backups.open(parent=parent) as session:
        assert (session.parent, session.cursor, list(session.keys())) == (None, None, [])
        backups.put(session, *range(5))
        snapshot = backups.finish(session)
    backups.maintain(NOW + DAY, grace=DAY)
    backups.check(snapshot)


def test_a_hold_keeps_an_expired_restore_point(backups: Backups) -> None:
    held = backups.backup(*range(20), expires_at=BEFORE)
    other = backups.backup(*range(100, 120), expires_at=BEFORE, shard="other")
    hold = Hold("01ARZ3NDEKTSV4RRFFQ69G5FAV", Scope("box", held.id), "lawsuit", "counsel", NOW)
    backups.repository.custody.place_hold(hold)
    assert backups.maintain().expired == (f"snapshots/other/{other.id}",)
    backups.check(held)


def test_a_hold_on_what_is_condemned_comes_too_late(backups: Backups, storage: MemoryStorage) -> None:
    """The collector may have looked already: only a refusal is honest."""
    late = backups.backup(1, expires_at=BEFORE)
    kept = dict(storage.objects)
    backups.maintain()
    storage.objects |= {key: body for key, body in kept.items() if key.startswith("snapshots/")}
    with pytest.raises(NotFound, match="being removed"):
        backups.repository.custody.place_hold(
            Hold("01ARZ3NDEKTSV4RRFFQ69G5FAV", Scope("box", late.id), "lawsuit", "counsel", NOW)
        )


def test_a_refused_removal_is_later(make: Make) -> None:
    clock = [NOW]
    storage = MemoryStorage(lock=LockMode.COMPLIANCE, clock=lambda: clock[0])
    backups = make(storage)
    old = backups.backup(*range(20), expires_at=BEFORE)
    for key in [key for key in storage.objects if not key.startswith("snapshots/")]:
        storage.extend(key, NOW + 10 * DAY)
    report = backups.maintain()
    assert set(report.locked) >= {pack.key for pack in old.packs}
    assert (report.waste.locked, report.good) == (old.stored_bytes, True)
    assert backups.maintain(NOW + DAY).waste.locked == old.stored_bytes
    clock[0] = NOW + 11 * DAY
    backups.maintain(clock[0])
    assert (backups.packs(), backups.names("manifests/"), backups.names("index/")) == (set(), [], [])


def test_a_locked_snapshot_stays_whole(make: Make) -> None:
    storage = MemoryStorage(lock=LockMode.COMPLIANCE, clock=lambda: NOW)
    backups = make(storage)
    old = backups.backup(*range(20), expires_at=BEFORE)
    storage.hold(f"snapshots/box/{old.id}", on=True)
    for day in range(3):
        report = backups.maintain(NOW + day * DAY)
        assert f"snapshots/box/{old.id}" in report.locked
        backups.check(old)


@pytest.mark.parametrize(
    "prefix", ["snapshots/box/", "sessions/", "gc/00000001/condemned", "index/", "manifests/box/", "holds/"]
)
def test_what_cannot_be_read_stops_the_collector_and_is_named(
    backups: Backups, storage: MemoryStorage, prefix: str
) -> None:
    backups.backup(*range(20), expires_at=BEFORE)
    backups.backup(*range(20, 40), expires_at=BEFORE, shard="third")
    backups.maintain(grace=DAY)  # condemns
    whole = backups.backup(*range(100, 120))
    open_session = backups.open("other")
    backups.put(open_session, 200)
    open_session.checkpoint(b"1")
    storage.objects["holds/01ARZ3NDEKTSV4RRFFQ69G5FAV"] = b"rubbish"
    if prefix != "holds/":
        del storage.objects["holds/01ARZ3NDEKTSV4RRFFQ69G5FAV"]
    collector = backups.another()
    key = next(key for key in storage.objects if key.startswith(prefix))
    if prefix in {"snapshots/box/", "manifests/box/"}:
        key = next(key for key in storage.objects if key.startswith(prefix) and whole.id in key)
    if prefix in {"index/", "gc/00000001/condemned"}:
        # Read when the repository is opened: what appears afterwards has to be met by the call itself.
        key = {"index/": "index/01ARZ3NDEKTSV4RRFFQ69G5FAV/000000", prefix: "gc/00000002/condemned"}[prefix]
    storage.objects[key] = b"rubbish" * 20
    before = dict(storage.objects)
    report = collector.maintain(NOW + 2 * DAY, grace=DAY, session_grace=NEVER)
    assert [problem.key for problem in report.blocked] == [key]
    assert not report.good
    assert storage.objects == before


def test_packs_of_unknown_content_stay_while_a_blob_is_missing(backups: Backups, storage: MemoryStorage) -> None:
    """An index object was lost: its packs must not be taken for garbage, they are rebuilt from their trailers."""
    backups.backup(*range(20))
    for key in backups.names("index/"):
        del storage.objects[key]
    packs = backups.packs()
    assert backups.maintain().deleted == 0
    assert backups.packs() == packs


def test_packs_without_an_index_go_with_their_dead_session(backups: Backups, storage: MemoryStorage) -> None:
    kept = backups.backup(*range(20))
    dead = backups.open("other")
    backups.put(dead, *range(100, 120))
    dead.checkpoint(b"half")
    for key in [key for key in storage.objects if key.startswith((f"index/{dead.id}", f"sessions/{dead.id}/ckpt"))]:
        del storage.objects[key]
    backups.maintain(session_grace=timedelta(0))
    assert backups.packs() == {pack.key for pack in kept.packs}
    backups.check(kept)


def test_sparse_packs_are_rewritten(backups: Backups) -> None:
    old = backups.backup(*range(40), expires_at=BEFORE)
    new = backups.backup(*range(0, 40, 5), parent=old)
    before = sum(len(backups.storage.objects[name]) for name in backups.packs())
    report = backups.maintain()
    assert report.good
    assert report.rewritten > 0
    assert not backups.packs() & {pack.key for pack in old.packs}
    assert report.stored_bytes < before / 2
    backups.check(new)
    again = backups.maintain()
    assert (again.rewritten, again.deleted, again.waste.sparse) == (0, 0, 0)


@pytest.mark.parametrize("lock", [None, LockMode.GOVERNANCE])
def test_a_collector_overtaken_while_it_rewrites_finds_nothing_damaged(backups: Backups, lock: LockMode | None) -> None:
    """Another one copies the same packs and sweeps them, between any two operations of the first."""
    old = backups.backup(*range(40), expires_at=BEFORE)
    new = backups.backup(*range(0, 40, 5), parent=old)
    objects = backups.storage.objects

    def overtaken(at: int) -> int:
        backups.storage = MemoryStorage(lock=lock)
        backups.storage.objects = dict(objects)
        backups.repository = backups.another()
        slow = ScriptedStorage(backups.storage)
        collector = Repository.open(slow, backups.wrapper, tuning=backups.tuning)
        slow.play({at: lambda: None if backups.maintain().good else pytest.fail("the faster one failed")})
        report = collector.maintain(NOW, grace=timedelta(0), session_grace=NEVER)
        assert report.good, report
        backups.check(new)
        return len(slow.operations)

    assert max(overtaken(at) for at in range(overtaken(10_000))) > 30


def test_a_sparse_pack_that_no_collector_took_away_is_damage(backups: Backups) -> None:
    old = backups.backup(*range(40), expires_at=BEFORE)
    backups.backup(*range(0, 40, 5), parent=old)
    victim, objects = old.packs[0].key, dict(backups.storage.objects)
    slow = ScriptedStorage(backups.storage)

    def report(script: Script) -> MaintenanceReport:
        backups.storage.objects = dict(objects)
        collector = Repository.open(slow, backups.wrapper, tuning=backups.tuning)
        slow.play(script)
        return collector.maintain(NOW, grace=timedelta(0), session_grace=NEVER)

    assert report({}).good
    read = slow.operations.index(("get", victim))
    found = report({read: lambda: backups.storage.delete(victim)}).damaged
    assert [(one.kind, one.key) for one in found] == [("damaged_pack", victim)]


def test_a_locked_sparse_pack_is_waste_and_reported(make: Make) -> None:
    storage = MemoryStorage(lock=LockMode.GOVERNANCE, clock=lambda: NOW)
    backups = make(storage)
    old = backups.backup(*range(40), expires_at=BEFORE)
    new = backups.backup(*range(0, 40, 5), parent=old)
    report = backups.maintain()
    assert (report.rewritten, report.waste.sparse > old.stored_bytes / 2) == (0, True)
    backups.storage = MemoryStorage()
    backups.storage.objects = storage.objects
    assert backups.maintain().rewritten == len(old.packs)
    backups.check(new)


def test_of_two_copies_of_a_blob_one_is_kept(backups: Backups) -> None:
    left, right = backups.repository, backups.another()
    sessions: Iterator[str] = iter(["01ARZ3NDEKTSV4RRFFQ69G5FA0", "01ARZ3NDEKTSV4RRFFQ69G5FA1"])
    opened = [one.open_session(shard, next(sessions), parent=None) for one, shard in ((left, "a"), (right, "b"))]
    for session in opened:
        backups.put(session, *range(20))
    snapshots = [backups.finish(session) for session in opened]
    size = sum(len(backups.storage.objects[name]) for name in backups.packs())
    report = backups.maintain()
    assert report.stored_bytes < size * 0.6
    backups.check(*snapshots)


def test_index_objects_are_merged(backups: Backups) -> None:
    snapshots = [backups.backup(n, shard=f"box{n}") for n in range(MERGE_ABOVE + 4)]
    report = backups.maintain()
    assert report.merged == MERGE_ABOVE + 4
    assert backups.names("index/") == ["index/merged/00000001/000000"]
    backups.check(*snapshots)
    assert backups.maintain().merged == 0


def test_an_index_object_that_holds_much_stale_is_written_anew(backups: Backups) -> None:
    snapshots = [
        backups.backup(n, shard=f"box{n}", expires_at=BEFORE if n % 2 else LATER) for n in range(MERGE_ABOVE + 4)
    ]
    backups.maintain(NOW - 2 * DAY)
    assert backups.names("index/") == ["index/merged/00000001/000000"]
    backups.maintain()
    assert backups.names("index/") == ["index/merged/00000002/000000"]
    assert backups.packs() == {pack.key for one in snapshots[::2] for pack in one.packs}
    assert {pack.name for pack in backups.another()._backing.index.packs()} == backups.packs()
    backups.check(*snapshots[::2])


def test_the_list_of_all_that_is_condemned_is_repeated_now_and_then(
    backups: Backups, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backup_engine.maintenance.condemning.FULL_EVERY", 3)
    condemned: set[str] = set()
    for n in range(7):
        condemned |= {pack.key for pack in backups.backup(n, expires_at=BEFORE).packs}
        backups.maintain()
    lists = backups.names("gc/")
    assert len(lists) == 14
    payload = backups.repository._backing.objects.get("gc/00000006/condemned", Kind.CONDEMNED)
    assert payload["full"]
    assert backups.another()._backing.condemned.packs == condemned
    # Nobody needs the lists before the last full one any more.
    for name in lists:
        if name < "gc/00000006":
            del backups.storage.objects[name]
    assert backups.another()._backing.condemned.packs == condemned


def test_a_removed_restore_point_is_forgotten_when_its_name_holds_a_tombstone(backups: Backups) -> None:
    """A collector that finds leftovers takes its session for dead; whoever had read the name collects on."""
    expired = backups.backup(1, expires_at=BEFORE)
    kept = backups.backup(2, shard="other")
    who_read_it = backups.another()
    assert expired in who_read_it.snapshots()
    assert backups.maintain().expired == (f"snapshots/box/{expired.id}",)
    commits.fence(backups.repository._backing.objects, "box", expired.id, by="somebody")
    assert who_read_it.snapshots() == [kept]
    report = who_read_it.maintain(NOW, grace=timedelta(0), session_grace=NEVER)
    assert report.good, report
