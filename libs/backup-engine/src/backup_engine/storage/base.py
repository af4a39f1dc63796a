"""The port. Behaviour beyond it is added by wrapping (Prefixed, Retrying, Measured), never by flags."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    key: str
    size: int  # bytes


class Storage(Protocol):
    """Objects under keys like `a/b/c`; all methods may be called from several threads.

    Every method raises StorageUnreachable (worth another try) or StorageDenied (a person must act).
    """

    def put(self, key: str, body: bytes) -> None:
        """Store a new object, whole or not at all, durably before it returns.

        Raises AlreadyExists, and leaves the object that is there untouched.
        """

    def get(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        """Return the bytes from offset; fewer than `length` when the object ends. Raises NotFound."""

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """Yield every object whose key starts with `prefix`, sorted by key; sees all finished puts."""

    def delete(self, key: str) -> None:
        """Remove the object; an object that is not there is no error."""


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
