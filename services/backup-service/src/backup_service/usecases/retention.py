"""Retention as people choose it: what is offered, the tenant's floor, and what a job takes from both."""

import asyncio
from datetime import UTC, datetime

from backup_engine import Repository
from backup_engine.errors import InvalidRetention
from backup_engine.floor import lift
from backup_engine.retention import Period, Retained, Scheme
from backup_service.domain.jobs import Claim, Keeping
from backup_service.ports.custody import Floors
from chassis.clock import Clock
from contracts.auditing import AuditAction, recorded
from contracts.caller import Caller
from contracts.problem import below_floor, invalid
from contracts.retention import DEFAULT_FLOOR
from contracts.rpc import SetRetentionFloor
from contracts.views import BackupConfiguration, FloorChange, RetentionFloor

NOBODY = "default"
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)
_DAYS = {"d": 1, "m": 30, "y": 365}
_SHORTEST = 30


class Retention:
    """The floors of tenants, and whether a configuration keeps them."""

    def __init__(self, floors: Floors, clock: Clock) -> None:
        self._floors = floors
        self._clock = clock

    async def floor(self, tenant: str) -> RetentionFloor:
        return await self._floors.retention_floor(tenant) or RetentionFloor(tenant=tenant, period=DEFAULT_FLOOR)

    async def set_floor(self, tenant: str, caller: Caller, wanted: SetRetentionFloor) -> RetentionFloor:
        """For restore points made from now on. Setting what is in force changes nothing."""
        period = _period(wanted.period)
        if not period.covers(Period.parse(DEFAULT_FLOOR)):
            raise below_floor(str(period), DEFAULT_FLOOR)
        before = (await self.floor(tenant)).period
        if before != str(period):
            change = FloorChange(period=str(period), set_by=caller.subject, set_at=self._clock.now())
            told = recorded(
                AuditAction.TENANT_SET_RETENTION_FLOOR,
                tenant,
                tenant=tenant,
                caller=caller,
                at=change.set_at,
                before={"period": before},
                after={"period": change.period},
            )
            await self._floors.change_retention_floor(tenant, change, [told])
        return await self.floor(tenant)

    async def configured(self, tenant: str, text: str) -> dict[str, str | int]:
        """`retention` and `retention_days` of a configuration. Raises the problem `invalid` below the floor."""
        scheme = _scheme(text)
        floor = (await self.floor(tenant)).period
        if not scheme.every.covers(Period.parse(floor)):
            raise below_floor(str(scheme.every), floor)
        days = scheme.every.count * _DAYS[scheme.every.unit]
        return {"retention": str(scheme), "retention_days": max(days, _SHORTEST)}

    async def keeping(self, configuration: BackupConfiguration) -> Keeping:
        """What the jobs of `configuration` are told."""
        floor = await self.floor(configuration.tenant)
        newest = floor.changes[0] if floor.changes else FloorChange(period=floor.period, set_by=NOBODY, set_at=_NEVER)
        scheme = configuration.retention or f"{configuration.retention_days}d"
        return Keeping(scheme, newest.period, newest.set_by, newest.set_at)


class Keeper:
    """What one job does to its restore point's retention, in the repository."""

    def __init__(self, repository: Repository, claim: Claim) -> None:
        self._custody = repository.custody
        self._claim = claim
        self._scheme = Scheme.parse(claim.keeping.retention)

    def begin(self, now: datetime) -> datetime:
        """Put the tenant's floor into the repository; when a restore point made now would expire."""
        keeping, known = self._claim.keeping, self._custody.current_floor()
        wanted = Period.parse(keeping.floor)
        # A job planned before the floor was changed must not change it back.
        if known is None or (known.period != wanted and known.set_at < keeping.floor_set_at):
            known = self._custody.set_floor(wanted, by=keeping.floor_set_by, at=keeping.floor_set_at)
        return lift(known, now, self._choose(now, complete=True)).expires_at

    async def decide(self, now: datetime, *, complete: bool) -> Retained:
        """What the restore point is kept for, if the floor at its commit does not say more."""
        return await asyncio.to_thread(self._choose, now, complete=complete)

    def _choose(self, now: datetime, *, complete: bool) -> Retained:
        return self._custody.choose(self._claim.shard, self._scheme, now, complete=complete)


def _scheme(text: str) -> Scheme:
    try:
        return Scheme.parse(text)
    except InvalidRetention as error:
        raise invalid(str(error)) from error


def _period(text: str) -> Period:
    try:
        return Period.parse(text)
    except InvalidRetention as error:
        raise invalid(str(error)) from error
