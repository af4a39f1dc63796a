"""Index objects: dropped with their packs, merged when there are many (format, section 18)."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from backup_engine import index_objects, names
from backup_engine.errors import UNREADABLE, AlreadyExists, NotFound
from backup_engine.header import Kind
from backup_engine.index_objects import IndexObject
from backup_engine.maintenance.call import Call
from backup_engine.model import Problem
from backup_engine.pack import PackEntry
from backup_engine.storage.base import ObjectInfo

MERGE_ABOVE = 16  # small index objects
FILE_BLOBS = 65_536  # about 4 MB
_SMALL = 2 << 20  # bytes
_STALE = 0.25  # share of an object's blobs that may lie in packs that have gone


@dataclass(slots=True)
class _Object:
    """An index object without the packs that go."""

    name: str
    packs: list[PackEntry]
    blobs: int
    stale: float  # share of blobs that go
    replaces: tuple[str, ...]


@dataclass(slots=True)
class _Plan:
    superfluous: list[str] = field(default_factory=list)  # all of their packs go, or a merged file holds the rest
    stale: list[_Object] = field(default_factory=list)
    small: list[_Object] = field(default_factory=list)

    @property
    def chosen(self) -> list[_Object]:
        return self.stale + (self.small if len(self.small) > MERGE_ABOVE else [])


def prune(call: Call, gone: set[str]) -> bool:
    """Take the packs `gone` out of the index and merge what is small. False when an index object cannot be read.

    Merged files are durable before what they replace is deleted.
    """
    listed = list(call.backing.storage.list(names.INDEX))
    if not gone and sum(info.size < _SMALL for info in listed) <= MERGE_ABOVE:
        return True
    try:
        plan = _planned(call, listed, gone)
    except UNREADABLE as error:
        call.blocked.append(Problem("unreadable", getattr(error, "key", "") or names.INDEX, str(error)))
        return False
    replaced = _merged(call, plan.chosen)
    for name in [*plan.superfluous, *replaced]:
        call.remove(name)
    call.merged += len(replaced)
    return True


def _planned(call: Call, listed: list[ObjectInfo], gone: set[str]) -> _Plan:
    plan = _Plan()
    held: set[str] = set()  # by merged files, whose own removal was refused or not reached
    # Merged files first, the newest before those it replaces.
    readable = [info for info in listed if info.key not in call.backing.index.damaged]
    for info in sorted(readable, key=lambda info: (info.key.startswith(names.INDEX_MERGED), info.key), reverse=True):
        try:
            found = index_objects.decode(*call.backing.objects.get_any(info.key), info.key)
        except NotFound:
            continue  # another collector has replaced it
        one = _judged(info.key, found, gone)
        held.update(one.replaces)
        if not one.packs or one.name in held:
            plan.superfluous.append(one.name)
        elif one.stale > _STALE:
            plan.stale.append(one)
        elif info.size < _SMALL:
            plan.small.append(one)
    return plan


def _judged(name: str, found: IndexObject, gone: set[str]) -> _Object:
    kept = [pack for pack in found.packs if pack.name not in gone]
    total, left = (sum(len(pack.blobs) for pack in packs) for packs in (found.packs, kept))
    return _Object(name, kept, left, 1 - left / total if total else 0.0, found.replaces)


def _merged(call: Call, chosen: list[_Object]) -> list[str]:
    """Write `chosen` as merged files; the names of those that are replaced now."""
    merged = [info.key for info in call.backing.storage.list(names.INDEX_MERGED)]
    generation = 1 + max(map(names.merged_generation, merged), default=0)
    replaced: list[str] = []
    for n, group in enumerate(_grouped(chosen)):
        packs = {pack.name: pack for one in group for pack in one.packs}
        names_held = {name for one in group for name in (one.name, *one.replaces)}
        payload = index_objects.encode(packs.values(), names_held)
        try:
            call.backing.objects.put(names.merged_index(generation, n), Kind.MERGED_INDEX, payload)
        except AlreadyExists:
            break  # another collector merges, too: what it wrote may hold less than ours
        replaced += [one.name for one in group]
    return replaced


def _grouped(chosen: list[_Object]) -> Iterator[list[_Object]]:
    """Whole objects only: a merged file holds all that is left of what it replaces."""
    group: list[_Object] = []
    blobs = 0
    for one in chosen:
        group.append(one)
        blobs += one.blobs
        if blobs >= FILE_BLOBS:
            yield group
            group, blobs = [], 0
    if group:
        yield group
