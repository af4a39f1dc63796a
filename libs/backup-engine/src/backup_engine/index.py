"""The index: which blob lies where (format, section 6). Holds durable blobs only."""

import threading
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from backup_engine import names
from backup_engine.errors import IntegrityError
from backup_engine.header import Kind
from backup_engine.pack import BlobEntry, PackEntry
from backup_engine.sealed import SealedObjects
from backup_engine.storage.base import Storage


class PackInfo(NamedTuple):
    name: str
    size: int
    trailer: int
    header: bytes


class Place(NamedTuple):
    pack: PackInfo
    entry: BlobEntry


class BlobIndex:
    """All deltas of a repository in memory; one per Repository, shared by its sessions, thread-safe.

    Only what a durable delta names gets in, so that no session can lean on another's unfinished pack.
    """

    def __init__(self, storage: Storage, objects: SealedObjects) -> None:
        self._storage = storage
        self._objects = objects
        self._lock = threading.RLock()
        self._loaded: set[str] = set()
        self._packs: dict[str, PackInfo] = {}
        self._blobs: dict[bytes, tuple[PackInfo, int, int, int, int, int]] = {}

    def refresh(self) -> None:
        """Read the deltas that appeared since the last time: one listing, one GET each."""
        with self._lock:
            for found in self._storage.list(names.INDEX):
                if found.key not in self._loaded:
                    payload = self._objects.require(found.key, Kind.INDEX_DELTA)
                    self.add(found.key, _decoded(payload, found.key))

    def add(self, delta: str, packs: Iterable[PackEntry]) -> None:
        """Take in a delta that is durable under the name `delta`."""
        with self._lock:
            for pack in packs:
                info = PackInfo(pack.name, pack.size, pack.trailer, pack.header)
                self._packs[pack.name] = info
                for e in pack.blobs:
                    self._blobs.setdefault(e.id, (info, e.i, e.offset, e.stored, e.length, e.codec))
            self._loaded.add(delta)

    def publish(self, delta: str, packs: Iterable[PackEntry]) -> None:
        """Write the delta, then take it in. The packs must be durable."""
        packs = list(packs)
        self._objects.put(delta, Kind.INDEX_DELTA, _encoded(packs))
        self.add(delta, packs)

    def __contains__(self, ident: bytes) -> bool:
        return ident in self._blobs

    def find(self, ident: bytes) -> Place | None:
        found = self._blobs.get(ident)
        return None if found is None else Place(found[0], BlobEntry(ident, *found[1:]))

    def pack(self, name: str) -> PackInfo | None:
        return self._packs.get(name)


def _encoded(packs: list[PackEntry]) -> dict[str, Any]:
    return {
        "packs": [
            {
                "name": pack.name,
                "size": pack.size,
                "trailer": pack.trailer,
                "header": pack.header,
                "blobs": sorted(tuple(entry) for entry in pack.blobs),
            }
            for pack in sorted(packs, key=lambda pack: pack.name)
        ]
    }


def _decoded(payload: dict[str, Any], name: str) -> Iterator[PackEntry]:
    try:
        for pack in payload["packs"]:
            blobs = tuple(BlobEntry(*entry) for entry in pack["blobs"])
            yield PackEntry(pack["name"], pack["size"], pack["trailer"], pack["header"], blobs)
    except (KeyError, TypeError) as error:
        raise IntegrityError(f"{name} is no index delta", key=name) from error
