"""One behaviour suite for storages that lock objects: in memory by an injected clock, SeaweedFS by its own."""

import io
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from minio.error import S3Error
from minio.retention import Retention as S3Retention

from backup_engine import IntegrityError, NotFound, ObjectLocked, StorageDenied
from backup_engine.storage import (
    LockMode,
    MeasuredStorage,
    MemoryStorage,
    Meter,
    PrefixedStorage,
    RetryingStorage,
    Storage,
    read_authentic,
)
from backup_engine.testing.seaweed import LOCK_BUCKET, OPERATOR, SeaweedServer

FAR = timedelta(days=3650)


@dataclass
class Lockable:
    """A storage, its clock, and what somebody with its credentials can do behind the port's back."""

    storage: Storage
    now: Callable[[], datetime]
    hide: Callable[[str], object]
    cover: Callable[[str, bytes], object]
    pass_time: Callable[[timedelta], None]


class Clock:
    def __init__(self) -> None:
        self.time = datetime(2026, 3, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time


def in_memory(*, wrapped: bool) -> Lockable:
    clock = Clock()
    memory = MemoryStorage(lock=LockMode.COMPLIANCE, clock=clock)
    storage = MeasuredStorage(RetryingStorage(PrefixedStorage(memory, "a/t")), Meter()) if wrapped else memory
    prefix = "a/t/" if wrapped else ""

    def forward(by: timedelta) -> None:
        clock.time += by

    return Lockable(
        storage,
        clock,
        lambda key: memory.hide(prefix + key),
        lambda key, body: memory.cover(prefix + key, body),
        forward,
    )


def in_seaweed(server: SeaweedServer, prefix: str, mode: LockMode) -> Lockable:
    client = server.client("contoso")

    def forward(by: timedelta) -> None:
        threading.Event().wait(by.total_seconds())  # nothing but the server's clock ends its locks

    return Lockable(
        server.storage("contoso", prefix, lock=mode),
        lambda: datetime.now(UTC),
        lambda key: client.remove_object(LOCK_BUCKET, f"{prefix}/{key}"),
        lambda key, body: client.put_object(LOCK_BUCKET, f"{prefix}/{key}", io.BytesIO(body), len(body)),
        forward,
    )


@pytest.fixture(params=["memory", "wrapped", "compliance", "governance"])
def lockable(request: pytest.FixtureRequest) -> Iterator[Lockable]:
    if request.param in {"memory", "wrapped"}:
        yield in_memory(wrapped=request.param == "wrapped")
        return
    server: SeaweedServer = request.getfixturevalue("seaweed")
    prefix = f"contoso/{abs(hash(request.node.nodeid)):x}"
    yield in_seaweed(server, prefix, LockMode(request.param.upper()))


def test_a_locked_object_stays_until_its_time_is_up(lockable: Lockable) -> None:
    storage, end = lockable.storage, lockable.now() + timedelta(seconds=2)
    storage.put("k", b"1", retain_until=end)
    kept = storage.retention("k")
    assert kept.until is not None
    assert timedelta() <= kept.until - end < timedelta(seconds=1)
    assert not kept.held
    with pytest.raises(ObjectLocked) as caught:
        storage.delete("k")
    assert caught.value.key == "k"
    assert storage.get("k") == b"1"
    lockable.pass_time(timedelta(seconds=4))
    storage.delete("k")
    with pytest.raises(NotFound):
        storage.get("k")
    assert list(storage.list("")) == []


def test_only_objects_put_with_a_retention_are_locked(lockable: Lockable) -> None:
    lockable.storage.put("sessions/open", b"1")
    assert lockable.storage.retention("sessions/open").until is None
    lockable.storage.delete("sessions/open")
    assert list(lockable.storage.list("")) == []


def test_a_retention_is_extended_and_never_shortened(lockable: Lockable) -> None:
    storage, now = lockable.storage, lockable.now().replace(microsecond=0)
    short, long = now + timedelta(days=30), now + timedelta(days=90)
    storage.put("k", b"1", retain_until=short)
    storage.extend("k", long)
    storage.extend("k", short)
    assert storage.retention("k").until == long


def test_an_object_stored_without_retention_can_get_one_later(lockable: Lockable) -> None:
    end = lockable.now().replace(microsecond=0) + FAR
    lockable.storage.put("k", b"1")
    lockable.storage.extend("k", end)
    assert lockable.storage.retention("k").until == end
    with pytest.raises(ObjectLocked):
        lockable.storage.delete("k")


def test_a_hold_refuses_deletion_until_it_is_lifted(lockable: Lockable) -> None:
    storage = lockable.storage
    storage.put("k", b"1")
    storage.hold("k", on=True)
    storage.hold("k", on=True)
    assert storage.retention("k").held
    with pytest.raises(ObjectLocked):
        storage.delete("k")
    storage.hold("k", on=False)
    assert not storage.retention("k").held
    storage.delete("k")
    with pytest.raises(NotFound):
        storage.get("k")


def test_what_is_not_there_is_neither_extended_nor_held(lockable: Lockable) -> None:
    for attempt in (
        lambda: lockable.storage.extend("k", lockable.now() + FAR),
        lambda: lockable.storage.hold("k", on=True),
        lambda: lockable.storage.retention("k"),
    ):
        with pytest.raises(NotFound) as caught:
            attempt()
        assert caught.value.key == "k"


def test_an_object_behind_a_delete_marker_is_read_listed_and_extended(lockable: Lockable) -> None:
    storage, end = lockable.storage, lockable.now().replace(microsecond=0) + FAR
    storage.put("k", b"0123456789", retain_until=lockable.now() + timedelta(days=1))
    lockable.hide("k")
    assert storage.get("k") == b"0123456789"
    assert storage.get("k", 2, 3) == b"234"
    assert [(info.key, info.size) for info in storage.list("")] == [("k", 10)]
    assert list(storage.versions("k", 8)) == [b"89"]
    storage.extend("k", end)
    assert storage.retention("k").until == end


def test_an_object_under_a_foreign_version_is_found_first(lockable: Lockable) -> None:
    storage = lockable.storage
    storage.put("k", b"ours", retain_until=lockable.now() + FAR)
    lockable.cover("k", b"foreign bytes")
    assert list(storage.versions("k")) == [b"ours", b"foreign bytes"]
    assert [(info.key, info.size) for info in storage.list("")] == [("k", 4)]
    with pytest.raises(ObjectLocked):
        storage.delete("k")
    assert next(iter(storage.versions("k"))) == b"ours"


def test_bytes_that_do_not_authenticate_are_looked_for_in_other_versions(lockable: Lockable) -> None:
    def opened(body: bytes) -> str:
        if body != b"ours":
            raise IntegrityError("not ours", key="k")
        return "opened"

    storage = lockable.storage
    storage.put("k", b"ours", retain_until=lockable.now() + FAR)
    assert read_authentic(storage, "k", opened) == "opened"
    lockable.cover("k", b"foreign bytes")
    assert read_authentic(storage, "k", opened) == "opened"
    with pytest.raises(IntegrityError):
        read_authentic(storage, "k", opened, 1, 2)


def test_nobody_with_the_backups_credentials_ends_a_compliance_lock(seaweed: SeaweedServer) -> None:
    storage, name = seaweed.storage("contoso", "contoso/real", lock=LockMode.COMPLIANCE), "contoso/real/pack"
    end = datetime.now(UTC).replace(microsecond=0) + FAR
    storage.put("pack", b"precious", retain_until=end)
    for identity in ("contoso", OPERATOR):
        client = seaweed.client(identity)
        version = client.stat_object(LOCK_BUCKET, name).version_id
        with pytest.raises(S3Error, match="AccessDenied"):
            client.remove_object(LOCK_BUCKET, name, version_id=version)
        for weaker in (S3Retention("COMPLIANCE", end - FAR + timedelta(hours=1)), S3Retention("GOVERNANCE", end)):
            with pytest.raises(S3Error, match="AccessDenied"):
                client.set_object_retention(LOCK_BUCKET, name, weaker, version_id=version)
    assert storage.retention("pack").until == end
    assert storage.get("pack") == b"precious"


def test_a_missing_permission_is_not_taken_for_a_lock(seaweed: SeaweedServer) -> None:
    storage = seaweed.storage("contoso", "contoso/mine", lock=LockMode.COMPLIANCE)
    storage.put("k", b"1", retain_until=datetime.now(UTC) + FAR)
    with pytest.raises(StorageDenied):
        seaweed.storage("fabrikam", "contoso/mine", lock=LockMode.COMPLIANCE).delete("k")
