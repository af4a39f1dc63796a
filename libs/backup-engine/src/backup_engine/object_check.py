"""One stored object: is it what was written, and is everything there that it refers to."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from backup_engine import commits, manifest, names
from backup_engine.backing import Backing
from backup_engine.errors import UNREADABLE, IntegrityError, NotFound
from backup_engine.model import Problem, Snapshot
from backup_engine.pack_check import MISSING_PACK, check_bytes
from backup_engine.receipts import Attestation, Receipts
from backup_engine.segment_check import SegmentChecks

DAMAGED_OBJECT = "damaged_object"
MISSING_OBJECT = "missing_object"
COVERED_OBJECT = "covered_object"
HIDDEN_OBJECT = "hidden_object"

_COVERED = "somebody put other bytes on top; readers look past them"
_PACKS = 2  # in memory at the same time, each once: while one is opened, the next is fetched


@dataclass(frozen=True, slots=True)
class Finding:
    read: int = 0  # bytes
    items: int = 0  # of a segment: rows whose references were followed
    problems: tuple[Problem, ...] = ()
    lost: frozenset[bytes] = frozenset()  # blobs that cannot be read from this pack any more


class ObjectCheck:
    """Checks objects by name; thread-safe. `sizes` is a listing, `changed` names what has other bytes than before."""

    def __init__(
        self, backing: Backing, receipts: Receipts, sizes: Mapping[str, int], now: datetime, changed: frozenset[str]
    ) -> None:
        self._backing = backing
        self._receipts = receipts
        self._sizes = sizes
        self._now = now
        self._changed = changed
        self._digests: dict[int, bytes] = {}  # of the receipts read, by number
        self._room = threading.Semaphore(_PACKS)
        self._segments = SegmentChecks(backing, self._is_gone)
        self._by_prefix: dict[str, Callable[[str], Finding]] = {
            names.DATA: self._pack,
            names.KEYS: self._key,
            names.MANIFESTS: self._segment,
            names.SNAPSHOTS: self._snapshot,
            names.RECEIPTS: self._receipt,
        }

    def __call__(self, name: str) -> Finding:
        """What is wrong with the object. Raises StorageUnreachable and StorageDenied: no answer is no finding."""
        if name in self._changed:
            return _bad(DAMAGED_OBJECT, name, "its bytes differ from those of the last check")
        prefix = name[: name.find("/") + 1]
        return self._by_prefix.get(prefix, self._sealed)(name)

    def _pack(self, name: str) -> Finding:
        info = self._backing.index.pack(name)
        if info is None:
            return Finding()  # of a session that has not finished, or one that never will: nothing refers to it
        with self._room:
            found = check_bytes(self._backing, info)
        if found.problem is not None and found.problem.kind == MISSING_PACK and name in self._backing.condemned.packs:
            return Finding()  # collected
        problems = () if found.problem is None else (found.problem,)
        return Finding(found.read, problems=problems, lost=found.lost)

    def _key(self, name: str) -> Finding:
        try:
            self._backing.ring.check(name)
        except NotFound:
            return Finding()  # replaced since it was listed
        except UNREADABLE as error:
            return _bad(DAMAGED_OBJECT, name, str(error))
        return Finding(self._sizes[name])

    def _sealed(self, name: str) -> Finding:
        objects, storage = self._backing.objects, self._backing.storage
        try:
            body = storage.get(name)
            objects.open(name, body)
        except NotFound:
            return Finding()  # collected since it was listed
        except UNREADABLE as error:
            try:
                objects.get_any(name)
            except (*UNREADABLE, NotFound):
                return _bad(DAMAGED_OBJECT, name, str(error))
            return _bad(COVERED_OBJECT, name, _COVERED)
        if len(body) != self._sizes[name] and next(storage.versions(name), body) != body:
            return _bad(COVERED_OBJECT, name, _COVERED)
        return Finding(self._sizes[name])

    def _segment(self, name: str) -> Finding:
        """It opens; whether what it refers to is there is the concern of the restore points that need it."""
        sound = self._segments.find(name)
        return self._sealed(name) if sound is None else Finding(self._sizes[name], sound.rows)

    def _snapshot(self, name: str) -> Finding:
        """The commit object opens, its segments do, and every blob of every item is where the index says."""
        itself = self._sealed(name)
        if itself.problems:
            return itself
        shard, session = names.snapshot_parts(name)
        try:
            snapshot = commits.read(self._backing.objects, shard, session)
            if snapshot is None:
                return Finding(self._sizes[name])
            items, missing = (0, 0) if self._segments.are_sound(snapshot.segments) else self._references(snapshot)
        except NotFound:
            return Finding()
        except UNREADABLE as error:
            return _bad(DAMAGED_OBJECT, _key_of(error, name), str(error))
        problems = self._unindexed(snapshot)
        if missing:
            detail = f"{missing} of {items} items need blobs that no index object names"
            problems += (Problem("missing_blob", name, detail),)
        return Finding(self._sizes[name], problems=problems)

    def _references(self, snapshot: Snapshot) -> tuple[int, int]:
        """How many items the restore point has, and how many of them need blobs that no index object names."""
        items = missing = 0
        for row in manifest.items(self._backing.objects, snapshot.segments):
            items += 1
            missing += any(self._is_lost(part.id) for part in row.recipe)
        return items, missing

    def _is_lost(self, blob: bytes) -> bool:
        """In no pack, or only in one that a collector took away."""
        place = self._backing.index.find(blob)
        return place is None or self._is_gone(place.pack.name)

    def _is_gone(self, pack: str) -> bool:
        """Collected; a pack that is missing for another reason is the problem of the pack."""
        return pack in self._backing.condemned.packs and pack not in self._sizes

    def _unindexed(self, snapshot: Snapshot) -> tuple[Problem, ...]:
        """Packs of the restore point that are stored and that no index object names: one of those was lost."""
        index = self._backing.index
        return tuple(
            Problem("unindexed_pack", pack.key, "no index object names it")
            for pack in snapshot.packs
            if pack.key in self._sizes and index.pack(pack.key) is None and pack.key not in index.avoided
        )

    def _receipt(self, name: str) -> Finding:
        n = names.receipt_number(name)
        try:
            receipt, problems = self._receipts.follow(n, self._digests)
        except NotFound:
            return _bad("missing_receipt", name, "the chain has a gap")
        if receipt is not None and not problems:
            problems = self._witnessed(n, receipt.attestation)
        return Finding(self._sizes.get(name, 0), problems=tuple(problems))

    def _witnessed(self, n: int, said: Attestation) -> list[Problem]:
        """A receipt remembers the restore point it is about: before its time is over, it must be there."""
        if said.snapshot is None or said.shard is None or said.expires_at is None or said.expires_at <= self._now:
            return []
        name = names.snapshot(said.shard, said.snapshot)
        there = name in self._sizes or name in self._backing.condemned.snapshots
        return [] if there else [Problem("missing_snapshot", name, f"receipt {n} names it")]


def _bad(kind: str, name: str, detail: str) -> Finding:
    return Finding(problems=(Problem(kind, name, detail),))


def _key_of(error: Exception, otherwise: str) -> str:
    """The object that is damaged: a segment, or the snapshot itself."""
    return error.key if isinstance(error, IntegrityError) and error.key else otherwise
