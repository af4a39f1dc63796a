"""The way through the packs for reading many items: planned from all of them, with little of each in memory."""

from array import array
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from backup_engine import messagepack, rows
from backup_engine.index import PackInfo, Place
from backup_engine.model import ItemRow, Recipe
from backup_engine.scratch import Scratch

Find = Callable[[Sequence[bytes]], Mapping[bytes, Place | None]]

_AT_ONCE = 1024  # rows whose blobs are looked up together
_NOWHERE = -1  # the number of no pack


@dataclass(frozen=True, slots=True)
class Stop:
    """One pack, the items that are complete once it was read, and the blobs in it that items of later packs need.

    At the stop without a pack are items without bytes, and those with a blob that is nowhere.
    """

    pack: PackInfo | None
    items: Sequence[int]  # addresses of their rows, in the order they lie in the pack
    kept: frozenset[bytes]


class Itinerary:
    """24 bytes an item and some 200 for a blob whose items span packs; the rows lie in `scratch`."""

    def __init__(self, find: Find, scratch: Scratch) -> None:
        self._find = find
        self._scratch = scratch
        self._packs: list[PackInfo] = []
        self._numbers: dict[str, int] = {}
        self._at = array("q"), array("q"), array("q")  # of every item: pack number, offset in it, address
        self._kept: dict[int, set[bytes]] = defaultdict(set)  # by pack number

    def add(self, items: Iterable[ItemRow]) -> None:
        """Take in items with a body. Raises OSError when the scratch file cannot grow."""
        items = iter(items)
        while batch := list(islice(items, _AT_ONCE)):
            idents = [frozenset(Recipe.of(row.recipe).ids()) for row in batch]
            places = self._find(list(frozenset[bytes]().union(*idents)))
            addresses = self._scratch.append(messagepack.encode([row.key, rows.pack(row)]) for row in batch)
            for address, wanted in zip(addresses, idents, strict=True):
                self._note(address, [place for ident in wanted if (place := places[ident]) is not None], len(wanted))

    def _note(self, address: int, places: Sequence[Place], wanted: int) -> None:
        if not wanted or len(places) < wanted:
            self._append(_NOWHERE, 0, address)
            return
        last = max(place.pack for place in places)
        for place in places:
            if place.pack.name != last.name:
                self._kept[self._number(place.pack)].add(place.entry.id)
        offset = min(place.entry.offset for place in places if place.pack.name == last.name)
        self._append(self._number(last), offset, address)

    def _append(self, *numbers: int) -> None:
        for column, number in zip(self._at, numbers, strict=True):
            column.append(number)

    def _number(self, pack: PackInfo) -> int:
        number = self._numbers.setdefault(pack.name, len(self._packs))
        if number == len(self._packs):
            self._packs.append(pack)
        return number

    def stops(self) -> Iterator[Stop]:
        """In order of pack."""
        numbers, offsets, addresses = (np.frombuffer(column, np.int64) for column in self._at)
        order = np.lexsort((offsets, numbers))
        numbers, addresses = numbers[order], addresses[order]
        if nowhere := _between(numbers, addresses, _NOWHERE):
            yield Stop(None, nowhere, frozenset())
        for number in sorted(range(len(self._packs)), key=self._packs.__getitem__):
            kept = frozenset(self._kept.pop(number, ()))
            yield Stop(self._packs[number], _between(numbers, addresses, number), kept)

    def rows(self, stop: Stop) -> list[ItemRow]:
        return [_row(self._scratch.read(address)) for address in stop.items]


def _between(numbers: NDArray[np.int64], addresses: NDArray[np.int64], number: int) -> list[int]:
    """The addresses of the items at one stop."""
    start, end = np.searchsorted(numbers, number), np.searchsorted(numbers, number, side="right")
    found: list[int] = addresses[start:end].tolist()
    return found


def _row(record: bytes) -> ItemRow:
    key, packed = messagepack.decode(record)
    return rows.unpack(key, packed)
