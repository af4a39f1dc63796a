"""Reviews that wait for a person."""

from typing import ClassVar

from pydantic import AwareDatetime, Field

from contracts.events.base import Event
from contracts.names import ReviewKind, Role, Token


class _ReviewEvent(Event):
    DOMAIN: ClassVar[str] = "review"

    review: Token
    kind: ReviewKind
    owner: Role
    until: AwareDatetime = Field(description="when it is overdue")

    def key(self) -> tuple[str, ...]:
        return (self.tenant, self.review)


class ReviewDue(_ReviewEvent):
    """A review found something that a person has to look at, or could not find out."""

    NAME: ClassVar[str] = "due"


class ReviewOverdue(_ReviewEvent):
    """Nobody has looked at it in time; said once."""

    NAME: ClassVar[str] = "overdue"
