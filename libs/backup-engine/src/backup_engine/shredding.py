"""Crypto-shredding: what must be destroyed so that a repository can never be read again (format, section 3.4)."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from backup_engine import key_records
from backup_engine.errors import NotFound
from backup_engine.key_records import KeyRecord
from backup_engine.storage.base import Storage


@dataclass(frozen=True, slots=True)
class Shredding:
    """Every key that opens the repository. Destroying some of them shreds nothing."""

    tenant: str
    transit_keys: frozenset[str]  # names in the vault
    recovery_keys: frozenset[str]  # fingerprints; every copy of the file counts

    def remaining(self, *, transit_keys: Collection[str], recovery_keys: Collection[str]) -> frozenset[str]:
        """Keys that still open the repository when these were destroyed; empty means it is shredded."""
        left = {f"transit key {name}" for name in self.transit_keys - set(transit_keys)}
        return frozenset(left | {f"recovery key {name}" for name in self.recovery_keys - set(recovery_keys)})


def required(storage: Storage) -> Shredding:
    """Read from the key records, older revisions included; needs no key. Raises NotFound without any."""
    return of_records(key_records.everything(storage))


def of_records(records: Iterable[KeyRecord]) -> Shredding:
    known = list(records)
    if not known:
        raise NotFound("there are no key records here", key="keys/1")
    return Shredding(
        tenant=known[0].tenant,
        transit_keys=frozenset(name for record in known for name in record.transit_keys),
        recovery_keys=frozenset(name for record in known for name in record.recipients),
    )
