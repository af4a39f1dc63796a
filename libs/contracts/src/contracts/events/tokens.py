"""Events of token-service, and the complaint others send it. Never a token: only its fingerprint."""

from typing import Annotated, ClassVar

from pydantic import AwareDatetime, Field, StringConstraints

from contracts.events.base import Event
from contracts.names import Profile

Fingerprint = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]
"""First 16 hex digits of the SHA-256 of a token: enough to tell tokens apart, useless to a thief."""


class TokenRefreshed(Event):
    """A new token lies in the vault at `tenants/<tenant>/tokens/<profile>`."""

    DOMAIN: ClassVar[str] = "token"
    NAME: ClassVar[str] = "refreshed"

    profile: Profile
    generation: int
    fingerprint: Fingerprint
    expires_at: AwareDatetime

    def key(self) -> tuple[str, ...]:
        return (self.tenant, self.profile, str(self.generation))


class ConsentChanged(Event):
    """An app lost the permissions it needs in the tenant, or a call of every workload proved that it has them again."""

    DOMAIN: ClassVar[str] = "token"
    NAME: ClassVar[str] = "consent-changed"

    profile: Profile
    effective: bool
    change: int
    """Grows with every change of the connection."""

    def key(self) -> tuple[str, ...]:
        return (self.tenant, self.profile, str(self.change))


class PermissionDrift(Event):
    """A check found other permissions missing, too much or without effect than the one before; all empty: in order."""

    DOMAIN: ClassVar[str] = "token"
    NAME: ClassVar[str] = "permission-drift"

    profile: Profile
    missing: tuple[str, ...] = ()
    excess: tuple[str, ...] = ()
    not_effective: tuple[str, ...] = ()
    change: int
    """Grows with every change of the findings."""

    def key(self) -> tuple[str, ...]:
        return (self.tenant, self.profile, str(self.change))


class CredentialExpiring(Event):
    """The credential that a profile's tokens come from ends within so many days; once for each of 60, 30 and 7."""

    DOMAIN: ClassVar[str] = "token"
    NAME: ClassVar[str] = "credential-expiring"

    profile: Profile
    record: int = Field(description="number of the token's record")
    expires_at: AwareDatetime
    days: int

    def key(self) -> tuple[str, ...]:
        return (self.tenant, self.profile, str(self.record), self.expires_at.isoformat(), str(self.days))


class TokenRejected(Event):
    """Graph answered 401 to this token; token-service renews it unless the stored one differs already."""

    DOMAIN: ClassVar[str] = "token"
    NAME: ClassVar[str] = "rejected"

    profile: Profile
    fingerprint: Fingerprint

    def key(self) -> tuple[str, ...]:
        return (self.tenant, self.profile, self.fingerprint)
