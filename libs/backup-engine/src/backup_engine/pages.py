"""Small items share a blob, a page: JSON compresses far better together than alone (format, section 5)."""

import hashlib
import threading
from collections import deque
from dataclasses import dataclass

from backup_engine.model import BlobSlice, ItemRow, NewItem, Recipe
from backup_engine.pack import blob_id
from backup_engine.packer import Packer

PAGE_ITEMS = 32
PAGE_BYTES = 128 << 10


@dataclass(frozen=True, slots=True)
class _Waiting:
    item: NewItem
    body: bytes


class Pages:
    """The open page of a session, and closed ones that the packer has not taken yet.

    Not thread-safe, but for `submit`, which may be called by several threads and beside all others.
    """

    def __init__(self, packer: Packer, id_key: bytes) -> None:
        self._packer = packer
        self._id_key = id_key
        self._waiting: dict[str, _Waiting] = {}
        self._size = 0
        self._closed: deque[tuple[bytes, bytes]] = deque()  # blob id, blob
        self._submitting = threading.Lock()

    def __contains__(self, key: str) -> bool:
        """Whether the item waits in the open page: its row is not known before the page is closed."""
        return key in self._waiting

    def add(self, item: NewItem, body: bytes) -> bool:
        """Put an item on the page; True when the page is full. The key must not be waiting."""
        self._waiting[item.key] = _Waiting(item, body)
        self._size += len(body)
        return len(self._waiting) >= PAGE_ITEMS or self._size >= PAGE_BYTES

    def close(self) -> list[ItemRow]:
        """The rows of the page's items. Waits for nobody; `submit` has to follow before the rows become durable."""
        waiting, self._waiting, self._size = list(self._waiting.values()), {}, 0
        page = b"".join(one.body for one in waiting)
        ident = blob_id(self._id_key, page) if page else b""
        if page:
            self._closed.append((ident, page))
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

    def submit(self) -> None:
        """Hand over every page closed before, and wait while another thread does, or while storage is slow."""
        with self._submitting:
            while self._closed:
                self._packer.add(*self._closed.popleft())
