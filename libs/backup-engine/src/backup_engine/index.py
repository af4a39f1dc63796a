"""The index: which blob lies where (format, section 6). Holds durable blobs only."""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

from backup_engine import index_objects, names
from backup_engine.entries import BlobEntries, BlobEntry
from backup_engine.errors import UNREADABLE, IntegrityError, NotFound
from backup_engine.header import Kind
from backup_engine.index_cache import IndexCache
from backup_engine.index_contents import Contents, PackInfo
from backup_engine.index_objects import IndexObject
from backup_engine.pack import PackEntry
from backup_engine.pools import side_by_side
from backup_engine.sealed import SealedObjects
from backup_engine.storage.base import Storage
from backup_engine.tuning import Tuning

__all__ = ["BlobIndex", "PackInfo", "Place"]

_BATCH = 1 << 19  # blobs read before they join the index
_ROUNDS = 5  # of listing and reading, while maintenance replaces what was listed


class Place(NamedTuple):
    pack: PackInfo
    entry: BlobEntry


class BlobIndex:
    """All index objects of a repository; one per Repository, shared by its sessions, thread-safe.

    Only what a durable delta names gets in, so that no session can lean on another's unfinished pack. A blob
    may lie in several packs (two writers, a repair, a rewriting): every place is kept.
    """

    def __init__(self, storage: Storage, objects: SealedObjects, cache: IndexCache, tuning: Tuning) -> None:
        self._storage = storage
        self._objects = objects
        self._lock = threading.RLock()
        self._cache = cache
        self._tuning = tuning
        self._contents = self._empty()
        self._loaded: set[str] = set()  # index objects that are part of the contents
        self._replaced: set[str] = set()  # those that a merged file stands for
        self._sources: dict[str, str] = {}  # the index object that names a pack
        self._partial: set[str] = set()  # index objects some of whose packs were forgotten
        self._avoided: frozenset[str] = frozenset()
        self.losses = 0  # how often something may have left the index
        self.damaged: dict[str, str] = {}  # index objects that cannot be read, with the reason

    def refresh(self) -> None:
        """Read the index objects that appeared since the last time: one listing, one GET each.

        When some have vanished, maintenance has taken packs out: everything is read again.
        """
        with self._lock:
            for _ in range(_ROUNDS):
                lost = self._read_new([found.key for found in self._storage.list(names.INDEX)])
                if not lost:
                    return
            raise IntegrityError(f"{lost} is listed but cannot be read", key=lost)

    def add(self, delta: str, packs: Iterable[PackEntry]) -> None:
        """Take in an index object that is durable under the name `delta`."""
        with self._lock:
            packs = list(packs)
            self._name_source(delta, packs)
            self._loaded.add(delta)
            self._take(packs)

    def publish(self, delta: str, packs: Iterable[PackEntry]) -> None:
        """Write the delta, then take it in. The packs must be durable."""
        packs = list(packs)
        self._objects.put(delta, Kind.INDEX_DELTA, index_objects.encode(packs))
        self.add(delta, packs)

    def __contains__(self, ident: bytes) -> bool:
        """Whether a writer may refer to the blob: it lies in some pack that is not avoided."""
        return self._contents.holds(ident, self._avoided)

    def find(self, ident: bytes) -> Place | None:
        """Where to read the blob: a place in a pack that is not avoided if there is one, else any."""
        places = self.places(ident)
        return next((place for place in places if place.pack.name not in self._avoided), next(iter(places), None))

    def find_many(self, idents: Sequence[bytes]) -> list[Place | None]:
        """Like find, for many blobs at once: several times as fast."""
        found = self._contents.first_places(idents)
        avoided = self._avoided
        return [
            Place(*first) if first is not None and first[0].name not in avoided else self.find(ident)
            for ident, first in zip(idents, found, strict=True)
        ]

    def missing(self, idents: Sequence[bytes]) -> list[bytes]:
        """Those a writer may not refer to."""
        avoided = self._avoided
        return [
            ident
            for ident, name in zip(idents, self._contents.first_names(idents), strict=True)
            if (name is None or name in avoided) and ident not in self
        ]

    def holders(self, idents: Sequence[bytes]) -> list[str | None]:
        """For each blob the name of the pack find would answer, at little cost."""
        avoided = self._avoided
        return [
            name if name is not None and name not in avoided else self._holder(ident)
            for ident, name in zip(idents, self._contents.first_names(idents), strict=True)
        ]

    def _holder(self, ident: bytes) -> str | None:
        place = self.find(ident)
        return None if place is None else place.pack.name

    def places(self, ident: bytes) -> list[Place]:
        """Every place of the blob, avoided ones included."""
        return [Place(pack, entry) for pack, entry in self._contents.places(ident)]

    def pack(self, name: str) -> PackInfo | None:
        return self._contents.pack(name)

    @property
    def pack_count(self) -> int:
        return self._contents.pack_count

    def packs(self) -> Iterator[PackInfo]:
        """Every pack some index object names, in order of name; a consistent copy."""
        with self._lock:
            return iter(self._contents.packs())

    def sources(self, packs: Iterable[str]) -> set[str]:
        """The index objects that name these packs; a merged one instead of what it replaced."""
        with self._lock:
            return {self._sources[pack] for pack in packs if pack in self._sources}

    def entries(self, pack: str) -> BlobEntries:
        """What the pack holds, in order of record; nothing for a pack no index object names."""
        with self._lock:
            return self._contents.entries(pack)

    @property
    def avoided(self) -> frozenset[str]:
        """Packs a writer must not refer to."""
        return self._avoided

    def avoid(self, packs: Iterable[str]) -> None:
        """Rely no longer on these packs: condemned by a collector or found damaged."""
        with self._lock:
            self._avoided |= frozenset(packs)

    def forget(self, packs: Iterable[str]) -> None:
        """These packs were removed from storage."""
        with self._lock:
            self.losses += 1
            gone = frozenset(packs)
            self._contents.forget(gone)
            for name in gone & self._sources.keys():
                self._partial.add(self._sources.pop(name))
            self._avoided -= gone

    def _read_new(self, listed: list[str]) -> str:
        """Read what is listed and not loaded; the name of one that vanished meanwhile, or nothing."""
        if not self._loaded and (kept := self._contents.restore()) is not None:
            self._loaded, self._replaced, self._sources = set(kept["loaded"]), set(kept["replaced"]), kept["sources"]
        if self._is_outdated(listed):
            self.losses += 1
            self._contents, self._loaded, self._replaced = self._empty(), set(), set()
            self._sources, self._partial, self.damaged = {}, set(), {}
        packs: list[PackEntry] = []
        blobs = 0
        for name, read in self._fetched(listed):
            try:
                found = read()
            except NotFound:
                self._take(packs)
                return name  # maintenance replaced it after the listing
            except UNREADABLE as error:
                # One damaged object must not close the repository: what it names counts as absent, and verification
                # tells of it (format, section 14).
                self.damaged[name] = str(error)
                self._loaded.add(name)
                continue
            self._name_source(name, found.packs)
            self._loaded.add(name)
            self._replaced.update(found.replaces)
            packs += found.packs
            blobs += sum(len(pack.blobs) for pack in found.packs)
            if blobs >= _BATCH:
                self._take(packs)
                packs, blobs = [], 0
        self._take(packs)
        return ""

    def _fetched(self, listed: list[str]) -> Iterator[tuple[str, Callable[[], IndexObject]]]:
        """Those to be read, each with what gives it or raises why not; a few are fetched at the same time."""
        together = max(1, self._tuning.uploaders)
        deltas = [name for name in listed if not name.startswith(names.INDEX_MERGED)]
        # Merged files first: what they replace need not be read.
        for group in (set(listed).difference(deltas), deltas):
            wanted = sorted(name for name in group if name not in self._loaded and name not in self._replaced)
            for start in range(0, len(wanted), together):
                batch = wanted[start : start + together]
                yield from zip(
                    batch, side_by_side([partial(self._fetch, name) for name in batch], together), strict=True
                )

    def _fetch(self, name: str) -> Callable[[], IndexObject]:
        try:
            found = index_objects.decode(*self._objects.get_kept(name), name)
        except (NotFound, *UNREADABLE) as error:
            return partial(_raised, error)
        return lambda: found

    def _is_outdated(self, listed: list[str]) -> bool:
        """Whether packs may have left the index: an object is gone, or a merged file stands for one that was read."""
        new_merged = {name for name in listed if name.startswith(names.INDEX_MERGED)} - self._loaded
        return bool(self._loaded) and (bool(new_merged) or not self._loaded.issubset(listed))

    def _name_source(self, name: str, packs: Iterable[PackEntry]) -> None:
        for pack in packs:
            if name.startswith(names.INDEX_MERGED) or pack.name not in self._sources:
                self._sources[pack.name] = name

    def _empty(self) -> Contents:
        return Contents(self._cache, recent=self._tuning.index_recent, mapped=self._tuning.index_mapped)

    def _take(self, packs: Iterable[PackEntry]) -> None:
        # What the table stands for when another process takes it over; the rest it shall look at itself.
        self._contents.add(
            packs,
            lambda: {
                "loaded": sorted(self._loaded - self.damaged.keys() - self._partial),
                "replaced": sorted(self._replaced),
                "sources": self._sources,
            },
        )


def _raised(error: Exception) -> IndexObject:
    raise error
