"""Incidents: report, follow, note, close."""

from typing import Annotated

from fastapi import Query, Response

from contracts import rpc
from contracts.api import IncidentBody, IncidentClosureBody, IncidentNoteBody
from contracts.incidents import Incident
from contracts.operations import incidents as asked
from contracts.views import Listing
from gateway.entrypoints.backups import Id
from gateway.entrypoints.gate import PREFIX, Api, Asked, Gated, Tenant
from gateway.entrypoints.tenants import PageQuery

api = Api("incidents")


@api.route("list_incidents")
async def list_incidents(
    gate: Gated, asking: Asked, tenant: Tenant, page: Annotated[PageQuery, Query()]
) -> Listing[Incident]:
    """List incidents, newest first, closed ones included; timelines are shown with each alone."""
    return await gate.services.ask(asked.INCIDENT_LIST, tenant, page, asking)


@api.route("open_incident", status_code=201)
async def open_incident(gate: Gated, asking: Asked, tenant: Tenant, body: IncidentBody, response: Response) -> Incident:
    """Report that a token may be in wrong hands.

    It is deactivated at once, whatever works with it; IT security is informed (event `security.incident-opened`); where
    the directory's app may, the app is disabled in the tenant. Held jobs go on when a new token is effective. While an
    incident of the profile is open, a further report is a note on it.
    """
    question = asked.OpenIncident(profile=body.profile, report=body.report)
    opened = await gate.services.ask(asked.INCIDENT_OPEN, tenant, question, asking)
    response.headers["location"] = f"{PREFIX}/tenants/{tenant}/incidents/{opened.id}"
    return opened


@api.route("get_incident")
async def get_incident(gate: Gated, asking: Asked, tenant: Tenant, incident: Id) -> Incident:
    """Show an incident with its timeline."""
    return await gate.services.ask(asked.INCIDENT_GET, tenant, rpc.ById(id=incident), asking)


@api.route("note_incident")
async def note_incident(gate: Gated, asking: Asked, tenant: Tenant, incident: Id, body: IncidentNoteBody) -> Incident:
    """Add to the timeline of an incident."""
    question = asked.NoteIncident(id=incident, text=body.text)
    return await gate.services.ask(asked.INCIDENT_NOTE, tenant, question, asking)


@api.route("close_incident")
async def close_incident(
    gate: Gated, asking: Asked, tenant: Tenant, incident: Id, body: IncidentClosureBody
) -> Incident:
    """Close an incident with its cause."""
    question = asked.CloseIncident(id=incident, cause=body.cause)
    return await gate.services.ask(asked.INCIDENT_CLOSE, tenant, question, asking)
