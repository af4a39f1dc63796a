"""Packs: many encrypted blobs in one object (format, section 5)."""

import hashlib
import hmac
import io
import struct
from collections.abc import Sequence
from dataclasses import dataclass

import zstandard
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from backup_engine import header, names
from backup_engine.compression import decompress
from backup_engine.entries import BlobEntries, BlobEntry
from backup_engine.errors import IntegrityError
from backup_engine.header import Codec, Header, Kind
from backup_engine.keys import DataKey, KeyRing

__all__ = [
    "TAIL",
    "BlobEntry",
    "PackBuilder",
    "PackEntry",
    "PackOpener",
    "blob_id",
    "check_digest",
    "open_trailer",
    "trailer_size",
]

_LENGTH = struct.Struct(">I")
_TRAILER_NONCE = b"\xff" * 12
_TRAILER_LABEL = b"trailer"
_SHORTEST = 2 * header.LENGTH + _LENGTH.size
TAIL = 64 << 10  # bytes read first when a trailer's length is not known


@dataclass(frozen=True, slots=True)
class PackEntry:
    """A pack as an index delta names it."""

    name: str
    size: int
    trailer: int  # bytes at the end: directory, second header, length
    header: bytes
    blobs: Sequence[BlobEntry]  # in record order


def blob_id(key: bytes, blob: bytes) -> bytes:
    return hmac.digest(key, blob, "sha256")


Octets = bytes | memoryview


class PackBuilder:
    """Collects records of one pack; not thread-safe.

    `buffer`, of a pack that has been stored, is written over: a new one is 16 MiB that the kernel has to clear.
    """

    def __init__(self, key: DataKey, buffer: io.BytesIO | None = None) -> None:
        self.header = Header(kind=Kind.PACK, key=key.n)
        self._head = self.header.encode()
        self._digest = hashlib.sha256(self._head).digest()
        self._aead = AESGCM(key.for_pack(self.header.salt))
        # Grown in place and handed out without a copy: the pack is in memory once, and its records only as part of it.
        self.buffer = buffer or io.BytesIO()
        self.buffer.seek(0)
        self.size = self.buffer.write(self._head)
        self.entries: list[BlobEntry] = []

    def add(self, ident: bytes, length: int, codec: Codec, coded: bytes) -> None:
        i = len(self.entries)
        record = self._aead.encrypt(i.to_bytes(12, "big"), coded, self._digest + ident + bytes([codec]))
        self.entries.append(BlobEntry(ident, i, self.size, len(record), length, int(codec)))
        self.size += self.buffer.write(record)

    def close(self) -> tuple[bytes, int]:
        """The whole pack, and how many bytes at its end make the trailer."""
        frame = zstandard.ZstdCompressor(level=3).compress(BlobEntries.of(self.entries).packed)
        sealed = self._aead.encrypt(_TRAILER_NONCE, frame, self._digest + _TRAILER_LABEL)
        tail = sealed + self._head + _LENGTH.pack(len(sealed))
        self.buffer.write(tail)
        self.buffer.truncate()
        return self.buffer.getvalue(), len(tail)


class PackOpener:
    """Decrypts the records of one pack, given its header; thread-safe."""

    def __init__(self, ring: KeyRing, head: bytes, name: str) -> None:
        decoded = header.decode(head, name)
        if decoded.kind is not Kind.PACK:
            raise IntegrityError(f"{name} is no pack", key=name)
        self._name = name
        self._digest = hashlib.sha256(head).digest()
        self._aead = AESGCM(ring.key(decoded.key).for_pack(decoded.salt))
        self._id_key = ring.blob_id

    def blob(self, entry: BlobEntry, record: Octets) -> bytes:
        """The blob, its keyed id computed again. Raises IntegrityError."""
        blob = self.content(entry, record)
        if blob_id(self._id_key, blob) != entry.id:
            raise IntegrityError(f"record {entry.i} of {self._name} holds another blob", key=self._name)
        return blob

    def content(self, entry: BlobEntry, record: Octets) -> bytes:
        """What the record holds, for a caller who checks the whole it is part of. Raises IntegrityError."""
        aad = self._digest + entry.id + bytes([entry.codec])
        try:
            coded = self._aead.decrypt(entry.i.to_bytes(12, "big"), record, aad)
            return decompress(Codec(entry.codec), coded)
        except (InvalidTag, zstandard.ZstdError, ValueError) as error:
            raise IntegrityError(f"record {entry.i} of {self._name} is damaged", key=self._name) from error

    def directory(self, sealed: bytes) -> BlobEntries:
        try:
            frame = self._aead.decrypt(_TRAILER_NONCE, sealed, self._digest + _TRAILER_LABEL)
            return BlobEntries(zstandard.ZstdDecompressor().decompress(frame))
        except (InvalidTag, zstandard.ZstdError, ValueError) as error:
            raise IntegrityError(f"the trailer of {self._name} is damaged", key=self._name) from error


def check_digest(name: str, body: bytes) -> bytes:
    """The body, when it is the pack of that name. Raises IntegrityError."""
    if hashlib.sha256(body).hexdigest() != names.pack_sha256(name):
        raise IntegrityError("the bytes do not have the digest the name says", key=name)
    return body


def trailer_size(tail: bytes, name: str) -> int:
    """How many bytes at the end of the pack make the trailer, from any piece that ends where the pack ends."""
    if len(tail) < _SHORTEST:
        raise IntegrityError(f"{name} is shorter than an empty pack", key=name)
    (sealed,) = _LENGTH.unpack_from(tail, len(tail) - _LENGTH.size)
    return int(sealed) + header.LENGTH + _LENGTH.size


def open_trailer(ring: KeyRing, name: str, size: int, tail: bytes) -> PackEntry:
    """The pack's directory from its last bytes (at least trailer_size of them). Raises IntegrityError."""
    trailer = trailer_size(tail, name)
    if trailer > len(tail):
        raise IntegrityError(f"{name} is truncated", key=name)
    end = len(tail) - _LENGTH.size
    head = tail[end - header.LENGTH : end]
    blobs = PackOpener(ring, head, name).directory(tail[len(tail) - trailer : end - header.LENGTH])
    return PackEntry(name, size, trailer, head, blobs)
