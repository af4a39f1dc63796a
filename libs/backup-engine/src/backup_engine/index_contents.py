"""What an index holds: a table of most blobs, and a small dictionary of the newest."""

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from itertools import compress
from typing import Any, NamedTuple

import numpy as np

from backup_engine import blob_table
from backup_engine.blob_table import GONE, BlobTable
from backup_engine.entries import BlobEntries, BlobEntry
from backup_engine.index_cache import IndexCache
from backup_engine.pack import PackEntry

_SHARE = 64  # the dictionary may hold this part of the table's rows, so that a large file is not written too often
_FIRST = struct.Struct("<I")  # of a packed place: the pack's number
_NONE = _FIRST.pack(GONE)


class PackInfo(NamedTuple):
    name: str
    size: int
    trailer: int
    header: bytes


class _View(NamedTuple):
    """What a look-up needs, all of one numbering of the packs."""

    table: BlobTable
    recent: dict[bytes, bytes]  # packed places
    packs: list[PackInfo | None]  # by number; None when forgotten


class Contents:
    """One thread at a time may change it; readers need no lock.

    More than about `recent` blobs in the dictionary join the table; a table of `mapped` rows or more is a file.
    """

    def __init__(self, cache: IndexCache, *, recent: int, mapped: int) -> None:
        self._cache = cache
        self._recent = recent
        self._mapped = mapped
        self._view = _View(BlobTable.empty(), {}, [])
        self._directories: dict[int, BlobEntries] = {}  # of the packs whose blobs are recent
        self._numbers: dict[str, int] = {}

    def restore(self) -> dict[str, Any] | None:
        """Begin with what this machine kept; how it was described when it was added."""
        kept = self._cache.read()
        if kept is None:
            return None
        self._show(kept.table, [PackInfo(*pack) for pack in kept.description["packs"]])
        return kept.description

    def add(self, packs: Iterable[PackEntry], description: Callable[[], dict[str, Any]]) -> None:
        """Take in packs not known yet; `description` says what all that is added now stands for."""
        new: list[tuple[int, BlobEntries]] = []
        for pack in packs:
            if pack.name not in self._numbers:  # a merged file repeats what its deltas said
                self._numbers[pack.name] = number = len(self._view.packs)
                self._view.packs.append(PackInfo(pack.name, pack.size, pack.trailer, pack.header))
                new.append((number, BlobEntries.of(pack.blobs)))
        table, recent, _ = self._view
        total = len(recent) + sum(len(entries) for _, entries in new)
        # A table in memory is joined at once: that costs less than looking in two places.
        if total > max(self._recent, len(table) // _SHARE) or len(table) + total < self._mapped:
            self._fold(new, description)
            return
        for number, entries in new:
            self._directories[number] = entries
            for entry in entries:
                recent[entry.id] = recent.get(entry.id, b"") + blob_table.packed_place(number, entry)

    def holds(self, ident: bytes, avoided: AbstractSet[str]) -> bool:
        """Whether the blob lies in a pack that is not avoided."""
        table, recent, _ = self._view
        if recent.get(ident) is None and table.lacks(ident):
            return False
        return any(pack.name not in avoided for pack, _ in self.places(ident))

    def places(self, ident: bytes) -> Iterator[tuple[PackInfo, BlobEntry]]:
        table, recent, packs = self._view
        packed = recent.get(ident)
        for number, entry in blob_table.unpacked_places(ident, packed) if packed else ():
            if (pack := packs[number]) is not None:
                yield pack, entry
        for number, entry in table.places(ident):
            if (pack := packs[number]) is not None:
                yield pack, entry

    def first_places(self, idents: Sequence[bytes]) -> list[tuple[PackInfo, BlobEntry] | None]:
        """For each blob one place, or None where the quick look finds none."""
        table, _, packs = self._view
        rows = table.first_rows(idents)
        known = rows >= 0
        places = table.places_at(rows[known], compress(idents, known))
        return [self._shown(packs, next(places)) if here else None for here in known.tolist()]

    @staticmethod
    def _shown(packs: list[PackInfo | None], place: tuple[int, BlobEntry]) -> tuple[PackInfo, BlobEntry] | None:
        pack = packs[place[0]]
        return None if pack is None else (pack, place[1])

    def first_names(self, idents: Sequence[bytes]) -> list[str | None]:
        """For each blob the name of one pack, or None where the quick look finds none."""
        table, recent, packs = self._view
        rows = table.first_rows(idents)
        numbers = table.packs_at(rows)
        for n in np.flatnonzero(rows < 0).tolist():
            (numbers[n],) = _FIRST.unpack(recent.get(idents[n], _NONE)[: _FIRST.size])
        found = map([*packs, None].__getitem__, np.minimum(numbers, len(packs)).tolist())
        return [None if pack is None else pack.name for pack in found]

    def pack(self, name: str) -> PackInfo | None:
        number = self._numbers.get(name)
        return None if number is None else self._view.packs[number]

    @property
    def pack_count(self) -> int:
        return len(self._numbers)

    def packs(self) -> list[PackInfo]:
        return sorted(pack for pack in self._view.packs if pack is not None)

    def entries(self, pack: str) -> BlobEntries:
        number = self._numbers.get(pack)
        if number is None:
            return BlobEntries(b"")
        recent = self._directories.get(number)
        return self._view.table.entries(number) if recent is None else recent

    def forget(self, packs: Iterable[str]) -> None:
        for name in packs:
            number = self._numbers.pop(name, None)
            if number is not None:
                self._view.packs[number] = None
                self._directories.pop(number, None)

    def _fold(self, new: list[tuple[int, BlobEntries]], description: Callable[[], dict[str, Any]]) -> None:
        """Make one table of the table, the dictionary and the new packs."""
        table, _, numbered = self._view
        packs = [pack for pack in numbered if pack is not None]
        renumbered = np.full(len(numbered), GONE, np.uint32)
        renumbered[[number for number, pack in enumerate(numbered) if pack is not None]] = np.arange(len(packs))
        recent = [*self._directories.items(), *new]
        fresh = BlobTable.of_packs([(int(renumbered[number]), entries) for number, entries in recent])
        count = table.count_after(fresh, renumbered)
        pieces = table.merged(fresh, renumbered)
        if count < self._mapped:
            self._show(blob_table.in_memory(pieces), packs)
        else:
            self._show(self._cache.write({**description(), "packs": packs}, count, pieces), packs)

    def _show(self, table: BlobTable, packs: Sequence[PackInfo]) -> None:
        """From now on: all blobs in the table, none in the dictionary."""
        self._view = _View(table, {}, list(packs))
        self._directories = {}
        self._numbers = {pack.name: number for number, pack in enumerate(packs)}
