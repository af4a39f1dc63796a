"""From rows back to bytes: one range read for few blobs, whole packs for many."""

import hashlib
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import partial

from backup_engine.backing import Backing
from backup_engine.errors import IntegrityError, NotFound
from backup_engine.index import PackInfo, Place
from backup_engine.model import BlobSlice, ItemRow
from backup_engine.pack import BlobEntry, PackOpener
from backup_engine.storage.authentic import read_authentic
from backup_engine.sweep import Blobs, batches, plan

_WHOLE = 0.25  # share of a pack above which it is fetched whole
_GAP = 128 << 10  # bytes worth reading over to save a request
_AHEAD = 2  # packs fetched and opened at the same time, in threads of their own
_BATCH = 1 << 15  # items planned at once
_STREAM_WINDOW = 8 << 20  # bytes a stream reads ahead


class Reader:
    """Thread-safe; holds no more than about one read window of items and the packs they lie in."""

    def __init__(self, backing: Backing) -> None:
        self._backing = backing

    def read(self, row: ItemRow) -> bytes:
        """The exact bytes that were put. Raises IntegrityError; ValueError for a row without body."""
        if not row.has_body:
            raise ValueError("this item has no body")
        blobs: Blobs = {}
        for pack, entries in self._places([row]).items():
            blobs |= self._fetch(pack, entries)
        return _checked(row, _assembled(row, blobs))

    def stream(self, row: ItemRow) -> Iterator[bytes]:
        """The bytes in pieces; the last one only when all of them have the size and digest of the manifest."""
        if not row.has_body:
            raise ValueError("this item has no body")
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
            raise _mismatch(row)
        if held:
            yield held

    def _pieces(self, row: ItemRow) -> Iterator[bytes]:
        """Slice by slice; the next few MiB are fetched while these are used."""
        with ThreadPoolExecutor(1, thread_name_prefix="fetch") as fetcher:
            ahead: deque[tuple[list[BlobSlice], Future[Blobs]]] = deque()
            for group in _groups(row.recipe):
                ahead.append((group, fetcher.submit(self._blobs_of, row, group)))
                if len(ahead) > 1:
                    yield from _taken(*ahead.popleft())
            while ahead:
                yield from _taken(*ahead.popleft())

    def _blobs_of(self, row: ItemRow, slices: list[BlobSlice]) -> Blobs:
        blobs: Blobs = {}
        for pack, entries in self._places([replace(row, recipe=slices)]).items():
            blobs |= self._fetch(pack, entries)
        return blobs

    def read_many(self, rows: Iterable[ItemRow]) -> Iterator[tuple[ItemRow, bytes]]:
        """Every row that has a body, with it, in the order of the packs; each pack is fetched once.

        Holds a few packs and the items of one. Of an item too long for memory use `stream`.
        """
        bodies = (row for row in rows if row.has_body)
        with ThreadPoolExecutor(_AHEAD, thread_name_prefix="fetch") as fetchers:
            for batch in batches(bodies, _BATCH):
                for row in batch:
                    if not row.recipe:
                        yield row, _checked(row, b"")
                yield from self._sweep([row for row in batch if row.recipe], fetchers)

    def _sweep(self, rows: list[ItemRow], fetchers: ThreadPoolExecutor) -> Iterator[tuple[ItemRow, bytes]]:
        stops, shared = plan(rows, self._located)
        ahead: deque[Future[Blobs]] = deque()
        for number, (_, stop) in enumerate(stops):
            for pack, later in stops[number + len(ahead) : number + _AHEAD]:
                ahead.append(fetchers.submit(self._fetch, pack, list(later.entries.values())))
            blobs = ahead.popleft().result()
            if lost := shared.lacking((row for _, row in stop.rows), blobs):
                blobs |= self._blobs_of(stop.rows[0][1], [BlobSlice(ident, 0, 0) for ident in lost])
            for _, row in stop.rows:
                yield row, _checked(row, shared.assemble(row, blobs))
            shared.keep(blobs)

    def _located(self, idents: list[bytes], row: ItemRow) -> list[Place]:
        return [self._place(ident, row) for ident in idents]

    def _places(self, rows: list[ItemRow]) -> dict[PackInfo, list[BlobEntry]]:
        wanted: dict[bytes, Place] = {}
        for row in rows:
            for part in row.recipe:
                if part.id not in wanted:
                    wanted[part.id] = self._place(part.id, row)
        grouped: dict[PackInfo, list[BlobEntry]] = defaultdict(list)
        for place in wanted.values():
            grouped[place.pack].append(place.entry)
        return grouped

    def _place(self, ident: bytes, row: ItemRow) -> Place:
        place = self._backing.index.find(ident)
        if place is None:
            self._backing.index.refresh()  # another process may have published it since
            place = self._backing.index.find(ident)
        if place is None:
            damaged = next(iter(self._backing.index.damaged), row.key)
            raise IntegrityError("a blob of the item is in no index delta", key=damaged)
        return place

    def _fetch(self, pack: PackInfo, entries: list[BlobEntry]) -> Blobs:
        try:
            return self._fetch_from(pack, entries)
        except NotFound as missing:
            return self._fetch_elsewhere(pack, entries, missing)

    def _fetch_elsewhere(self, pack: PackInfo, entries: list[BlobEntry], missing: NotFound) -> Blobs:
        """Maintenance may have moved the blobs since this process looked."""
        index = self._backing.index
        self._backing.condemned.refresh()
        index.refresh()
        index.avoid([pack.name])
        moved: dict[PackInfo, list[BlobEntry]] = defaultdict(list)
        for entry in entries:
            place = index.find(entry.id)
            if place is None or place.pack.name == pack.name:
                raise IntegrityError(f"{pack.name} is missing", key=pack.name) from missing
            moved[place.pack].append(place.entry)
        blobs: Blobs = {}
        for other, found in moved.items():
            try:
                blobs |= self._fetch_from(other, found)
            except NotFound as error:
                raise IntegrityError(f"{other.name} is missing", key=other.name) from error
        return blobs

    def _fetch_from(self, pack: PackInfo, entries: list[BlobEntry]) -> Blobs:
        opener = PackOpener(self._backing.ring, pack.header, pack.name)
        blobs: Blobs = {}
        for run in _runs(pack, entries):
            start, end = run[0].offset, run[-1].offset + run[-1].stored
            opened = partial(_contents, opener, run)
            blobs |= read_authentic(self._backing.storage, pack.name, opened, start, end - start)
        return blobs


def _contents(opener: PackOpener, run: list[BlobEntry], body: bytes) -> Blobs:
    """Of bytes read from where the run begins; the item's digest says whether a blob is the right one."""
    view, start = memoryview(body), run[0].offset
    return {
        entry.id: opener.content(entry, view[entry.offset - start : entry.offset - start + entry.stored])
        for entry in run
    }


def _runs(pack: PackInfo, entries: list[BlobEntry]) -> Iterator[list[BlobEntry]]:
    """Entries to fetch with one read each, in order of offset."""
    entries = sorted(entries, key=lambda entry: entry.offset)
    if sum(entry.stored for entry in entries) > pack.size * _WHOLE:
        yield entries
        return
    run = [entries[0]]
    for entry in entries[1:]:
        if entry.offset - (run[-1].offset + run[-1].stored) > _GAP:
            yield run
            run = []
        run.append(entry)
    yield run


def _assembled(row: ItemRow, blobs: Blobs) -> bytes:
    return b"".join(blobs[part.id][part.offset : part.offset + part.length] for part in row.recipe)


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


def _checked(row: ItemRow, body: bytes) -> bytes:
    if len(body) != row.size or hashlib.sha256(body).digest() != row.sha256:
        raise _mismatch(row)
    return body


def _mismatch(row: ItemRow) -> IntegrityError:
    return IntegrityError("the blobs of the item do not make up the bytes that came in", key=row.key)
