"""What somebody changed: the event every service publishes with the change itself."""

import hashlib
import json
from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints

from contracts.events.base import Event

Action = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z-]{0,39}\.[a-z][a-z-]{0,39}$")]
Facts = dict[str, str]
"""Fields of the object as text; what is no text is JSON."""


class AuditRecorded(Event):
    """Somebody changed something. Saved in the same write as the change, so that neither exists without the other.

    No secret is in it, nothing of an item (mail, event, contact), and of a person's data the names of the fields alone:
    what is recorded here can never be taken back.
    """

    DOMAIN: ClassVar[str] = "audit"
    NAME: ClassVar[str] = "recorded"

    tenant: Annotated[str, StringConstraints(pattern=r"^([a-z0-9-]{1,32}|_)$")] = Field(
        description="_ for what concerns no single tenant"
    )
    action: Action = Field(description="what was changed and how: kind of the object, a dot, a verb")
    object: str = Field(min_length=1, max_length=320, description="id of the object among those of its kind and tenant")
    actor: str = Field(
        min_length=1,
        max_length=320,
        description="who: the subject of a token, service:<name> for a service by itself, source:<name> for a system",
    )
    roles: tuple[str, ...] = Field(default=(), description="what the actor could act as when it happened")
    request: str = Field(default="", max_length=256, description="id of the request; empty when nobody asked")
    before: Facts = Field(default={}, description="what the change replaced, of the fields it changed")
    after: Facts = Field(default={}, description="the same fields afterwards, or all of something new")

    def key(self) -> tuple[str, ...]:
        """All it says: a client that repeats a request id for another change must not hide that change."""
        said = json.dumps([self.before, self.after], sort_keys=True).encode()
        facts = hashlib.sha256(said).hexdigest()
        return (self.tenant, self.action, self.object, self.actor, self.request, self.at.isoformat(), facts)
