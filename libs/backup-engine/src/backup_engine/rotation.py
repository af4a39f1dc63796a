"""New data keys and new wraps of old ones (format, section 3.2)."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from backup_engine import key_records
from backup_engine.errors import AlreadyExists, StorageError
from backup_engine.key_records import TRANSIT, X25519, KeyRecord, Wrap
from backup_engine.keys import FIRST, KeyRing, KeyWrapper, proof
from backup_engine.recovery import RecoveryPublicKey
from backup_engine.storage.base import Storage


@dataclass(frozen=True, slots=True)
class Rewrapped:
    """What a re-wrap did: names of records written, of superseded ones deleted, and of those storage would not delete.

    Whoever holds a replaced recovery key opens what was written until now as long as `kept` is not empty.
    """

    written: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    rotated_to: int | None = None


def create_first(storage: Storage, wrapper: KeyWrapper, tenant: str, recovery: RecoveryPublicKey | None) -> None:
    """Write keys/1 unless the repository has a key already: then that is the key."""
    if FIRST in key_records.revisions(storage):
        return
    key, wrapped = wrapper.new_data_key()
    record = _record(
        FIRST, tenant, proof(key, FIRST, key), _new_wraps(wrapper, wrapped, recovery, (key, tenant, FIRST))
    )
    try:
        storage.put(record.name, record.encode())
    except AlreadyExists:
        return


class RepositoryKeys:
    """The data keys of one repository: who opens them, new ones, new wraps. Thread-safe across processes."""

    def __init__(self, ring: KeyRing, tenant: str) -> None:
        self._ring = ring
        self._tenant = tenant

    def records(self) -> list[KeyRecord]:
        """The newest record of each data key, in order of their numbers."""
        self._ring.refresh()
        return [self._ring.newest(n) for n in self._ring.numbers]

    def rotate(self, wrapper: KeyWrapper, recovery: RecoveryPublicKey | None) -> int:
        """Draw the next data key; packs and objects use it from now on. Returns its number.

        Raises ValueError unless `recovery` is the recovery key of the data keys so far: no data key may fall out
        of the customer's hand in passing.
        """
        known = {fingerprint for record in self.records() for fingerprint in record.recipients}
        if known != ({recovery.fingerprint} if recovery else set()):
            message = "rotate with the recovery key the repository is wrapped to, or re-wrap first"
            raise ValueError(message)
        return self._drawn(wrapper, recovery)

    def rewrap(self, wrapper: KeyWrapper | None = None, recovery: RecoveryPublicKey | None = None) -> Rewrapped:
        """Wrap every data key anew for whom is given; wraps of the other kind are carried over."""
        return self._each(lambda _: True, wrapper, recovery)

    def require(self, wrapper: KeyWrapper, recovery: RecoveryPublicKey) -> Rewrapped:
        """Make sure that this recovery key, and no other, opens every data key; writes nothing when it is so.

        Where it replaces another one, new data is written under a new data key from now on. A crash at any step
        is made good by the next call.
        """
        replaced = any(record.recipients - {recovery.fingerprint} for record in self.records())
        drawn = self._drawn(wrapper, recovery) if replaced else None
        done = self._each(lambda record: record.recipients != {recovery.fingerprint}, None, recovery)
        return replace(done, rotated_to=drawn)

    def _drawn(self, wrapper: KeyWrapper, recovery: RecoveryPublicKey | None) -> int:
        ring, n = self._ring, max(self._ring.numbers) + 1
        key, wrapped = wrapper.new_data_key()
        wraps = _new_wraps(wrapper, wrapped, recovery, (key, self._tenant, n))
        record = _record(n, self._tenant, proof(ring.key(FIRST).secret, n, key), wraps)
        with suppress(AlreadyExists):  # somebody rotated at the same moment: theirs is the new key
            ring.storage.put(record.name, record.encode())
        ring.refresh()
        return max(ring.numbers)

    def _each(
        self, wanted: Callable[[KeyRecord], bool], wrapper: KeyWrapper | None, recovery: RecoveryPublicKey | None
    ) -> Rewrapped:
        written: list[str] = []
        deleted: list[str] = []
        kept: list[str] = []
        for newest in self.records():
            if wanted(newest):
                fresh = _rewrapped(newest, self._ring.key(newest.n).secret, self._tenant, wrapper, recovery)
                with suppress(AlreadyExists):  # somebody does the same at this moment
                    self._ring.storage.put(fresh.name, fresh.encode())
                    written.append(fresh.name)
            if recovery is not None:
                gone, stay = self._delete_replaced(newest.n, recovery)
                deleted += gone
                kept += stay
        self._ring.refresh()
        return Rewrapped(tuple(written), tuple(deleted), tuple(kept))

    def _delete_replaced(self, n: int, recovery: RecoveryPublicKey) -> tuple[list[str], list[str]]:
        """Older records that another recovery key opens go, once the newest reads back with a wrap to this one."""
        self._ring.refresh()
        newest, *older = self._ring.records(n)
        gone: list[str] = []
        stay: list[str] = []
        if newest.recipients == {recovery.fingerprint}:
            for name in (record.name for record in older if record.recipients - {recovery.fingerprint}):
                try:
                    self._ring.storage.delete(name)
                    gone.append(name)
                except StorageError:
                    stay.append(name)  # locked, or the account may not delete: reported, never hidden
        return gone, stay


def _rewrapped(
    old: KeyRecord, key: bytes, tenant: str, wrapper: KeyWrapper | None, recovery: RecoveryPublicKey | None
) -> KeyRecord:
    transit = old.of_kind(TRANSIT) if wrapper is None else [_transit(wrapper, wrapper.wrap(key))]
    sealed = old.of_kind(X25519) if recovery is None else [recovery.wrap(key, tenant, old.n)]
    return _record(old.n, tenant, old.proof, [*transit, *sealed], revision=old.revision + 1)


def _record(n: int, tenant: str, shown: str, wraps: list[Wrap], revision: int = 0) -> KeyRecord:
    return KeyRecord(n=n, revision=revision, tenant=tenant, proof=shown, wraps=tuple(wraps))


def _transit(wrapper: KeyWrapper, ciphertext: str) -> Wrap:
    return {"kind": TRANSIT, "key": wrapper.name, "ciphertext": ciphertext}


def _new_wraps(
    wrapper: KeyWrapper, wrapped: str, recovery: RecoveryPublicKey | None, of: tuple[bytes, str, int]
) -> list[Wrap]:
    return [_transit(wrapper, wrapped), *([recovery.wrap(*of)] if recovery else [])]
