from collections.abc import Callable

import pytest

from backup_engine import NewItem, Repository, Snapshot, StorageUnreachable, Tuning
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
    memory: MemoryStorage, wrapper: LocalKeyWrapper, snapshot: Snapshot
) -> None:
    with FaultyStorage(memory) as faulty:
        repository = Repository.open(faulty, wrapper)
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
