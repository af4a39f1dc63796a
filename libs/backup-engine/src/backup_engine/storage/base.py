"""The port. Behaviour beyond it is added by wrapping (Prefixed, Retrying, Limited, Measured), never by flags."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from backup_engine.errors import LockUnsupported

CLOCKS_AGREE = timedelta(minutes=5)
"""Further apart, somebody has to set a clock; S3 refuses signatures from 15 minutes on."""


class LockMode(StrEnum):
    """Who may end a retention early: nobody, or who holds the right to bypass it."""

    COMPLIANCE = "COMPLIANCE"
    GOVERNANCE = "GOVERNANCE"


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    key: str
    size: int  # bytes
    hidden: bool = False  # behind a delete marker; it is read all the same


@dataclass(frozen=True, slots=True)
class Retention:
    until: datetime | None = None  # aware; the object cannot be deleted before
    held: bool = False  # a legal hold refuses deletion whatever the date


class Storage(Protocol):
    """Objects under keys like `a/b/c`; all methods may be called from several threads.

    Every method raises StorageUnreachable (worth another try) or StorageDenied (a person must act).
    """

    @property
    def lock(self) -> LockMode | None:
        """The mode in which objects can be locked; None when the store knows no locks."""

    def put(self, key: str, body: bytes, *, retain_until: datetime | None = None) -> None:
        """Store a new object, whole or not at all, durably before it returns; locked from its first moment.

        Raises AlreadyExists, and leaves the object that is there untouched; LockUnsupported when a retention
        is asked of a store without locks; StorageFull.
        """

    def get(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        """Return the bytes from offset; fewer than `length` when the object ends. Raises NotFound.

        An object hidden behind a delete marker is still read.
        """

    def versions(self, key: str, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Yield the same range of every version of the object, oldest first; nothing if the store keeps none.

        For a reader whose bytes from `get` do not authenticate: somebody may have stored another version on top.
        """

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """Yield every object whose key starts with `prefix`, sorted by key; sees all finished puts."""

    def delete(self, key: str) -> None:
        """Remove the object with all its versions; an object that is not there is no error.

        Raises ObjectLocked while a retention or a hold refuses.
        """

    def extend(self, key: str, retain_until: datetime) -> None:
        """Keep the object at least until then; a longer retention stays. Raises NotFound, LockUnsupported."""

    def hold(self, key: str, *, on: bool) -> None:
        """Set or lift the legal hold of the object. Raises NotFound, LockUnsupported."""

    def retention(self, key: str) -> Retention:
        """Return what protects the object from deletion; nothing on a store without locks. Raises NotFound."""

    def unhide(self, key: str) -> None:
        """Remove the delete markers that lie on the object; nothing to do on a store without versions.

        Raises ObjectLocked or StorageDenied when the store refuses.
        """

    def clock(self) -> datetime | None:
        """Return the store's own time, to the second; None when it has none but this machine's."""


class Unlockable:
    """What the port says about locks, for stores without them; also without versions."""

    @property
    def lock(self) -> LockMode | None:
        return None

    def versions(self, key: str, offset: int = 0, length: int | None = None) -> Iterator[bytes]:  # noqa: ARG002 - port
        return iter(())

    def extend(self, key: str, retain_until: datetime) -> None:  # noqa: ARG002 - port
        raise lock_unsupported(key)

    def hold(self, key: str, *, on: bool) -> None:  # noqa: ARG002 - port
        raise lock_unsupported(key)

    def unhide(self, key: str) -> None:
        pass


def lock_unsupported(key: str) -> LockUnsupported:
    return LockUnsupported(f"{key}: this storage target locks no objects", key=key)


def check_key(key: str) -> str:
    """Return `key` if every store can hold it: no empty, `.` or `..` part, no leading slash."""
    if not key or any(part in {"", ".", ".."} for part in key.split("/")):
        message = f"not a storage key: {key!r}"
        raise ValueError(message)
    return key


def check_range(offset: int, length: int | None) -> None:
    if offset < 0 or (length is not None and length < 0):
        message = f"not a byte range: offset {offset}, length {length}"
        raise ValueError(message)


def check_aware(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        message = f"not a moment with a time zone: {moment}"
        raise ValueError(message)
    return moment
