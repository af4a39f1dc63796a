"""Storage targets, backup configurations, runs and jobs."""

from typing import Annotated

from fastapi import Path, Query, Response
from pydantic import ConfigDict

from contracts import rpc
from contracts.api import (
    Accepted,
    AnyTargetBody,
    BackupConfigurationBody,
    BackupConfigurationChange,
    RetentionFloorBody,
    StorageCredentialsBody,
    StorageTargetResult,
    UpkeepBody,
)
from contracts.names import Token
from contracts.problem import not_found
from contracts.views import BackupConfiguration, Job, Listing, RetentionFloor, Run, StorageTarget
from gateway.entrypoints.gate import PREFIX, Api, Asked, Creating, Gated, Tenant
from gateway.entrypoints.tenants import PageQuery
from gateway.usecases import requests, secrets, storage_credentials

api = Api("backups")

Id = Annotated[Token, Path()]


class RunsQuery(rpc.RunsOf):
    model_config = ConfigDict(frozen=True, extra="forbid")


@api.route("list_storage_targets")
async def list_storage_targets(
    gate: Gated, asking: Asked, tenant: Tenant, page: Annotated[PageQuery, Query()]
) -> Listing[StorageTarget]:
    """List storage targets."""
    return await gate.services.ask(rpc.TARGET_LIST, tenant, page, asking)


@api.route("create_storage_target", status_code=201)
async def create_storage_target(
    gate: Gated, creation: Creating, tenant: Tenant, body: AnyTargetBody
) -> StorageTargetResult:
    """Test a storage target and save it.

    It is saved only if every step of the connection test held; otherwise the problem `connection-test-failed` lists
    the steps. The credentials go straight into the vault and are never shown again. A repeat with the same
    Idempotency-Key answers with the saved target and no steps.
    """
    repeatable, asking = creation.key is not None, creation.identified(body)
    return await secrets.create_storage_target(
        gate.services, gate.vault, tenant, body, repeatable=repeatable, asking=asking
    )


@api.route("renew_storage_credentials")
async def renew_storage_credentials(
    gate: Gated, creation: Creating, tenant: Tenant, target: Id, body: StorageCredentialsBody
) -> StorageTargetResult:
    """Give a storage target new credentials.

    They are used only if every step of the connection test holds with them; otherwise the problem
    `connection-test-failed` lists the steps and the old ones stay. Jobs under way end with the old ones, which are
    destroyed in the vault: revoke them at the storage when those jobs have ended.
    """
    repeatable, asking = creation.key is not None, creation.identified(body)
    return await storage_credentials.renew_storage_credentials(
        gate.services, gate.vault, tenant, target, body, repeatable=repeatable, asking=asking
    )


@api.route("test_storage_target")
async def test_storage_target(gate: Gated, asking: Asked, tenant: Tenant, target: Id) -> StorageTargetResult:
    """Test the connection to a saved storage target again, step by step.

    The answer lists every step, those that did not hold with what was found.
    """
    done = await gate.services.ask(rpc.TARGET_TEST, tenant, rpc.ById(id=target), asking)
    if done.target is None:
        raise not_found("storage target")
    return StorageTargetResult(target=done.target, steps=done.steps)


@api.route("recover_storage_target", status_code=202)
async def recover_storage_target(gate: Gated, asking: Asked, tenant: Tenant, target: Id) -> StorageTarget:
    """Bring back what a lost document store knew, from the repository of this target.

    Configurations come back with their ids and point to this target; restore points are listed from storage. The
    target's `recovery` says how it goes: waiting, done or failed. Asking again repeats it and changes nothing twice.
    """
    return await gate.services.ask(rpc.TARGET_RECOVER, tenant, rpc.ById(id=target), asking)


@api.route("list_backup_configurations")
async def list_backup_configurations(
    gate: Gated, asking: Asked, tenant: Tenant, page: Annotated[PageQuery, Query()]
) -> Listing[BackupConfiguration]:
    """List backup configurations."""
    return await gate.services.ask(rpc.CONFIGURATION_LIST, tenant, page, asking)


@api.route("create_backup_configuration", status_code=201)
async def create_backup_configuration(
    gate: Gated, creation: Creating, tenant: Tenant, body: BackupConfigurationBody
) -> BackupConfiguration:
    """Create a backup configuration: what is kept where and for how long."""
    question = rpc.CreateConfiguration.model_validate(body.model_dump())
    return await gate.services.ask(rpc.CONFIGURATION_CREATE, tenant, question, creation.identified(body))


@api.route("get_backup_configuration")
async def get_backup_configuration(
    gate: Gated, asking: Asked, tenant: Tenant, configuration: Id
) -> BackupConfiguration:
    """Show a backup configuration, and when it runs next."""
    return await gate.services.ask(rpc.CONFIGURATION_GET, tenant, rpc.ById(id=configuration), asking)


@api.route("change_backup_configuration")
async def change_backup_configuration(
    gate: Gated, asking: Asked, tenant: Tenant, configuration: Id, body: BackupConfigurationChange
) -> BackupConfiguration:
    """Change a backup configuration: name, sources, retention, schedule, scope; or pause and resume it.

    What is left out stays. A run that goes on ends as it began; restore points that exist keep their dates.
    """
    question = rpc.ChangeConfiguration(id=configuration, **body.model_dump(exclude_none=True))
    return await gate.services.ask(rpc.CONFIGURATION_CHANGE, tenant, question, asking)


@api.route("get_retention_floor")
async def get_retention_floor(gate: Gated, asking: Asked, tenant: Tenant) -> RetentionFloor:
    """Show the least retention of the tenant, and every change of it."""
    return await gate.services.ask(rpc.RETENTION_FLOOR_GET, tenant, rpc.Nothing(), asking)


@api.route("set_retention_floor")
async def set_retention_floor(gate: Gated, asking: Asked, tenant: Tenant, body: RetentionFloorBody) -> RetentionFloor:
    """Set the least retention of the tenant.

    It holds for restore points made from now on, also those of existing configurations; what exists keeps its date.
    Every change is recorded, here and in the tenant's repositories.
    """
    return await gate.services.ask(rpc.RETENTION_FLOOR_SET, tenant, rpc.SetRetentionFloor(period=body.period), asking)


@api.route("start_backup", status_code=202)
async def start_backup(
    gate: Gated, creation: Creating, tenant: Tenant, configuration: Id, response: Response
) -> Accepted:
    """Run a backup configuration now.

    The run can be asked for under the returned id as soon as the planner has read the request.
    """
    at, asking = gate.clock.now(), creation.identified()
    accepted = await requests.start_backup(gate.services, tenant, configuration, at=at, asking=asking)
    response.headers["location"] = f"{PREFIX}/tenants/{tenant}/runs/{accepted.run}"
    return accepted


@api.route("start_upkeep", status_code=202)
async def start_upkeep(
    *, gate: Gated, creation: Creating, tenant: Tenant, target: Id, body: UpkeepBody, response: Response
) -> Accepted:
    """Verify, test-restore or maintain what a storage target holds, now.

    All three happen at intervals by themselves. What a run found is in the `check` or `maintenance` of its job.
    """
    at, asking = gate.clock.now(), creation.identified(body)
    accepted = await requests.start_upkeep(gate.services, tenant, target, body, at=at, asking=asking)
    response.headers["location"] = f"{PREFIX}/tenants/{tenant}/runs/{accepted.run}"
    return accepted


@api.route("list_runs")
async def list_runs(gate: Gated, asking: Asked, tenant: Tenant, query: Annotated[RunsQuery, Query()]) -> Listing[Run]:
    """List runs, newest first."""
    return await gate.services.ask(rpc.RUN_LIST, tenant, query, asking)


@api.route("get_run")
async def get_run(gate: Gated, asking: Asked, tenant: Tenant, run: Id) -> Run:
    """Show a run: its state and progress."""
    return await gate.services.ask(rpc.RUN_GET, tenant, rpc.ById(id=run), asking)


@api.route("list_jobs")
async def list_jobs(
    gate: Gated, asking: Asked, tenant: Tenant, run: Id, page: Annotated[PageQuery, Query()]
) -> Listing[Job]:
    """List the jobs of a run, one per mailbox."""
    question = rpc.JobsOf(run=run, cursor=page.cursor, limit=page.limit)
    return await gate.services.ask(rpc.JOB_LIST, tenant, question, asking)


@api.route("get_job")
async def get_job(gate: Gated, asking: Asked, tenant: Tenant, job: Id) -> Job:
    """Show a job.

    Its fatal error, the items that failed and the items that were skipped are three separate lists.
    """
    return await gate.services.ask(rpc.JOB_GET, tenant, rpc.ById(id=job), asking)
