"""Messages in: requests and tokens for the planner, wake-ups for the worker."""

from collections.abc import Awaitable, Callable

from backup_service.usecases.execute_job import ExecuteJob
from backup_service.usecases.plan_run import PlanRun
from chassis.bus import Bus
from chassis.delivered import Delivered
from chassis.delivery import DeliveryPolicy, subscribe
from contracts import streams
from contracts.events import BackupRequested, JobWakeUp, RestoreRequested, TokenRefreshed, VerifyRequested
from contracts.names import HoldReason

ResumeHeld = Callable[[str, HoldReason], Awaitable[int]]


def bind_planner(bus: Bus, plan: PlanRun, resume_held: ResumeHeld, policy: DeliveryPolicy) -> None:
    """Requests become runs; a new token makes held work due."""

    async def token_refreshed(event: Delivered[TokenRefreshed]) -> None:
        for reason in (HoldReason.NO_VALID_TOKEN, HoldReason.CONSENT_LOST):
            await resume_held(event.body.tenant, reason)

    subscribe(bus, streams.BACKUP_REQUESTED, BackupRequested, plan.backup_requested, policy)
    subscribe(bus, streams.RESTORE_REQUESTED, RestoreRequested, plan.restore_requested, policy)
    subscribe(bus, streams.VERIFY_REQUESTED, VerifyRequested, plan.verify_requested, policy)
    subscribe(bus, streams.TOKEN_REFRESHED, TokenRefreshed, token_refreshed, policy)


def bind_worker(
    bus: Bus, execute: ExecuteJob, policy: DeliveryPolicy, *, backups: int, restores: int, upkeep: int
) -> None:
    """One durable per kind, so that a restore never waits behind a backup."""
    subscribe(bus, streams.JOBS_BACKUP, JobWakeUp, execute, policy, parallel=backups)
    subscribe(bus, streams.JOBS_RESTORE, JobWakeUp, execute, policy, parallel=restores)
    for durable in (streams.JOBS_VERIFY, streams.JOBS_RESTORE_DRILL, streams.JOBS_MAINTAIN):
        subscribe(bus, durable, JobWakeUp, execute, policy, parallel=upkeep)
