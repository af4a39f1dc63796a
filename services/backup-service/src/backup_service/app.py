"""The only wiring of backup-service: a planner and a worker over the same stores."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import structlog
from prometheus_client import CollectorRegistry

from backup_engine import Tuning
from backup_service.adapters.bus_registrations import BusAuditHeads, BusEmployees, BusRegistrations
from backup_service.adapters.engine_repositories import EngineRepositories
from backup_service.adapters.error_classes import Judgement
from backup_service.adapters.graph_tenants import GraphTenants
from backup_service.adapters.mongo_catalogue import MongoCatalogue
from backup_service.adapters.mongo_custody import MongoCustody
from backup_service.adapters.mongo_holdings import MongoHoldings
from backup_service.adapters.mongo_jobs import JobTiming, MongoJobs
from backup_service.adapters.mongo_kept_documents import MongoKeptDocuments
from backup_service.adapters.mongo_pool import MongoPool
from backup_service.adapters.mongo_protection import MongoProtection
from backup_service.adapters.mongo_resources import MongoResources
from backup_service.adapters.mongo_runs import MongoRuns
from backup_service.adapters.mongo_store import Store, open_store
from backup_service.adapters.mongo_timetable import MongoTimetable
from backup_service.adapters.mongo_upkeep import MongoUpkeep
from backup_service.adapters.search_shelf import SearchShelf
from backup_service.entrypoints import download, rpc, stream
from backup_service.settings import BackupSettings
from backup_service.usecases.audit_seals import ReadSeals
from backup_service.usecases.browse import Browse
from backup_service.usecases.configure import Configure
from backup_service.usecases.discover import Discover
from backup_service.usecases.execute_job import Execute, ExecuteJob
from backup_service.usecases.export_mailbox import ExportMailbox
from backup_service.usecases.keep_documents import KeepDocuments
from backup_service.usecases.keep_employees import KeepEmployees
from backup_service.usecases.keep_searchable import KeepSearchable, SearchableBackup
from backup_service.usecases.legal_holds import HoldDesk
from backup_service.usecases.manage import Manage
from backup_service.usecases.plan_run import PlanRun
from backup_service.usecases.reading.checkpoints import BackupPace
from backup_service.usecases.restoring.frame import RestorePace
from backup_service.usecases.restoring.run_restore import RunRestore
from backup_service.usecases.retention import Retention
from backup_service.usecases.run_backup import RunBackup
from backup_service.usecases.run_upkeep import RunDrill, RunMaintain, RunVerify, Upkeep, UpkeepPace
from backup_service.usecases.start_scheduled import StartScheduled
from backup_service.usecases.start_upkeep import StartUpkeep
from chassis import asgi, checks, documents, health, tls
from chassis.bus import Bus, connect
from chassis.clock import Clock, SystemClock
from chassis.delivery import DeliveryPolicy
from chassis.ids import new_ulid
from chassis.lifecycle import Drain
from chassis.metrics import new_registry
from chassis.openbao import open_vault
from chassis.pending import PendingEvents
from chassis.rpc import RpcServer
from chassis.sweep import Sweep, Task
from chassis.vault import Vault
from contracts.names import JobKind, UpkeepKind
from graph_access import GraphAccess, GraphAddress
from graph_client import Limits

SERVICE = "backup-service"
DATABASE = "backup_service"
VERSION = "0.1.0"

log = structlog.get_logger()


@dataclass(frozen=True)
class Parts:
    """What both processes are made of."""

    bus: Bus
    db: documents.Database
    store: Store
    clock: Clock
    catalogue: MongoCatalogue
    runs: MongoRuns
    jobs: MongoJobs
    repositories: EngineRepositories
    tenants: GraphTenants
    judge: Judgement
    registry: CollectorRegistry
    policy: DeliveryPolicy


@asynccontextmanager
async def build(settings: BackupSettings) -> AsyncIterator[Parts]:
    """Open the stores and wire the adapters; the bus is not started yet."""
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        db = documents.connect(settings, DATABASE)
        stack.callback(db.client.close)
        store = await open_store(db)
        vault = await stack.enter_async_context(open_vault(settings, clock))
        bus = Bus(connect(settings, SERVICE), SERVICE, clock)
        # A claim outlives two missed heartbeats and one redelivery before the sweep steps in.
        lease = 2 * settings.ack_wait + settings.heartbeat_interval
        timing = JobTiming(lease=lease, ladder=settings.retry_ladder, attempts=settings.attempts)
        yield Parts(
            bus=bus,
            db=db,
            store=store,
            clock=clock,
            catalogue=MongoCatalogue(store),
            runs=MongoRuns(store, bus, clock, lease=lease),
            jobs=MongoJobs(store, bus, clock, timing),
            repositories=EngineRepositories(store, vault, settings.ca_file, _tuning(settings)),
            tenants=GraphTenants(_access(settings, vault, bus, store, clock)),
            judge=Judgement(settings.hold_recheck),
            registry=new_registry(SERVICE, VERSION),
            policy=DeliveryPolicy.of(settings),
        )


def _access(settings: BackupSettings, vault: Vault, bus: Bus, store: Store, clock: Clock) -> GraphAccess:
    """Microsoft Graph; the budget of a tenant's mailboxes is shared by all workers."""
    limits = Limits(requests=settings.graph_mailbox_requests, time_scale=settings.graph_time_scale)
    trust = tls.client_context(settings.ca_file)
    address = GraphAddress(settings.graph_url, trust, settings.https_proxy, limits)
    rng = random.Random()  # noqa: S311 - jitter
    return GraphAccess(vault, bus, clock, address, rng=rng, pool=lambda tenant: MongoPool(store, clock, tenant, limits))


def _tuning(settings: BackupSettings) -> Tuning:
    return Tuning(folder=settings.home / "engine", cache=settings.engine_cache_bytes)


async def plan(settings: BackupSettings, drain: Drain) -> None:
    """The planner: requests, due work, questions."""
    async with build(settings) as parts:
        retention = Retention(MongoCustody(parts.store), parts.clock)
        planner = PlanRun(
            parts.runs,
            parts.catalogue,
            parts.tenants,
            retention,
            Discover(MongoResources(parts.store), parts.clock),
            judge=parts.judge,
            slots=settings.tenant_jobs,
        )
        manage = Manage(parts.catalogue, parts.repositories, parts.clock)
        configure = Configure(parts.catalogue, retention, parts.clock)
        kept = MongoKeptDocuments(parts.store, parts.clock)
        server, desk = RpcServer(parts.bus), _hold_desk(parts)
        seals = ReadSeals(parts.catalogue, parts.repositories)
        rpc.bind(server, parts.catalogue, manage, configure, retention, desk, kept, seals, parts.clock)
        protection = MongoProtection(parts.store)
        rpc.bind_protection(server, protection.of)
        rpc.bind_offboarding(server, protection.stop, MongoHoldings(parts.store, parts.repositories.keys_of).of)
        intervals = {
            UpkeepKind.VERIFY: timedelta(seconds=settings.verify_interval),
            UpkeepKind.RESTORE_DRILL: timedelta(seconds=settings.drill_interval),
            UpkeepKind.MAINTAIN: timedelta(seconds=settings.maintain_interval),
        }
        start_upkeep = StartUpkeep(parts.runs, MongoUpkeep(parts.store), parts.clock, intervals)
        stream.bind_planner(parts.bus, planner, parts.runs.resume_held, parts.policy)
        recheck = timedelta(seconds=settings.schedule_recheck)
        tasks: dict[str, Task] = {
            "schedules": StartScheduled(parts.runs, MongoTimetable(parts.store), parts.clock, recheck),
            "upkeep": start_upkeep,
            "runs": planner.due,
            "admission": lambda: parts.runs.admit(settings.tenant_jobs),
            "jobs": parts.runs.requeue_due,
            **{
                f"pending-{name}": PendingEvents(collection, parts.bus, parts.clock, settings.pending_grace).sweep
                for name, collection in parts.store.announcing.items()
            },
        }
        sweep = Sweep(settings.sweep_interval, parts.clock, tasks, parts.registry)
        async with _serving(settings, parts):
            await sweep.run(drain.requested)


async def work(settings: BackupSettings, drain: Drain) -> None:
    """The worker: wake-ups, downloads, questions about restore points.

    On drain, running jobs are cancelled and taken over at their checkpoint.
    """
    async with build(settings) as parts:
        files = _search_files(settings, parts)
        searchable = KeepSearchable(parts.repositories, files)
        browse = Browse(parts.catalogue, parts.repositories, files, judge=parts.judge)
        rpc.bind_browsing(RpcServer(parts.bus), browse)
        execute = _executor(settings, parts, searchable, drain)
        stream.bind_worker(
            parts.bus,
            execute,
            parts.policy,
            backups=settings.worker_jobs,
            restores=settings.worker_restores,
            upkeep=settings.worker_upkeep,
        )
        export = ExportMailbox(parts.catalogue, parts.repositories, parts.clock)
        async with (
            _searching(files, searchable),
            _downloads(settings, export),
            _serving(settings, parts),
            _sweeping(settings, parts),
        ):
            await drain.wait()


def _executor(settings: BackupSettings, parts: Parts, searchable: KeepSearchable, drain: Drain) -> ExecuteJob:
    """What a worker does with each kind of job."""
    backup = RunBackup(
        tenants=parts.tenants,
        repositories=parts.repositories,
        jobs=parts.jobs,
        points=parts.catalogue,
        lost=Discover(MongoResources(parts.store), parts.clock).lost,
        clock=parts.clock,
        pace=BackupPace(
            checkpoint_seconds=settings.checkpoint_interval,
            checkpoint_bytes=settings.checkpoint_bytes,
            progress_seconds=settings.progress_interval,
            full_look_seconds=settings.full_look_interval,
        ),
    )
    restore = RunRestore(
        parts.tenants,
        parts.repositories,
        parts.jobs,
        clock=parts.clock,
        pace=RestorePace(progress_seconds=settings.progress_interval),
    )
    upkeep = Upkeep(
        parts.repositories, parts.jobs, MongoUpkeep(parts.store), clock=parts.clock, pace=_upkeep_pace(settings)
    )
    kinds: dict[JobKind, Execute] = {
        JobKind.BACKUP: SearchableBackup(backup, searchable),
        JobKind.RESTORE: restore,
        JobKind.VERIFY: RunVerify(upkeep),
        JobKind.RESTORE_DRILL: RunDrill(upkeep),
        JobKind.MAINTAIN: RunMaintain(upkeep),
    }
    return ExecuteJob(
        parts.jobs,
        kinds,
        judge=parts.judge,
        settle=parts.runs.settle,
        stopping=drain.requested,
        admit=lambda tenant, kind: parts.runs.admit_next(tenant, kind, settings.tenant_jobs),
    )


def _search_files(settings: BackupSettings, parts: Parts) -> SearchShelf:
    return SearchShelf(
        settings.home / "search",
        limit=settings.search_cache_bytes,
        patience=settings.search_patience,
        new_id=partial(new_ulid, parts.clock, random.SystemRandom()),
    )


@asynccontextmanager
async def _searching(files: SearchShelf, searchable: KeepSearchable) -> AsyncIterator[None]:
    task = asyncio.create_task(searchable.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})
        await files.close()


def _hold_desk(parts: Parts) -> HoldDesk:
    return HoldDesk(
        MongoCustody(parts.store), parts.catalogue, parts.repositories, judge=parts.judge, clock=parts.clock
    )


def _keep_documents(settings: BackupSettings, parts: Parts) -> KeepDocuments:
    new_id = partial(new_ulid, parts.clock, random.SystemRandom())
    return KeepDocuments(
        MongoKeptDocuments(parts.store, parts.clock),
        parts.repositories,
        BusRegistrations(parts.bus, parts.clock),
        BusAuditHeads(parts.bus, parts.clock),
        parts.clock,
        employees=KeepEmployees(BusEmployees(parts.bus, parts.clock), parts.clock, new_id),
        interval=timedelta(seconds=settings.export_interval),
        new_id=new_id,
    )


@asynccontextmanager
async def _sweeping(settings: BackupSettings, parts: Parts) -> AsyncIterator[None]:
    """What takes long and waits for nobody, beside the jobs; whatever is under way is repeated by another worker."""
    tasks = {"legal-holds": _hold_desk(parts).due, "documents": _keep_documents(settings, parts).due}
    sweep = Sweep(settings.sweep_interval, parts.clock, tasks, parts.registry)
    task = asyncio.create_task(sweep.run(asyncio.Event()))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})


def _upkeep_pace(settings: BackupSettings) -> UpkeepPace:
    # A quarter more than the share of one interval, so that a few missed verifications cost no promise.
    share = min(1.0, 1.25 * settings.verify_interval / settings.verify_within)
    return UpkeepPace(share, settings.drill_items, settings.home / "scratch", settings.progress_interval)


@asynccontextmanager
async def _serving(settings: BackupSettings, parts: Parts) -> AsyncIterator[None]:
    """Probes and bus, while the block runs."""
    ready = {"documents": checks.documents_answer(parts.db), "bus": checks.bus_answers(parts.bus)}
    async with health.serve_health(settings, ready, parts.registry):
        await parts.bus.broker.start()
        try:
            yield
        finally:
            await parts.bus.broker.stop()


@asynccontextmanager
async def _downloads(settings: BackupSettings, export: ExportMailbox) -> AsyncIterator[None]:
    if not settings.download_port:
        log.warning("exports cannot be downloaded from this worker: set TENANTKEEP_DOWNLOAD_PORT")
        yield
        return
    async with asgi.serve(
        download.application(export),
        host=settings.download_host,
        port=settings.download_port,
        cert_file=settings.tls_cert_file,
        key_file=settings.tls_key_file,
        setting="TENANTKEEP_DOWNLOAD_PORT",
    ):
        yield


PROCESSES = {"planner": plan, "worker": work}
"""The two entry points of the member, by the name given on the command line."""
