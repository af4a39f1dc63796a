"""A row of the item table as bytes (format, section 7)."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgpack  # type: ignore[import-untyped]  # it ships no type information

from backup_engine import messagepack
from backup_engine.model import ItemRow, Meta, Recipe, canonical_json

_LINES = 1024  # hashed at once
# How MessagePack begins an array of seven values and a text of up to 31 bytes, and what a row without a body ends with.
_ROW, _SHORT_TEXT, _LONGEST_SHORT, _NOTHING = 0x97, 0xA0, 31, b"\xc0\xc0"
_quoted = json.encoder.encode_basestring  # a JSON string, anything but ASCII as it is


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
    return messagepack.encode([row.kind, row.version, row.parent, meta_text(row.meta), row.size, row.sha256, recipe])


def unpack(key: str, packed: bytes) -> ItemRow:
    """Raises ValueError or TypeError for bytes that are no row."""
    kind, version, parent, meta, size, sha256, recipe = msgpack.unpackb(packed)  # once per row: each call counts
    return ItemRow(key, kind, version, parent, StoredMeta(meta), size, sha256, Recipe(recipe or b""))


def recipe(packed: bytes) -> Recipe:
    """The recipe alone. Raises ValueError or TypeError for bytes that are no row."""
    return Recipe(msgpack.unpackb(packed)[6] or b"")


def kind_of_body(packed: bytes) -> str | None:
    """The kind of an item that has a body, None for one that has none. Raises what unpack raises."""
    length = packed[1] - _SHORT_TEXT
    if packed[0] == _ROW and 0 <= length <= _LONGEST_SHORT and not packed.endswith(_NOTHING):
        return packed[2 : 2 + length].decode()
    kind: str
    kind, *_, sha256, _ = msgpack.unpackb(packed)
    return None if sha256 is None else kind


def begins_like(kind: str) -> bytes:
    """How every packed row of the kind begins."""
    return messagepack.encode([kind] + [None] * 6)[:-6]


class Tally:
    """Sums over the items of a restore point, taken while somebody else goes through them in order of key."""

    def __init__(self) -> None:
        self.items = 0  # that have a body
        self.bytes = 0
        self._digest = hashlib.sha256()
        self._lines: list[str] = []

    def through(self, rows: Iterable[ItemRow]) -> Iterator[ItemRow]:
        for row in rows:
            self._add(row)
            yield row

    def all(self, rows: Iterable[ItemRow]) -> "Tally":
        for row in rows:
            self._add(row)
        return self

    def content(self) -> bytes:
        """SHA-256 over what the items are: key, kind, parent, size, body digest, meta (format, section 8).

        The source's change mark stays out, so that two runs over equal contents agree.
        """
        self._digest.update("".join(self._lines).encode())
        self._lines.clear()
        return self._digest.digest()

    def _add(self, row: ItemRow) -> None:
        if row.sha256 is None:
            body = "null"
        else:
            body = f'"{row.sha256.hex()}"'
            self.items += 1
            self.bytes += row.size
        # Canonical JSON by hand: the names in order, so that the text of `meta` need not be parsed.
        self._lines.append(
            f'{{"key":{_quoted(row.key)},"kind":{_quoted(row.kind)},"meta":{meta_text(row.meta)},'
            f'"parent":{_quoted(row.parent)},"sha256":{body},"size":{row.size}}}\n'
        )
        if len(self._lines) >= _LINES:
            self.content()


def meta_text(meta: Meta) -> str:
    """Canonical JSON; of what was read from storage without parsing it."""
    return meta.text if isinstance(meta, StoredMeta) else canonical_json(meta)
