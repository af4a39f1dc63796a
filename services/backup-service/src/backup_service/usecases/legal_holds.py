"""Legal holds: recorded at once, put into force and lifted by a sweep that goes on where it was interrupted."""

import asyncio
from collections.abc import Iterable
from datetime import timedelta

import structlog

from backup_engine.custody import Custody
from backup_engine.errors import NotFound
from backup_engine.holds import Hold, Release, Scope
from backup_service.domain.jobs import Held
from backup_service.ports import Catalogue, Judge, Repositories
from backup_service.ports.custody import LegalHolds
from chassis.clock import Clock
from chassis.ids import derived_ulid
from contracts.auditing import AuditAction, recorded
from contracts.caller import Caller
from contracts.names import LegalHoldState
from contracts.problem import conflict, invalid, not_found
from contracts.rpc import PlaceLegalHold, ReleaseLegalHold
from contracts.views import LegalHold, Listing, RestorePoint

log = structlog.get_logger()

_LEASE = timedelta(minutes=10)  # a sweep that died with a hold in hand; another one repeats it, which is harmless
_RETRY = timedelta(minutes=1)
_AGAIN = timedelta(days=7)  # for restore points made since; their own locks last 30 days at the least


class HoldDesk:
    """Place, release, apply."""

    def __init__(
        self, holds: LegalHolds, catalogue: Catalogue, repositories: Repositories, *, judge: Judge, clock: Clock
    ) -> None:
        self._holds = holds
        self._catalogue = catalogue
        self._repositories = repositories
        self._judge = judge
        self._clock = clock

    async def place(self, tenant: str, caller: Caller, wanted: PlaceLegalHold) -> LegalHold:
        """Idempotent by the request. It is in force once the sweep has written it into the repository."""
        scope = await self._scope(tenant, wanted)
        hold = LegalHold(
            tenant=tenant,
            id=derived_ulid(tenant, "legal-hold", caller.request_id),
            **scope,
            reason=wanted.reason,
            placed_by=caller.subject,
            placed_at=self._clock.now(),
            state=LegalHoldState.PLACING,
        )
        facts = {**scope, "reason": hold.reason}
        told = recorded(
            AuditAction.LEGAL_HOLD_PLACE, hold.id, tenant=tenant, caller=caller, at=hold.placed_at, after=facts
        )
        await self._holds.add_legal_hold(hold, [told], due_at=hold.placed_at)
        return await self._holds.legal_hold(tenant, hold.id) or hold

    async def listing(self, tenant: str, cursor: str | None, limit: int) -> Listing[LegalHold]:
        """Newest first, released ones included."""
        return await self._holds.legal_holds(tenant, cursor, limit)

    async def release(self, tenant: str, caller: Caller, wanted: ReleaseLegalHold) -> LegalHold:
        """The first release counts."""
        hold = await self._holds.legal_hold(tenant, wanted.id)
        if hold is None:
            raise not_found("legal hold")
        if hold.state is LegalHoldState.FAILED:
            raise conflict("this hold was never in force")
        if hold.state in {LegalHoldState.PLACING, LegalHoldState.ACTIVE}:
            now = self._clock.now()
            released = {
                "released_by": caller.subject,
                "released_at": now,
                "release_reason": wanted.reason,
                "detail": "",
            }
            told = recorded(
                AuditAction.LEGAL_HOLD_RELEASE,
                hold.id,
                tenant=tenant,
                caller=caller,
                at=now,
                after={"reason": wanted.reason},
            )
            await self._holds.advance_legal_hold(hold, LegalHoldState.RELEASING, released, [told], due_at=now)
        return await self._holds.legal_hold(tenant, wanted.id) or hold

    async def due(self) -> int:
        """Put into force or lift what is due; returns how many holds were taken in hand."""
        now = self._clock.now()
        holds = await self._holds.due_legal_holds(now)
        for hold in holds:
            if await self._holds.postpone_legal_hold(hold, now + _LEASE):
                await self._apply(hold)
        return len(holds)

    async def shown(self, tenant: str, points: Iterable[RestorePoint]) -> tuple[RestorePoint, ...]:
        """The restore points with what holds are in force over them."""
        points = tuple(points)
        holds = [hold for hold in await self._holds.unreleased_legal_holds(tenant) if hold.state.in_force]
        if not holds:
            return points
        targets: dict[str, str] = {}
        for name in {point.configuration for point in points}:
            configuration = await self._catalogue.configuration(tenant, name)
            targets[name] = configuration.target if configuration else ""
        return tuple(
            point.model_copy(update={"held": any(_covers(hold, point, targets[point.configuration]) for hold in holds)})
            for point in points
        )

    async def _apply(self, hold: LegalHold) -> None:
        try:
            repository = await self._repositories.open(hold.tenant, hold.target)
            apply = _lift if hold.state is LegalHoldState.RELEASING else _put_into_force
            requests = await asyncio.to_thread(apply, repository.custody, hold)
        except NotFound as error:
            await self._holds.advance_legal_hold(hold, LegalHoldState.FAILED, {"detail": str(error)}, due_at=None)
        except Exception as error:  # noqa: BLE001 - whatever happens is shown in the hold, and tried again
            outcome = self._judge(error)
            wait = timedelta(seconds=outcome.recheck) if isinstance(outcome, Held) else _RETRY
            log.warning("legal hold cannot be applied yet", hold=hold.id, error=str(error))
            later = self._clock.now() + wait
            await self._holds.advance_legal_hold(hold, hold.state, {"detail": str(error)}, due_at=later)
        else:
            lifted = hold.state is LegalHoldState.RELEASING
            done = LegalHoldState.RELEASED if lifted else LegalHoldState.ACTIVE
            log.info("legal hold applied", tenant=hold.tenant, hold=hold.id, state=done, requests=requests)
            due_at = None if lifted or hold.restore_point else self._clock.now() + _AGAIN
            await self._holds.advance_legal_hold(hold, done, {"detail": ""}, due_at=due_at)

    async def _scope(self, tenant: str, wanted: PlaceLegalHold) -> dict[str, str | None]:
        chosen = (wanted.restore_point, wanted.configuration and wanted.resource, wanted.target)
        if sum(one is not None for one in chosen) != 1 or (wanted.configuration is None) != (wanted.resource is None):
            raise invalid("name what is held: restore_point, or configuration and resource, or target")
        if wanted.target is not None:
            if await self._catalogue.target(tenant, wanted.target) is None:
                raise not_found("storage target")
            return {"target": wanted.target}
        configuration, resource = wanted.configuration, wanted.resource
        if wanted.restore_point is not None:
            point = await self._catalogue.restore_point(tenant, wanted.restore_point)
            if point is None:
                raise not_found("restore point")
            configuration, resource = point.configuration, point.resource
        found = await self._catalogue.configuration(tenant, configuration or "")
        if found is None:
            raise not_found("backup configuration")
        names = {"configuration": configuration, "resource": resource, "restore_point": wanted.restore_point}
        return {"target": found.target, **names}


def _put_into_force(custody: Custody, hold: LegalHold) -> int:
    custody.place_hold(Hold(hold.id, _engine_scope(hold), hold.reason, hold.placed_by, hold.placed_at))
    return custody.protect(hold.id)


def _lift(custody: Custody, hold: LegalHold) -> int:
    if hold.id not in {one.id for one in custody.holds()}:
        return 0  # released before it was ever put into force
    released_at = hold.released_at or hold.placed_at
    custody.release_hold(hold.id, Release(hold.released_by or "", released_at, hold.release_reason))
    return custody.protect(hold.id)


def _engine_scope(hold: LegalHold) -> Scope:
    shard = None if hold.configuration is None else f"{hold.configuration}/{hold.resource}"
    return Scope(shard, hold.restore_point)


def _covers(hold: LegalHold, point: RestorePoint, target: str) -> bool:
    if hold.restore_point is not None:
        return hold.restore_point == point.id
    if hold.configuration is not None:
        return (hold.configuration, hold.resource) == (point.configuration, point.resource)
    return hold.target == target
