"""What IT security has to hear of."""

from typing import ClassVar, Literal

from pydantic import Field

from contracts.contacts import Contact
from contracts.events.base import Event
from contracts.names import Profile, Token


class IncidentOpened(Event):
    """A token may be in wrong hands and was deactivated; `security` is the tenant's contact who is to be informed."""

    DOMAIN: ClassVar[str] = "security"
    NAME: ClassVar[str] = "incident-opened"

    incident: Token
    profile: Profile
    severity: Literal["critical"] = "critical"
    opened_by: str
    security: Contact | None = Field(default=None, description="null: the tenant has named nobody")

    def key(self) -> tuple[str, ...]:
        return (self.tenant, self.incident)
