"""Sealed objects: everything in the repository that is not a pack or a wrapped key (format, section 2)."""

from contextlib import suppress
from typing import Any

import zstandard
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from backup_engine import header, messagepack
from backup_engine.compression import compress, decompress
from backup_engine.errors import UNREADABLE, IntegrityError, KeyMissing, NotFound
from backup_engine.header import Header, Kind
from backup_engine.keys import KeyRing
from backup_engine.object_cache import ObjectCache
from backup_engine.storage.authentic import read_authentic
from backup_engine.storage.base import Storage

_NONCE = bytes(12)  # one message per key: the key is derived from a fresh salt
_KEPT = {Kind.INDEX_DELTA, Kind.MERGED_INDEX, Kind.SEGMENT, Kind.SNAPSHOT, Kind.RETENTION_FLOOR}  # read again later


class SealedObjects:
    """Reads and writes sealed objects of one repository; thread-safe."""

    def __init__(self, storage: Storage, ring: KeyRing, cache: ObjectCache | None = None) -> None:
        self._storage = storage
        self._ring = ring
        self.cache = cache or ObjectCache(None, ring.cache, 0)

    def put(self, name: str, kind: Kind, payload: dict[str, Any]) -> None:
        """Raises AlreadyExists when the name is taken, and every other storage error."""
        body = self.seal(name, kind, payload)
        self._storage.put(name, body)
        if kind in _KEPT:
            self.cache.put(name, body)

    def seal(self, name: str, kind: Kind, payload: dict[str, Any]) -> bytes:
        """The bytes to store under `name`; sealing twice gives two different ones."""
        codec, coded = compress(messagepack.encode(payload))
        key = self._ring.writing
        head = Header(kind=kind, key=key.n, codec=codec)
        aad = head.encode()
        return aad + AESGCM(key.for_object(head.salt)).encrypt(_NONCE, coded, aad + name.encode())

    def get(self, name: str, kind: Kind) -> dict[str, Any]:
        """Raises NotFound, IntegrityError, FormatUnsupported, KeyUnavailable."""
        return of_kind(name, kind, *self.get_any(name))

    def get_any(self, name: str) -> tuple[Kind, dict[str, Any]]:
        return read_authentic(self._storage, name, lambda body: self.open(name, body))

    def oldest(self, name: str) -> tuple[Kind, dict[str, Any]] | None:
        """Like get_any, of the oldest version that opens; None where the storage keeps none, without a request."""
        for body in self._storage.versions(name):
            with suppress(*UNREADABLE):
                return self.open(name, body)
        return None

    def get_kept(self, name: str, size: int | None = None) -> tuple[Kind, dict[str, Any]]:
        """Like get_any, without a request when this machine has the object, in `size` bytes if that is given.

        For what storage was seen to list, or what the protocol keeps from being deleted: the answer does not say that
        the object is still there. Of several versions the oldest counts; its size is the one that listings give.
        """
        if (kept := self.cache.get(name)) is not None and size in {None, len(kept)}:
            try:
                return self.open(name, kept)
            except UNREADABLE:
                self.cache.drop(name)
        body, found = read_authentic(self._storage, name, lambda body: (body, self.open(name, body)))
        if size not in {None, len(body)} and (oldest := self.oldest(name)) is not None:
            return oldest
        self.cache.put(name, body)
        return found

    def open(self, name: str, body: bytes) -> tuple[Kind, dict[str, Any]]:
        """What the bytes stored under `name` say. Raises IntegrityError, FormatUnsupported, KeyUnavailable."""
        head = header.decode(body, name)
        if head.kind is Kind.PACK:
            raise IntegrityError(f"{name} holds a pack", key=name)
        try:
            key = self._ring.key(head.key).for_object(head.salt)
        except KeyMissing as error:
            raise KeyMissing(f"{name}: {error}") from error
        aad = body[: header.LENGTH] + name.encode()
        try:
            coded = AESGCM(key).decrypt(_NONCE, body[header.LENGTH :], aad)
            payload = messagepack.decode(decompress(head.codec, coded))
        except InvalidTag as error:
            raise IntegrityError(f"{name} does not open: damaged, moved, or of another tenant", key=name) from error
        except (zstandard.ZstdError, ValueError) as error:
            raise IntegrityError(f"{name} opens but cannot be read", key=name) from error
        if not isinstance(payload, dict):
            raise IntegrityError(f"{name} opens but holds no map", key=name)
        return head.kind, payload

    def require(self, name: str, kind: Kind, *, kept: bool = False) -> dict[str, Any]:
        """Like get, for an object another object refers to: its absence is damage, not an answer.

        `kept` as in get_kept.
        """
        try:
            return of_kind(name, kind, *(self.get_kept(name) if kept else self.get_any(name)))
        except NotFound as error:
            raise IntegrityError(f"{name} is referred to but missing", key=name) from error


def of_kind(name: str, kind: Kind, found: Kind, payload: dict[str, Any]) -> dict[str, Any]:
    """The payload of `name`. Raises IntegrityError for an object of another kind."""
    if found is not kind:
        raise IntegrityError(f"{name} holds a {found.name.lower()}, not a {kind.name.lower()}", key=name)
    return payload
