"""An incident: what happened to a token that may be in wrong hands, step by step, and why."""

from dataclasses import dataclass, replace
from datetime import datetime

from contracts.contacts import Contact
from contracts.incidents import IncidentStep
from contracts.names import Profile


@dataclass(frozen=True)
class Entry:
    """One line of the timeline."""

    at: datetime
    step: IncidentStep
    by: str
    detail: str = ""


@dataclass(frozen=True)
class Incident:
    """State of one incident. `version` is the fence: a save is accepted only on the version that was read.

    `record` is the number of the token record that was in use; a later one is the replacement. `due_at` is when
    somebody looks after it again by itself.
    """

    id: str
    tenant: str
    profile: Profile
    opened_at: datetime
    opened_by: str
    client_id: str
    record: int
    security: Contact | None
    timeline: tuple[Entry, ...]
    version: int = 0
    cause: str = ""
    due_at: datetime | None = None

    def at(self, *steps: IncidentStep) -> datetime | None:
        """Tell when the first of these steps was taken; None when none was."""
        return next((entry.at for entry in self.timeline if entry.step in steps), None)

    @property
    def key(self) -> str:
        """Its id among the incidents of all tenants."""
        return f"{self.tenant}/{self.id}"

    @property
    def is_open(self) -> bool:
        return self.at(IncidentStep.CLOSED) is None

    @property
    def notes(self) -> int:
        return sum(entry.step is IncidentStep.NOTED for entry in self.timeline)

    def told(self, step: IncidentStep, by: str, now: datetime, detail: str = "") -> "Incident":
        """Add a line; a step that can happen only once is told once."""
        if step is not IncidentStep.NOTED and self.at(step) is not None:
            return self
        return replace(self, timeline=(*self.timeline, Entry(now, step, by, detail)))

    def closed(self, cause: str, by: str, now: datetime) -> "Incident":
        """End it with its cause; nothing happens by itself any more."""
        return replace(self.told(IncidentStep.CLOSED, by, now), cause=cause, due_at=None)
