"""Small items share a blob, a page: JSON compresses far better together than alone (format, section 5)."""

import hashlib
from dataclasses import dataclass

from backup_engine.intake import Intake
from backup_engine.model import BlobSlice, ItemRow, NewItem, Recipe

PAGE_ITEMS = 32
PAGE_BYTES = 128 << 10


@dataclass(frozen=True, slots=True)
class _Waiting:
    item: NewItem
    body: bytes


class Pages:
    """The open page of a session. Not thread-safe."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._waiting: dict[str, _Waiting] = {}
        self._size = 0

    def __contains__(self, key: str) -> bool:
        """Whether the item waits in the open page: its row is not known before the page is closed."""
        return key in self._waiting

    def add(self, item: NewItem, body: bytes) -> bool:
        """Put an item on the page; True when the page is full. The key must not be waiting."""
        self._waiting[item.key] = _Waiting(item, body)
        self._size += len(body)
        return len(self._waiting) >= PAGE_ITEMS or self._size >= PAGE_BYTES

    def close(self) -> list[ItemRow]:
        """Submit the page; the rows of its items."""
        waiting, self._waiting, self._size = list(self._waiting.values()), {}, 0
        page = b"".join(one.body for one in waiting)
        ident = self._intake.blob(page)[0].id if page else b""
        rows = []
        offset = 0
        for one in waiting:
            length = len(one.body)
            recipe = Recipe.of([BlobSlice(ident, offset, length)] if length else [])
            digest = hashlib.sha256(one.body).digest()
            item = one.item
            rows.append(ItemRow(item.key, item.kind, item.version, item.parent, item.meta, length, digest, recipe))
            offset += length
        return rows
