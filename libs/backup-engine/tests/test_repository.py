import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from backup_engine import (
    AlreadyExists,
    FormatUnsupported,
    IntegrityError,
    KeyUnavailable,
    NewItem,
    NotFound,
    Repository,
    Snapshot,
    Tuning,
)
from backup_engine.storage import LocalStorage, MeasuredStorage, MemoryStorage, Meter
from backup_engine.testing.faulty import CrashingStorage, SimulatedCrash
from backup_engine.testing.keys import LocalKeyWrapper

Mail = Callable[..., bytes]
Commit = Callable[..., Snapshot]
Ulid = Callable[[int], str]


def test_there_is_no_repository_before_it_is_created(memory: MemoryStorage, wrapper: LocalKeyWrapper) -> None:
    with pytest.raises(NotFound):
        Repository.open(memory, wrapper)
    assert memory.objects == {}


def test_a_repository_is_created_once(memory: MemoryStorage, wrapper: LocalKeyWrapper) -> None:
    Repository.create(memory, wrapper, tenant="contoso")
    with pytest.raises(AlreadyExists):
        Repository.create(memory, wrapper, tenant="contoso")
    assert Repository.open(memory, wrapper).tenant == "contoso"


def test_it_belongs_to_one_tenant(memory: MemoryStorage, wrapper: LocalKeyWrapper) -> None:
    Repository.create(memory, wrapper, tenant="contoso")
    with pytest.raises(IntegrityError, match="belongs to"):
        Repository.open_or_create(memory, wrapper, tenant="fabrikam")


def test_creators_at_the_same_time_agree_on_one_repository(
    scratch: Path, wrapper: LocalKeyWrapper, mail: Mail, commit: Commit, ulid: Ulid
) -> None:
    def run(n: int) -> str:
        repository = Repository.open_or_create(LocalStorage(scratch), wrapper, tenant="contoso")
        with repository.open_session(f"box{n}", ulid(n), parent=None) as session:
            session.put_item(NewItem("m", "mail", "1", ""), mail(n))
            return commit(session).id

    with ThreadPoolExecutor(6) as pool:
        ids = list(pool.map(run, range(6)))
    repository = Repository.open(LocalStorage(scratch), wrapper)
    for n, snapshot in enumerate(ids):
        (row,) = repository.items(f"box{n}", snapshot)
        assert repository.read(row) == mail(n)


@pytest.mark.parametrize("applied", [False, True])
def test_a_creation_that_died_is_finished_by_the_next(
    memory: MemoryStorage,
    wrapper: LocalKeyWrapper,
    applied: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    for operation in range(8):
        memory.objects.clear()
        storage = CrashingStorage(memory)
        storage.crash_in(operation, applied=applied)
        with pytest.raises(SimulatedCrash):
            Repository.open_or_create(storage, wrapper, tenant="contoso")
        assert Repository.open_or_create(memory, wrapper, tenant="contoso").tenant == "contoso"


def test_the_key_record_is_as_specified(memory: MemoryStorage, wrapper: LocalKeyWrapper) -> None:
    Repository.create(memory, wrapper, tenant="contoso")
    record = json.loads(memory.objects["keys/1"])
    (wrap,) = record.pop("wraps")
    assert (len(bytes.fromhex(record.pop("proof"))), record.pop("tenant")) == (32, "contoso")
    assert record == {"format": 1, "key": 1, "revision": 0}
    assert (wrap["kind"], wrap["key"], set(wrap)) == ("transit", "tenant-contoso", {"kind", "key", "ciphertext"})


def test_wraps_of_unknown_kinds_are_passed_over(memory: MemoryStorage, wrapper: LocalKeyWrapper) -> None:
    Repository.create(memory, wrapper, tenant="contoso")
    record = json.loads(memory.objects["keys/1"])
    recovery = {"kind": "post-quantum", "key": "k", "ciphertext": "…"}
    memory.objects["keys/1"] = json.dumps({**record, "wraps": [recovery, *record["wraps"]]}).encode()
    Repository.open(memory, wrapper)
    memory.objects["keys/1"] = json.dumps({**record, "wraps": [recovery]}).encode()
    with pytest.raises(KeyUnavailable, match="no wrap"):
        Repository.open(memory, wrapper)


@pytest.mark.parametrize(
    ("record", "error"),
    [
        (b"not json", IntegrityError),
        (b"{}", IntegrityError),
        (b'{"format": 1, "wraps": [{}]}', IntegrityError),
        (b'{"format": 2, "wraps": []}', FormatUnsupported),
        (b'{"format": 0, "wraps": []}', FormatUnsupported),
    ],
)
def test_a_damaged_key_record_is_an_error(
    memory: MemoryStorage, wrapper: LocalKeyWrapper, record: bytes, error: type[Exception]
) -> None:
    Repository.create(memory, wrapper, tenant="contoso")
    memory.objects["keys/1"] = record
    with pytest.raises(error):
        Repository.open(memory, wrapper)


def test_a_lost_key_record_is_never_replaced(memory: MemoryStorage, wrapper: LocalKeyWrapper) -> None:
    Repository.create(memory, wrapper, tenant="contoso")
    del memory.objects["keys/1"]
    with pytest.raises(KeyUnavailable):
        Repository.open_or_create(memory, wrapper, tenant="contoso")
    assert "keys/1" not in memory.objects


def test_without_the_key_keeper_nothing_opens(memory: MemoryStorage, wrapper: LocalKeyWrapper) -> None:
    Repository.create(memory, wrapper, tenant="contoso")
    wrapper.available = False
    with pytest.raises(KeyUnavailable):
        Repository.open(memory, wrapper)


def test_the_key_is_unwrapped_once_however_much_is_done(
    memory: MemoryStorage, wrapper: LocalKeyWrapper, mail: Mail, commit: Commit, ulid: Ulid
) -> None:
    Repository.create(memory, wrapper, tenant="contoso")
    wrapper.unwrapped = 0
    repository = Repository.open(memory, wrapper)
    for n in range(3):
        with repository.open_session("box", ulid(n), parent=None) as session:
            session.put_item(NewItem("m", "mail", "1", ""), mail(n))
            snapshot = commit(session)
        repository.verify("box", snapshot.id, 2)
    assert wrapper.unwrapped == 1


def test_a_newer_data_key_is_written_with_and_older_objects_stay_readable(
    reopened: Callable[[], Repository], repository: Repository, wrapper: LocalKeyWrapper, mail: Mail, commit: Commit
) -> None:
    first_id, second_id = "01ARZ3NDEKTSV4RRFFQ0000001", "01ARZ3NDEKTSV4RRFFQ0000002"
    with repository.open_session("box", first_id, parent=None) as session:
        session.put_item(NewItem("m1", "mail", "1", ""), mail(1, attachment=1))
        commit(session)
    assert repository.keys.rotate(wrapper, None) == 2
    rotated = reopened()
    with rotated.open_session("box", second_id, parent=first_id) as session:
        stored = session.put_item(NewItem("m2", "mail", "1", ""), mail(2, attachment=1))
        assert stored.new_bytes < 500  # blob ids outlive the rotation
        snapshot = commit(session)
    assert rotated._backing.storage.get(snapshot.packs[0].key, 16, 4) == b"\0\0\0\2"
    rows = reopened().items("box", snapshot.id)
    assert [body for _, body in reopened().read_many(rows)] == [mail(1, attachment=1), mail(2, attachment=1)]


def test_a_refresh_reads_only_what_is_new(
    memory: MemoryStorage, wrapper: LocalKeyWrapper, mail: Mail, commit: Commit, ulid: Ulid
) -> None:
    repository = Repository.create(memory, wrapper, tenant="contoso")
    meter = Meter()
    other = Repository.open(MeasuredStorage(memory, meter), wrapper)
    for n in range(3):
        with repository.open_session("box", ulid(n), parent=None) as session:
            session.put_item(NewItem("m", "mail", "1", ""), mail(n))
            commit(session)
        before = meter.requests["get"]
        other.refresh()
        other.refresh()
        assert meter.requests["get"] - before == 1


def test_few_items_are_read_by_range_and_many_by_pack(
    memory: MemoryStorage, wrapper: LocalKeyWrapper, mail: Mail, commit: Commit, ulid: Ulid
) -> None:
    meter = Meter()
    tuning = Tuning(pack_size=8 << 20)
    repository = Repository.create(MeasuredStorage(memory, meter), wrapper, tenant="contoso", tuning=tuning)
    with repository.open_session("box", ulid(1), parent=None) as session:
        for n in range(100):
            session.put_item(NewItem(f"m{n:02d}", "mail", "1", ""), mail(n, attachment=n, size=30_000))
        snapshot = commit(session)
    rows = list(repository.items("box", snapshot.id))
    assert len(snapshot.packs) == 1

    def cost(read: Callable[[], object]) -> tuple[int, int]:
        requests, size = meter.requests["get"], meter.bytes["get"]
        read()
        return meter.requests["get"] - requests, meter.bytes["get"] - size

    requests, size = cost(lambda: repository.read(rows[50]))
    # Blobs of one item lie close together, not side by side: two threads fill a pack.
    assert (requests, size < snapshot.packs[0].size / 10) == (1, True)
    requests, size = cost(lambda: list(repository.read_many(rows)))
    assert requests == 1
    assert size <= snapshot.packs[0].size
