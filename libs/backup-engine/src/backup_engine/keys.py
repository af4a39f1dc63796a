"""Data keys: wrapped at rest, derived in memory (format, section 3)."""

import json
import threading
from dataclasses import dataclass
from typing import Any, Protocol

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from backup_engine import names
from backup_engine.errors import AlreadyExists, IntegrityError, KeyUnavailable, NotFound
from backup_engine.header import FORMAT, check_version
from backup_engine.storage.base import Storage

KEY_BYTES = 32
WRAP_KIND = "transit"
FIRST = 1


class KeyWrapper(Protocol):
    """Wraps data keys with a key that never leaves its keeper, e.g. OpenBao transit."""

    def new_data_key(self) -> tuple[bytes, str]:
        """Return 32 fresh random bytes and the same, wrapped. Raises KeyUnavailable."""

    def unwrap(self, wrapped: str) -> bytes:
        """Return the 32 bytes. Raises KeyUnavailable when the keeper refuses or cannot be reached."""


def derive(key: bytes, info: str, salt: bytes = b"") -> bytes:
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=salt, info=info.encode()).derive(key)


@dataclass(frozen=True, slots=True, repr=False)
class DataKey:
    """The keys derived from one data key; never printed."""

    n: int
    blob_id: bytes
    data: bytes
    meta: bytes

    @classmethod
    def of(cls, n: int, key: bytes) -> "DataKey":
        if len(key) != KEY_BYTES:
            raise KeyUnavailable(f"keys/{n} unwrapped to {len(key)} bytes instead of {KEY_BYTES}")
        return cls(
            n,
            blob_id=derive(key, "tenantkeep/1/id"),
            data=derive(key, "tenantkeep/1/data"),
            meta=derive(key, "tenantkeep/1/meta"),
        )

    def for_pack(self, salt: bytes) -> bytes:
        return derive(self.data, "tenantkeep/1/pack", salt)

    def for_object(self, salt: bytes) -> bytes:
        return derive(self.meta, "tenantkeep/1/object", salt)


class KeyRing:
    """The data keys of one repository, unwrapped once each and kept in memory only; thread-safe."""

    def __init__(self, storage: Storage, wrapper: KeyWrapper, newest: int) -> None:
        self._storage = storage
        self._wrapper = wrapper
        self._newest = newest
        self._lock = threading.Lock()
        self._keys: dict[int, DataKey] = {}

    @classmethod
    def open(cls, storage: Storage, wrapper: KeyWrapper) -> "KeyRing":
        numbers = [_number(found.key) for found in storage.list(names.KEYS)]
        if FIRST not in numbers:
            raise NotFound("the repository has no key: keys/1 does not exist", key=names.data_key(FIRST))
        return cls(storage, wrapper, max(numbers))

    @property
    def writing(self) -> DataKey:
        return self.key(self._newest)

    @property
    def blob_id(self) -> bytes:
        return self.key(FIRST).blob_id

    def key(self, n: int) -> DataKey:
        """Raises KeyUnavailable, also when no such key is in the repository."""
        with self._lock:
            if n not in self._keys:
                self._keys[n] = DataKey.of(n, self._unwrap(n))
            return self._keys[n]

    def _unwrap(self, n: int) -> bytes:
        name = names.data_key(n)
        try:
            record = _decoded(self._storage.get(name), name)
        except NotFound as error:
            raise KeyUnavailable(f"an object names {name}, which is not in the repository") from error
        for wrap in record["wraps"]:
            if wrap["kind"] == WRAP_KIND:
                return self._wrapper.unwrap(wrap["ciphertext"])
        raise KeyUnavailable(f"{name} holds no wrap of the kind {WRAP_KIND}")


def create_first(storage: Storage, wrapper: KeyWrapper, key_name: str) -> None:
    """Write keys/1 unless somebody has already: then theirs is the key."""
    _, ciphertext = wrapper.new_data_key()
    record = {
        "format": FORMAT,
        "key": FIRST,
        "wraps": [{"kind": WRAP_KIND, "key": key_name, "ciphertext": ciphertext}],
    }
    try:
        storage.put(names.data_key(FIRST), json.dumps(record).encode())
    except AlreadyExists:
        return


def _number(name: str) -> int:
    text = name.removeprefix(names.KEYS)
    if not text.isdecimal():
        raise IntegrityError(f"{name} is not the name of a key", key=name)
    return int(text)


def _decoded(body: bytes, name: str) -> dict[str, Any]:
    try:
        record = json.loads(body)
        version = int(record["format"])
        wraps = [(wrap["kind"], wrap["ciphertext"]) for wrap in record["wraps"]]
    except (ValueError, KeyError, TypeError) as error:
        raise IntegrityError(f"{name} is no key record", key=name) from error
    check_version(version, name)
    return {"wraps": [{"kind": kind, "ciphertext": text} for kind, text in wraps]}
