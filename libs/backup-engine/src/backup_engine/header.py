"""The 64 bytes every pack and sealed object begins with (format, section 2)."""

import enum
import secrets
import struct
from dataclasses import dataclass, field

from backup_engine.errors import FormatUnsupported, IntegrityError

FORMAT = 1
LENGTH = 64
PACK_MAGIC = b"TKPACK\0\0"
SEALED_MAGIC = b"TKSEAL\0\0"

_AES_256_GCM = 1
_HMAC_SHA_256 = 1
_HKDF_SHA_256 = 1
_LAYOUT = struct.Struct(">8sHBBBBBBI12s32s")
_SALT = 32


class Kind(enum.IntEnum):
    PACK = 0
    CONFIG = 1
    INDEX_DELTA = 2
    SEGMENT = 3
    SNAPSHOT = 4
    TOMBSTONE = 5
    SESSION_OPEN = 6
    CHECKPOINT = 7
    INTENT = 8
    CONDEMNED = 9
    DONE = 10
    HOLD = 11
    RECEIPT = 12
    MERGED_INDEX = 13
    RETENTION_FLOOR = 14
    EXPORT = 15
    DAMAGE = 16
    DERIVED = 17


class Codec(enum.IntEnum):
    RAW = 0
    ZSTD = 1


def fresh_salt() -> bytes:
    return secrets.token_bytes(_SALT)


@dataclass(frozen=True, slots=True)
class Header:
    kind: Kind
    key: int  # number of the data key
    codec: Codec = Codec.RAW
    salt: bytes = field(default_factory=fresh_salt)

    def encode(self) -> bytes:
        magic = PACK_MAGIC if self.kind is Kind.PACK else SEALED_MAGIC
        return _LAYOUT.pack(
            magic, FORMAT, _AES_256_GCM, _HMAC_SHA_256, _HKDF_SHA_256,
            self.codec, self.kind, 0, self.key, bytes(12), self.salt,
        )  # fmt: skip


def check_version(version: int, name: str) -> None:
    """Raises FormatUnsupported unless this engine reads objects of that version."""
    if version > FORMAT:
        raise FormatUnsupported(
            f"{name} has format {version}; this engine reads format {FORMAT}: use a newer release of Tenantkeep"
        )
    if version < FORMAT:
        raise FormatUnsupported(
            f"{name} has format {version}, a preview without promise that no release reads any more:"
            " start a new repository under another prefix"
        )


def decode(body: bytes, name: str) -> Header:
    """Read the header at the start of `body`. Raises IntegrityError or FormatUnsupported, naming `name`."""
    if len(body) < LENGTH:
        raise IntegrityError(f"{name} is shorter than its header", key=name)
    magic, version, aead, blob_id, kdf, codec, kind, zero, key, zeros, salt = _LAYOUT.unpack_from(body)
    if magic not in {PACK_MAGIC, SEALED_MAGIC}:
        raise IntegrityError(f"{name} does not begin like an object of this repository", key=name)
    check_version(version, name)
    known = (aead, blob_id, kdf) == (_AES_256_GCM, _HMAC_SHA_256, _HKDF_SHA_256)
    if not known or codec not in set(Codec) or kind not in set(Kind):
        raise FormatUnsupported(f"{name} uses an algorithm or kind unknown here: use a newer release of Tenantkeep")
    if zero or any(zeros) or (magic == PACK_MAGIC) != (kind == Kind.PACK):
        raise IntegrityError(f"the header of {name} is damaged", key=name)
    return Header(kind=Kind(kind), key=key, codec=Codec(codec), salt=salt)
