"""What is kept of every token that was ever generated for a profile, and the notes of people about it."""

from dataclasses import dataclass, replace
from datetime import datetime

from contracts.names import ConsentSource, CredentialKind, RecordEnd


@dataclass(frozen=True)
class TokenRecord:
    """One credential from the token that proved it until its end; renewals belong to the record of their credential.

    `number` counts from 1 per profile and is never given twice.
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

    def closed(self, end: RecordEnd, by: str, now: datetime) -> "TokenRecord":
        """End the record; one that has ended keeps its first end."""
        return self if self.ended else replace(self, ended=end, ended_at=now, ended_by=by)


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
