"""The index: which blob lies where (format, section 6). Holds durable blobs only."""

import threading
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from backup_engine import index_objects, names
from backup_engine.errors import UNREADABLE, IntegrityError, NotFound
from backup_engine.header import Kind
from backup_engine.index_objects import IndexObject
from backup_engine.pack import BlobEntry, PackEntry
from backup_engine.sealed import SealedObjects
from backup_engine.storage.base import Storage

_ROUNDS = 5  # of listing and reading, while maintenance replaces what was listed


class PackInfo(NamedTuple):
    name: str
    size: int
    trailer: int
    header: bytes


class Place(NamedTuple):
    pack: PackInfo
    entry: BlobEntry


class BlobIndex:
    """All index objects of a repository in memory; one per Repository, shared by its sessions, thread-safe.

    Only what a durable delta names gets in, so that no session can lean on another's unfinished pack. A blob
    may lie in several packs (two writers, a repair, a rewriting): every place is kept.
    """

    def __init__(self, storage: Storage, objects: SealedObjects) -> None:
        self._storage = storage
        self._objects = objects
        self._lock = threading.RLock()
        self._loaded: set[str] = set()
        self._packs: dict[str, PackInfo] = {}
        self._sources: dict[str, str] = {}
        self._contents: dict[str, tuple[BlobEntry, ...]] = {}
        self._blobs: dict[bytes, tuple[Place, ...]] = {}
        self._avoided: frozenset[str] = frozenset()
        self.damaged: dict[str, str] = {}  # index objects that cannot be read, with the reason

    def refresh(self) -> None:
        """Read the index objects that appeared since the last time: one listing, one GET each."""
        with self._lock:
            for _ in range(_ROUNDS):
                lost = self._read_new()
                if not lost:
                    return
            raise IntegrityError(f"{lost} is listed but cannot be read", key=lost)

    def add(self, delta: str, packs: Iterable[PackEntry]) -> None:
        """Take in an index object that is durable under the name `delta`."""
        with self._lock:
            for pack in packs:
                self._add(pack)
                if delta.startswith(names.INDEX_MERGED) or pack.name not in self._sources:
                    self._sources[pack.name] = delta
            self._loaded.add(delta)

    def publish(self, delta: str, packs: Iterable[PackEntry]) -> None:
        """Write the delta, then take it in. The packs must be durable."""
        packs = list(packs)
        self._objects.put(delta, Kind.INDEX_DELTA, index_objects.encode(packs))
        self.add(delta, packs)

    def __contains__(self, ident: bytes) -> bool:
        """Whether a writer may refer to the blob: it lies in some pack that is not avoided."""
        return any(place.pack.name not in self._avoided for place in self._blobs.get(ident, ()))

    def find(self, ident: bytes) -> Place | None:
        """Where to read the blob: a place in a pack that is not avoided if there is one, else any."""
        places = self._blobs.get(ident, ())
        return next((place for place in places if place.pack.name not in self._avoided), next(iter(places), None))

    def places(self, ident: bytes) -> list[Place]:
        """Every place of the blob, avoided ones included."""
        return list(self._blobs.get(ident, ()))

    def pack(self, name: str) -> PackInfo | None:
        return self._packs.get(name)

    def packs(self) -> Iterator[PackInfo]:
        """Every pack some index object names, in order of name; a consistent copy."""
        with self._lock:
            return iter([info for _, info in sorted(self._packs.items())])

    def sources(self, packs: Iterable[str]) -> set[str]:
        """The index objects that name these packs; a merged one instead of what it replaced."""
        with self._lock:
            return {self._sources[pack] for pack in packs if pack in self._sources}

    def entries(self, pack: str) -> Iterator[BlobEntry]:
        """What the pack holds, in order of record; nothing for a pack no index object names."""
        with self._lock:
            return iter(self._contents.get(pack, ()))

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
            gone = frozenset(packs)
            for name in gone & self._packs.keys():
                del self._packs[name], self._sources[name]
                for entry in self._contents.pop(name):
                    self._drop(entry.id, name)
            self._avoided -= gone

    def _read_new(self) -> str:
        """Read what is listed and not loaded; the name of one that vanished meanwhile, or nothing."""
        listed = [found.key for found in self._storage.list(names.INDEX)]
        # Merged files first: what they replace need not be read.
        for name in sorted(listed, key=lambda name: not name.startswith(names.INDEX_MERGED)):
            if name in self._loaded:
                continue
            try:
                found = index_objects.decode(*self._objects.get_any(name), name)
            except NotFound:
                return name  # maintenance replaced it after the listing
            except UNREADABLE as error:
                # One damaged object must not close the repository: what it names counts as absent, and verification
                # tells of it (format, section 14).
                self.damaged[name] = str(error)
                self._loaded.add(name)
                continue
            self._take(name, found)
        return ""

    def _take(self, name: str, found: IndexObject) -> None:
        self.add(name, found.packs)
        self._loaded.update(found.replaces)

    def _add(self, pack: PackEntry) -> None:
        if pack.name in self._packs:  # a merged file repeats what its deltas said
            return
        info = self._packs[pack.name] = PackInfo(pack.name, pack.size, pack.trailer, pack.header)
        self._contents[pack.name] = tuple(sorted(pack.blobs, key=lambda entry: entry.i))
        for entry in pack.blobs:
            self._blobs[entry.id] = (*self._blobs.get(entry.id, ()), Place(info, entry))

    def _drop(self, ident: bytes, pack: str) -> None:
        left = tuple(place for place in self._blobs.pop(ident, ()) if place.pack.name != pack)
        if left:
            self._blobs[ident] = left
