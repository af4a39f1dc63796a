"""All keys of one tenant below one prefix of a shared store."""

from collections.abc import Iterator
from contextlib import contextmanager

from backup_engine.errors import StorageError
from backup_engine.storage.base import ObjectInfo, Storage, check_key


class PrefixedStorage:
    """Shows only what lies below `prefix/`; nothing else can be named through it."""

    def __init__(self, inner: Storage, prefix: str) -> None:
        self._inner = inner
        self._prefix = check_key(prefix.strip("/")) + "/"

    def put(self, key: str, body: bytes) -> None:
        with _named(key):
            self._inner.put(self._prefix + check_key(key), body)

    def get(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        with _named(key):
            return self._inner.get(self._prefix + check_key(key), offset, length)

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        strip = len(self._prefix)
        with _named(prefix):
            for found in self._inner.list(self._prefix + prefix):
                yield ObjectInfo(found.key[strip:], found.size)

    def delete(self, key: str) -> None:
        with _named(key):
            self._inner.delete(self._prefix + check_key(key))


@contextmanager
def _named(key: str) -> Iterator[None]:
    """Errors carry the key the caller used."""
    try:
        yield
    except StorageError as error:
        error.key = key
        raise
