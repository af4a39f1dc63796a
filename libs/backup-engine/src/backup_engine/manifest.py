"""The item table: rows, segments, and their merge (format, section 7)."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from backup_engine import messagepack
from backup_engine.errors import IntegrityError
from backup_engine.header import Kind
from backup_engine.model import BlobSlice, ItemRow, canonical_json
from backup_engine.sealed import SealedObjects

Change = bytes | None  # a packed row, or None for a removed item


def pack_row(row: ItemRow) -> bytes:
    recipe = [[s.id, s.offset, s.length] for s in row.recipe] if row.has_body else None
    meta = canonical_json(row.meta)
    return messagepack.encode([row.key, row.kind, row.version, row.parent, meta, row.size, row.sha256, recipe])


def unpack_row(packed: bytes) -> ItemRow:
    key, kind, version, parent, meta, size, sha256, recipe = messagepack.decode(packed)
    slices = tuple(BlobSlice(*part) for part in recipe or ())
    return ItemRow(key, kind, version, parent, json.loads(meta), size, sha256, slices)


class State:
    """The items of one restore point or session: packed rows by key, about 0.5 KB each. Not thread-safe."""

    def __init__(self, rows: dict[str, bytes] | None = None) -> None:
        self._rows = rows or {}

    def __contains__(self, key: str) -> bool:
        return key in self._rows

    def get(self, key: str) -> ItemRow | None:
        packed = self._rows.get(key)
        return None if packed is None else unpack_row(packed)

    def put(self, key: str, change: Change) -> None:
        if change is None:
            self._rows.pop(key, None)
        else:
            self._rows[key] = change

    def rows(self) -> Iterator[ItemRow]:
        """In order of key; a consistent copy, changes made meanwhile do not show."""
        return (unpack_row(packed) for _, packed in sorted(self._rows.items()))

    def changes(self) -> dict[str, Change]:
        return dict(self._rows)


def load(objects: SealedObjects, segments: Sequence[str]) -> State:
    """Merge segments given newest first. Raises IntegrityError when one is missing or damaged."""
    layers: list[dict[str, Change]] = []
    for name in segments:
        full, changes = _read_segment(objects, name)
        layers.append(changes)
        if full:
            break
    merged: dict[str, bytes] = {}
    for changes in reversed(layers):
        for key, change in changes.items():
            if change is None:
                merged.pop(key, None)
            else:
                merged[key] = change
    return State(merged)


def write_segment(
    objects: SealedObjects, name: str, shard: str, session: str, changes: dict[str, Change], *, full: bool
) -> None:
    rows = [[key] if change is None else messagepack.decode(change) for key, change in sorted(changes.items())]
    objects.put(name, Kind.SEGMENT, {"shard": shard, "session": session, "full": full, "rows": rows})


def _read_segment(objects: SealedObjects, name: str) -> tuple[bool, dict[str, Change]]:
    payload = objects.require(name, Kind.SEGMENT)
    try:
        full, rows = payload["full"], payload["rows"]
    except KeyError as error:
        raise IntegrityError(f"{name} is no manifest segment", key=name) from error
    return full, {row[0]: _repacked(row) for row in rows}


def _repacked(row: list[Any]) -> Change:
    if len(row) == 1:
        return None
    return messagepack.encode(row)


def content_digest(rows: Iterable[ItemRow]) -> str:
    """SHA-256 over what the items are: key, kind, parent, size, body digest, meta; rows in order of key.

    The source's change mark stays out, so that two runs over equal contents agree.
    """
    digest = hashlib.sha256()
    for row in rows:
        body = row.sha256.hex() if row.sha256 is not None else None
        fact = {"key": row.key, "kind": row.kind, "parent": row.parent, "size": row.size, "sha256": body}
        digest.update(canonical_json({**fact, "meta": row.meta}).encode())
        digest.update(b"\n")
    return digest.hexdigest()
