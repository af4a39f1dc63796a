import pytest

from backup_engine import AlreadyExists, NotFound, StorageDenied, StorageFull, StorageUnreachable
from backup_engine.storage import MemoryStorage, RetryingStorage, RetryPolicy
from backup_engine.testing.faulty import FaultyStorage

LATER = StorageUnreachable("later")


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def faulty(memory: MemoryStorage) -> FaultyStorage:
    return FaultyStorage(memory)


@pytest.fixture
def retrying(faulty: FaultyStorage, waits: list[float]) -> RetryingStorage:
    return RetryingStorage(faulty, RetryPolicy(attempts=4, first_delay=1.0, max_delay=3.0), wait=waits.append)


def test_every_operation_is_tried_again(faulty: FaultyStorage, retrying: RetryingStorage, waits: list[float]) -> None:
    with faulty:
        for operation in ("put", "get", "list", "delete"):
            faulty.plan(operation, "k", LATER, times=3)
        retrying.put("k", b"1")
        assert retrying.get("k") == b"1"
        assert [info.key for info in retrying.list("k")] == ["k"]
        retrying.delete("k")
    assert len(waits) == 12
    assert all(0 <= wait <= limit for wait, limit in zip(waits, [1, 2, 3] * 4, strict=True))


def test_the_last_attempts_error_is_the_callers(faulty: FaultyStorage, retrying: RetryingStorage) -> None:
    with faulty:
        faulty.plan("put", "k", LATER, times=4)
        with pytest.raises(StorageUnreachable):
            retrying.put("k", b"1")


def test_what_a_person_must_fix_is_not_tried_again(
    faulty: FaultyStorage, retrying: RetryingStorage, waits: list[float]
) -> None:
    with faulty:
        faulty.plan("get", "k", StorageDenied("no"))
        with pytest.raises(StorageDenied):
            retrying.get("k")
    assert waits == []


def test_a_full_store_is_not_tried_again_in_seconds(
    faulty: FaultyStorage, retrying: RetryingStorage, waits: list[float]
) -> None:
    with faulty:
        faulty.plan("put", "k", StorageFull("no space"))
        with pytest.raises(StorageFull):
            retrying.put("k", b"1")
    assert waits == []


def test_a_put_whose_answer_was_lost_counts_when_the_bytes_are_ours(
    faulty: FaultyStorage, retrying: RetryingStorage, memory: MemoryStorage
) -> None:
    with faulty:
        faulty.plan("put", "k", LATER, applied=True)
        retrying.put("k", b"ours")
    assert memory.objects == {"k": b"ours"}


def test_a_put_whose_answer_was_lost_fails_when_the_bytes_are_anothers(
    faulty: FaultyStorage, retrying: RetryingStorage, memory: MemoryStorage
) -> None:
    memory.put("k", b"theirs")
    with faulty:
        faulty.plan("put", "k", LATER)
        with pytest.raises(AlreadyExists):
            retrying.put("k", b"ours")


def test_equal_bytes_without_a_lost_answer_are_still_a_refusal(
    retrying: RetryingStorage, memory: MemoryStorage
) -> None:
    memory.put("k", b"same")
    with pytest.raises(AlreadyExists):
        retrying.put("k", b"same")


def test_what_was_removed_while_it_was_being_stored_is_not_stored_again(
    faulty: FaultyStorage, retrying: RetryingStorage, memory: MemoryStorage
) -> None:
    with faulty:
        faulty.plan("put", "k", LATER, applied=True)
        faulty.plan("get", "k", NotFound("collected"))
        with pytest.raises(StorageUnreachable, match="removed while it was being stored"):
            retrying.put("k", b"ours")
    assert memory.objects == {"k": b"ours"}
