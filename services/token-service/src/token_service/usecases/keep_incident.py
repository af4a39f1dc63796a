"""Open, follow and close an incident. One action deactivates, informs IT security and asks for the replacement.

The order is the one people are to keep (requirements B13): off at once, inform, a new token, then the cause. The record
comes first, so that a crash anywhere leaves an incident that the sweep brings on. What looks like a secret in a text is
masked: telling of a leak must not be one.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import structlog
from pydantic import SecretStr

from chassis.clock import Clock
from chassis.vault import Vault, VaultError
from contracts.auditing import AuditAction, recorded
from contracts.caller import Caller, itself
from contracts.events import Event
from contracts.events.security import IncidentOpened
from contracts.incidents import NOTES, IncidentStep
from contracts.names import Profile, TokenStatus
from contracts.operations.incidents import OpenIncident
from contracts.problem import ProblemError, conflict, not_found
from contracts.redaction import masked
from token_service.domain import places
from token_service.domain.incident import Entry, Incident
from token_service.ports import (
    Announcements,
    AppRegistrations,
    Connections,
    Disabled,
    Incidents,
    NotDisabled,
    Tenants,
    Unanswered,
)
from token_service.usecases.retire_token import RetireToken

log = structlog.get_logger(__name__)

_ATTEMPTS = 5
_PER_ROUND = 32
_EFFECTIVE = frozenset({TokenStatus.ACTIVE, TokenStatus.EXPIRING})
_SERVICE = itself("token-service")


class KeepIncident:
    """`fresh_id` draws a ULID; `look` (seconds) is the pause between two looks at an incident without a replacement."""

    def __init__(
        self,
        *,
        incidents: Incidents,
        fresh_id: Callable[[], str],
        tenants: Tenants,
        connections: Connections,
        vault: Vault,
        retire: RetireToken,
        registrations: AppRegistrations,
        announcements: Announcements,
        clock: Clock,
        look: float,
    ) -> None:
        self._incidents = incidents
        self._fresh_id = fresh_id
        self._tenants = tenants
        self._connections = connections
        self._vault = vault
        self._retire = retire
        self._registrations = registrations
        self._announcements = announcements
        self._clock = clock
        self._look = timedelta(seconds=look)

    async def open(self, tenant: str, wish: OpenIncident, caller: Caller) -> Incident:
        """Open one, or note the report on the one that is open for the profile. Raises ProblemError."""
        for _ in range(_ATTEMPTS):
            known = await self._incidents.open_for(tenant, wish.profile)
            if known is not None:
                return await self.note(tenant, known.id, wish.report, caller)
            made = await self._save(await self._new(tenant, wish, caller), AuditAction.INCIDENT_OPEN, caller)
            if made is not None:
                log.warning("incident opened", tenant=tenant, profile=wish.profile.value, incident=made.id)
                return await self._bring_on(made)
        raise conflict("the incidents of this profile are being changed; report it again")

    async def note(self, tenant: str, incident: str, text: str, caller: Caller) -> Incident:
        """Add a note. Raises ProblemError: not found, conflict when it has enough of them."""
        text = masked(text)
        for _ in range(_ATTEMPTS):
            known = await self._known(tenant, incident)
            last = known.timeline[-1]
            if (last.step, last.by, last.detail) == (IncidentStep.NOTED, caller.subject, text):
                return known
            if known.notes >= NOTES:
                raise conflict(f"the incident has {NOTES} notes already")
            noted = known.told(IncidentStep.NOTED, caller.subject, self._clock.now(), text)
            saved = await self._save(noted, AuditAction.INCIDENT_NOTE, caller)
            if saved is not None:
                return saved
        raise conflict("the incident is being changed by others; try again")

    async def close(self, tenant: str, incident: str, cause: str, caller: Caller) -> Incident:
        """End it with its cause; closing it again changes nothing. Raises ProblemError."""
        for _ in range(_ATTEMPTS):
            known = await self._known(tenant, incident)
            if not known.is_open:
                return known
            closed = known.closed(masked(cause), caller.subject, self._clock.now())
            saved = await self._save(closed, AuditAction.INCIDENT_CLOSE, caller)
            if saved is not None:
                return saved
        raise conflict("the incident is being changed by others; try again")

    async def sweep(self) -> int:
        """Bring on what is due; gives how many incidents were looked at."""
        due = await self._incidents.due(self._clock.now(), _PER_ROUND)
        for incident in due:
            await self._bring_on(incident)
        return len(due)

    async def _new(self, tenant: str, wish: OpenIncident, caller: Caller) -> Incident:
        record, connection = await self._tenants.get(tenant), await self._connections.get(tenant, wish.profile)
        if record is None or connection is None:
            raise not_found("token")
        now = self._clock.now()
        return Incident(
            id=self._fresh_id(),
            tenant=tenant,
            profile=wish.profile,
            opened_at=now,
            opened_by=caller.subject,
            client_id=connection.client_id or "",
            record=connection.records[-1].number if connection.records else 0,
            security=record.contacts.security,
            timeline=(Entry(now, IncidentStep.OPENED, caller.subject, masked(wish.report)),),
            due_at=now + self._look,
        )

    async def _known(self, tenant: str, incident: str) -> Incident:
        known = await self._incidents.get(tenant, incident)
        if known is None:
            raise not_found("incident")
        return known

    async def _bring_on(self, incident: Incident) -> Incident:
        """Take every step that can be taken now; each is saved by itself. What is left is tried at the next look."""
        for step in (self._deactivate, self._disable_principal, self._notice_replacement):
            told = await step(incident)
            if told is not incident:
                events = [_opened(told)] if step == self._deactivate else []
                saved = await self._incidents.save(told, events)
                if saved is None:
                    return await self._known(incident.tenant, incident.id)
                self._announcements.soon(saved.key)
                incident = saved
        return await self._looked_at(incident)

    async def _looked_at(self, incident: Incident) -> Incident:
        waits = incident.is_open and (incident.at(IncidentStep.REPLACED) is None or self._principal_left(incident))
        due_at = self._clock.now() + self._look if waits else None
        if incident.due_at == due_at:
            return incident
        return await self._incidents.save(replace(incident, due_at=due_at)) or incident

    async def _deactivate(self, incident: Incident) -> Incident:
        if incident.at(IncidentStep.DEACTIVATED) is not None:
            return incident
        by = Caller(incident.opened_by, (), incident.id)
        try:
            await self._retire.by_incident(incident.tenant, incident.profile, by, incident.id)
        except ProblemError as error:
            # Off it is; what the vault holds is destroyed as soon as it answers.
            log.warning("deactivated, not destroyed yet", tenant=incident.tenant, reason=error.problem.code)
        now = self._clock.now()
        off = incident.told(IncidentStep.DEACTIVATED, incident.opened_by, now)
        return off.told(IncidentStep.SECURITY_INFORMED, _SERVICE.subject, now)

    def _principal_left(self, incident: Incident) -> bool:
        steps = (IncidentStep.PRINCIPAL_DISABLED, IncidentStep.PRINCIPAL_NOT_DISABLED)
        return bool(incident.client_id) and incident.at(*steps) is None

    async def _disable_principal(self, incident: Incident) -> Incident:
        if not self._principal_left(incident):
            return incident
        now, token = self._clock.now(), await self._directory_token(incident.tenant)
        if token is None:
            detail = "no directory token to do it with"
            return incident.told(IncidentStep.PRINCIPAL_NOT_DISABLED, _SERVICE.subject, now, detail)
        match await self._registrations.disable(incident.client_id, token):
            case Disabled():
                return incident.told(IncidentStep.PRINCIPAL_DISABLED, _SERVICE.subject, now)
            case NotDisabled(detail=detail):
                return incident.told(IncidentStep.PRINCIPAL_NOT_DISABLED, _SERVICE.subject, now, detail)
            case Unanswered():
                return incident

    async def _directory_token(self, tenant: str) -> SecretStr | None:
        try:
            found = await self._vault.kv_read(places.token(tenant, Profile.DIRECTORY))
        except VaultError:
            return None
        return None if found is None else SecretStr(str(found[0]["access_token"]))

    async def _notice_replacement(self, incident: Incident) -> Incident:
        connection = await self._connections.get(incident.tenant, incident.profile)
        now = self._clock.now()
        record = None if connection is None else connection.record
        if connection is None or record is None or record.number <= incident.record:
            return incident
        if connection.status(now) not in _EFFECTIVE:
            return incident
        return incident.told(IncidentStep.REPLACED, record.generated_by, now)

    async def _save(self, incident: Incident, action: AuditAction, caller: Caller) -> Incident | None:
        last = incident.timeline[-1]
        said = {"profile": incident.profile, "text": incident.cause or last.detail}
        now = self._clock.now()
        told = recorded(action, incident.id, tenant=incident.tenant, caller=caller, at=now, after=said)
        saved = await self._incidents.save(incident, [told])
        if saved is not None:
            self._announcements.soon(saved.key)
        return saved


def _opened(incident: Incident) -> Event:
    at = incident.at(IncidentStep.SECURITY_INFORMED)
    assert at is not None
    return IncidentOpened(
        tenant=incident.tenant,
        at=at,
        incident=incident.id,
        profile=incident.profile,
        opened_by=incident.opened_by,
        security=incident.security,
    )
