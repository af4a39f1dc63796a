"""What becomes known of a request that no service could take."""

from typing import ClassVar

from pydantic import Field

from contracts.events.base import Event
from contracts.names import Slug, Token


class RequestRejected(Event):
    """A request became a dead letter: nothing will be done unless an operator replays it, or the asker asks anew."""

    DOMAIN: ClassVar[str] = "request"
    NAME: ClassVar[str] = "rejected"

    source: Slug
    sequence: int = Field(description="place of the request in M365_EXT, which the PubAck told its sender")
    causation: str = Field(default="", description="ce-id of the request, empty when it could not be read")
    run: Token | None = Field(default=None, description="the run the request would have led to")
    subject_of_request: str
    reason: str = Field(description="what is wrong, in one line; never a value of the request")

    def key(self) -> tuple[str, ...]:
        return (self.tenant, self.source, str(self.sequence), self.at.isoformat())
