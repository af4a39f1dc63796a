"""Key records: `keys/<n>` and `keys/<n>.<revision>` (format, section 3.1)."""

import json
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from backup_engine import names
from backup_engine.errors import IntegrityError
from backup_engine.header import FORMAT, check_version
from backup_engine.storage.authentic import read_authentic
from backup_engine.storage.base import Storage

TRANSIT = "transit"
X25519 = "x25519"

_NAME = re.compile(r"keys/([1-9]\d*)(?:\.([1-9]\d*))?")

Wrap = dict[str, str]
Revisions = dict[int, list[int]]
"""Revisions of each data key that storage holds, oldest first."""


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """One data key in all its wraps; the data key itself is not in it."""

    n: int
    revision: int
    tenant: str
    proof: str  # 64 hex digits
    wraps: tuple[Wrap, ...]

    @property
    def name(self) -> str:
        return names.data_key(self.n, self.revision)

    def of_kind(self, kind: str) -> list[Wrap]:
        return [wrap for wrap in self.wraps if wrap["kind"] == kind]

    @property
    def recipients(self) -> frozenset[str]:
        """Fingerprints of the recovery keys that open it."""
        return frozenset(wrap["recipient"] for wrap in self.of_kind(X25519))

    @property
    def transit_keys(self) -> frozenset[str]:
        """Names of the vault's keys that open it."""
        return frozenset(wrap["key"] for wrap in self.of_kind(TRANSIT))

    def encode(self) -> bytes:
        record = {
            "format": FORMAT,
            "key": self.n,
            "revision": self.revision,
            "tenant": self.tenant,
            "proof": self.proof,
            "wraps": list(self.wraps),
        }
        return json.dumps(record, ensure_ascii=False).encode()


def revisions(storage: Storage) -> Revisions:
    """One listing. Raises IntegrityError for a name that is none of a key."""
    found: Revisions = defaultdict(list)
    for info in storage.list(names.KEYS):
        n, revision = parts(info.key)
        found[n].append(revision)
    return {n: sorted(found[n]) for n in sorted(found)}


def parts(name: str) -> tuple[int, int]:
    """Data key and revision a name stands for."""
    match = _NAME.fullmatch(name)
    if match is None:
        raise IntegrityError(f"{name} is not the name of a key", key=name)
    return int(match[1]), int(match[2] or 0)


def read(storage: Storage, n: int, revision: int) -> KeyRecord:
    """Raises NotFound, IntegrityError, FormatUnsupported."""
    name = names.data_key(n, revision)
    record = read_authentic(storage, name, lambda body: _decoded(body, name))
    if (record.n, record.revision) != (n, revision):
        raise IntegrityError(f"{name} holds the record of another key", key=name)
    return record


def everything(storage: Storage) -> list[KeyRecord]:
    """Every record there is, older revisions included: what must be destroyed to shred (format, section 3.4)."""
    return [read(storage, n, revision) for n, found in revisions(storage).items() for revision in found]


def _decoded(body: bytes, name: str) -> KeyRecord:
    try:
        record = json.loads(body)
        version = int(record["format"])
    except (ValueError, KeyError, TypeError) as error:
        raise IntegrityError(f"{name} is no key record", key=name) from error
    check_version(version, name)
    try:
        return KeyRecord(
            n=int(record["key"]),
            revision=int(record["revision"]),
            tenant=str(record["tenant"]),
            proof=str(record["proof"]),
            wraps=tuple(_wraps(record["wraps"])),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise IntegrityError(f"{name} is no key record", key=name) from error


def _wraps(stored: Iterable[Wrap]) -> Iterable[Wrap]:
    required = {TRANSIT: ("key", "ciphertext"), X25519: ("recipient", "ephemeral", "ciphertext")}
    for wrap in stored:
        for name in required.get(wrap["kind"], ()):
            if not isinstance(wrap[name], str):
                raise TypeError(name)
        yield dict(wrap)
