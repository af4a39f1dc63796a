"""What every event is: a frozen body, a type, a subject and an identity derived from its natural key."""

from typing import ClassVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from contracts import subjects
from contracts.names import Slug


class Event(BaseModel):
    """A fact. Consumers ignore fields they do not know; new fields have defaults; nothing is renamed (ADR 0001)."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    DOMAIN: ClassVar[str]
    NAME: ClassVar[str]
    VERSION: ClassVar[int] = 1

    tenant: Slug
    at: AwareDatetime

    @classmethod
    def type_name(cls) -> str:
        """CloudEvents type, for instance `m365.token.refreshed.v1`."""
        return f"m365.{cls.DOMAIN}.{cls.NAME}.v{cls.VERSION}"

    def subject(self) -> str:
        return subjects.event(self.tenant, self.DOMAIN, self.NAME)

    def key(self) -> tuple[str, ...]:
        """The natural key: the same step of the same thing has the same key, so a repeat gets the same event id."""
        raise TypeError(f"{type(self).__name__} has no key")


class Request(Event):
    """A request from anyone; its subject also names the source."""

    requester: str = Field(
        default="", max_length=320, description="who asked, in the words of the source; for the audit"
    )
    requester_roles: tuple[str, ...] = Field(default=(), max_length=20, description="what they may act as there")

    def requested_by(self, source: str) -> str:
        """The subject `source` publishes this request to."""
        return subjects.requested(source, self.tenant, self.DOMAIN)
