"""Syncs of the employee directory: start, follow, settings."""

from typing import Annotated

from fastapi import Query, Response

from contracts.api import SyncBody, SyncSettingsBody
from contracts.employees import SyncOverview, SyncRun, SyncSettings
from contracts.operations import directory
from contracts.operations.base import ById, Nothing
from contracts.views import Listing
from gateway.entrypoints.backups import Id
from gateway.entrypoints.gate import PREFIX, Api, Asked, Creating, Gated, Tenant
from gateway.entrypoints.tenants import PageQuery

api = Api("sync")


@api.route("get_sync_overview")
async def get_sync_overview(gate: Gated, asking: Asked, tenant: Tenant) -> SyncOverview:
    """Show when the directory was last synchronised, how it is set up, and how many employees are stale."""
    return await gate.services.ask(directory.SYNC_OVERVIEW, tenant, Nothing(), asking)


@api.route("set_sync_settings")
async def set_sync_settings(gate: Gated, asking: Asked, tenant: Tenant, body: SyncSettingsBody) -> SyncSettings:
    """Change the schedule, the name of the role groups, whether guests are imported, or the lists of local fields."""
    question = directory.ChangeSyncSettings.model_validate(body.model_dump())
    return await gate.services.ask(directory.SYNC_SETTINGS_SET, tenant, question, asking)


@api.route("start_sync", status_code=202)
async def start_sync(gate: Gated, creation: Creating, tenant: Tenant, body: SyncBody, response: Response) -> SyncRun:
    """Synchronise now: everybody, what changed since the last time, or the named users."""
    asking = creation.identified(body)
    question = directory.StartSync(request=asking.request_id, kind=body.kind, users=body.users)
    run = await gate.services.ask(directory.SYNC_START, tenant, question, asking)
    response.headers["location"] = f"{PREFIX}/tenants/{tenant}/sync/runs/{run.id}"
    return run


@api.route("list_syncs")
async def list_syncs(
    gate: Gated, asking: Asked, tenant: Tenant, page: Annotated[PageQuery, Query()]
) -> Listing[SyncRun]:
    """List syncs, newest first, with what each of them did."""
    return await gate.services.ask(directory.SYNC_LIST, tenant, page, asking)


@api.route("get_sync")
async def get_sync(gate: Gated, asking: Asked, tenant: Tenant, run: Id) -> SyncRun:
    """Show a sync: its state and what it has done so far."""
    return await gate.services.ask(directory.SYNC_GET, tenant, ById(id=run), asking)
