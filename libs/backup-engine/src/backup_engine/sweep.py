"""Reading many items: every pack once, in order; what items of later packs need is put aside on disk.

Memory does not depend on how many items there are nor on how much they share: three packs as stored (two being
opened, one being fetched), `_SHARED` bytes of opened blobs, `_WINDOW` bytes of items, `_ROWS` bytes of rows. The rest
of the rows, and the records put aside, lie in encrypted files without a name. What grows is 24 bytes an item and some
400 for each blob that is put aside. A single item is in memory twice while it is put together.
"""

import hashlib
import threading
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from backup_engine.errors import IntegrityError, NotFound
from backup_engine.fetching import Blobs, Fetcher, Records
from backup_engine.index import PackInfo
from backup_engine.itinerary import Itinerary, Stop
from backup_engine.model import BlobSlice, ItemRow, Recipe
from backup_engine.pack import BlobEntry, PackOpener
from backup_engine.scratch import Scratch

T = TypeVar("T")
U = TypeVar("U")
Read = tuple[ItemRow, bytes | IntegrityError]

_FETCHERS = 2  # threads
_PACKS = 2  # the one being opened, and the one fetched meanwhile
_OPENERS = 2  # threads that put items together
_GROUP = 1 << 20  # bytes of items opened by one task
_WINDOW = 8 << 20  # bytes of items under way or finished
_ROWS = 8 << 20  # bytes of rows in memory
_SHARED = 16 << 20  # bytes of opened blobs that several items need
_ASIDE = 2 << 30  # bytes of records put aside; what has no room is fetched again


@dataclass(frozen=True, slots=True)
class _Arrived:
    """A pack's records as they were stored, and the rows of the items that are complete with them."""

    rows: list[ItemRow]
    opener: PackOpener | None
    records: Records
    shared: frozenset[bytes]


class Sweep:
    """One way through the packs; not to be used twice."""

    def __init__(self, fetcher: Fetcher, directory: Callable[[str], Iterable[BlobEntry]], folder: Path | None) -> None:
        self._fetcher = fetcher
        self._directory = directory
        self._itinerary = Itinerary(fetcher.find, Scratch(_ROWS, folder))
        self._aside = _Aside(folder)
        self._opened = _Opened(_SHARED)

    def read(self, rows: Iterable[ItemRow]) -> Iterator[Read]:
        """Every row with its exact bytes, or with why they cannot be had, in the order of the packs."""
        self._itinerary.add(rows)
        with ExitStack() as stack:
            fetchers = stack.enter_context(ThreadPoolExecutor(_FETCHERS, thread_name_prefix="fetch"))
            openers = stack.enter_context(ThreadPoolExecutor(_OPENERS, thread_name_prefix="open"))
            arrived = _ahead(fetchers, self._arrive, self._itinerary.stops(), _PACKS, lambda _: 1)
            groups = (group for one in arrived for group in _groups(one))
            for found in _ahead(openers, self._open, groups, _WINDOW, _size):
                yield from found

    def _arrive(self, stop: Stop) -> _Arrived:
        rows = self._itinerary.rows(stop)
        uses = Counter(ident for row in rows for ident in frozenset(Recipe.of(row.recipe).ids()))
        shared = stop.kept.union(ident for ident, count in uses.items() if count > 1)
        if stop.pack is None:
            return _Arrived(rows, None, {}, shared)
        opener = self._fetcher.opener(stop.pack)
        records = self._records(stop.pack, stop.kept.union(uses))
        self._aside.keep(opener, {ident: records[ident] for ident in stop.kept if ident in records})
        return _Arrived(rows, opener, records, shared)

    def _records(self, pack: PackInfo, wanted: frozenset[bytes]) -> Records:
        entries = [entry for entry in self._directory(pack.name) if entry.id in wanted]
        try:
            return self._fetcher.records(pack, entries)
        except NotFound:
            return {}  # moved or lost: whoever needs a blob of it looks again

    def _open(self, group: tuple[_Arrived, list[ItemRow]]) -> list[Read]:
        arrived, rows = group
        return [(row, self._body(row, arrived)) for row in rows]

    def _body(self, row: ItemRow, arrived: _Arrived) -> bytes | IntegrityError:
        try:
            return checked(row, self._assembled(row, arrived))
        except IntegrityError as error:
            return error

    def _assembled(self, row: ItemRow, arrived: _Arrived) -> bytes:
        blobs: Blobs = {}
        lacking = []
        for ident in frozenset(Recipe.of(row.recipe).ids()):
            blob = self._blob(ident, arrived)
            if blob is None:
                lacking.append(ident)
            else:
                blobs[ident] = blob
        for pack, entries in self._fetcher.places(lacking, row.key).items():
            found = self._fetcher.blobs(pack, entries)
            blobs |= found
            self._opened.keep({ident: blob for ident, blob in found.items() if ident in arrived.shared})
        return assembled(row.recipe, blobs)

    def _blob(self, ident: bytes, arrived: _Arrived) -> bytes | None:
        """None for one that is neither here nor put aside, or whose record does not open."""
        if (blob := self._opened.get(ident)) is not None:
            return blob
        here = arrived.records.get(ident)
        known = self._aside.get(ident) if here is None or arrived.opener is None else (arrived.opener, *here)
        if known is None:
            return None
        opener, entry, record = known
        try:
            blob = opener.content(entry, record)
        except IntegrityError:
            return None  # an older version of the pack, or another pack, may have it
        if here is None or ident in arrived.shared:
            self._opened.keep({ident: blob})
        return blob


class _Aside:
    """Records that items of later packs need, as they were stored; thread-safe."""

    def __init__(self, folder: Path | None) -> None:
        self._scratch = Scratch(0, folder)
        self._lock = threading.Lock()
        self._places: dict[bytes, tuple[PackOpener, BlobEntry, int]] = {}
        self._room = _ASIDE

    def keep(self, opener: PackOpener, records: Records) -> None:
        with self._lock:
            if self._scratch.end >= self._room:
                return
            try:
                addresses = self._scratch.append(bytes(record) for _, record in records.values())
            except OSError:  # the disk is full: what comes later is fetched again
                self._room = 0
                return
            for (ident, (entry, _)), address in zip(records.items(), addresses, strict=True):
                self._places[ident] = opener, entry, address

    def get(self, ident: bytes) -> tuple[PackOpener, BlobEntry, bytes] | None:
        known = self._places.get(ident)
        if known is None:
            return None
        opener, entry, address = known
        return opener, entry, self._scratch.read(address)


class _Opened:
    """The blobs several items need that were used last; thread-safe."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._lock = threading.Lock()
        self._blobs: OrderedDict[bytes, bytes] = OrderedDict()

    def get(self, ident: bytes) -> bytes | None:
        with self._lock:
            if (blob := self._blobs.get(ident)) is not None:
                self._blobs.move_to_end(ident)
            return blob

    def keep(self, blobs: Blobs) -> None:
        with self._lock:
            for ident, blob in blobs.items():
                if ident not in self._blobs:
                    self._blobs[ident] = blob
                    self._room -= len(blob)
            while self._room < 0:
                self._room += len(self._blobs.popitem(last=False)[1])


def checked(row: ItemRow, body: bytes) -> bytes:
    """The body, if it is what came in. Raises IntegrityError."""
    if len(body) != row.size or hashlib.sha256(body).digest() != row.sha256:
        raise mismatch(row)
    return body


def mismatch(row: ItemRow) -> IntegrityError:
    return IntegrityError("the blobs of the item do not make up the bytes that came in", key=row.key)


def assembled(recipe: Iterable[BlobSlice], blobs: Blobs) -> bytes:
    pieces: list[bytes | memoryview] = []
    for ident, offset, length in recipe:
        blob = blobs[ident]
        pieces.append(blob if length == len(blob) else memoryview(blob)[offset : offset + length])
    return pieces[0] if len(pieces) == 1 and isinstance(pieces[0], bytes) else b"".join(pieces)


def _groups(arrived: _Arrived) -> Iterator[tuple[_Arrived, list[ItemRow]]]:
    """The rows in portions of some bytes of items."""
    group: list[ItemRow] = []
    size = 0
    for row in arrived.rows:
        group.append(row)
        size += row.size
        if size >= _GROUP:
            yield arrived, group
            group, size = [], 0
    if group:
        yield arrived, group


def _size(group: tuple[_Arrived, list[ItemRow]]) -> int:
    return sum(row.size for row in group[1])


def _ahead(
    threads: Executor, task: Callable[[T], U], arguments: Iterable[T], room: int, size: Callable[[T], int]
) -> Iterator[U]:
    """Results in order; as many tasks begin ahead of the caller as have room, and at least one."""
    begun: deque[tuple[int, Future[U]]] = deque()
    taken = 0
    for argument in arguments:
        weight = size(argument)
        while begun and taken + weight > room:
            done, future = begun.popleft()
            yield future.result()
            taken -= done
        begun.append((weight, threads.submit(task, argument)))
        taken += weight
    while begun:
        yield begun.popleft()[1].result()
