"""Files of any length go in and out in pieces; small items share a page."""

import hashlib
import json
import random
from collections.abc import Callable, Iterator

import pytest

from backup_engine import IntegrityError, NewItem, Repository, Snapshot, Tuning
from backup_engine.storage import MemoryStorage
from backup_engine.testing.keys import LocalKeyWrapper

Mail = Callable[..., bytes]
Commit = Callable[..., Snapshot]
Ulid = Callable[[int], str]


def file(key: str, version: str = "1") -> NewItem:
    return NewItem(key, "file", version, "drive")


def event(n: int, version: str = "1") -> NewItem:
    return NewItem(f"e{n:03d}", "event", version, "calendar")


def body(n: int, subject: str = "Jour fixe") -> bytes:
    return json.dumps({"id": n, "subject": f"{subject} {n}", "attendees": ["anna@contoso.example"] * 8}).encode()


def in_pieces(data: bytes, size: int = 100_000) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


@pytest.mark.parametrize("size", [0, 1, 1 << 20, (1 << 20) + 1, 11 << 20])
def test_a_stream_comes_back_as_it_went_in(repository: Repository, commit: Commit, ulid: Ulid, size: int) -> None:
    data = random.Random(size).randbytes(size)
    with repository.open_session("drive", ulid(1), parent=None) as session:
        stored = session.put_stream(file("f"), in_pieces(data))
        assert (stored.size, stored.new_bytes) == (size, size)
        assert stored.sha256 == hashlib.sha256(data).hexdigest()
        assert session.put_stream(file("copy"), in_pieces(data, 333_333)).new_bytes == 0
        snapshot = commit(session)
    copy, row = repository.items("drive", snapshot.id)
    assert b"".join(repository.read_stream(row)) == data
    assert repository.read(copy) == data
    assert repository.verify("drive", snapshot.id, 2).good


def test_a_changed_file_costs_what_changed(repository: Repository, commit: Commit, ulid: Ulid) -> None:
    data = random.Random(5).randbytes(12 << 20)
    with repository.open_session("drive", ulid(1), parent=None) as session:
        session.put_stream(file("f"), in_pieces(data))
        first = commit(session)
    changed = data[: 6 << 20] + b"!" + data[6 << 20 :]
    with repository.open_session("drive", ulid(2), parent=first.id) as session:
        assert session.put_stream(file("f", "2"), in_pieces(changed)).new_bytes < 6 << 20
        second = commit(session)
    (row,) = repository.items("drive", second.id)
    assert b"".join(repository.read_stream(row)) == changed


def test_a_source_that_breaks_off_leaves_no_item(repository: Repository, commit: Commit, ulid: Ulid) -> None:
    def broken() -> Iterator[bytes]:
        yield bytes(3 << 20)
        raise ConnectionError("the source is gone")

    with repository.open_session("drive", ulid(1), parent=None) as session:
        with pytest.raises(ConnectionError):
            session.put_stream(file("f"), broken())
        assert session.known("f") is None
        session.put_stream(file("g"), [b"short"])
        snapshot = commit(session)
    assert [row.key for row in repository.items("drive", snapshot.id)] == ["g"]


def test_a_damaged_file_never_ends_as_if_it_were_whole(
    repository: Repository, memory: MemoryStorage, commit: Commit, ulid: Ulid
) -> None:
    data = random.Random(6).randbytes(12 << 20)
    with repository.open_session("drive", ulid(1), parent=None) as session:
        session.put_stream(file("f"), in_pieces(data))
        snapshot = commit(session)
    (row,) = repository.items("drive", snapshot.id)
    last = snapshot.packs[-1].key
    damaged = bytearray(memory.objects[last])
    damaged[5000] ^= 1
    memory.objects[last] = bytes(damaged)
    got = bytearray()
    with pytest.raises(IntegrityError):
        got.extend(byte for piece in repository.read_stream(row) for byte in piece)
    assert data.startswith(got)
    assert len(got) < len(data)


def test_small_items_share_a_blob(repository: Repository, commit: Commit, ulid: Ulid) -> None:
    with repository.open_session("calendar", ulid(1), parent=None) as session:
        for n in range(70):
            session.put_page_item(event(n), body(n))
        session.put_page_item(event(70), b"")
        snapshot = commit(session)
    rows = list(repository.items("calendar", snapshot.id))
    assert [repository.read(row) for row in rows] == [*(body(n) for n in range(70)), b""]
    assert len({part.id for row in rows for part in row.recipe}) == 3
    assert (snapshot.items, snapshot.changed) == (71, 71)
    assert snapshot.bytes > 4 * snapshot.stored_bytes
    assert repository.verify("calendar", snapshot.id, 2).good


def test_a_page_holds_no_more_than_its_bytes(repository: Repository, commit: Commit, ulid: Ulid) -> None:
    with repository.open_session("calendar", ulid(1), parent=None) as session:
        for n in range(4):
            session.put_page_item(event(n), random.Random(n).randbytes(70_000))
        snapshot = commit(session)
    rows = list(repository.items("calendar", snapshot.id))
    assert [len({part.id for row in rows[n : n + 2] for part in row.recipe}) for n in (0, 2)] == [1, 1]


def test_what_waits_in_a_page_is_known_changed_and_removed_like_anything_else(
    repository: Repository, mail: Mail, commit: Commit, ulid: Ulid
) -> None:
    with repository.open_session("calendar", ulid(1), parent=None) as session:
        for n in range(6):
            session.put_page_item(event(n), body(n))
        found = session.known("e000")
        assert found is not None
        assert found.size == len(body(0))
        session.put_page_item(event(7), body(7))
        session.put_page_item(event(7, "2"), body(7, "moved"))
        session.update_meta("e001", "2", "calendar", {"seen": True})
        assert session.remove("e002")
        session.put_page_item(event(3, "2"), body(3, "moved"))
        session.put_item(event(4, "2"), mail(4))
        session.put_page_item(event(8), body(8))
        assert [row.key for row in session.keys("event")] == ["e000", "e001", "e003", "e004", "e005", "e007", "e008"]
        session.put_page_item(event(9), body(9))
        assert session.checkpoint(b"1").items == 12
        assert session.known("e009") is not None
        snapshot = commit(session)
    rows = {row.key: row for row in repository.items("calendar", snapshot.id)}
    assert repository.read(rows["e003"]) == body(3, "moved")
    assert repository.read(rows["e004"]) == mail(4)
    assert repository.read(rows["e007"]) == body(7, "moved")
    assert rows["e001"].meta == {"seen": True}
    assert repository.read(rows["e001"]) == body(1)


def test_a_change_to_a_page_stores_the_change(repository: Repository, commit: Commit, ulid: Ulid) -> None:
    with repository.open_session("calendar", ulid(1), parent=None) as session:
        for n in range(32):
            session.put_page_item(event(n), body(n))
        first = commit(session)
    with repository.open_session("calendar", ulid(2), parent=first.id) as session:
        session.put_page_item(event(5, "2"), body(5, "moved"))
        second = commit(session)
    assert second.stored_bytes < first.stored_bytes
    bodies = [repository.read(row) for row in repository.items("calendar", second.id)]
    assert bodies == [body(n, "moved" if n == 5 else "Jour fixe") for n in range(32)]


def test_a_stream_goes_on_while_checkpoints_are_made(
    memory: MemoryStorage, wrapper: LocalKeyWrapper, commit: Commit, ulid: Ulid
) -> None:
    repository = Repository.create(memory, wrapper, tenant="contoso", tuning=Tuning(pack_size=1 << 20))
    data = random.Random(7).randbytes(10 << 20)
    checkpoints = []

    def interrupted() -> Iterator[bytes]:
        for n, piece in enumerate(in_pieces(data, 1 << 20)):
            yield piece
            if n % 3 == 2:
                checkpoints.append(session.checkpoint(b"half"))

    with repository.open_session("drive", ulid(1), parent=None) as session:
        session.put_stream(file("f"), interrupted())
        snapshot = commit(session)
    assert [checkpoint.items for checkpoint in checkpoints] == [0, 0, 0]
    (row,) = repository.items("drive", snapshot.id)
    assert b"".join(repository.read_stream(row)) == data
    stored = sum(pack.size for pack in snapshot.packs)
    assert stored < len(data) + 100_000
