"""Data keys: wrapped at rest, derived in memory (format, section 3)."""

import hmac
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from backup_engine import key_records, names
from backup_engine.derivation import KEY_BYTES, derive
from backup_engine.errors import IntegrityError, KeyMissing, KeyUnavailable, NotFound, RepositoryError
from backup_engine.key_records import TRANSIT, X25519, KeyRecord, Revisions
from backup_engine.recovery import RecoveryKey
from backup_engine.storage.base import Storage

FIRST = 1


class KeyWrapper(Protocol):
    """Wraps data keys with a key that never leaves its keeper, e.g. OpenBao transit."""

    @property
    def name(self) -> str:
        """Name of the wrapping key, for the record."""

    def new_data_key(self) -> tuple[bytes, str]:
        """Return 32 fresh random bytes and the same, wrapped. Raises KeyUnavailable."""

    def wrap(self, data_key: bytes) -> str:
        """Return an existing data key, wrapped. Raises KeyUnavailable."""

    def unwrap(self, wrapped: str) -> bytes:
        """Return the 32 bytes. Raises KeyUnavailable when the keeper refuses or cannot be reached."""


KeyOpener = KeyWrapper | RecoveryKey
"""What opens data keys: the vault's key while everything runs, the customer's recovery key when nothing does."""


@dataclass(frozen=True, slots=True, repr=False)
class DataKey:
    """One data key and the keys derived from it; never printed, never stored."""

    n: int
    secret: bytes
    blob_id: bytes
    data: bytes
    meta: bytes
    chunking: bytes

    @classmethod
    def of(cls, n: int, key: bytes) -> "DataKey":
        if len(key) != KEY_BYTES:
            raise KeyUnavailable(f"keys/{n} unwrapped to {len(key)} bytes instead of {KEY_BYTES}")
        return cls(
            n,
            secret=key,
            blob_id=derive(key, "tenantkeep/1/id"),
            data=derive(key, "tenantkeep/1/data"),
            meta=derive(key, "tenantkeep/1/meta"),
            chunking=derive(key, "tenantkeep/1/chunk"),
        )

    def for_pack(self, salt: bytes) -> bytes:
        return derive(self.data, "tenantkeep/1/pack", salt)

    def for_object(self, salt: bytes) -> bytes:
        return derive(self.meta, "tenantkeep/1/object", salt)


def proof(first: bytes, n: int, key: bytes) -> str:
    """What shows that data key `n` was made by somebody who holds data key 1."""
    message = b"tenantkeep/1/data-key" + n.to_bytes(4, "big") + key
    return hmac.digest(derive(first, "tenantkeep/1/proof"), message, "sha256").hex()


class KeyRing:
    """The data keys of one repository, unwrapped once each and kept in memory only; thread-safe."""

    def __init__(self, storage: Storage, opener: KeyOpener, revisions: Revisions) -> None:
        self.storage = storage
        self.opener = opener
        self._revisions = revisions
        self._newest = max(revisions)
        self._lock = threading.RLock()
        self._keys: dict[int, DataKey] = {}

    @classmethod
    def open(cls, storage: Storage, opener: KeyOpener, revisions: Revisions | None = None) -> "KeyRing":
        """`revisions` as storage has just listed them. Raises NotFound when there is no first key."""
        if revisions is None:
            revisions = key_records.revisions(storage)
        if FIRST not in revisions:
            raise NotFound("the repository has no key: keys/1 does not exist", key=names.data_key(FIRST))
        return cls(storage, opener, revisions)

    @property
    def writing(self) -> DataKey:
        return self.key(self._newest)

    @property
    def blob_id(self) -> bytes:
        return self.key(FIRST).blob_id

    @property
    def chunking(self) -> bytes:
        return self.key(FIRST).chunking

    @property
    def cache(self) -> bytes:
        """Authenticates what is kept on this machine; nothing in the repository depends on it."""
        return derive(self.key(FIRST).secret, "tenantkeep/cache")

    @property
    def numbers(self) -> tuple[int, ...]:
        return tuple(self._revisions)

    def refresh(self) -> None:
        """Take in records that others wrote; what is written from now on uses the newest data key."""
        with self._lock:
            self._revisions = key_records.revisions(self.storage)
            self._newest = max(self._revisions, default=self._newest)

    def key(self, n: int) -> DataKey:
        """Raises KeyUnavailable, also when no such key is in the repository."""
        with self._lock:
            if n not in self._keys:
                self._keys[n] = DataKey.of(n, self._unwrap(n))
            return self._keys[n]

    def records(self, n: int) -> Iterator[KeyRecord]:
        """The records of one data key, newest revision first; what was deleted meanwhile is left out."""
        for revision in reversed(self._revisions.get(n, [])):
            try:
                yield key_records.read(self.storage, n, revision)
            except NotFound:
                continue

    def check(self, name: str) -> None:
        """Read and open a stored record again. Raises IntegrityError when it does not give the key in use.

        Raises NotFound, and KeyUnavailable when it cannot be told because the keeper is out of reach.
        """
        n, revision = key_records.parts(name)
        record = key_records.read(self.storage, n, revision)
        try:
            key = self._open(record)
        except KeyUnavailable as error:
            if not isinstance(self.opener, RecoveryKey):
                self.opener.new_data_key()  # it answers, so it refuses this record and not everything
            raise IntegrityError(f"{name} does not open: {error}", key=name) from error
        if not hmac.compare_digest(key, self.key(n).secret):
            raise IntegrityError(f"{name} holds another key than before", key=name)

    def newest(self, n: int) -> KeyRecord:
        """Raises KeyUnavailable when data key n has no record."""
        for record in self.records(n):
            return record
        raise KeyUnavailable(f"the repository holds no record of data key {n}")

    def _unwrap(self, n: int) -> bytes:
        """Lists again when it must: another process may have rotated, or replaced the records it listed."""
        try:
            return self._opened(n)
        except KeyUnavailable:
            self._revisions = key_records.revisions(self.storage)
            return self._opened(n)

    def _opened(self, n: int) -> bytes:
        first_error: RepositoryError | None = None
        for record in self.records(n):
            try:
                return self._open(record)
            except (KeyUnavailable, IntegrityError) as error:
                # An older revision may still open: a planted or damaged record must not shut everything.
                first_error = first_error or error
        name = names.data_key(n)
        raise first_error or KeyMissing(f"an object names {name}, which is not in the repository")

    def _open(self, record: KeyRecord) -> bytes:
        error: KeyUnavailable | None = None
        for wrap in record.of_kind(X25519 if isinstance(self.opener, RecoveryKey) else TRANSIT):
            try:
                key = self._unwrapped(wrap, record)
            except KeyUnavailable as refused:
                error = error or refused
                continue
            first = key if record.n == FIRST else self.key(FIRST).secret
            if not hmac.compare_digest(proof(first, record.n, key), record.proof):
                raise IntegrityError(
                    f"{record.name} was not written by a holder of the first data key", key=record.name
                )
            return key
        why = f"does not open: {error}" if error else f"holds no wrap {_for(self.opener)} opens"
        raise KeyUnavailable(f"{record.name} {why}") from error

    def _unwrapped(self, wrap: dict[str, str], record: KeyRecord) -> bytes:
        if isinstance(self.opener, RecoveryKey):
            return self.opener.unwrap(wrap, record.tenant, record.n)
        return self.opener.unwrap(wrap["ciphertext"])


def _for(opener: KeyOpener) -> str:
    if isinstance(opener, RecoveryKey):
        return f"the recovery key {opener.public.fingerprint[:16]}"
    return f"the vault's key {opener.name}"
