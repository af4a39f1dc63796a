"""A second reader of repository format 1, written from docs/reference/repository-format.md alone.

It shares no code with the engine and needs nothing but msgpack, zstandard and cryptography.
"""

import hashlib
import hmac
import struct
from typing import Any

import msgpack
import zstandard
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


def hkdf(key: bytes, info: str, salt: bytes = b"") -> bytes:
    return HKDF(SHA256(), 32, salt, info.encode()).derive(key)


def fields(head: bytes) -> tuple[Any, ...]:
    """Section 2: magic, version, aead, id, kdf, codec, kind, zero, key, zeros, salt."""
    return struct.unpack(">8sHBBBBBBI12s32s", head)


class SpecificationReader:
    """A repository as object names and bytes, and its unwrapped data keys by number."""

    def __init__(self, objects: dict[str, bytes], data_keys: dict[int, bytes]) -> None:
        self.objects = objects
        self.data_keys = data_keys

    def sealed(self, name: str, kind: int) -> dict[str, Any]:
        body = self.objects[name]
        magic, version, aead, ident, kdf, codec, found, zero, key, zeros, salt = fields(body[:64])
        assert (magic, version, aead, ident, kdf) == (b"TKSEAL\0\0", 1, 1, 1, 1)
        assert (found, zero, zeros) == (kind, 0, bytes(12))
        object_key = hkdf(hkdf(self.data_keys[key], "tenantkeep/1/meta"), "tenantkeep/1/object", salt)
        plain = AESGCM(object_key).decrypt(bytes(12), body[64:], body[:64] + name.encode())
        return msgpack.unpackb(zstandard.decompress(plain) if codec else plain)

    def pack(self, name: str) -> dict[bytes, bytes]:
        body = self.objects[name]
        head = body[:64]
        magic, *_, kind, _, key, _, salt = fields(head)
        assert (magic, kind) == (b"TKPACK\0\0", 0)
        assert name.endswith("-" + hashlib.sha256(body).hexdigest())
        (length,) = struct.unpack(">I", body[-4:])
        assert body[-68:-4] == head
        digest = hashlib.sha256(head).digest()
        aead = AESGCM(hkdf(hkdf(self.data_keys[key], "tenantkeep/1/data"), "tenantkeep/1/pack", salt))
        trailer = aead.decrypt(b"\xff" * 12, body[-68 - length : -68], digest + b"trailer")
        directory = zstandard.decompress(trailer)
        blobs = {}
        position = 64
        for i, (ident, offset, stored, size, codec) in enumerate(struct.iter_unpack(">32sIIIB3x", directory)):
            assert offset == position
            position += stored
            record = body[offset : offset + stored]
            coded = aead.decrypt(i.to_bytes(12, "big"), record, digest + ident + bytes([codec]))
            blob = zstandard.decompress(coded) if codec else coded
            assert len(blob) == size
            assert hmac.digest(hkdf(self.data_keys[1], "tenantkeep/1/id"), blob, "sha256") == ident
            blobs[ident] = blob
        assert position == len(body) - 68 - length
        return blobs

    def rows(self, segments: list[str]) -> dict[str, list[Any]]:
        """Section 7: newest first wins."""
        rows: dict[str, bytes | None] = {}
        for name in segments:
            segment = self.sealed(name, 3)
            assert [row[0] for row in segment["rows"]] == sorted(row[0] for row in segment["rows"])
            for key, row in segment["rows"]:
                rows.setdefault(key, row)
        return {key: msgpack.unpackb(row) for key, row in rows.items() if row is not None}

    def blobs(self) -> dict[bytes, bytes]:
        """Section 6, every pack any delta names."""
        blobs: dict[bytes, bytes] = {}
        merged = [self.sealed(name, 13) for name in self.objects if name.startswith("index/merged/")]
        replaced = {name for one in merged for name in one["replaces"]}
        names = {name for name in self.objects if name.startswith("index/") and "/merged/" not in name}
        deltas = [*merged, *(self.sealed(name, 2) for name in names - replaced)]
        for pack in [pack for delta in deltas for pack in delta["packs"]]:
            body = self.objects[pack["name"]]
            assert (pack["size"], pack["header"]) == (len(body), body[:64])
            found = self.pack(pack["name"])
            assert [blob[0] for blob in struct.iter_unpack(">32s16x", pack["blobs"])] == list(found)
            blobs |= found
        return blobs

    def restore(self, shard: str, session: str) -> dict[str, tuple[str, bytes | None]]:
        blobs = self.blobs()
        restored = {}
        snapshot = self.sealed(f"snapshots/{shard}/{session}", 4)
        for key, (_, _, _, meta, size, sha256, recipe) in self.rows(snapshot["segments"]).items():
            body = None
            if recipe is not None:
                slices = struct.iter_unpack(">32sII", recipe)
                body = b"".join(blobs[ident][offset : offset + length] for ident, offset, length in slices)
                assert (len(body), hashlib.sha256(body).digest()) == (size, sha256)
            restored[key] = (meta, body)
        return restored
