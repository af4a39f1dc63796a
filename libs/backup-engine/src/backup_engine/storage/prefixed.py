"""All keys of one tenant below one prefix of a shared store."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime

from backup_engine.errors import StorageError
from backup_engine.storage.base import LockMode, ObjectInfo, Retention, Storage, check_key


class PrefixedStorage:
    """Shows only what lies below `prefix/`; nothing else can be named through it."""

    def __init__(self, inner: Storage, prefix: str) -> None:
        self._inner = inner
        self._prefix = check_key(prefix.strip("/")) + "/"

    @property
    def lock(self) -> LockMode | None:
        return self._inner.lock

    def put(self, key: str, body: bytes, *, retain_until: datetime | None = None) -> None:
        with _named(key):
            self._inner.put(self._prefix + check_key(key), body, retain_until=retain_until)

    def get(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        with _named(key):
            return self._inner.get(self._prefix + check_key(key), offset, length)

    def versions(self, key: str, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        with _named(key):
            yield from self._inner.versions(self._prefix + check_key(key), offset, length)

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        strip = len(self._prefix)
        with _named(prefix):
            for found in self._inner.list(self._prefix + prefix):
                yield replace(found, key=found.key[strip:])

    def delete(self, key: str) -> None:
        with _named(key):
            self._inner.delete(self._prefix + check_key(key))

    def extend(self, key: str, retain_until: datetime) -> None:
        with _named(key):
            self._inner.extend(self._prefix + check_key(key), retain_until)

    def hold(self, key: str, *, on: bool) -> None:
        with _named(key):
            self._inner.hold(self._prefix + check_key(key), on=on)

    def retention(self, key: str) -> Retention:
        with _named(key):
            return self._inner.retention(self._prefix + check_key(key))

    def unhide(self, key: str) -> None:
        with _named(key):
            self._inner.unhide(self._prefix + check_key(key))

    def clock(self) -> datetime | None:
        return self._inner.clock()


@contextmanager
def _named(key: str) -> Iterator[None]:
    """Errors carry the key the caller used."""
    try:
        yield
    except StorageError as error:
        error.key = key
        raise
