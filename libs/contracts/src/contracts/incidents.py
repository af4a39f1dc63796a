"""Incidents: a token that may be in wrong hands, what was done about it, and why it happened."""

from enum import StrEnum
from typing import Annotated

from pydantic import AwareDatetime, Field, StringConstraints

from contracts.contacts import Contact
from contracts.names import Profile, Slug, Token
from contracts.texts import Text
from contracts.views import View

IncidentText = Annotated[str, StringConstraints(min_length=1, max_length=1000, strip_whitespace=True)]
"""What was seen, done or found out, in people's words; nobody's secret."""

NOTES = 100
"""Notes an incident may have: one answer of the bus holds its whole timeline."""


class IncidentStep(StrEnum):
    """What an entry of the timeline says, in the order in which they are due."""

    OPENED = "opened"
    DEACTIVATED = "deactivated"
    SECURITY_INFORMED = "security_informed"
    PRINCIPAL_DISABLED = "principal_disabled"
    PRINCIPAL_NOT_DISABLED = "principal_not_disabled"
    REPLACED = "replaced"
    NOTED = "noted"
    CLOSED = "closed"


INCIDENT_STEPS: dict[IncidentStep, Text] = {
    IncidentStep.OPENED: Text("Opened", "Eröffnet"),
    IncidentStep.DEACTIVATED: Text(
        "The token is deactivated here, token and credential are destroyed.",
        "Das Token ist hier deaktiviert, Token und Zugangsdaten sind vernichtet.",
    ),
    IncidentStep.SECURITY_INFORMED: Text("IT security is informed.", "Die IT-Sicherheit ist informiert."),
    IncidentStep.PRINCIPAL_DISABLED: Text(
        "The app is disabled in the tenant; enable it again when the credential was replaced at Microsoft.",
        "Die App ist im Mandanten deaktiviert; wieder aktivieren, wenn die Zugangsdaten bei Microsoft ersetzt sind.",
    ),
    IncidentStep.PRINCIPAL_NOT_DISABLED: Text(
        "The app could not be disabled in the tenant: an administrator does it in the Entra admin center.",
        "Die App ließ sich im Mandanten nicht deaktivieren: Ein Administrator tut es im Entra Admin Center.",
    ),
    IncidentStep.REPLACED: Text("The replacement is effective.", "Der Ersatz ist wirksam."),
    IncidentStep.NOTED: Text("Note", "Notiz"),
    IncidentStep.CLOSED: Text("Closed", "Abgeschlossen"),
}

NEXT_IN_INCIDENT: tuple[Text, ...] = (
    Text("Generate a new token: tenantkeep token generate {}", "Neues Token generieren: tenantkeep token generate {}"),
    Text(
        "Find the cause, then: tenantkeep incident close {}",
        "Die Ursache klären, dann: tenantkeep incident close {}",
    ),
)
"""What people do: first until the replacement is effective (takes the profile), then until it is closed (its id)."""


class IncidentEntry(View):
    at: AwareDatetime
    step: IncidentStep
    by: str
    detail: str = ""


class Incident(View):
    """One token that may be in wrong hands. `security` is who was to be informed when it was opened."""

    tenant: Slug
    id: Token
    profile: Profile
    client_id: str = ""
    open: bool
    opened_at: AwareDatetime
    opened_by: str
    security: Contact | None = None
    replaced_at: AwareDatetime | None = Field(default=None, description="null: no replacement is effective yet")
    cause: str = Field(default="", description="empty until it is closed")
    closed_at: AwareDatetime | None = None
    timeline: tuple[IncidentEntry, ...] = ()
