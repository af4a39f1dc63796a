"""From a request to jobs: record the run, and create one job per mailbox, or one for a storage target."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import structlog

from backup_service.domain.jobs import Cause, Finished, HandedBack, Held
from backup_service.domain.restore_order import RestoreOrder
from backup_service.domain.scope import Scope
from backup_service.ports import Catalogue, JobPlan, Judge, RunDocument, Runs, Tenants
from backup_service.usecases.discover import Discover
from backup_service.usecases.retention import Retention
from chassis.delivered import Delivered
from contracts.auditing import AuditAction, recorded
from contracts.bus_users import GATEWAY
from contracts.caller import Caller, on_behalf
from contracts.envelope import run_id
from contracts.errors import ErrorClass
from contracts.events import AuditRecorded, BackupRequested, RestoreRequested, VerifyRequested
from contracts.names import JobKind, Source
from contracts.views import Failure, LeftOut

log = structlog.get_logger()

ADDRESS_BOOK = "address-book"
"""The resource that is the tenant's address book; no mailbox has such an id."""

_RESTORE_DETAILS = {
    "restore_point",
    "target_user",
    "target_folder",
    "place",
    "conflict",
    "selection",
    "dry_run",
}
Requested = Delivered[BackupRequested] | Delivered[RestoreRequested] | Delivered[VerifyRequested]
_WAIT_FOR_EARLIER = 2.0
_AFTER_OUTAGE = 2.0


def _asked(request: Requested, run: str, facts: Mapping[str, Any]) -> AuditRecorded:
    """Who asked: the gateway says whom it let in; of another system that is its own word, and only noted."""
    body = request.body
    if request.source == GATEWAY.name:
        caller = Caller(body.requester or f"source:{request.source}", body.requester_roles, body.request)
    else:
        caller, facts = on_behalf(request.source, request.id), {**facts, "requester": body.requester}
    # Restored from where and to where, not which items: their names are not for the audit.
    return recorded(
        AuditAction.RUN_START,
        run,
        tenant=body.tenant,
        caller=caller,
        at=body.at,
        after=facts,
        leave_out=("selection",),
    )


class PlanRun:
    """Records requested runs and plans due ones. Planning twice makes the same jobs once."""

    def __init__(
        self,
        runs: Runs,
        catalogue: Catalogue,
        tenants: Tenants,
        retention: Retention,
        discover: Discover,
        *,
        judge: Judge,
        slots: int,
    ) -> None:
        self._runs = runs
        self._catalogue = catalogue
        self._tenants = tenants
        self._retention = retention
        self._discover = discover
        self._judge = judge
        self._slots = slots

    async def backup_requested(self, request: Delivered[BackupRequested]) -> None:
        configuration = await self._catalogue.configuration_called(request.body.tenant, request.body.configuration)
        await self._start(request, JobKind.BACKUP, configuration or request.body.configuration, {})

    async def restore_requested(self, request: Delivered[RestoreRequested]) -> None:
        body = request.body
        point = await self._catalogue.restore_point(body.tenant, body.restore_point)
        details = body.model_dump(mode="json", include=_RESTORE_DETAILS)
        await self._start(request, JobKind.RESTORE, point.configuration if point else "unknown", details)

    async def verify_requested(self, request: Delivered[VerifyRequested]) -> None:
        body = request.body
        await self._start(request, body.kind.job, None, {"whole": body.whole}, target=body.target)

    async def _start(
        self,
        request: Requested,
        kind: JobKind,
        configuration: str | None,
        details: Mapping[str, Any],
        target: str | None = None,
    ) -> None:
        tenant, run = request.body.tenant, run_id(request.source, request.id)
        at = request.body.at
        cause = Cause(request.source, request.id)
        about = {"configuration": configuration, "target": target}
        asked = _asked(request, run, {"kind": kind.value, **about, **details})
        await self._runs.start(
            tenant, run, kind, **about, requested_at=at, details=details, cause=cause, events=[asked]
        )
        found = await self._runs.get(tenant, run)
        if found is not None and not found["planned"]:
            await self.plan(found)

    async def due(self) -> int:
        """Plan or settle the runs whose time has come; returns how many."""
        runs = await self._runs.due()
        for run in runs:
            if run["planned"]:
                await self._runs.settle(run["tenant"], run["id"])
            else:
                await self.plan(run)
        return len(runs)

    async def plan(self, run: RunDocument) -> None:
        """Create the run's jobs; what is missing outside holds the run, what is wrong ends it."""
        if await self._runs.earlier_unfinished(run):
            await self._runs.postpone(run, _WAIT_FOR_EARLIER)
            return
        try:
            planned = await self._jobs_of(run)
        except Exception as error:  # noqa: BLE001 - whatever happens becomes the state of the run
            await self._cannot_plan(run, error)
            return
        if isinstance(planned, Failure):
            await self._runs.fail(run, planned.error, planned.detail)
            return
        await self._runs.plan(run, planned.jobs, planned.left_out)
        await self._runs.admit(self._slots)
        if not planned.jobs:
            await self._runs.settle(run["tenant"], run["id"])

    async def _jobs_of(self, run: RunDocument) -> "_Planned | Failure":
        """The jobs of a run, or why there can be none."""
        if run.get("target") is not None:
            return _planned(await self._upkeep_jobs(run))
        if JobKind(run["kind"]) is JobKind.RESTORE:
            return _planned(await self._restore_jobs(run))
        configuration = await self._catalogue.configuration(run["tenant"], run["configuration"])
        if configuration is None:
            return _missing("the backup configuration does not exist")
        if configuration.paused:
            return Failure(error=ErrorClass.CANCELLED, detail="the backup configuration is paused; resume it first")
        keeping = await self._retention.keeping(configuration)
        # Workers of the release before read retention_days.
        fields = {
            "target": configuration.target,
            "retention_days": configuration.retention_days,
            "keeping": asdict(keeping),
        }
        jobs: list[JobPlan] = []
        left_out: Sequence[LeftOut] = ()
        of_mailboxes = [source.value for source in configuration.sources if source is not Source.ADDRESS_BOOK]
        if of_mailboxes:
            async with self._tenants.backup(run["tenant"]) as workloads:
                scope = Scope(configuration.include, configuration.exclude)
                found = await self._discover(run["tenant"], workloads.directory, scope.covers)
            if not found.mailboxes and (scope.include or scope.exclude):
                # Nothing to do would look like success.
                return _missing("no mailbox is in the scope of the configuration")
            left_out = found.left_out
            jobs += [(one.id, one.address, {**fields, "sources": of_mailboxes}) for one in found.mailboxes]
        if Source.ADDRESS_BOOK in configuration.sources:
            jobs.append((ADDRESS_BOOK, ADDRESS_BOOK, {**fields, "sources": [Source.ADDRESS_BOOK.value]}))
        return _Planned(jobs, left_out)

    async def _upkeep_jobs(self, run: RunDocument) -> list[JobPlan] | Failure:
        target = await self._catalogue.target(run["tenant"], run["target"])
        if target is None:
            return _missing("the storage target does not exist")
        return [(target.id, target.name, {"target": target.id, "whole": run["details"].get("whole", False)})]

    async def _restore_jobs(self, run: RunDocument) -> list[JobPlan] | Failure:
        details = run["details"]
        point = await self._catalogue.restore_point(run["tenant"], details["restore_point"])
        if point is None:
            return _missing("the restore point does not exist")
        configuration = await self._catalogue.configuration(run["tenant"], point.configuration)
        if configuration is None:
            return _missing("the backup configuration of the restore point does not exist")
        order = RestoreOrder.of(
            {
                **details,
                "configuration": point.configuration,
                "shard": f"{point.configuration}/{point.resource}",
                "target_user": details["target_user"] or point.resource,
            }
        )
        return [(point.resource, point.resource_name, {"target": configuration.target, "restore": order.document()})]

    async def _cannot_plan(self, run: RunDocument, error: Exception) -> None:
        outcome = self._judge(error)
        match outcome:
            case Held():
                await self._runs.postpone(run, outcome.recheck, (outcome.reason, outcome.detail))
            case Finished():
                failure = outcome.fatal
                await self._runs.fail(
                    run, failure.error if failure else ErrorClass.INTERNAL, failure.detail if failure else ""
                )
            case HandedBack():
                await self._runs.postpone(run, _AFTER_OUTAGE)
            case _:
                log.warning("run cannot be planned yet; it is tried again", run=run["id"], error=str(error))
                await self._runs.postpone(run, 30.0)


def _missing(what: str) -> Failure:
    return Failure(error=ErrorClass.NOT_FOUND, detail=what)


@dataclass(frozen=True)
class _Planned:
    jobs: Sequence[JobPlan]
    left_out: Sequence[LeftOut] = ()


def _planned(jobs: list[JobPlan] | Failure) -> _Planned | Failure:
    return jobs if isinstance(jobs, Failure) else _Planned(jobs)
