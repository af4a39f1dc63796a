"""Is one pack what was written? By its trailer (one range read) or by every byte."""

from dataclasses import dataclass
from itertools import zip_longest

from backup_engine import header
from backup_engine.backing import Backing
from backup_engine.errors import UNREADABLE, IntegrityError, NotFound, RepositoryError
from backup_engine.index import PackInfo
from backup_engine.model import Problem
from backup_engine.pack import BlobEntry, PackEntry, PackOpener, check_digest, open_trailer

MISSING_PACK = "missing_pack"
DAMAGED_PACK = "damaged_pack"


@dataclass(frozen=True, slots=True)
class PackFinding:
    """What came of reading a pack: bytes read, what is wrong, and the blobs that cannot be read from it any more."""

    read: int
    problem: Problem | None = None
    lost: frozenset[bytes] = frozenset()


def check_trailer(backing: Backing, info: PackInfo) -> PackFinding:
    """The pack's directory, read from its end, says what the index says."""
    try:
        tail = backing.storage.get(info.name, info.size - info.trailer)
        _compare(backing, info, open_trailer(backing.ring, info.name, info.size, tail))
    except NotFound:
        return _missing(backing, info)
    except UNREADABLE as error:
        return PackFinding(0, Problem(DAMAGED_PACK, info.name, str(error)))
    return PackFinding(len(tail))


def check_bytes(backing: Backing, info: PackInfo) -> PackFinding:
    """Every byte: the digest in the name, both headers, the directory, and each record down to its keyed id."""
    try:
        body = backing.storage.get(info.name)
    except NotFound:
        return _missing(backing, info)
    problem = None
    try:
        entry = open_trailer(backing.ring, info.name, len(body), body)
        _check_frame(info.name, body, entry)
        _compare(backing, info, entry)
    except UNREADABLE as error:
        problem = Problem(DAMAGED_PACK, info.name, str(error))
    lost, first = _open_records(backing, info, body)
    if first is not None:
        problem = Problem(DAMAGED_PACK, info.name, str(first))
    return PackFinding(len(body), problem, lost)


def _open_records(backing: Backing, info: PackInfo, body: bytes) -> tuple[frozenset[bytes], RepositoryError | None]:
    """Blobs that do not open where the index says they lie, and the first error."""
    opener = PackOpener(backing.ring, info.header, info.name)
    lost: set[bytes] = set()
    first: RepositoryError | None = None
    octets = memoryview(body)
    for blob in backing.index.entries(info.name):
        try:
            opener.blob(blob, octets[blob.offset : blob.offset + blob.stored])
        except UNREADABLE as error:
            lost.add(blob.id)
            first = first or error
    return frozenset(lost), first


def readable_records(backing: Backing, info: PackInfo, body: bytes) -> list[tuple[BlobEntry, bytes]]:
    """What can still be read from a damaged pack: entries with their blobs."""
    opener = PackOpener(backing.ring, info.header, info.name)
    found = []
    for entry in backing.index.entries(info.name):
        try:
            found.append((entry, opener.blob(entry, body[entry.offset : entry.offset + entry.stored])))
        except UNREADABLE:
            continue
    return found


def _missing(backing: Backing, info: PackInfo) -> PackFinding:
    lost = frozenset(entry.id for entry in backing.index.entries(info.name))
    return PackFinding(0, Problem(MISSING_PACK, info.name, "not in storage"), lost)


def _check_frame(name: str, body: bytes, entry: PackEntry) -> None:
    check_digest(name, body)
    if body[: header.LENGTH] != entry.header:
        raise IntegrityError("the two headers differ", key=name)


def _compare(backing: Backing, info: PackInfo, entry: PackEntry) -> None:
    """The pack's own directory against the index."""
    if (entry.size, entry.trailer, entry.header) != (info.size, info.trailer, info.header):
        raise IntegrityError("size, trailer or header differ from the index", key=info.name)
    indexed_all = backing.index.entries(info.name)
    if entry.blobs == indexed_all:
        return
    for blob, indexed in zip_longest(entry.blobs, indexed_all):
        if blob != indexed:
            raise IntegrityError(f"record {(blob or indexed).i} differs from the index", key=info.name)
