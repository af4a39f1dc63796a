"""A row of the item table as bytes (format, section 7)."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from backup_engine import messagepack
from backup_engine.model import ItemRow, Meta, Recipe, canonical_json


class StoredMeta(Mapping[str, Any]):
    """What is known about an item, parsed when somebody asks."""

    __slots__ = ("_parsed", "text")

    def __init__(self, text: str) -> None:
        self.text = text  # canonical JSON
        self._parsed: dict[str, Any] | None = None

    def __getitem__(self, name: str) -> Any:
        return self._facts()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._facts())

    def __len__(self) -> int:
        return len(self._facts())

    def __repr__(self) -> str:
        return self.text

    def _facts(self) -> dict[str, Any]:
        if self._parsed is None:
            self._parsed = json.loads(self.text)
        return self._parsed


def pack(row: ItemRow) -> bytes:
    recipe = Recipe.of(row.recipe).packed if row.has_body else None
    return messagepack.encode([row.kind, row.version, row.parent, _text(row.meta), row.size, row.sha256, recipe])


def unpack(key: str, packed: bytes) -> ItemRow:
    """Raises ValueError or TypeError for bytes that are no row."""
    kind, version, parent, meta, size, sha256, recipe = messagepack.decode(packed)
    return ItemRow(key, kind, version, parent, StoredMeta(meta), size, sha256, Recipe(recipe or b""))


def content_digest(rows: Iterable[ItemRow]) -> str:
    """SHA-256 over what the items are: key, kind, parent, size, body digest, meta; rows in order of key.

    The source's change mark stays out, so that two runs over equal contents agree.
    """
    digest = hashlib.sha256()
    for row in rows:
        body = row.sha256.hex() if row.sha256 is not None else None
        # Canonical JSON by hand: the names in order, so that the text of `meta` need not be parsed.
        head = canonical_json({"key": row.key, "kind": row.kind})[:-1]
        tail = canonical_json({"parent": row.parent, "sha256": body, "size": row.size})[1:]
        digest.update(f'{head},"meta":{_text(row.meta)},{tail}\n'.encode())
    return digest.hexdigest()


def _text(meta: Meta) -> str:
    return meta.text if isinstance(meta, StoredMeta) else canonical_json(meta)
