"""Where blobs lie in a pack, as the format stores it: 48 bytes each (format, section 5)."""

import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, overload


class BlobEntry(NamedTuple):
    """Where one blob lies in its pack."""

    id: bytes
    i: int  # record number
    offset: int
    stored: int  # bytes of ciphertext with tag
    length: int  # bytes of the blob
    codec: int


class BlobEntries(Sequence[BlobEntry]):
    """The directory of a pack in record order, read when somebody asks."""

    __slots__ = ("packed",)
    _ENTRY = struct.Struct(">32sIIIB3x")  # id, offset, stored, length, codec
    SIZE = _ENTRY.size

    def __init__(self, packed: bytes) -> None:
        """Raises ValueError for bytes that are no directory."""
        if len(packed) % self.SIZE:
            message = f"{len(packed)} bytes are no list of entries"
            raise ValueError(message)
        self.packed = packed

    @classmethod
    def of(cls, entries: Iterable[BlobEntry]) -> "BlobEntries":
        """Entries must be in record order, without gaps."""
        if isinstance(entries, BlobEntries):
            return entries
        return cls(b"".join(cls._ENTRY.pack(e.id, e.offset, e.stored, e.length, e.codec) for e in entries))

    def ids(self) -> list[bytes]:
        packed = self.packed
        return [packed[at : at + 32] for at in range(0, len(packed), self.SIZE)]

    def __iter__(self) -> Iterator[BlobEntry]:
        for i, (ident, *place) in enumerate(self._ENTRY.iter_unpack(self.packed)):
            yield BlobEntry(ident, i, *place)

    def __len__(self) -> int:
        return len(self.packed) // self.SIZE

    @overload
    def __getitem__(self, at: int) -> BlobEntry: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[BlobEntry]: ...
    def __getitem__(self, at: int | slice) -> BlobEntry | Sequence[BlobEntry]:
        return list(self)[at]

    def __eq__(self, other: object) -> bool:
        if isinstance(other, BlobEntries):
            return self.packed == other.packed
        return isinstance(other, Sequence) and list(self) == list(other)

    def __hash__(self) -> int:
        return hash(self.packed)

    def __repr__(self) -> str:
        return f"BlobEntries({len(self)})"
