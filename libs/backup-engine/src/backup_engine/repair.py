"""Repair from what the storage still has: records that open are stored again, packs without an index named again."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial

from backup_engine import names
from backup_engine.backing import Backing
from backup_engine.errors import UNREADABLE, IntegrityError, NotFound
from backup_engine.model import ItemRow
from backup_engine.pack import TAIL, PackEntry, check_digest, open_trailer, trailer_size
from backup_engine.pack_check import readable_records
from backup_engine.packer import Packer
from backup_engine.storage.authentic import read_authentic
from backup_engine.upkeep import upkeep_session


@dataclass(frozen=True, slots=True)
class Repaired:
    blobs: int = 0  # read from damaged packs and stored again
    packs: int = 0  # named by an index object again


def from_storage(
    backing: Backing, session: str, sizes: Mapping[str, int], *, damaged: Iterable[str], rows: Iterable[ItemRow]
) -> Repaired:
    """Store and name again, under the fresh ULID `session`, what restore points need and damage takes from them."""
    needed = {part.id for row in rows for part in row.recipe}
    unnamed = _unnamed(backing, sizes, {blob for blob in needed if not backing.index.places(blob)})
    packer = Packer(session, backing.storage, backing.ring, backing.index, backing.tuning)
    with upkeep_session(backing, session):
        try:
            saved = sum(_save(backing, packer, name, needed) for name in damaged if name.startswith(names.DATA))
            written = packer.flush()
        finally:
            packer.close()
        if packs := [*written, *unnamed]:
            backing.index.publish(names.index_delta(session, 0), packs)
    return Repaired(saved, len(unnamed))


def _save(backing: Backing, packer: Packer, name: str, needed: set[bytes]) -> int:
    info = backing.index.pack(name)
    if info is None:
        return 0
    try:
        body = _best(backing, name)
    except NotFound:
        return 0
    readable = readable_records(backing, info, body)
    return sum(packer.add(entry.id, blob) for entry, blob in readable if entry.id in needed)


def _best(backing: Backing, name: str) -> bytes:
    """The bytes with the digest in the name, if the store keeps a version that has them; else what it gives."""
    try:
        return read_authentic(backing.storage, name, partial(check_digest, name))
    except IntegrityError:
        return backing.storage.get(name)


def _unnamed(backing: Backing, sizes: Mapping[str, int], missing: set[bytes]) -> list[PackEntry]:
    """Stored packs that no index object names and that hold blobs nobody can find."""
    if not missing:
        return []
    index = backing.index
    candidates = [name for name in sizes if name.startswith(names.DATA) and index.pack(name) is None]
    found = (_directory(backing, name, sizes[name]) for name in candidates if name not in index.avoided)
    return [pack for pack in found if pack is not None and any(entry.id in missing for entry in pack.blobs)]


def _directory(backing: Backing, name: str, size: int) -> PackEntry | None:
    try:
        tail = backing.storage.get(name, max(0, size - TAIL))
        needed = trailer_size(tail, name)
        if len(tail) < needed <= size:
            tail = backing.storage.get(name, size - needed)
        return open_trailer(backing.ring, name, size, tail)
    except (*UNREADABLE, NotFound):
        return None
