from collections.abc import Callable

import pytest

from backup_engine import NewItem, Repository, RepositoryError, Session, Snapshot, StorageUnreachable, Tuning
from backup_engine.storage import MeasuredStorage, MemoryStorage, Meter
from backup_engine.testing.faulty import FaultyStorage
from backup_engine.testing.keys import LocalKeyWrapper

Mail = Callable[..., bytes]
Commit = Callable[..., Snapshot]
Ulid = Callable[[int], str]


@pytest.fixture
def snapshot(repository: Repository, mail: Mail, commit: Commit, ulid: Ulid) -> Snapshot:
    """30 mails in several packs of two sessions, and a folder."""
    parent = None
    for number in (1, 2):
        with repository.open_session("box", ulid(number), parent=parent) as session:
            session.put_record("inbox", "folder", str(number), "", {})
            for n in range(15 * (number - 1), 15 * number):
                session.put_item(NewItem(f"m{n:02d}", "mail", "1", "inbox"), mail(n, attachment=n))
            snapshot = commit(session)
            assert session.verification is not None
            assert session.verification.good
        parent = snapshot.id
    return snapshot


def packs(memory: MemoryStorage) -> list[str]:
    return sorted(key for key in memory.objects if key.startswith("data/"))


def lose(memory: MemoryStorage, key: str) -> None:
    """Behind the account's back: one that may only add could not."""
    del memory.objects[key]


def flip(memory: MemoryStorage, key: str, position: int) -> None:
    body = bytearray(memory.objects[key])
    body[position] ^= 1
    memory.objects[key] = bytes(body)


def test_a_sound_restore_point_is_good_at_every_level(
    reopened: Callable[[], Repository], memory: MemoryStorage, snapshot: Snapshot
) -> None:
    repository = reopened()
    every = packs(memory)
    size = sum(len(memory.objects[key]) for key in every)
    first = repository.verify("box", snapshot.id, 0)
    assert (first.good, first.covered, first.denominator, first.packs, first.bytes) == (True, 31, 31, len(every), size)
    second = repository.verify("box", snapshot.id, 1)
    own = len(snapshot.packs)
    assert (second.good, second.covered, second.denominator) == (True, own, own)
    assert 0 < second.bytes < 5000
    third = repository.verify("box", snapshot.id, 2)
    assert (third.good, third.covered, third.denominator) == (True, len(every), len(every))
    assert (third.items, third.bytes) == (31, size)


def test_level_0_finds_a_missing_pack_and_counts_its_items_out(
    reopened: Callable[[], Repository], memory: MemoryStorage, snapshot: Snapshot
) -> None:
    lost = packs(memory)[0]
    del memory.objects[lost]
    report = reopened().verify("box", snapshot.id, 0)
    assert [(problem.kind, problem.key) for problem in report.problems] == [("missing_pack", lost)]
    assert not report.good
    assert 0 < report.covered < report.denominator == 31


def test_level_0_finds_a_pack_of_the_wrong_size(
    reopened: Callable[[], Repository], memory: MemoryStorage, snapshot: Snapshot
) -> None:
    memory.objects[packs(memory)[0]] += b"x"
    report = reopened().verify("box", snapshot.id, 0)
    assert [problem.kind for problem in report.problems] == ["wrong_size"]


def test_level_0_finds_a_missing_index_delta(
    reopened: Callable[[], Repository], memory: MemoryStorage, snapshot: Snapshot
) -> None:
    del memory.objects[min(key for key in memory.objects if key.startswith("index/"))]
    report = reopened().verify("box", snapshot.id, 0)
    assert {problem.kind for problem in report.problems} == {"missing_blob"}
    assert (report.covered, len(report.problems)) == (16, 15)


def test_level_1_reads_each_new_trailer_with_one_request(
    memory: MemoryStorage, wrapper: LocalKeyWrapper, tuning: Tuning, snapshot: Snapshot
) -> None:
    meter = Meter()
    repository = Repository.open(MeasuredStorage(memory, meter), wrapper, tuning=tuning)
    repository.snapshots("box")
    before = meter.requests["get"]
    assert repository.verify("box", snapshot.id, 1).good
    assert meter.requests["get"] - before == len(snapshot.packs)


def test_level_1_finds_a_damaged_trailer_level_0_cannot_see(
    reopened: Callable[[], Repository], memory: MemoryStorage, snapshot: Snapshot
) -> None:
    flip(memory, snapshot.packs[0].key, -100)
    repository = reopened()
    assert repository.verify("box", snapshot.id, 0).good
    report = repository.verify("box", snapshot.id, 1)
    assert [(problem.kind, problem.key) for problem in report.problems] == [("damaged_pack", snapshot.packs[0].key)]
    assert report.covered == report.denominator - 1


def test_level_1_finds_a_missing_pack(
    reopened: Callable[[], Repository], memory: MemoryStorage, snapshot: Snapshot
) -> None:
    del memory.objects[snapshot.packs[0].key]
    report = reopened().verify("box", snapshot.id, 1)
    assert [problem.kind for problem in report.problems] == ["missing_pack"]


@pytest.mark.parametrize("position", [5, 40, 70, 3000, -5, -30, -100])
def test_level_2_finds_a_flipped_bit_anywhere_and_names_the_items(
    reopened: Callable[[], Repository], memory: MemoryStorage, snapshot: Snapshot, position: int
) -> None:
    damaged = packs(memory)[0]
    flip(memory, damaged, position)
    report = reopened().verify("box", snapshot.id, 2)
    assert not report.good
    assert report.covered == report.denominator - 1
    assert report.problems[0].kind == "damaged_pack"
    assert report.problems[0].key == damaged
    items = [problem.key for problem in report.problems if problem.kind == "damaged_item"]
    # Header and trailer are repeated in the index: the items are readable without them.
    in_a_record = position in {70, 3000}
    assert items == (["m00"] if in_a_record else [])


def test_a_check_that_could_not_run_is_an_error_not_a_result(
    memory: MemoryStorage, wrapper: LocalKeyWrapper, tuning: Tuning, snapshot: Snapshot
) -> None:
    with FaultyStorage(memory) as faulty:
        repository = Repository.open(faulty, wrapper, tuning=tuning)
        faulty.plan("list", "data/", StorageUnreachable("gone"))
        faulty.plan("get", "data/", StorageUnreachable("gone"), times=2)
        for level in (0, 1, 2):
            with pytest.raises(StorageUnreachable):
                repository.verify("box", snapshot.id, level)


def test_the_content_digest_ignores_how_it_came_about(
    repository: Repository, mail: Mail, commit: Commit, ulid: Ulid, snapshot: Snapshot
) -> None:
    with repository.open_session("copy", ulid(5), parent=None) as session:
        for n in reversed(range(30)):
            session.put_item(NewItem(f"m{n:02d}", "mail", "other version", "inbox"), mail(n, attachment=n))
        session.put_record("inbox", "folder", "7", "", {})
        copy = commit(session)
    assert repository.content_digest("copy", copy.id) == repository.content_digest("box", snapshot.id)
    with repository.open_session("copy", ulid(6), parent=copy.id) as session:
        session.update_meta("m07", "2", "inbox", {"read": True})
        changed = commit(session)
    assert repository.content_digest("copy", changed.id) != repository.content_digest("copy", copy.id)


MEDDLING: list[tuple[str, list[str], list[str]]] = [
    # what is done after the commit, the problems of level 0, those of level 1
    ("nothing", [], []),
    ("earlier_pack_gone", ["missing_pack"], []),
    ("earlier_pack_longer", ["wrong_size"], []),
    ("own_pack_gone", ["missing_pack"], ["missing_pack"]),
    ("own_trailer_flipped", [], ["damaged_pack"]),
    ("snapshot_gone", ["damaged_object"], []),
    ("snapshot_flipped", ["damaged_object"], []),
    ("delta_gone", ["missing_blob"] * 15, []),
]


@pytest.fixture
def committed(repository: Repository, mail: Mail, commit: Commit, ulid: Ulid) -> Session:
    """The second session of a mailbox, directly after its commit."""
    parent = None
    for number in (1, 2):
        with repository.open_session("box", ulid(number), parent=parent) as session:
            for n in range(15 * (number - 1), 15 * number):
                session.put_item(NewItem(f"m{n:02d}", "mail", "1", ""), mail(n, attachment=n))
            parent = commit(session).id
    return session


@pytest.mark.parametrize("case", MEDDLING, ids=lambda case: case[0])
def test_a_session_verifies_what_it_has_committed_as_storage_has_it(
    repository: Repository, memory: MemoryStorage, committed: Session, case: tuple[str, list[str], list[str]]
) -> None:
    meddling, first, second = case
    snapshot = repository.snapshots("box")[0]
    earlier = next(key for key in packs(memory) if snapshot.id not in key)
    own, name = snapshot.packs[0].key, f"snapshots/box/{snapshot.id}"
    {
        "nothing": lambda: None,
        "earlier_pack_gone": lambda: lose(memory, earlier),
        "earlier_pack_longer": lambda: memory.objects.update({earlier: memory.objects[earlier] + b"x"}),
        "own_pack_gone": lambda: lose(memory, own),
        "own_trailer_flipped": lambda: flip(memory, own, -100),
        "snapshot_gone": lambda: lose(memory, name),
        "snapshot_flipped": lambda: flip(memory, name, -1),
        "delta_gone": lambda: lose(memory, f"index/{snapshot.parent}/000000"),
    }[meddling]()
    level_0, level_1 = committed.verify()
    assert [problem.kind for problem in level_0.problems] == first
    assert [problem.kind for problem in level_1.problems] == second
    assert (level_0.denominator, level_0.good, level_1.good) == (30, not first, not second)
    if not meddling.startswith("snapshot"):  # that Repository.verify does not look at
        assert level_0 == repository.verify("box", snapshot.id, 0)
        assert level_1 == repository.verify("box", snapshot.id, 1)


def test_a_session_that_has_not_committed_verifies_nothing(repository: Repository, ulid: Ulid) -> None:
    with (
        repository.open_session("box", ulid(1), parent=None) as session,
        pytest.raises(RepositoryError, match="has not committed"),
    ):
        session.verify()


def test_packs_of_many_sessions_are_listed_at_once(
    memory: MemoryStorage, wrapper: LocalKeyWrapper, mail: Mail, commit: Commit, ulid: Ulid
) -> None:
    meter = Meter()
    repository = Repository.create(MeasuredStorage(memory, meter), wrapper, tenant="contoso")
    parent = None
    for number in range(1, 8):
        with repository.open_session("box", ulid(number), parent=parent) as session:
            session.put_item(NewItem(f"m{number}", "mail", "1", ""), mail(number, attachment=number))
            parent = commit(session).id
    before = meter.requests["list"]
    assert all(report.good for report in session.verify())
    assert meter.requests["list"] - before == 2  # index, data
