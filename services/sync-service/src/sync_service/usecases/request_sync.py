"""Runs come from requests, from the schedule, and from the first token of a tenant."""

import re
from dataclasses import replace

from chassis import ids
from chassis.clock import Clock
from chassis.errors import GiveUp, RetryLater
from contracts import envelope
from contracts.auditing import AuditAction, recorded
from contracts.caller import Caller, on_behalf
from contracts.events import SyncRequested
from contracts.names import HoldReason, SyncKind
from contracts.operations.directory import MOST_USERS
from sync_service.domain import runs as transitions
from sync_service.domain.runs import ONBOARDING, SCHEDULE, Run
from sync_service.domain.standing import Standing
from sync_service.ports import Runs, Standings

_OBJECT_ID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_DUE_AT_ONCE = 100
_CONTENDED = 1.0
_BY_TOKEN = frozenset({HoldReason.NO_VALID_TOKEN, HoldReason.CONSENT_LOST})


class RequestSync:
    def __init__(self, runs: Runs, standings: Standings, clock: Clock) -> None:
        self._runs = runs
        self._standings = standings
        self._clock = clock

    async def requested(self, request: SyncRequested, source: str, identity: str) -> Run:
        """Start the run that this request (by source and CloudEvents id) leads to. Raises GiveUp when it makes none."""
        kind = request.wanted
        return await self.start(
            Run(
                tenant=request.tenant,
                id=envelope.run_id(source, identity),
                kind=kind,
                requested_at=self._clock.now(),
                by=source,
                causation=identity,
                users=_checked(kind, request.users),
            ),
            on_behalf(source, identity),
        )

    async def start(self, run: Run, caller: Caller | None = None) -> Run:
        """Record a run; one that is known already stays what it is. Of who asked a record is kept, too."""
        queued, events = transitions.queued(run, self._clock.now())
        if caller is not None:
            facts = {"kind": run.kind.value, "users": list(run.users)}
            at = run.requested_at
            audit = recorded(AuditAction.RUN_START, run.id, tenant=run.tenant, caller=caller, at=at, after=facts)
            events = (*events, audit)
        return await self._runs.add(queued, events)

    async def due(self) -> int:
        """A task of the sweep: start the runs whose time has come; gives how many tenants it looked at.

        Strikes that were missed are made up for by one run; while one goes on or is held, none joins it.
        """
        now = self._clock.now()
        found = await self._standings.due(now, _DUE_AT_ONCE)
        for standing in found:
            assert standing.next_at is not None  # it is due
            if not await self._goes_on(standing.tenant):
                strike = standing.next_at.isoformat()
                # Derived, so that two replicas that see the same strike start one run.
                run = ids.derived(standing.tenant, SCHEDULE, strike)
                await self.start(Run(standing.tenant, run, SyncKind.INCREMENTAL, requested_at=now, by=SCHEDULE))
            await self._standings.save(standing.scheduled(now))
        return len(found)

    async def _goes_on(self, tenant: str) -> bool:
        """True while a sync of everybody is being done or waits for something outside."""
        under_way = (*await self._runs.running(tenant, self._clock.now()), *await self._runs.held(tenant))
        return any(not run.kind.names_users for run in under_way)

    async def token_refreshed(self, tenant: str) -> None:
        """Sync a tenant for the first time, or take up what waited for a token. Raises RetryLater."""
        now = self._clock.now()
        standing = await self._standings.get(tenant)
        if standing is None:
            run = ids.derived(tenant, ONBOARDING)
            await self.start(Run(tenant, run, SyncKind.FULL, requested_at=now, by=ONBOARDING))
            if await self._standings.save(Standing(tenant).scheduled(now)) is None:
                raise RetryLater(_CONTENDED, "the tenant's standing is being changed")
        for held in await self._runs.held(tenant):
            if held.hold in _BY_TOKEN:
                # Lost races do not matter: who was faster looks at the run anyway.
                await self._runs.save(replace(held, due_at=now))


def _checked(kind: SyncKind, users: tuple[str, ...]) -> tuple[str, ...]:
    if not kind.names_users:
        return ()
    if not users:
        raise GiveUp(f"users: a request of kind {kind} names at least one")
    if len(users) > MOST_USERS:
        raise GiveUp(f"users: more than {MOST_USERS}; ask for a full sync instead")
    if not all(_OBJECT_ID.fullmatch(user) for user in users):
        raise GiveUp("users: not all of them are Entra object ids")
    return tuple(dict.fromkeys(user.lower() for user in users))
