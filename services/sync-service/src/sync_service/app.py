"""The only wiring of sync-service."""

import asyncio
import random
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from chassis import checks, documents, health, tls
from chassis.bus import Bus, connect
from chassis.clock import Clock, SystemClock
from chassis.delivery import DeliveryPolicy
from chassis.ids import new_ulid
from chassis.lifecycle import Drain
from chassis.metrics import new_registry
from chassis.openbao import open_vault
from chassis.rpc import RpcServer
from chassis.seed import rng as seeded
from chassis.sweep import Sweep
from contracts.names import SyncKind
from graph_access import GraphAccess, GraphAddress
from graph_client import Limits
from sync_service.adapters.error_classes import Judgement
from sync_service.adapters.graph_profiles import GraphProfileAccess
from sync_service.adapters.graph_tenants import GraphTenants
from sync_service.adapters.mongo_employees import MongoEmployees
from sync_service.adapters.mongo_runs import MongoRuns
from sync_service.adapters.mongo_standings import MongoStandings
from sync_service.adapters.mongo_store import open_store
from sync_service.adapters.mongo_updates import MongoErasures, MongoProfileUpdates
from sync_service.adapters.prometheus_sync import SyncMetrics
from sync_service.entrypoints import stream
from sync_service.entrypoints.changes import Changes
from sync_service.entrypoints.keeping import Keeping
from sync_service.entrypoints.rpc import Questions
from sync_service.entrypoints.worker import Worker
from sync_service.ports import Directories, Employees, Judge, Runs, Standings
from sync_service.ports.erasures import Erasures
from sync_service.ports.profiles import ProfileAccess
from sync_service.ports.updates import ProfileUpdates
from sync_service.settings import SyncSettings
from sync_service.usecases.apply_users import ApplyUsers
from sync_service.usecases.assign_roles import AssignRoles
from sync_service.usecases.background import Background
from sync_service.usecases.change_local import ChangeLocal
from sync_service.usecases.change_profile import ChangeProfile, UpdatePace
from sync_service.usecases.change_settings import ChangeSettings
from sync_service.usecases.execute_run import ExecuteRun, Pace
from sync_service.usecases.import_employee import ImportEmployee
from sync_service.usecases.keep_directory import KeepDirectory
from sync_service.usecases.link_recreated import LinkRecreated
from sync_service.usecases.protect_data import ProtectData
from sync_service.usecases.read_directory import ReadDirectory
from sync_service.usecases.request_sync import RequestSync
from sync_service.usecases.sync_everybody import Steps, SyncEverybody
from sync_service.usecases.sync_users import SyncUsers

SERVICE = "sync-service"
DATABASE = "sync_service"
VERSION = "0.1.0"
_LAST_UPDATES = 5.0
"""Seconds that profile updates have to end when the process leaves; others carry on what is cut off."""


@dataclass(frozen=True)
class App:
    """What the entry points call."""

    execute: ExecuteRun
    request: RequestSync
    questions: Questions
    changes: Changes
    keeping: Keeping
    change_profile: ChangeProfile
    protect_data: ProtectData
    background: Background


def build_with(
    *,
    employees: Employees,
    runs: Runs,
    standings: Standings,
    updates: ProfileUpdates,
    erasures: Erasures,
    directories: Directories,
    profiles: ProfileAccess,
    judge: Judge,
    clock: Clock,
    settings: SyncSettings,
    new_session: Callable[[], str],
) -> App:
    """Wire the use cases to the given ports."""
    apply, link, roles = ApplyUsers(employees, clock), LinkRecreated(employees, clock), AssignRoles(employees, clock)
    users = SyncUsers(employees, apply, link, roles)
    everybody = SyncEverybody(
        employees, Steps(apply, link, roles), whole_every=timedelta(seconds=settings.sync_whole_interval)
    )
    execute = ExecuteRun(
        runs=runs,
        standings=standings,
        directories=directories,
        work={
            SyncKind.FULL: everybody,
            SyncKind.INCREMENTAL: everybody,
            SyncKind.USERS: users,
            SyncKind.PROFILE: users.profiles,
        },
        judge=judge,
        clock=clock,
        pace=_pace(settings),
        new_session=new_session,
    )
    request = RequestSync(runs, standings, clock)
    read = ReadDirectory(employees, runs, standings, clock, stale_after=timedelta(seconds=settings.stale_after))
    background = Background()
    change_profile = ChangeProfile(
        employees,
        updates,
        profiles,
        background=background,
        clock=clock,
        pace=UpdatePace(read_back=settings.profile_read_back, claim=settings.profile_claim),
    )
    protect = ProtectData(employees, updates, erasures, clock)
    changes = Changes(
        read,
        profile=change_profile,
        local=ChangeLocal(employees, standings, clock),
        single=ImportEmployee(employees, standings, profiles, link, clock),
        protect=protect,
        employees=employees,
        erasures=erasures,
    )
    questions = Questions(read, request, ChangeSettings(standings, clock), clock)
    keeping = Keeping(KeepDirectory(employees, erasures, standings, clock))
    return App(execute, request, questions, changes, keeping, change_profile, protect, background)


def _pace(settings: SyncSettings) -> Pace:
    return Pace(
        lease=settings.sync_lease,
        ladder=settings.sync_retry_ladder,
        busy=settings.sync_busy,
        progress=settings.progress_interval,
    )


async def main(settings: SyncSettings, drain: Drain) -> None:
    """Serve until `drain` is requested."""
    clock, registry = SystemClock(), new_registry(SERVICE, VERSION)
    rng = seeded(settings.seed, SERVICE)
    async with AsyncExitStack() as stack:
        db = documents.connect(settings, DATABASE)
        stack.callback(db.client.close)
        store = await open_store(db)
        vault = await stack.enter_async_context(open_vault(settings, clock))
        bus = Bus(connect(settings, SERVICE), SERVICE, clock)
        employees = MongoEmployees(store, bus, clock, settings.pending_grace)
        runs = MongoRuns(store, bus, clock, settings.pending_grace)
        standings = MongoStandings(store, bus, clock, settings.pending_grace)
        erasures = await MongoErasures.open(db, bus, clock, settings.pending_grace)
        directories = GraphTenants(GraphAccess(vault, bus, clock, _address(settings), rng=rng))
        app = build_with(
            employees=employees,
            runs=runs,
            standings=standings,
            updates=await MongoProfileUpdates.open(db),
            erasures=erasures,
            directories=directories,
            profiles=GraphProfileAccess(directories),
            judge=Judgement(settings.sync_hold_recheck),
            clock=clock,
            settings=settings,
            new_session=partial(new_ulid, clock, random.SystemRandom()),
        )
        worker = Worker(app.execute, clock, slots=settings.sync_slots, interval=settings.sweep_interval)
        server = RpcServer(bus)
        app.questions.bind(server)
        app.changes.bind(server)
        app.keeping.bind(server)
        stream.bind(bus, app.request, directories, worker, DeliveryPolicy.of(settings))
        metrics = SyncMetrics(
            employees, standings, clock, registry, stale_after=timedelta(seconds=settings.stale_after)
        )
        tasks = {
            "schedules": app.request.due,
            "employees": employees.settle,
            "pending-runs": runs.pending.sweep,
            "pending-standings": standings.pending.sweep,
            "pending-erasures": erasures.pending.sweep,
            "profile-updates": app.change_profile.resume,
            "erasures": app.protect_data.sweep,
            "metrics": metrics.refresh,
        }
        sweep = Sweep(settings.sweep_interval, clock, tasks, registry)
        ready = {"documents": checks.documents_answer(db), "bus": checks.bus_answers(bus)}
        async with health.serve_health(settings, ready, registry), bus.broker:
            await bus.broker.start()
            async with asyncio.TaskGroup() as group:
                group.create_task(worker.run(drain.requested))
                group.create_task(sweep.run(drain.requested))
            await app.background.drain(_LAST_UPDATES)


def _address(settings: SyncSettings) -> GraphAddress:
    trust = tls.client_context(settings.ca_file)
    limits = Limits(time_scale=settings.graph_time_scale)
    return GraphAddress(settings.graph_url, trust, settings.https_proxy, limits)
