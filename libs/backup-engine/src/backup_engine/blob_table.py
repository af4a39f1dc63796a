"""Blobs and their places as sorted arrays: 52 bytes each, in memory or in a mapped file."""

import bisect
import mmap
import os
import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backup_engine.entries import BlobEntries, BlobEntry

Numbers = NDArray[np.uint32]
GONE = 0xFFFFFFFF  # instead of a pack's number: its blobs are left out
PLACE = np.dtype([("pack", "<u4"), ("record", "<u4"), ("offset", "<u4"), ("stored", "<u4"), ("length", "<u4")])
_RECORD = np.dtype([("tail", "V24"), ("place", PLACE)])
_HEAD = np.dtype("<u8")
_STORED = np.dtype(
    [("id", "V32"), ("offset", ">u4"), ("stored", ">u4"), ("length", ">u4"), ("codec", "u1"), ("zero", "V3")]
)
_SIZE, _TAIL = _RECORD.itemsize, 24  # bytes of a record, and of the id's rest in it
_PACKED = struct.Struct("<5I")  # one PLACE
_CHUNK = 1 << 15  # rows merged at once
ROW = _HEAD.itemsize + _RECORD.itemsize  # bytes


class BlobTable:
    """Rows sorted by the first 8 bytes of the blob id; ids that begin alike are told apart by the rest. Immutable.

    A row's place is (pack number, record number << 8 | codec, offset, stored, length).
    """

    def __init__(self, heads: NDArray[np.uint64], records: NDArray[np.void]) -> None:
        self.heads, self.records = heads, records
        self._searched = memoryview(heads)  # type: ignore[arg-type]  # an array is a buffer; bisect on it beats searchsorted for one id
        self._octets = memoryview(records.view(np.uint8))  # type: ignore[arg-type]  # as above
        self._by_pack: tuple[NDArray[np.intp], NDArray[np.uint32]] | None = None

    @classmethod
    def empty(cls) -> "BlobTable":
        return cls(np.empty(0, _HEAD), np.empty(0, _RECORD))

    @classmethod
    def of_packs(cls, packs: Sequence[tuple[int, BlobEntries]]) -> "BlobTable":
        """From directories and the numbers of their packs."""
        stored = np.frombuffer(b"".join(entries.packed for _, entries in packs), _STORED)
        places = np.empty(len(stored), PLACE)
        lengths = [len(entries) for _, entries in packs]
        places["pack"] = np.repeat(np.array([number for number, _ in packs], np.uint32), lengths)
        records = np.concatenate([np.empty(0, np.uint32), *(np.arange(n, dtype=np.uint32) for n in lengths)])
        places["record"] = records << np.uint32(8) | stored["codec"]
        for name in ("offset", "stored", "length"):
            places[name] = stored[name]
        return cls._sorted(np.ascontiguousarray(stored["id"]), places)

    @classmethod
    def _sorted(cls, ids: NDArray[np.void], places: NDArray[np.void]) -> "BlobTable":
        octets = ids.view(np.uint8).reshape(-1, 32)
        heads = np.ascontiguousarray(octets[:, :8]).view(">u8").ravel().astype(_HEAD)
        order = np.argsort(heads, kind="stable")
        records = np.empty(len(ids), _RECORD)
        records["tail"] = np.ascontiguousarray(octets[:, 8:])[order].view("V24").ravel()
        records["place"] = places[order]
        return cls(heads[order], records)

    def __len__(self) -> int:
        return len(self.heads)

    def lacks(self, ident: bytes) -> bool:
        """True when no id begins like this one: the quick answer to the usual question."""
        head = int.from_bytes(ident[:8], "big")
        at = bisect.bisect_left(self._searched, head)
        return at == len(self._searched) or self._searched[at] != head

    def places(self, ident: bytes) -> Iterator[tuple[int, BlobEntry]]:
        """Pack number and entry of every place of the blob."""
        return (_entry(ident, _PACKED.unpack_from(self._octets, row * _SIZE + _TAIL)) for row in self._rows(ident))

    def first_rows(self, idents: Sequence[bytes]) -> NDArray[np.intp]:
        """For each id a row of it, -1 where there is none."""
        if not len(self.heads) or not idents:
            return np.full(len(idents), -1, np.intp)
        octets = np.frombuffer(b"".join(idents), np.uint8).reshape(-1, 32)
        heads = np.ascontiguousarray(octets[:, :8]).view(">u8").ravel().astype(_HEAD)
        rows = np.searchsorted(self.heads, heads).astype(np.intp)
        candidates = np.minimum(rows, len(self.heads) - 1)
        alike = self.heads[candidates] == heads
        tails = self.records["tail"][candidates].view(np.uint8).reshape(-1, 24)
        same = alike & (tails == octets[:, 8:]).all(axis=1)
        found = np.where(same, candidates, -1)
        for n in np.flatnonzero(alike & ~same).tolist():  # begins like another id: as rare as it gets, but possible
            found[n] = next(self._rows(idents[n]), -1)
        return found

    def _rows(self, ident: bytes) -> Iterator[int]:
        head, tail = int.from_bytes(ident[:8], "big"), ident[8:]
        at = bisect.bisect_left(self._searched, head)
        while at < len(self._searched) and self._searched[at] == head:
            if self._octets[at * _SIZE : at * _SIZE + _TAIL] == tail:
                yield at
            at += 1

    def places_at(self, rows: NDArray[np.intp], idents: Iterable[bytes]) -> Iterator[tuple[int, BlobEntry]]:
        """Pack number and entry of blobs whose rows are known."""
        return map(_entry, idents, self.records["place"][rows].tolist())

    def packs_at(self, rows: NDArray[np.intp]) -> Numbers:
        """Of each row the pack's number; any number for a row of -1."""
        found: Numbers = self.records["place"]["pack"][rows] if len(self) else np.full(len(rows), GONE, np.uint32)
        return found

    def entries(self, pack: int) -> BlobEntries:
        """The directory of a pack, in record order."""
        if self._by_pack is None:
            packs = self.records["place"]["pack"]
            order = np.argsort(packs, kind="stable")
            self._by_pack = order, packs[order]
        order, packs = self._by_pack
        rows = order[np.searchsorted(packs, pack) : np.searchsorted(packs, pack, side="right")]
        records = self.records[rows]
        by_number = np.argsort(records["place"]["record"], kind="stable")
        return _directory(self.heads[rows][by_number], records[by_number])

    def merged(self, fresh: "BlobTable", renumbered: Numbers) -> Iterator["BlobTable"]:
        """This table with its packs renumbered, and the rows of `fresh`, piece by piece in order."""
        taken = 0
        for start in range(0, len(self), _CHUNK):
            heads, records = self.heads[start : start + _CHUNK], self.records[start : start + _CHUNK].copy()
            numbers = renumbered[records["place"]["pack"]]
            records["place"]["pack"] = numbers
            upto = int(np.searchsorted(fresh.heads, heads[-1], side="right"))
            if start + _CHUNK >= len(self):
                upto = len(fresh)
            keep = numbers != GONE
            yield _joined(heads[keep], records[keep], fresh.heads[taken:upto], fresh.records[taken:upto])
            taken = upto
        if taken < len(fresh):
            yield BlobTable(fresh.heads[taken:], fresh.records[taken:])

    def count_after(self, fresh: "BlobTable", renumbered: Numbers) -> int:
        """How many rows `merged` makes."""
        kept = sum(
            int((renumbered[self.records["place"]["pack"][start : start + _CHUNK]] != GONE).sum())
            for start in range(0, len(self), _CHUNK)
        )
        return kept + len(fresh)


def in_memory(pieces: Iterable[BlobTable]) -> BlobTable:
    found = [BlobTable.empty(), *pieces]
    return BlobTable(
        np.concatenate([piece.heads for piece in found]), np.concatenate([piece.records for piece in found])
    )


def write(file: int, start: int, count: int, pieces: Iterable[BlobTable]) -> None:
    """Write `count` rows to an open file from byte `start`: first all heads, then all records."""
    heads_at, records_at = start, start + count * _HEAD.itemsize
    for piece in pieces:
        os.pwrite(file, piece.heads.tobytes(), heads_at)
        os.pwrite(file, piece.records.tobytes(), records_at)
        heads_at += len(piece) * _HEAD.itemsize
        records_at += len(piece) * _RECORD.itemsize


def mapped(file: int, start: int, count: int) -> BlobTable:
    """The rows that `write` wrote; the file may be closed and unlinked afterwards."""
    memory = mmap.mmap(file, start + count * ROW, access=mmap.ACCESS_READ)
    memory.madvise(mmap.MADV_RANDOM)  # look-ups jump: do not read what lies between
    heads = np.frombuffer(memory, _HEAD, count, start)
    return BlobTable(heads, np.frombuffer(memory, _RECORD, count, start + count * _HEAD.itemsize))


def packed_place(pack: int, entry: BlobEntry) -> bytes:
    return _PACKED.pack(pack, entry.i << 8 | entry.codec, entry.offset, entry.stored, entry.length)


def unpacked_places(ident: bytes, packed: bytes) -> Iterator[tuple[int, BlobEntry]]:
    return (_entry(ident, place) for place in _PACKED.iter_unpack(packed))


def _entry(ident: bytes, place: tuple[int, ...]) -> tuple[int, BlobEntry]:
    pack, record, offset, stored, length = place
    return pack, BlobEntry(ident, record >> 8, offset, stored, length, record & 0xFF)


def _directory(heads: NDArray[np.uint64], records: NDArray[np.void]) -> BlobEntries:
    stored = np.zeros(len(heads), _STORED)
    first = heads.astype(">u8").view(np.uint8).reshape(-1, 8)
    rest = np.ascontiguousarray(records["tail"]).view(np.uint8).reshape(-1, 24)
    stored["id"] = np.ascontiguousarray(np.hstack((first, rest))).view("V32").ravel()
    for name in ("offset", "stored", "length"):
        stored[name] = records["place"][name]
    stored["codec"] = records["place"]["record"] & np.uint32(0xFF)
    return BlobEntries(stored.tobytes())


def _joined(*parts: NDArray[Any]) -> BlobTable:
    """One sorted table of two: heads and records of either."""
    heads, records, fresh_heads, fresh_records = parts
    if not len(fresh_heads):
        return BlobTable(heads, records)
    both = np.concatenate((heads, fresh_heads))
    order = np.argsort(both, kind="stable")
    return BlobTable(both[order], np.concatenate((records, fresh_records))[order])
