"""A tenant: its slug here and its id at Microsoft, bound to each other for ever."""

import base64
import hashlib
from dataclasses import dataclass, field
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from contracts.contacts import Contacts


@dataclass(frozen=True)
class RecoveryKey:
    """The public half of the key that opens the tenant's backups without us; `x25519:` and 32 bytes in base64."""

    public_key: str
    since: datetime

    @property
    def fingerprint(self) -> str:
        """64 hex digits; the same the repositories name it by."""
        return hashlib.sha256(_raw(self.public_key)).hexdigest()


def check_recovery_key(public_key: str) -> None:
    """Raises ValueError for one of the few points with which every secret would be the same."""
    X25519PrivateKey.generate().exchange(X25519PublicKey.from_public_bytes(_raw(public_key)))


def _raw(public_key: str) -> bytes:
    return base64.b64decode(public_key.partition(":")[2])


@dataclass(frozen=True)
class TenantRecord:
    """Slug and Entra tenant id are one to one; neither is ever given to another tenant."""

    slug: str
    entra_tenant_id: str
    display_name: str
    support_contact: str
    created_at: datetime
    recovery_key: RecoveryKey | None = None
    contacts: Contacts = field(default_factory=Contacts)
