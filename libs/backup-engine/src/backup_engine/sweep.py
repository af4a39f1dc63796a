"""The plan for reading many items: pack after pack, each fetched once, what later packs' items share kept meanwhile."""

from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from backup_engine.index import PackInfo, Place
from backup_engine.model import ItemRow, Recipe
from backup_engine.pack import BlobEntry

Blobs = dict[bytes, bytes]
Locate = Callable[[list[bytes], ItemRow], list[Place]]
_KEPT = 32 << 20  # bytes of shared blobs kept; those pushed out are fetched again


@dataclass(slots=True)
class Stop:
    """One pack: what to fetch from it, and the items that are complete once it was fetched."""

    entries: dict[int, BlobEntry] = field(default_factory=dict)  # by offset
    rows: list[tuple[int, ItemRow]] = field(default_factory=list)  # by offset of their first blob here


def plan(rows: Iterable[ItemRow], locate: Locate) -> tuple[list[tuple[PackInfo, Stop]], "Shared"]:
    """The packs to visit, in order of name, and the keeper of what several items need."""
    stops: dict[PackInfo, Stop] = defaultdict(Stop)
    uses: Counter[bytes] = Counter()
    for row in rows:
        places = locate(Recipe.of(row.recipe).ids(), row)
        last = max(place.pack for place in places)
        for pack, entry in places:
            stops[pack].entries[entry.offset] = entry
        uses.update({place.entry.id for place in places})
        stops[last].rows.append((min(place.entry.offset for place in places if place.pack == last), row))
    for stop in stops.values():
        stop.rows.sort(key=lambda placed: placed[0])
    return sorted(stops.items()), Shared(uses)


class Shared:
    """Blobs that items yet to come need, as many as there is room for. Not thread-safe."""

    def __init__(self, uses: Counter[bytes]) -> None:
        self._uses = uses
        self._kept: OrderedDict[bytes, bytes] = OrderedDict()
        self._size = 0

    def keep(self, blobs: Blobs) -> None:
        """Of a pack whose items are done, what later ones need. The ones unused for longest make room."""
        for ident, blob in blobs.items():
            if self._uses[ident] > 0 and ident not in self._kept:
                self._kept[ident] = blob
                self._size += len(blob)
        while self._size > _KEPT and self._kept:
            self._size -= len(self._kept.popitem(last=False)[1])

    def lacking(self, rows: Iterable[ItemRow], blobs: Blobs) -> list[bytes]:
        """What the items need and neither the pack's blobs nor the kept ones hold."""
        needed = dict.fromkeys(ident for row in rows for ident in Recipe.of(row.recipe).ids())
        return [ident for ident in needed if ident not in blobs and ident not in self._kept]

    def assemble(self, row: ItemRow, blobs: Blobs) -> bytes:
        """The item's bytes; what only it needed is let go."""
        pieces = []
        for ident, offset, length in row.recipe:
            blob = blobs.get(ident) or self._kept[ident]
            pieces.append(blob if length == len(blob) else blob[offset : offset + length])
        for ident in set(Recipe.of(row.recipe).ids()):
            self._used(ident)
        return b"".join(pieces)

    def _used(self, ident: bytes) -> None:
        self._uses[ident] -= 1
        if self._uses[ident] == 0:
            del self._uses[ident]
            self._size -= len(self._kept.pop(ident, b""))
        elif ident in self._kept:
            self._kept.move_to_end(ident)


def batches(rows: Iterable[ItemRow], count: int) -> Iterator[list[ItemRow]]:
    batch: list[ItemRow] = []
    for row in rows:
        batch.append(row)
        if len(batch) == count:
            yield batch
            batch = []
    if batch:
        yield batch
