"""A storage that forgets what is in packs: for streams longer than any disk of a test machine."""

from collections.abc import Iterator
from datetime import datetime

from backup_engine import names
from backup_engine.storage.base import LockMode, ObjectInfo, Retention, Storage


class DiscardingStorage:
    """Packs keep their names and sizes only, everything else goes to `inner`."""

    def __init__(self, inner: Storage) -> None:
        self._inner = inner
        self._packs: dict[str, int] = {}

    @property
    def lock(self) -> LockMode | None:
        return self._inner.lock

    def put(self, key: str, body: bytes, *, retain_until: datetime | None = None) -> None:
        if key.startswith(names.DATA):
            self._packs[key] = len(body)
        else:
            self._inner.put(key, body, retain_until=retain_until)

    def get(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        return self._inner.get(key, offset, length)

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        packs = [ObjectInfo(key, size) for key, size in self._packs.items() if key.startswith(prefix)]
        return iter(sorted([*packs, *self._inner.list(prefix)], key=lambda found: found.key))

    def delete(self, key: str) -> None:
        self._packs.pop(key, None)
        self._inner.delete(key)

    def extend(self, key: str, retain_until: datetime) -> None:
        self._inner.extend(key, retain_until)

    def hold(self, key: str, *, on: bool) -> None:
        self._inner.hold(key, on=on)

    def retention(self, key: str) -> Retention:
        return self._inner.retention(key)

    def unhide(self, key: str) -> None:
        self._inner.unhide(key)

    def clock(self) -> datetime | None:
        return self._inner.clock()
