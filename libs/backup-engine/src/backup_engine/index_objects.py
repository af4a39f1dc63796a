"""Index objects as they lie in storage: deltas and merged files (format, section 6)."""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from backup_engine.entries import BlobEntries
from backup_engine.errors import IntegrityError
from backup_engine.header import Kind
from backup_engine.pack import PackEntry

KINDS = {Kind.INDEX_DELTA, Kind.MERGED_INDEX}


class IndexObject(NamedTuple):
    packs: tuple[PackEntry, ...]
    replaces: tuple[str, ...]  # names of index objects whose content this one holds; none for a delta


def encode(packs: Iterable[PackEntry], replaces: Iterable[str] = ()) -> dict[str, Any]:
    """The payload of a delta or, with what it replaces, of a merged file."""
    payload: dict[str, Any] = {
        "packs": [
            {
                "name": pack.name,
                "size": pack.size,
                "trailer": pack.trailer,
                "header": pack.header,
                "blobs": BlobEntries.of(pack.blobs).packed,
            }
            for pack in sorted(packs, key=lambda pack: pack.name)
        ]
    }
    if replaced := sorted(replaces):
        payload["replaces"] = replaced
    return payload


def decode(kind: Kind, payload: dict[str, Any], name: str) -> IndexObject:
    """Raises IntegrityError for what is no index object."""
    if kind not in KINDS:
        raise IntegrityError(f"{name} holds a {kind.name.lower()}, not a part of the index", key=name)
    try:
        return IndexObject(tuple(_packs(payload)), tuple(payload.get("replaces", ())))
    except (KeyError, TypeError, ValueError) as error:
        raise IntegrityError(f"{name} is no index delta", key=name) from error


def _packs(payload: dict[str, Any]) -> Iterator[PackEntry]:
    for pack in payload["packs"]:
        yield PackEntry(pack["name"], pack["size"], pack["trailer"], pack["header"], BlobEntries(pack["blobs"]))
