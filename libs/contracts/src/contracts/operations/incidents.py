"""Questions about incidents."""

from contracts.incidents import Incident, IncidentText
from contracts.names import Profile
from contracts.operations.base import ById, Operation, Page, Question
from contracts.views import Listing


class OpenIncident(Question):
    """Deactivates the profile's token. While one of the profile is open, a further report is a note on it."""

    profile: Profile
    report: IncidentText


class NoteIncident(ById):
    text: IncidentText


class CloseIncident(ById):
    cause: IncidentText


INCIDENT_OPEN = Operation("token-service", "incident.open", OpenIncident, Incident)
INCIDENT_LIST = Operation("token-service", "incident.list", Page, Listing[Incident])
INCIDENT_GET = Operation("token-service", "incident.get", ById, Incident)
INCIDENT_NOTE = Operation("token-service", "incident.note", NoteIncident, Incident)
INCIDENT_CLOSE = Operation("token-service", "incident.close", CloseIncident, Incident)

INCIDENT_OPERATIONS = (INCIDENT_OPEN, INCIDENT_LIST, INCIDENT_GET, INCIDENT_NOTE, INCIDENT_CLOSE)
