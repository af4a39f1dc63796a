"""Files that can be computed again from restore points, such as a search index (format, section 22)."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

from backup_engine import names
from backup_engine.backing import Backing
from backup_engine.errors import FormatUnsupported, IntegrityError, InvalidName, KeyMissing
from backup_engine.header import Kind

PART = 2 << 20
"""Bytes of a part. A file that changed in few places shares the others with the one before."""


@dataclass(frozen=True, slots=True)
class Part:
    name: str
    size: int  # bytes of the file
    sha256: bytes  # over these bytes


@dataclass(frozen=True, slots=True)
class DerivedFile:
    """One version of a file; `snapshots` are the restore points it was computed from."""

    kind: str
    shard: str
    id: str
    snapshots: tuple[str, ...]
    size: int  # bytes
    parts: tuple[Part, ...]
    stored_bytes: int = 0  # bytes put for this version; only known to who stored it


class DerivedFiles:
    """Made by Repository.derived; thread-safe. Whatever goes wrong here, no restore point is the worse for it."""

    def __init__(self, backing: Backing) -> None:
        self._backing = backing

    def store(
        self, kind: str, shard: str, version: str, file: BinaryIO, snapshots: Sequence[str], *, shared: bool = True
    ) -> DerivedFile:
        """Store a whole file as `version`, a fresh ULID: parts first, the head last. Raises storage errors.

        `shared`: parts the newest version has with the same content are named and not stored again; not to be used
        after that version turned out to be damaged. Nothing is removed: that is for maintenance.
        """
        known = self._shareable(kind, shard) if shared else {}
        parts: list[Part] = []
        stored = 0
        while piece := file.read(PART):
            digest = hashlib.sha256(piece).digest()
            part = known.get(digest)
            if part is None:
                part = Part(names.derived_part(kind, shard, version, len(parts)), len(piece), digest)
                sealed = self._backing.objects.seal(part.name, Kind.DERIVED, {"content": piece})
                self._backing.storage.put(part.name, sealed)
                known[digest] = part
                stored += len(sealed)
            parts.append(part)
        size = sum(part.size for part in parts)
        head = DerivedFile(kind, shard, version, tuple(snapshots), size, tuple(parts), stored)
        self._backing.objects.put(names.derived(kind, shard, version), Kind.DERIVED, _encoded(head))
        return head

    def newest(self, kind: str, shard: str) -> DerivedFile | None:
        """The newest version; None when there is none. Raises IntegrityError when it cannot be read."""
        heads = [name for name in self._names(names.derived(kind, shard, "")) if _is_head(name, kind, shard)]
        return self._read(max(heads)) if heads else None

    def fetch(self, version: DerivedFile, into: BinaryIO) -> None:
        """Write its bytes. Raises IntegrityError when a part is missing or damaged: compute the file again."""
        for part in version.parts:
            content = self._backing.objects.require(part.name, Kind.DERIVED).get("content")
            if not isinstance(content, bytes) or hashlib.sha256(content).digest() != part.sha256:
                raise IntegrityError(f"{part.name} does not hold what its file names", key=part.name)
            into.write(content)

    def superfluous(self, listed: Iterable[str], snapshots: Iterable[str]) -> Iterator[str]:
        """Of the names listed below `derived/`, what nobody needs while only `snapshots` (commit names) exist.

        Kept are the newest version of each file with its parts, unless all its restore points are gone, and what is
        newer than it: that may be under way. A newest version that is damaged is as good as none.
        """
        commits = set(snapshots)
        for (kind, shard), found in _by_file(listed).items():
            newest = max((name for name in found if _is_head(name, kind, shard)), default="")
            try:
                needed = self._needed(newest, commits) if newest else set(found) if _has_any(shard, commits) else set()
            except (FormatUnsupported, KeyMissing):
                continue  # of a newer release, or under a key that is not here: not for this one to judge
            last = names.derived_parts(newest)[2] if needed and newest else ""
            yield from (
                name for name in found if name not in needed and not (last and names.derived_parts(name)[2] > last)
            )

    def _needed(self, head: str, commits: set[str]) -> set[str]:
        try:
            file = self._read(head)
        except IntegrityError:
            return set()
        if not any(names.snapshot(file.shard, one) in commits for one in file.snapshots):
            return set()
        return {head, *(part.name for part in file.parts)}

    def _shareable(self, kind: str, shard: str) -> dict[bytes, Part]:
        """Parts by content that a new version may name: those of the newest one, when it reads."""
        try:
            newest = self.newest(kind, shard)
        except IntegrityError:
            return {}
        damaged = self._backing.damage.named
        return {} if newest is None else {part.sha256: part for part in newest.parts if part.name not in damaged}

    def _names(self, prefix: str) -> list[str]:
        return [info.key for info in self._backing.storage.list(prefix)]

    def _read(self, name: str) -> DerivedFile:
        return _decoded(self._backing.objects.require(name, Kind.DERIVED), name)


def _is_head(name: str, kind: str, shard: str) -> bool:
    last = name.removeprefix(names.derived(kind, shard, ""))
    return "/" not in last and "-" not in last


def _by_file(listed: Iterable[str]) -> Mapping[tuple[str, str], list[str]]:
    """The names of each file, by kind and shard. What is no name of a derived file is nobody's: it is left alone."""
    files: dict[tuple[str, str], list[str]] = {}
    for name in listed:
        try:
            kind, shard, _ = names.derived_parts(name)
        except InvalidName:
            continue
        files.setdefault((kind, shard), []).append(name)
    return files


def _has_any(shard: str, commits: set[str]) -> bool:
    """Parts without a head may be of a first version that is under way, as long as there is something to index."""
    return any(names.snapshot_parts(name)[0] == shard for name in commits)


def _encoded(file: DerivedFile) -> dict[str, Any]:
    return {
        "kind": file.kind,
        "shard": file.shard,
        "snapshots": list(file.snapshots),
        "size": file.size,
        "parts": [[part.name, part.size, part.sha256] for part in file.parts],
    }


def _decoded(payload: Mapping[str, Any], name: str) -> DerivedFile:
    kind, shard, version = names.derived_parts(name)
    try:
        parts = tuple(Part(*part) for part in payload["parts"])
        file = DerivedFile(kind, shard, version, tuple(payload["snapshots"]), payload["size"], parts)
    except (KeyError, TypeError, ValueError) as error:
        raise IntegrityError(f"{name} is no derived file", key=name) from error
    if (payload["kind"], payload["shard"]) != (kind, shard) or file.size != sum(part.size for part in parts):
        raise IntegrityError(f"{name} is another file's", key=name)
    return file
