"""Which blobs the states somebody relies on are made of, and which packs hold them."""

import heapq
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import compress, groupby
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

from backup_engine import manifest, rows
from backup_engine.index import BlobIndex, PackInfo
from backup_engine.manifest import Change
from backup_engine.pack import BlobEntry
from backup_engine.sealed import SealedObjects

State = tuple[str, ...]  # names of segments, newest first
_ID = "S16"  # half of a blob id: as unguessable as needed, half the memory
_GATHER = 1 << 20  # ids gathered before they are sorted in


class LiveBlobs:
    """A set of blob ids, 16 bytes each, and which of them some pack was found to hold. Not thread-safe."""

    def __init__(self, idents: Iterable[bytes]) -> None:
        self._ids = _distinct(idents)
        self._held = np.zeros(len(self._ids), dtype=bool)

    def __len__(self) -> int:
        return len(self._ids)

    def among(self, entries: Iterable[BlobEntry]) -> list[BlobEntry]:
        """The live ones of `entries`."""
        entries = list(entries)
        live, _ = self._look_up(entries)
        return list(compress(entries, live))

    def bytes_in(self, entries: Iterable[BlobEntry]) -> int:
        """Stored bytes of the live ones of `entries`."""
        return sum(entry.stored for entry in self.among(entries))

    def forget_holders(self) -> None:
        self._held[:] = False

    def hold(self, entries: Iterable[BlobEntry]) -> bool:
        """Note that a pack holds `entries`; True when one of them is live and no pack noted before holds it."""
        _, found = self._look_up(list(entries))
        news = bool((~self._held[found]).any())
        self._held[found] = True
        return news

    def lacks(self, entries: Iterable[BlobEntry]) -> bool:
        """Whether one of `entries` is live and in no pack noted so far."""
        _, found = self._look_up(list(entries))
        return bool((~self._held[found]).any())

    @property
    def homeless(self) -> int:
        """Live blobs that no pack noted so far holds."""
        return int((~self._held).sum())

    def _look_up(self, entries: list[BlobEntry]) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
        """Which entries are live, and the positions of these."""
        if not entries or not len(self._ids):
            return np.zeros(len(entries), dtype=bool), np.empty(0, dtype=np.int64)
        wanted = _packed([entry.id for entry in entries])
        found = np.searchsorted(self._ids, wanted).clip(max=len(self._ids) - 1)
        live = self._ids[found] == wanted
        return live, found[live]


def blobs_of(objects: SealedObjects, states: Iterable[State]) -> Iterator[bytes]:
    """The ids of all blobs of all states, some of them several times; every segment is read once.

    Raises IntegrityError when a segment is missing or damaged.
    """
    by_shard: dict[str, list[State]] = defaultdict(list)
    for state in {state for state in states if state}:
        by_shard[_shard(state[0])].append(state)
    for _, group in sorted(by_shard.items()):
        yield from _blobs_of_shard(objects, group)


def _blobs_of_shard(objects: SealedObjects, states: list[State]) -> Iterator[bytes]:
    layered = [manifest.runs(state) for state in states]
    runs = sorted({run for layers in layered for run in layers})
    number = {run: n for n, run in enumerate(runs)}
    ranks = [{number[run]: age for age, run in enumerate(layers)} for layers in layered]
    streams = [_numbered(n, manifest.read_run(objects, run)) for n, run in enumerate(runs)]
    for key, changes in groupby(heapq.merge(*streams, key=itemgetter(0, 1)), key=itemgetter(0)):
        found = {n: change for _, n, change in changes}
        for n in _visible(found, ranks):
            if (change := found[n]) is not None:
                yield from (part.id for part in rows.unpack(key, change).recipe)


def _visible(found: Mapping[int, Change], ranks: list[dict[int, int]]) -> set[int]:
    """The runs whose word on one key counts in some state."""
    if len(found) == 1:
        return set(found)
    visible = set()
    for ages in ranks:
        if known := found.keys() & ages.keys():
            visible.add(min(known, key=ages.__getitem__))
    return visible


def _numbered(n: int, changes: Iterable[tuple[str, Change]]) -> Iterator[tuple[str, int, Change]]:
    return ((key, n, change) for key, change in changes)


def _shard(segment: str) -> str:
    return segment.rpartition("/")[0]


def keepers(live: LiveBlobs, packs: Iterable[PackInfo], index: BlobIndex, doubtful: frozenset[str]) -> set[str]:
    """A small set of packs that together hold every live blob: the fullest first, `doubtful` ones last."""

    def preference(pack: PackInfo) -> tuple[bool, float, str]:
        return pack.name in doubtful, -live.bytes_in(index.entries(pack.name)) / pack.size, pack.name

    live.forget_holders()
    return {pack.name for pack in sorted(packs, key=preference) if live.hold(index.entries(pack.name))}


def _distinct(idents: Iterable[bytes]) -> NDArray[np.bytes_]:
    known: NDArray[np.bytes_] = np.empty(0, dtype=_ID)
    gathered: list[bytes] = []
    for ident in idents:
        gathered.append(ident)
        if len(gathered) >= max(_GATHER, len(known) // 4):
            known, gathered = np.union1d(known, _packed(gathered)), []
    return np.union1d(known, _packed(gathered))


def _packed(idents: list[bytes]) -> NDArray[np.bytes_]:
    return np.frombuffer(b"".join([ident[:16] for ident in idents]), dtype=_ID)
