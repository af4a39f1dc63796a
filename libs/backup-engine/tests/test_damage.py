"""Whatever happens to whatever stored object: it is detected, named, and repaired from what storage or source have."""

import io
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta

import pytest

from backup_engine import (
    FailedItem,
    FormatUnsupported,
    IntegrityError,
    KeyUnavailable,
    NewItem,
    NotFound,
    Repository,
    RepositoryError,
    RollingReport,
    Snapshot,
    StorageDenied,
    StorageUnreachable,
    Tuning,
)
from backup_engine.storage import LockMode, MemoryStorage
from backup_engine.testing.faulty import FaultyStorage, SimulatedCrash
from backup_engine.testing.keys import LocalKeyWrapper
from backup_engine.testing.seaweed import LOCK_BUCKET, SeaweedServer

Mail = Callable[..., bytes]
Commit = Callable[..., Snapshot]
Ulid = Callable[[int], str]
NOW = datetime(2026, 3, 2, tzinfo=UTC)
DAY = timedelta(days=1)
PACKS, DELTAS, SEGMENTS, SNAPSHOTS = "data/", "index/", "manifests/", "snapshots/"


class Mailbox:
    """A source, its backups as the product makes them, and what each restore point must give."""

    def __init__(self, repository: Callable[[], Repository], mail: Mail, commit: Commit, ulid: Ulid) -> None:
        self.open = repository
        self.mails = {f"m{n:02d}": mail(n, attachment=n) for n in range(12)}
        self.points: dict[str, dict[str, bytes]] = {}
        self._commit = commit
        self._ulid = ulid
        self._sessions = 0

    def ulid(self) -> str:
        self._sessions += 1
        return self._ulid(self._sessions)

    def back_up(self) -> Snapshot:
        """Put what is new, what changed, and what the repository asks for again; list what is lost for good."""
        repository = self.open()
        newest = next(iter(repository.snapshots("box")), None)
        with repository.open_session("box", self.ulid(), parent=newest.id if newest else None) as session:
            asked = {row.key for row in session.unreadable()}
            for key, body in self.mails.items():
                if session.known(key) is None or key in asked:
                    session.put_item(NewItem(key, "mail", "1", ""), body)
            for row in list(session.keys()):
                if row.key not in self.mails:
                    session.remove(row.key)
            snapshot = self._commit(session)
        self.points[snapshot.id] = dict(self.mails)
        repository.checks.attest(snapshot, [repository.verify("box", snapshot.id, 0)], at=NOW)
        return snapshot

    def verify(self) -> RollingReport:
        return self.open().checks.rolling(at=NOW, session=self.ulid())

    def readable(self, point: str) -> dict[str, bytes]:
        """What the restore point gives today."""
        repository = self.open()
        found = {}
        for row in repository.items("box", point):
            try:
                found[row.key] = repository.read(row)
            except IntegrityError:
                continue
        return found


@pytest.fixture
def mailbox(
    repository: Repository, reopened: Callable[[], Repository], mail: Mail, commit: Commit, ulid: Ulid
) -> Mailbox:
    """Three restore points; m00 to m02 are gone from the source since the second, m12 to m14 are new since."""
    box = Mailbox(reopened, mail, commit, ulid)
    box.back_up()
    box.mails |= {f"m{n}": mail(n, attachment=n) for n in range(12, 15)}
    box.back_up()
    for key in ("m00", "m01", "m02"):
        del box.mails[key]
    box.back_up()
    assert box.verify().report.good
    return box


@pytest.fixture
def stranger(wrapper: LocalKeyWrapper, tuning: Tuning, mail: Mail, commit: Commit, ulid: Ulid) -> MemoryStorage:
    """Another tenant's repository, made the same way and with the same vault."""
    storage = MemoryStorage()
    Repository.create(storage, wrapper, tenant="fabrikam", tuning=tuning)
    box = Mailbox(lambda: Repository.open(storage, wrapper, tuning=tuning), mail, commit, ulid)
    box.back_up()
    box.verify()
    return storage


def flips(body: bytes) -> Iterator[bytes]:
    places = {0, 8, 14, 19, 40, 63, 64, len(body) // 2, len(body) - 70, len(body) - 1}
    for place in sorted(places):
        if 0 <= place < len(body):
            yield body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :]


def cuts(body: bytes) -> Iterator[bytes]:
    for length in {0, 10, 64, len(body) // 2, len(body) - 1}:
        yield body[:length]


def counterpart(name: str, others: Mapping[str, bytes]) -> bytes:
    """The other tenant's object of the same kind."""
    folder = name.partition("/")[0]
    return next(body for key, body in sorted(others.items()) if key.partition("/")[0] == folder)


def detected(mailbox: Mailbox) -> set[str]:
    """Names that opening or verification complains about."""
    try:
        report = mailbox.verify().report
    except (IntegrityError, NotFound, KeyUnavailable, FormatUnsupported) as error:
        return {getattr(error, "key", "") or str(error)}
    return {problem.key for problem in report.problems}


def every_fault(body: bytes, other: bytes) -> Iterator[bytes | None]:
    yield from flips(body)
    yield from cuts(body)
    yield other
    yield None


def test_every_fault_of_every_stored_object_is_detected_and_named(
    mailbox: Mailbox, memory: MemoryStorage, stranger: MemoryStorage
) -> None:
    sound = dict(memory.objects)
    tried = 0
    last = max(name for name in sound if name.startswith("receipts/"))
    for name, body in sound.items():
        if name.startswith("sessions/"):
            continue  # of an account that may not delete: what is left of committed sessions
        for fault in every_fault(body, counterpart(name, stranger.objects)):
            if fault is None and name == last:
                continue  # found only by who remembers it (format, section 15)
            memory.objects.clear()
            memory.objects.update(sound)
            if fault is None:
                del memory.objects[name]
            else:
                memory.objects[name] = fault
            found = detected(mailbox)
            assert found, (name, None if fault is None else len(fault))
            assert any(name in one for one in found) or named_by_others(name, found), (name, found)
            tried += 1
    assert tried > 250


def named_by_others(name: str, found: set[str]) -> bool:
    """A removed index object is named by its packs or the restore points that need it, a wrong first key by config."""
    if name == "keys/1":
        return found == {"config"}
    return name.startswith(DELTAS) and all(one.startswith((PACKS, SNAPSHOTS)) for one in found)


@pytest.mark.parametrize("fault", ["flip", "cut", "delete", "foreign"])
@pytest.mark.parametrize("folder", [PACKS, DELTAS, SEGMENTS, SNAPSHOTS])
def test_after_verification_and_backup_all_the_source_has_is_readable_again(
    mailbox: Mailbox, memory: MemoryStorage, stranger: MemoryStorage, folder: str, fault: str
) -> None:
    sound = dict(memory.objects)
    for name in [name for name in sound if name.startswith(folder)]:
        points = dict(mailbox.points)
        body = sound[name]
        if fault == "delete":
            del memory.objects[name]
        else:
            changed = {"flip": body[:99] + bytes([body[99] ^ 4]) + body[100:], "cut": body[: len(body) // 3]}
            memory.objects[name] = changed.get(fault) or counterpart(name, stranger.objects)
        report = mailbox.verify()
        newest = mailbox.back_up()
        assert mailbox.readable(newest.id) == mailbox.mails, (name, fault)
        assert mailbox.open().verify("box", newest.id, 2).good
        affected = {one.snapshot: one.keys for one in report.affected}
        for point, expected in points.items():
            if not whole_point_lost(mailbox, point):
                missing = expected.keys() - mailbox.readable(point).keys()
                assert missing <= set(affected.get(point) or ()), "every item that is lost was named"
                assert missing <= expected.keys() - mailbox.mails.keys(), "only what the source has no more is lost"
            else:
                assert affected[point] is None
        memory.objects.clear()
        memory.objects.update(sound)
        mailbox.points = points


def whole_point_lost(mailbox: Mailbox, point: str) -> bool:
    try:
        list(mailbox.open().items("box", point))
    except RepositoryError:
        return True
    return False


def test_a_flipped_bit_costs_one_item_because_the_rest_of_its_pack_is_saved(
    mailbox: Mailbox, memory: MemoryStorage
) -> None:
    pack = min(name for name in memory.objects if name.startswith(PACKS))
    body = memory.objects[pack]
    memory.objects[pack] = body[:99] + bytes([body[99] ^ 4]) + body[100:]
    found = mailbox.verify()
    assert found.repaired.blobs > 3
    lost = {key for one in found.affected for key in one.keys or ()}
    assert len(lost) == 1
    assert found.damage is not None
    assert dict(found.damage.objects) == {pack: "damaged_pack"}
    for point, expected in mailbox.points.items():
        assert expected.keys() - mailbox.readable(point).keys() <= lost


def test_a_lost_index_is_made_again_from_the_packs(mailbox: Mailbox, memory: MemoryStorage) -> None:
    for name in [name for name in memory.objects if name.startswith(DELTAS)]:
        del memory.objects[name]
    found = mailbox.verify()
    assert found.repaired.packs == sum(name.startswith(PACKS) for name in memory.objects)
    assert found.affected == ()
    for point, expected in mailbox.points.items():
        assert mailbox.readable(point) == expected
    assert mailbox.verify().report.good


def test_an_item_lost_for_good_is_named_and_the_next_restore_point_is_whole(
    mailbox: Mailbox, memory: MemoryStorage
) -> None:
    """m00 to m02 lie in the first packs, and the source has them no more."""
    for name in [name for name in memory.objects if name.startswith(PACKS)]:
        del memory.objects[name]
    found = mailbox.verify()
    first = min(mailbox.points)
    assert found.affected[0].keys == tuple(sorted(mailbox.points[first]))
    newest = mailbox.back_up()
    assert mailbox.readable(newest.id) == mailbox.mails
    gone = {"m00", "m01", "m02"}
    assert mailbox.readable(first).keys() == mailbox.points[first].keys() - gone


def test_an_item_that_is_lost_and_cannot_be_read_at_the_source_makes_the_restore_point_partial(
    mailbox: Mailbox, memory: MemoryStorage, commit: Commit
) -> None:
    for name in [name for name in memory.objects if name.startswith(PACKS)]:
        del memory.objects[name]
    mailbox.verify()
    repository = mailbox.open()
    parent = repository.snapshots("box")[0].id
    with repository.open_session("box", mailbox.ulid(), parent=parent) as session:
        lost = [row.key for row in session.unreadable()]
        assert sorted(lost) == sorted(mailbox.mails)
        for key in lost[1:]:
            session.put_item(NewItem(key, "mail", "1", ""), mailbox.mails[key])
        with pytest.raises(IntegrityError, match="V0"):
            commit(session)
    with mailbox.open().open_session("box", mailbox.ulid(), parent=parent) as session:
        for key in lost[1:]:
            session.put_item(NewItem(key, "mail", "1", ""), mailbox.mails[key])
        snapshot = commit(session, failed=[FailedItem(lost[0], "corrupt_source_item")])
    assert not snapshot.complete
    assert mailbox.readable(snapshot.id).keys() == set(lost[1:])


def test_what_comes_back_is_sound_again(mailbox: Mailbox, memory: MemoryStorage) -> None:
    pack = min(name for name in memory.objects if name.startswith(PACKS))
    body = memory.objects.pop(pack)
    assert mailbox.verify().damage is not None
    memory.objects[pack] = body
    found = mailbox.verify()
    assert found.damage is not None
    assert found.damage.sound == (pack,)
    assert pack not in mailbox.open()._backing.damage.named
    assert [record.n for record in mailbox.open().checks.damage()] == [0, 1]


def test_known_damage_is_reported_again_but_recorded_once(mailbox: Mailbox, memory: MemoryStorage) -> None:
    pack = min(name for name in memory.objects if name.startswith(PACKS))
    del memory.objects[pack]
    assert mailbox.verify().damage is not None
    again = mailbox.verify()
    assert again.damage is None
    assert [problem.key for problem in again.report.problems] == [pack]


def test_until_a_record_names_it_a_damaged_restore_point_stops_the_next_backup(
    mailbox: Mailbox, memory: MemoryStorage
) -> None:
    name = max(name for name in memory.objects if name.startswith(SNAPSHOTS))
    memory.objects[name] = memory.objects[name][:-1]
    with pytest.raises(IntegrityError):
        mailbox.back_up()
    mailbox.verify()
    assert mailbox.readable(mailbox.back_up().id) == mailbox.mails


def test_a_sound_repository_is_not_asked_what_is_unreadable(mailbox: Mailbox) -> None:
    with mailbox.open().open_session("box", mailbox.ulid(), parent=None) as session:
        assert session.unreadable() == []


LOCKED = "contoso/covered"


@pytest.fixture
def locked(seaweed: SeaweedServer, wrapper: LocalKeyWrapper, mail: Mail, ulid: Ulid) -> Mailbox:
    """On a bucket with object lock; its dates are real ones, because the server's clock is."""
    storage, tuning = seaweed.storage("contoso", LOCKED, lock=LockMode.COMPLIANCE), Tuning(pack_size=64 << 10)
    Repository.create(storage, wrapper, tenant="contoso", tuning=tuning)
    now = datetime.now(UTC)
    facts = {"listed": 0, "skipped": [], "failed": [], "taken_at": now, "expires_at": now + DAY}
    return Mailbox(
        lambda: Repository.open(storage, wrapper, tuning=tuning), mail, lambda one: one.commit(b"end", **facts), ulid
    )


def test_a_pack_that_somebody_covered_with_another_version_is_saved_from_below(
    seaweed: SeaweedServer, locked: Mailbox
) -> None:
    point = locked.back_up()
    thief = seaweed.client("contoso")
    covered, hidden = point.packs[0].key, point.packs[1].key
    thief.put_object(LOCK_BUCKET, f"{LOCKED}/{covered}", io.BytesIO(b"mine now"), 8)
    thief.remove_object(LOCK_BUCKET, f"{LOCKED}/{hidden}")  # without a version: a delete marker
    found = locked.verify()
    assert {problem.key: problem.kind for problem in found.report.problems} == {
        covered: "damaged_pack", hidden: "hidden_object",
    }  # fmt: skip
    assert found.repaired.blobs > 0
    assert found.affected == ()
    assert locked.readable(point.id) == locked.mails
    assert locked.readable(locked.back_up().id) == locked.mails
    thief.stat_object(LOCK_BUCKET, f"{LOCKED}/{hidden}")  # what hid it is gone
    assert "hidden_object" not in {problem.kind for problem in locked.verify().report.problems}


def test_every_object_behind_a_delete_marker_is_named_and_brought_back(
    wrapper: LocalKeyWrapper, tuning: Tuning, mail: Mail, commit: Commit, ulid: Ulid
) -> None:
    storage = MemoryStorage(lock=LockMode.GOVERNANCE)
    Repository.create(storage, wrapper, tenant="contoso", tuning=tuning)
    mailbox = Mailbox(lambda: Repository.open(storage, wrapper, tuning=tuning), mail, commit, ulid)
    point = mailbox.back_up()
    assert mailbox.verify().report.good
    everything = set(storage.objects)
    for name in everything:
        storage.hide(name)
    found = mailbox.verify()
    assert {problem.key for problem in found.report.problems if problem.kind == "hidden_object"} == everything
    assert (found.damage, found.affected) == (None, ())
    assert (found.report.covered, found.report.denominator) == (0, len(everything))
    assert set(storage.objects) >= everything
    assert mailbox.verify().report.good
    assert mailbox.readable(point.id) == mailbox.mails


def test_a_marker_that_may_not_be_removed_is_named_each_time(
    wrapper: LocalKeyWrapper, tuning: Tuning, mail: Mail, commit: Commit, ulid: Ulid
) -> None:
    storage = MemoryStorage(lock=LockMode.GOVERNANCE)
    refusing = FaultyStorage(storage)
    Repository.create(storage, wrapper, tenant="contoso", tuning=tuning)
    mailbox = Mailbox(lambda: Repository.open(refusing, wrapper, tuning=tuning), mail, commit, ulid)
    pack = mailbox.back_up().packs[0].key
    storage.hide(pack)
    for error in (StorageDenied("no right to delete versions", key=pack), StorageUnreachable("gone", key=pack)):
        refusing.plan("unhide", pack, error)
        (problem,) = mailbox.verify().report.problems
        assert (problem.kind, problem.key) == ("hidden_object", pack)
    assert storage.objects.keys().isdisjoint({pack})


def test_no_marker_goes_before_a_receipt_names_it(
    wrapper: LocalKeyWrapper, tuning: Tuning, mail: Mail, commit: Commit, ulid: Ulid
) -> None:
    """Once removed nobody finds it again: whoever dies before the receipt leaves all of it to the next step."""
    storage = MemoryStorage(lock=LockMode.GOVERNANCE)
    dying = FaultyStorage(storage)
    Repository.create(storage, wrapper, tenant="contoso", tuning=tuning)
    mailbox = Mailbox(lambda: Repository.open(dying, wrapper, tuning=tuning), mail, commit, ulid)
    mailbox.back_up()
    everything = set(storage.objects)
    for name in everything:
        storage.hide(name)
    dying.plan("put", "receipts/", SimulatedCrash())
    with pytest.raises(SimulatedCrash):
        mailbox.verify()
    found = mailbox.verify()
    assert {problem.key for problem in found.report.problems} == everything
    assert found.receipt.attestation.reports == (found.report,)
    assert mailbox.verify().report.good
