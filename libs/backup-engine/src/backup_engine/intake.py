"""From an item's bytes to blobs in the packer and the recipe that makes them up again."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from backup_engine import chunking
from backup_engine.keys import KeyRing
from backup_engine.model import BlobSlice, ItemRow, NewItem, Recipe, StoredItem
from backup_engine.pack import blob_id
from backup_engine.packer import Packer
from backup_engine.pools import ahead
from backup_engine.recipe import divide


@dataclass(frozen=True, slots=True)
class Stored:
    """An item's bytes, submitted: durable with the next checkpoint."""

    size: int
    sha256: bytes
    recipe: Recipe
    new_bytes: int

    def row(self, item: NewItem) -> ItemRow:
        return ItemRow(item.key, item.kind, item.version, item.parent, item.meta, self.size, self.sha256, self.recipe)

    def answer(self, item: NewItem) -> StoredItem:
        return StoredItem(item.key, self.size, self.sha256.hex(), self.new_bytes)


class Intake:
    """Thread-safe as far as the packer is."""

    def __init__(self, packer: Packer, ring: KeyRing, ahead: int) -> None:
        """`ahead`: how many chunks of a stream are identified while the next one is cut."""
        self._packer = packer
        self._ahead = ahead
        self._id_key = ring.blob_id
        self._chunk_key = ring.chunking

    def mail(self, body: bytes) -> Stored:
        """Cut at the attachments; any bytes are a mail here."""
        division = divide(body)
        ids = [blob_id(self._id_key, blob) for blob in division.blobs]
        new = sum(len(blob) for ident, blob in zip(ids, division.blobs, strict=True) if self._packer.add(ident, blob))
        recipe = Recipe.of((ids[blob], offset, length) for blob, offset, length in division.slices)
        return Stored(len(body), hashlib.sha256(body).digest(), recipe, new)

    def stream(self, pieces: Iterable[bytes]) -> Stored:
        """Cut by content; in memory are a few chunks, however long the stream is."""
        digest = _Digest()
        blobs = digest.through(_cut(self._chunk_key, pieces))
        stored = list(ahead(self.blob, blobs, self._ahead))
        recipe = Recipe.of(one for one, _ in stored)
        return Stored(digest.size, digest.sha256.digest(), recipe, sum(new for _, new in stored))

    def blob(self, blob: bytes) -> tuple[BlobSlice, int]:
        """Take bytes as one blob: the slice that is all of it, and how many of them are new."""
        ident = blob_id(self._id_key, blob)
        return BlobSlice(ident, 0, len(blob)), len(blob) if self._packer.add(ident, blob) else 0


class _Digest:
    """Of blobs that go by; each is taken in while whoever got it may work on it already."""

    def __init__(self) -> None:
        self.sha256 = hashlib.sha256()
        self.size = 0

    def through(self, blobs: Iterable[bytes]) -> Iterator[bytes]:
        for blob in blobs:
            yield blob
            self.sha256.update(blob)
            self.size += len(blob)


def _cut(key: bytes, pieces: Iterable[bytes]) -> Iterator[bytes]:
    """One blob for a short item, chunks for a long one, none for an empty one."""
    source = iter(pieces)
    head = bytearray()
    for piece in source:
        head += piece
        if len(head) > chunking.WHOLE:
            break
    else:
        if head:
            yield bytes(head)
        return
    yield from chunking.chunks(key, _after(head, source))


def _after(head: bytearray, rest: Iterator[bytes]) -> Iterator[bytes | bytearray]:
    yield head
    head = bytearray()  # the chunker has a copy: let the first one go
    yield from rest
