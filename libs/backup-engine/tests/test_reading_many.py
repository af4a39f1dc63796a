"""Reading many items: each pack once, whatever they share; a damaged one costs only itself."""

import hashlib
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from backup_engine import IntegrityError, NewItem, Repository, Snapshot, StorageUnreachable, Tuning, sweep
from backup_engine.model import BlobSlice, ItemRow
from backup_engine.storage import MemoryStorage
from backup_engine.storage.measured import MeasuredStorage, Meter
from backup_engine.testing.faulty import FaultyStorage
from backup_engine.testing.keys import LocalKeyWrapper

Mail = Callable[..., bytes]
ITEMS, ATTACHMENTS = 60, 6


@pytest.fixture
def meter() -> Meter:
    return Meter()


@pytest.fixture
def bodies(mail: Mail) -> dict[str, bytes]:
    """Every attachment in ten mails that lie in ten packs."""
    return {f"m{n:02d}": mail(n, attachment=n % ATTACHMENTS, size=20_000) for n in range(ITEMS)}


@pytest.fixture
def snapshot(
    memory: MemoryStorage, wrapper: LocalKeyWrapper, bodies: dict[str, bytes], commit: Callable[..., Snapshot]
) -> Snapshot:
    repository = Repository.create(memory, wrapper, tenant="contoso")
    with repository.open_session("box", "01ARZ3NDEKTSV4RRFFQ0000001", parent=None) as session:
        for number, (key, body) in enumerate(bodies.items()):
            session.put_item(NewItem(key, "mail", "1", ""), body)
            if number % ATTACHMENTS == ATTACHMENTS - 1:
                session.checkpoint(b"")  # closes the pack
        return commit(session)


@pytest.fixture
def repository(
    memory: MemoryStorage, wrapper: LocalKeyWrapper, snapshot: Snapshot, meter: Meter, tmp_path: Path
) -> Repository:
    return Repository.open(MeasuredStorage(memory, meter), wrapper, tuning=Tuning(folder=tmp_path))


@pytest.fixture
def rows(repository: Repository, snapshot: Snapshot) -> list[ItemRow]:
    return list(repository.items("box", snapshot.id))


@pytest.mark.parametrize("memory_of_opened_blobs", [sweep._SHARED, 0])
def test_each_pack_is_read_once_however_much_its_items_share(
    repository: Repository,
    snapshot: Snapshot,
    rows: list[ItemRow],
    bodies: dict[str, bytes],
    meter: Meter,
    *,
    memory_of_opened_blobs: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sweep, "_SHARED", memory_of_opened_blobs)
    before = meter.requests["get"]
    assert {row.key: body for row, body in repository.read_many(rows)} == bodies
    assert meter.requests["get"] - before == len(snapshot.packs) == ITEMS // ATTACHMENTS


def test_rows_come_back_as_they_were_and_in_the_order_of_the_packs(
    repository: Repository, snapshot: Snapshot, rows: list[ItemRow]
) -> None:
    found = [row for row, _ in repository.read_many(reversed(rows))]
    assert sorted(found, key=lambda row: row.key) == rows
    assert [int(row.key[1:]) // ATTACHMENTS for row in found] == [n // ATTACHMENTS for n in range(ITEMS)]


def test_without_room_on_the_disk_shared_blobs_are_fetched_again(
    repository: Repository,
    rows: list[ItemRow],
    bodies: dict[str, bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shutil.rmtree(tmp_path)  # as good as full: no file can be made in it
    monkeypatch.setattr(sweep, "_SHARED", 0)
    assert {row.key: body for row, body in repository.read_many(rows)} == bodies


def test_a_damaged_record_costs_the_items_that_need_it(
    repository: Repository, memory: MemoryStorage, snapshot: Snapshot, rows: list[ItemRow], bodies: dict[str, bytes]
) -> None:
    lost = rows[7].recipe[0].id
    place = repository._backing.index.find(lost)
    assert place is not None
    body = bytearray(memory.objects[place.pack.name])
    body[place.entry.offset + 1] ^= 1
    memory.objects[place.pack.name] = bytes(body)
    found = {row.key: body for row, body in repository.read_each(rows)}
    assert (
        {key for key, body in found.items() if isinstance(body, IntegrityError)}
        == {row.key for row in rows if lost in {part.id for part in row.recipe}}
        == {rows[7].key}
    )
    assert all(body == bodies[key] for key, body in found.items() if key != rows[7].key)
    with pytest.raises(IntegrityError):
        list(repository.read_many(rows))


def test_a_lost_pack_costs_the_items_that_need_it(
    repository: Repository, memory: MemoryStorage, snapshot: Snapshot, rows: list[ItemRow], bodies: dict[str, bytes]
) -> None:
    gone = sorted(pack.key for pack in snapshot.packs)[4]
    del memory.objects[gone]
    found = {row.key: body for row, body in repository.read_each(rows)}
    broken = {key for key, body in found.items() if isinstance(body, IntegrityError)}
    needing = {row.key for row in rows if any(_pack(repository, part) == gone for part in row.recipe)}
    assert broken == needing
    assert len(broken) == ATTACHMENTS
    assert {key: body for key, body in found.items() if key not in broken} == {
        key: body for key, body in bodies.items() if key not in broken
    }


def _pack(repository: Repository, part: BlobSlice) -> str:
    place = repository._backing.index.find(part.id)
    assert place is not None
    return place.pack.name


def test_a_row_whose_blob_is_nowhere_comes_with_its_error(repository: Repository, rows: list[ItemRow]) -> None:
    unknown = ItemRow("x", "mail", "1", "", {}, 3, hashlib.sha256(b"abc").digest(), [BlobSlice(bytes(32), 0, 3)])
    empty = ItemRow("e", "mail", "1", "", {}, 0, hashlib.sha256(b"").digest())
    folder = ItemRow("f", "folder", "1", "", {}, 0, None)
    found = {row.key: body for row, body in repository.read_each([unknown, empty, folder, rows[0]])}
    assert isinstance(found.pop("x"), IntegrityError)
    assert found.pop("e") == b""
    assert list(found) == [rows[0].key]


def test_a_storage_out_of_reach_ends_the_reading(
    memory: MemoryStorage, wrapper: LocalKeyWrapper, snapshot: Snapshot
) -> None:
    with FaultyStorage(memory) as faulty:
        repository = Repository.open(faulty, wrapper)
        rows = list(repository.items("box", snapshot.id))
        faulty.plan("get", "data/", StorageUnreachable("gone"))
        with pytest.raises(StorageUnreachable):
            list(repository.read_each(rows))


def test_who_stops_early_leaves_no_thread_behind(repository: Repository, rows: list[ItemRow]) -> None:
    before = threading.active_count()
    reading: Iterator[tuple[ItemRow, object]] = repository.read_each(rows)
    next(reading)
    assert threading.active_count() > before
    reading.close()  # type: ignore[attr-defined] # it is a generator
    assert threading.active_count() == before
