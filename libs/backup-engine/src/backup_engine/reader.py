"""From rows back to bytes: one item, a stream of it, or many."""

import hashlib
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from backup_engine.backing import Backing
from backup_engine.errors import IntegrityError
from backup_engine.fetching import Blobs, Fetcher
from backup_engine.model import BlobSlice, ItemRow
from backup_engine.sweep import Read, Sweep, assembled, checked, mismatch

_STREAM_WINDOW = 8 << 20  # bytes a stream fetches at once
_STREAM_AHEAD = 2  # windows being fetched while one is used


class Reader:
    """Thread-safe; holds no more than about one read window of items and the packs they lie in."""

    def __init__(self, backing: Backing) -> None:
        self._backing = backing
        self._fetcher = Fetcher(backing)

    def read(self, row: ItemRow) -> bytes:
        """The exact bytes that were put. Raises IntegrityError; ValueError for a row without body."""
        _require_body(row)
        return checked(row, assembled(row.recipe, self._blobs(row, row.recipe)))

    def stream(self, row: ItemRow) -> Iterator[bytes]:
        """The bytes in pieces; the last one only when all of them have the size and digest of the manifest."""
        _require_body(row)
        digest = hashlib.sha256()
        size = 0
        held = b""
        for piece in self._pieces(row):
            if held:
                yield held
            digest.update(piece)
            size += len(piece)
            held = piece
        if size != row.size or digest.digest() != row.sha256:
            raise mismatch(row)
        if held:
            yield held

    def _pieces(self, row: ItemRow) -> Iterator[bytes]:
        """Slice by slice; the next few MiB are fetched while these are used."""
        with ThreadPoolExecutor(_STREAM_AHEAD, thread_name_prefix="fetch") as fetcher:
            ahead: deque[tuple[list[BlobSlice], Future[Blobs]]] = deque()
            for group in _groups(row.recipe):
                ahead.append((group, fetcher.submit(self._blobs, row, group)))
                if len(ahead) > _STREAM_AHEAD:
                    yield from _taken(*ahead.popleft())
            while ahead:
                yield from _taken(*ahead.popleft())

    def _blobs(self, row: ItemRow, slices: Iterable[BlobSlice]) -> Blobs:
        blobs: Blobs = {}
        for pack, entries in self._fetcher.places((one.id for one in slices), row.key).items():
            blobs |= self._fetcher.blobs(pack, entries)
        return blobs

    def read_many(self, rows: Iterable[ItemRow]) -> Iterator[tuple[ItemRow, bytes]]:
        """Every row that has a body, with it, in the order of the packs. Raises IntegrityError."""
        for row, body in self.read_each(rows):
            if isinstance(body, IntegrityError):
                raise body
            yield row, body

    def read_each(self, rows: Iterable[ItemRow]) -> Iterator[Read]:
        """Like read_many; an item that cannot be given back whole comes with the error instead."""
        sweep = Sweep(self._fetcher, self._backing.index.entries, self._backing.tuning.folder)
        return sweep.read(row for row in rows if row.has_body)


def _require_body(row: ItemRow) -> None:
    if not row.has_body:
        message = "this item has no body"
        raise ValueError(message)


def _groups(slices: Iterable[BlobSlice]) -> Iterator[list[BlobSlice]]:
    group: list[BlobSlice] = []
    size = 0
    for one in slices:
        group.append(one)
        size += one.length
        if size >= _STREAM_WINDOW:
            yield group
            group, size = [], 0
    if group:
        yield group


def _taken(group: list[BlobSlice], blobs: "Future[Blobs]") -> Iterator[bytes]:
    found = blobs.result()
    return (found[one.id][one.offset : one.offset + one.length] for one in group)
