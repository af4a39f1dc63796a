"""Answers about incidents (contracts.operations.incidents)."""

from dataclasses import dataclass

from chassis.rpc import Call, RpcServer
from contracts import rpc, views
from contracts.incidents import Incident as IncidentView
from contracts.incidents import IncidentEntry, IncidentStep
from contracts.operations import incidents as asked
from contracts.problem import not_found
from token_service.domain.incident import Incident
from token_service.ports import Incidents
from token_service.usecases.keep_incident import KeepIncident


@dataclass(frozen=True)
class IncidentQuestions:
    incidents: Incidents
    keep: KeepIncident

    def bind(self, server: RpcServer) -> None:
        """Register all answers; call before the broker starts."""
        server.answer(asked.INCIDENT_OPEN, self.incident_open)
        server.answer(asked.INCIDENT_LIST, self.incident_list)
        server.answer(asked.INCIDENT_GET, self.incident_get)
        server.answer(asked.INCIDENT_NOTE, self.incident_note)
        server.answer(asked.INCIDENT_CLOSE, self.incident_close)

    async def incident_open(self, call: Call[asked.OpenIncident]) -> IncidentView:
        return _view(await self.keep.open(call.one_tenant(), call.question, call.caller))

    async def incident_list(self, call: Call[rpc.Page]) -> views.Listing[IncidentView]:
        """List incidents, newest first, without their timelines."""
        limit = call.question.limit
        found = await self.incidents.page(call.one_tenant(), call.question.cursor, limit + 1)
        cursor = found[limit - 1].id if len(found) > limit else None
        shown = tuple(_view(incident).model_copy(update={"timeline": ()}) for incident in found[:limit])
        return views.Listing[IncidentView](items=shown, cursor=cursor)

    async def incident_get(self, call: Call[rpc.ById]) -> IncidentView:
        found = await self.incidents.get(call.one_tenant(), call.question.id)
        if found is None:
            raise not_found("incident")
        return _view(found)

    async def incident_note(self, call: Call[asked.NoteIncident]) -> IncidentView:
        tenant, question = call.one_tenant(), call.question
        return _view(await self.keep.note(tenant, question.id, question.text, call.caller))

    async def incident_close(self, call: Call[asked.CloseIncident]) -> IncidentView:
        tenant, question = call.one_tenant(), call.question
        return _view(await self.keep.close(tenant, question.id, question.cause, call.caller))


def _view(incident: Incident) -> IncidentView:
    return IncidentView(
        tenant=incident.tenant,
        id=incident.id,
        profile=incident.profile,
        client_id=incident.client_id,
        open=incident.is_open,
        opened_at=incident.opened_at,
        opened_by=incident.opened_by,
        security=incident.security,
        replaced_at=incident.at(IncidentStep.REPLACED),
        cause=incident.cause,
        closed_at=incident.at(IncidentStep.CLOSED),
        timeline=tuple(
            IncidentEntry(at=entry.at, step=entry.step, by=entry.by, detail=entry.detail) for entry in incident.timeline
        ),
    )
