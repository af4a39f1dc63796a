"""What is kept of every token that was ever generated for a profile, and the notes of people about it."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from contracts.names import ConsentSource, CredentialKind, ExpirySource, RecordEnd


@dataclass(frozen=True)
class TokenRecord:
    """One credential from the token that proved it until its end; renewals belong to the record of their credential.

    `number` counts from 1 per profile and is never given twice. Of a certificate `thumbprint` is what Microsoft's pages
    show (SHA-1, hex). `key` numbers a key in the vault; it is destroyed after the record ended.
    """

    number: int
    client_id: str
    credential: CredentialKind
    generated_at: datetime
    generated_by: str
    consent_by: str = ""
    consent_source: ConsentSource | None = None
    ended: RecordEnd | None = None
    ended_at: datetime | None = None
    ended_by: str = ""
    thumbprint: str = ""
    key: int | None = None
    key_destroyed_at: datetime | None = None

    def closed(self, end: RecordEnd, by: str, now: datetime) -> "TokenRecord":
        """End the record; one that has ended keeps its first end."""
        return self if self.ended else replace(self, ended=end, ended_at=now, ended_by=by)


@dataclass(frozen=True)
class KeyOffer:
    """A key in the vault whose certificate (PEM) waits to be uploaded; it signs nothing else before it is proven."""

    number: int
    certificate: str
    at: datetime
    by: str


WARNINGS = (7, 30, 60)
"""Days before its end on which a credential is warned of, once each."""


@dataclass(frozen=True)
class CredentialExpiry:
    """When the credential in use ends, as it was known at `read_at`. `warned` is the last warning, in days."""

    at: datetime | None
    source: ExpirySource
    read_at: datetime
    warned: int | None = None

    def warning(self, now: datetime) -> int | None:
        """Give the warning that is due: the nearest one that was reached and not told of; None when none is."""
        if self.at is None:
            return None
        reached = next((days for days in WARNINGS if self.at - now <= timedelta(days=days)), None)
        return reached if reached is not None and (self.warned is None or reached < self.warned) else None


@dataclass(frozen=True)
class Note:
    at: datetime
    by: str
    text: str


@dataclass(frozen=True)
class Retirement:
    """Somebody switched the token off or deleted it. `incident` is the id of the incident it belongs to, if it does."""

    end: RecordEnd
    at: datetime
    by: str
    incident: str = ""
