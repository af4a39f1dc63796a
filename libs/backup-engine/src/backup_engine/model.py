"""The nouns of the engine, as values."""

import json
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, TypeAlias, overload

Meta: TypeAlias = Mapping[str, Any]  # whatever JSON can say
Opaque: TypeAlias = bytes

_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def canonical_json(meta: Meta) -> str:
    """One text per meaning: sorted keys, no spaces. Raises TypeError or ValueError for what JSON cannot say."""
    return _CANONICAL.encode(meta)


@dataclass(frozen=True, slots=True)
class NewItem:
    key: str  # unique in the shard, e.g. the immutable id
    kind: str  # e.g. "mail"
    version: str  # the source's change mark, e.g. changeKey
    parent: str  # key of the containing folder, "" at the top
    meta: Meta = field(default_factory=dict)


class BlobSlice(NamedTuple):
    id: bytes  # 32 bytes
    offset: int
    length: int


class Recipe(Sequence[BlobSlice]):
    """Slices that concatenate to an item, as stored: 40 bytes each, read when somebody asks."""

    __slots__ = ("packed",)
    _ENTRY = struct.Struct(">32sII")

    def __init__(self, packed: bytes) -> None:
        self.packed = packed

    @classmethod
    def of(cls, slices: Iterable[BlobSlice | tuple[bytes, int, int]]) -> "Recipe":
        return slices if isinstance(slices, Recipe) else cls(b"".join(cls._ENTRY.pack(*one) for one in slices))

    def ids(self) -> list[bytes]:
        """The blobs in order, one for each slice."""
        packed = self.packed
        return [packed[at : at + 32] for at in range(0, len(packed), self._ENTRY.size)]

    def __iter__(self) -> Iterator[BlobSlice]:
        return map(BlobSlice._make, self._ENTRY.iter_unpack(self.packed))

    def __len__(self) -> int:
        return len(self.packed) // self._ENTRY.size

    @overload
    def __getitem__(self, at: int) -> BlobSlice: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[BlobSlice]: ...
    def __getitem__(self, at: int | slice) -> BlobSlice | Sequence[BlobSlice]:
        return list(self)[at]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash(self.packed)

    def __repr__(self) -> str:
        return f"Recipe({len(self)} slices)"


class ItemRow(NamedTuple):
    """One item of a restore point; sha256 and recipe are absent when it has no body (a mail folder).

    A tuple: every pass over a large mailbox makes one for each item, and a frozen dataclass takes three times as long.
    """

    key: str
    kind: str
    version: str
    parent: str
    meta: Meta
    size: int  # bytes of the body
    sha256: bytes | None
    recipe: Sequence[BlobSlice] = ()

    @property
    def has_body(self) -> bool:
        return self.sha256 is not None


@dataclass(frozen=True, slots=True)
class StoredItem:
    key: str
    size: int  # bytes handed in
    sha256: str  # hex
    new_bytes: int  # of these, bytes the repository did not hold yet (before compression)


@dataclass(frozen=True, slots=True)
class PackRef:
    key: str
    size: int  # bytes
    sha256: str  # hex, over the stored bytes


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What became durable; `items` and `bytes` count the put_item calls since the checkpoint before."""

    n: int
    packs: tuple[PackRef, ...]
    items: int
    bytes: int


@dataclass(frozen=True, slots=True)
class FailedItem:
    key: str
    reason: str  # a code
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Skipped:
    key: str
    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A restore point; `id` is the ULID of the session that committed it."""

    id: str
    shard: str
    parent: str | None
    taken_at: datetime
    expires_at: datetime
    complete: bool  # nothing failed
    listed: int  # items the source named
    items: int  # items with a body in this restore point
    bytes: int  # their sizes
    changed: int  # items put or updated by the session
    removed: int
    stored_bytes: int  # bytes of the packs the session wrote
    packs: tuple[PackRef, ...]  # the packs the session wrote or took over
    failed: tuple[FailedItem, ...]
    skipped: tuple[Skipped, ...]
    cursor: Opaque = field(repr=False)  # of the source; not for logs
    segments: tuple[str, ...]  # newest first
    nonce: Opaque = field(repr=False)
    engine: str
    content: Opaque = b""  # SHA-256 over the items: equal for two restore points with equal contents
    label: str = ""  # what people call the shard, e.g. the mail address: for listings without any service
    retention_class: str = ""  # the rule that fixed expires_at, e.g. "90d" or "monthly=1y"; "" when the caller chose
    locked_until: datetime | None = None  # nothing it needs can be deleted before; None: the storage locks nothing


SnapshotInfo = Snapshot  # a listing gives the whole commit object: it is small


@dataclass(frozen=True, slots=True)
class Problem:
    kind: str  # missing_blob, missing_pack, wrong_size, damaged_pack, damaged_item, missing_segment
    key: str  # the object or item it is about
    detail: str


@dataclass(frozen=True, slots=True)
class VerificationReport:
    """Level 0 counts items, 1 the session's new packs, 2 all packs of the restore point."""

    level: int
    items: int
    packs: int
    bytes: int  # bytes read from storage or, at level 0, known to be listed
    covered: int  # how many of `denominator` were checked and found good
    denominator: int
    problems: tuple[Problem, ...]

    @property
    def good(self) -> bool:
        return not self.problems and self.covered == self.denominator
