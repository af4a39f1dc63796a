"""Questions in: what backup-service owns."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Protocol, TypeVar

from backup_service.ports import Catalogue
from backup_service.ports.custody import KeptDocuments
from backup_service.usecases.audit_seals import ReadSeals
from backup_service.usecases.browse import Browse
from backup_service.usecases.configure import Configure
from backup_service.usecases.legal_holds import HoldDesk
from backup_service.usecases.manage import Manage
from backup_service.usecases.retention import Retention
from chassis.clock import Clock
from chassis.rpc import Call, RpcServer
from contracts import rpc
from contracts.audit_chain import AuditSeals
from contracts.auditing import AuditAction, recorded
from contracts.browsing import Comparison, Folder, Item, Message
from contracts.offboarding import Holdings
from contracts.onboarding import Protection
from contracts.operations import offboarding, onboarding
from contracts.operations.audit import AUDIT_SEALS, AuditSealsOf
from contracts.problem import not_found
from contracts.views import (
    BackupConfiguration,
    DownloadTicket,
    ItemProblem,
    Job,
    LegalHold,
    Listing,
    RestorePoint,
    RetentionFloor,
    Run,
    StorageTarget,
    View,
)

V = TypeVar("V", bound=View)
ProtectionLook = Callable[[str, datetime | None], Awaitable[Protection]]


class ProtectionStop(Protocol):
    """Stops what works for a tenant by itself, or lets its storage be looked after again."""

    async def __call__(self, tenant: str, *, stopped: bool) -> None: ...


class HoldingsLook(Protocol):
    """What is held of a tenant; `keys`: with what opens it."""

    async def __call__(self, tenant: str, *, keys: bool) -> Holdings: ...


def bind(  # noqa: PLR0917 - what the questions are about, one each
    server: RpcServer,
    catalogue: Catalogue,
    manage: Manage,
    configure: Configure,
    retention: Retention,
    holds: HoldDesk,
    kept: KeptDocuments,
    seals: ReadSeals,
    clock: Clock,
) -> None:
    """The questions planners answer: every operation that names backup-service but those of the functions below."""
    _bind_commands(server, manage)
    _bind_configure(server, configure)
    _bind_retention(server, retention)
    _bind_holds(server, holds, catalogue)
    _bind_lists(server, catalogue)
    _bind_look_ups(server, catalogue)
    _bind_recovery(server, kept, clock)
    _bind_audit(server, seals)


def bind_protection(server: RpcServer, look: ProtectionLook) -> None:
    """The question of token-service, whose onboarding ends with a backup; planners answer it."""

    async def protection(call: Call[onboarding.ProtectionOf]) -> Protection:
        return await look(call.one_tenant(), call.question.ended_after)

    server.answer(onboarding.PROTECTION_GET, protection)


def bind_offboarding(server: RpcServer, stop: ProtectionStop, holdings: HoldingsLook) -> None:
    """The end of a tenant: stop what works for it, and tell what is held; planners answer it."""

    async def stop_protection(call: Call[offboarding.StopProtection]) -> Holdings:
        await stop(call.one_tenant(), stopped=call.question.stopped)
        return await holdings(call.one_tenant(), keys=False)

    async def look(call: Call[offboarding.HoldingsOf]) -> Holdings:
        return await holdings(call.one_tenant(), keys=call.question.keys)

    server.answer(offboarding.PROTECTION_STOP, stop_protection)
    server.answer(offboarding.HOLDINGS_GET, look)


def bind_browsing(server: RpcServer, browse: Browse) -> None:
    """The questions workers answer: what restore points hold."""

    async def folders(call: Call[rpc.FoldersOf]) -> Listing[Folder]:
        return await browse.folders(call.one_tenant(), call.question)

    async def items(call: Call[rpc.ItemsOf]) -> Listing[Item]:
        return await browse.items(call.one_tenant(), call.question)

    async def item(call: Call[rpc.OneItem]) -> Item:
        return await browse.item(call.one_tenant(), call.question)

    async def message(call: Call[rpc.OneItem]) -> Message:
        return await browse.message(call.one_tenant(), call.question)

    async def search(call: Call[rpc.SearchItems]) -> Listing[Item]:
        return await browse.search(call.one_tenant(), call.question)

    async def compare(call: Call[rpc.Compare]) -> Comparison:
        return await browse.compare(call.one_tenant(), call.question)

    server.answer(rpc.BROWSE_FOLDERS, folders)
    server.answer(rpc.BROWSE_ITEMS, items)
    server.answer(rpc.BROWSE_ITEM, item)
    server.answer(rpc.BROWSE_MESSAGE, message)
    server.answer(rpc.BROWSE_SEARCH, search)
    server.answer(rpc.BROWSE_COMPARE, compare)


def _bind_commands(server: RpcServer, manage: Manage) -> None:
    async def create_target(call: Call[rpc.CreateTarget]) -> rpc.CreatedTarget:
        return await manage.create_target(call.one_tenant(), call.caller, call.question)

    async def renew_credentials(call: Call[rpc.RenewTarget]) -> rpc.CreatedTarget:
        return await manage.renew_credentials(call.one_tenant(), call.caller, call.question)

    async def test_target(call: Call[rpc.ById]) -> rpc.CreatedTarget:
        return await manage.test_target(call.one_tenant(), call.question.id)

    async def open_export(call: Call[rpc.OpenExport]) -> DownloadTicket:
        return await manage.open_export(call.one_tenant(), call.caller, call.question)

    server.answer(rpc.TARGET_CREATE, create_target)
    server.answer(rpc.TARGET_RENEW, renew_credentials)
    server.answer(rpc.TARGET_TEST, test_target)
    server.answer(rpc.EXPORT_OPEN, open_export)


def _bind_configure(server: RpcServer, configure: Configure) -> None:
    async def create(call: Call[rpc.CreateConfiguration]) -> BackupConfiguration:
        return await configure.create(call.one_tenant(), call.caller, call.question)

    async def change(call: Call[rpc.ChangeConfiguration]) -> BackupConfiguration:
        return await configure.change(call.one_tenant(), call.caller, call.question)

    server.answer(rpc.CONFIGURATION_CREATE, create)
    server.answer(rpc.CONFIGURATION_CHANGE, change)


def _bind_holds(server: RpcServer, desk: HoldDesk, catalogue: Catalogue) -> None:
    async def place(call: Call[rpc.PlaceLegalHold]) -> LegalHold:
        return await desk.place(call.one_tenant(), call.caller, call.question)

    async def release(call: Call[rpc.ReleaseLegalHold]) -> LegalHold:
        return await desk.release(call.one_tenant(), call.caller, call.question)

    async def listing(call: Call[rpc.Page]) -> Listing[LegalHold]:
        return await desk.listing(call.one_tenant(), call.question.cursor, call.question.limit)

    async def restore_points(call: Call[rpc.RestorePointsOf]) -> Listing[RestorePoint]:
        page = call.question
        narrow = page.model_dump(include={"configuration", "resource"}, exclude_none=True)
        found = await catalogue.restore_points(call.one_tenant(), narrow, page.cursor, page.limit)
        return found.model_copy(update={"items": await desk.shown(call.one_tenant(), found.items)})

    async def restore_point(call: Call[rpc.ById]) -> RestorePoint:
        point = _there(await catalogue.restore_point(call.one_tenant(), call.question.id), "restore point")
        return (await desk.shown(call.one_tenant(), [point]))[0]

    server.answer(rpc.LEGAL_HOLD_PLACE, place)
    server.answer(rpc.LEGAL_HOLD_RELEASE, release)
    server.answer(rpc.LEGAL_HOLD_LIST, listing)
    server.answer(rpc.RESTORE_POINT_LIST, restore_points)
    server.answer(rpc.RESTORE_POINT_GET, restore_point)


def _bind_recovery(server: RpcServer, kept: KeptDocuments, clock: Clock) -> None:
    async def recover_target(call: Call[rpc.ById]) -> StorageTarget:
        tenant, target = call.one_tenant(), call.question.id
        told = recorded(AuditAction.TARGET_RECOVER, target, tenant=tenant, caller=call.caller, at=clock.now())
        return _there(await kept.ask_recovery(tenant, target, [told]), "storage target")

    server.answer(rpc.TARGET_RECOVER, recover_target)


def _bind_audit(server: RpcServer, seals: ReadSeals) -> None:
    async def sealed(call: Call[AuditSealsOf]) -> AuditSeals:
        return await seals(call.one_tenant(), call.question)

    server.answer(AUDIT_SEALS, sealed)


def _bind_retention(server: RpcServer, retention: Retention) -> None:
    async def floor(call: Call[rpc.Nothing]) -> RetentionFloor:
        return await retention.floor(call.one_tenant())

    async def set_floor(call: Call[rpc.SetRetentionFloor]) -> RetentionFloor:
        return await retention.set_floor(call.one_tenant(), call.caller, call.question)

    server.answer(rpc.RETENTION_FLOOR_GET, floor)
    server.answer(rpc.RETENTION_FLOOR_SET, set_floor)


def _bind_lists(server: RpcServer, catalogue: Catalogue) -> None:
    async def targets(call: Call[rpc.Page]) -> Listing[StorageTarget]:
        return await catalogue.targets(call.one_tenant(), call.question.cursor, call.question.limit)

    async def configurations(call: Call[rpc.Page]) -> Listing[BackupConfiguration]:
        return await catalogue.configurations(call.one_tenant(), call.question.cursor, call.question.limit)

    async def runs(call: Call[rpc.RunsOf]) -> Listing[Run]:
        page = call.question
        return await catalogue.runs(call.one_tenant(), page.configuration, page.cursor, page.limit)

    async def jobs(call: Call[rpc.JobsOf]) -> Listing[Job]:
        page = call.question
        return await catalogue.jobs(call.one_tenant(), page.run, page.cursor, page.limit)

    async def unrestored(call: Call[rpc.ProblemsOf]) -> Listing[ItemProblem]:
        page, tenant = call.question, call.one_tenant()
        _there(await catalogue.job(tenant, page.job), "job")
        return await catalogue.unrestored(tenant, page.job, page.cursor, page.limit)

    server.answer(rpc.RESTORE_PROBLEMS, unrestored)
    server.answer(rpc.TARGET_LIST, targets)
    server.answer(rpc.CONFIGURATION_LIST, configurations)
    server.answer(rpc.RUN_LIST, runs)
    server.answer(rpc.JOB_LIST, jobs)


def _bind_look_ups(server: RpcServer, catalogue: Catalogue) -> None:
    async def target(call: Call[rpc.ById]) -> StorageTarget:
        return _there(await catalogue.target(call.one_tenant(), call.question.id), "storage target")

    async def configuration(call: Call[rpc.ById]) -> BackupConfiguration:
        return _there(await catalogue.configuration(call.one_tenant(), call.question.id), "backup configuration")

    async def run(call: Call[rpc.ById]) -> Run:
        return _there(await catalogue.run(call.one_tenant(), call.question.id), "run")

    async def job(call: Call[rpc.ById]) -> Job:
        return _there(await catalogue.job(call.one_tenant(), call.question.id), "job")

    server.answer(rpc.TARGET_GET, target)
    server.answer(rpc.CONFIGURATION_GET, configuration)
    server.answer(rpc.RUN_GET, run)
    server.answer(rpc.JOB_GET, job)


def _there(view: V | None, what: str) -> V:
    if view is None:
        raise not_found(what)
    return view
