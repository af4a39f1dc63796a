"""Blobs by place: one range read for few, whole packs for many, and elsewhere when a pack was moved."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial

from backup_engine.backing import Backing
from backup_engine.errors import IntegrityError, NotFound
from backup_engine.index import PackInfo, Place
from backup_engine.pack import BlobEntry, PackOpener
from backup_engine.storage.authentic import read_authentic

Blobs = dict[bytes, bytes]
Records = dict[bytes, tuple[BlobEntry, memoryview]]
"""By blob: its place in the pack and its record as stored, a view of what was read."""

_WHOLE = 0.25  # share of a pack above which it is fetched whole
_GAP = 128 << 10  # bytes worth reading over to save a request


class Fetcher:
    """Thread-safe. Whoever gets blobs checks the item they make up: records are opened, ids are not computed again."""

    def __init__(self, backing: Backing) -> None:
        self._backing = backing

    def opener(self, pack: PackInfo) -> PackOpener:
        return PackOpener(self._backing.ring, pack.header, pack.name)

    def find(self, idents: Sequence[bytes]) -> dict[bytes, Place | None]:
        """Where each blob lies; None for one that no index object names, published lately or not."""
        wanted = list(dict.fromkeys(idents))
        found = self._backing.index.find_many(wanted)
        if None in found:
            self._backing.index.refresh()  # another process may have published it since
            found = self._backing.index.find_many(wanted)
        return dict(zip(wanted, found, strict=True))

    def place(self, ident: bytes, key: str) -> Place:
        """Where a blob of item `key` lies. Raises IntegrityError."""
        place = self._backing.index.find(ident)
        if place is None:
            self._backing.index.refresh()
            place = self._backing.index.find(ident)
        if place is None:
            damaged = next(iter(self._backing.index.damaged), key)
            raise IntegrityError("a blob of the item is in no index delta", key=damaged)
        return place

    def places(self, idents: Iterable[bytes], key: str) -> dict[PackInfo, list[BlobEntry]]:
        """The blobs of item `key` by pack, each once. Raises IntegrityError."""
        grouped: dict[PackInfo, list[BlobEntry]] = defaultdict(list)
        for ident in dict.fromkeys(idents):
            place = self.place(ident, key)
            grouped[place.pack].append(place.entry)
        return grouped

    def blobs(self, pack: PackInfo, entries: Iterable[BlobEntry]) -> Blobs:
        """The blobs at these places, from where maintenance has moved them if need be. Raises IntegrityError."""
        entries = list(entries)
        try:
            return self._opened(pack, entries)
        except NotFound as missing:
            return self._moved(pack, entries, missing)

    def records(self, pack: PackInfo, entries: Iterable[BlobEntry]) -> Records:
        """The records at these places, not opened. Raises NotFound.

        Of every read the first one is opened, so that bytes somebody put on top of the whole pack are passed over; a
        record that does not open all the same is looked for with `blobs`.
        """
        opener = self.opener(pack)
        found: Records = {}
        for run in _runs(pack, entries):
            start, length = run[0].offset, run[-1].offset + run[-1].stored - run[0].offset
            body = b""
            with suppress(IntegrityError):  # no version of that record opens: the others may
                body = read_authentic(
                    self._backing.storage, pack.name, partial(_opening, opener, run[0]), start, length
                )
            view = memoryview(body or self._backing.storage.get(pack.name, start, length))
            for entry in run:
                found[entry.id] = entry, view[entry.offset - start : entry.offset - start + entry.stored]
        return found

    def _opened(self, pack: PackInfo, entries: list[BlobEntry]) -> Blobs:
        opener = self.opener(pack)
        blobs: Blobs = {}
        for run in _runs(pack, entries):
            start, end = run[0].offset, run[-1].offset + run[-1].stored
            opened = partial(_contents, opener, run)
            blobs |= read_authentic(self._backing.storage, pack.name, opened, start, end - start)
        return blobs

    def _moved(self, pack: PackInfo, entries: list[BlobEntry], missing: NotFound) -> Blobs:
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
                blobs |= self._opened(other, found)
            except NotFound as error:
                raise IntegrityError(f"{other.name} is missing", key=other.name) from error
        return blobs


def _opening(opener: PackOpener, first: BlobEntry, body: bytes) -> bytes:
    """The bytes themselves, if the record they begin with opens."""
    opener.content(first, memoryview(body)[: first.stored])
    return body


def _contents(opener: PackOpener, run: list[BlobEntry], body: bytes) -> Blobs:
    """Of bytes read from where the run begins; the item's digest says whether a blob is the right one."""
    view, start = memoryview(body), run[0].offset
    return {
        entry.id: opener.content(entry, view[entry.offset - start : entry.offset - start + entry.stored])
        for entry in run
    }


def _runs(pack: PackInfo, entries: Iterable[BlobEntry]) -> Iterator[list[BlobEntry]]:
    """Entries to fetch with one read each, in order of offset."""
    entries = sorted(entries, key=lambda entry: entry.offset)
    if sum(entry.stored for entry in entries) > pack.size * _WHOLE:
        yield entries
        return
    run = entries[:1]
    for entry in entries[1:]:
        if entry.offset - (run[-1].offset + run[-1].stored) > _GAP:
            yield run
            run = []
        run.append(entry)
    if run:
        yield run
