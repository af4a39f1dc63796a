"""A storage that forgets what is in packs: for streams longer than any disk of a test machine."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TypeVar

from backup_engine import names
from backup_engine.storage.base import ObjectInfo, Storage
from backup_engine.testing.faulty import WrappedStorage

T = TypeVar("T")


class DiscardingStorage(WrappedStorage):
    """Packs keep their names and sizes only, everything else goes to `inner`."""

    def __init__(self, inner: Storage) -> None:
        super().__init__(inner)
        self._packs: dict[str, int] = {}

    def put(self, key: str, body: bytes, *, retain_until: datetime | None = None) -> None:
        if key.startswith(names.DATA):
            self._packs[key] = len(body)
        else:
            super().put(key, body, retain_until=retain_until)

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        packs = [ObjectInfo(key, size) for key, size in self._packs.items() if key.startswith(prefix)]
        return iter(sorted([*packs, *super().list(prefix)], key=lambda found: found.key))

    def delete(self, key: str) -> None:
        self._packs.pop(key, None)
        super().delete(key)

    def _run(self, operation: str, key: str, effect: Callable[[], T]) -> T:  # noqa: ARG002 - nothing happens around it
        return effect()
