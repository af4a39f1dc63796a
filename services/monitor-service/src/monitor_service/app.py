"""The only wiring: `build` for real, `build_with` for tests that bring their own store."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, replace
from datetime import timedelta
from importlib.metadata import version

from starlette.applications import Starlette

from chassis import asgi, bus, documents
from chassis.bus import Bus
from chassis.checks import bus_answers
from chassis.clock import Clock, SystemClock
from chassis.delivery import DeliveryPolicy
from chassis.health import Check
from chassis.lifecycle import Drain
from chassis.metrics import new_registry
from chassis.pending import PendingEvents
from chassis.rpc import RpcServer
from chassis.sweep import Sweep, Task
from contracts.subjects import ANY_TENANT
from monitor_service.adapters.bus_letters import BusLetters
from monitor_service.adapters.bus_tokens import BusTokens
from monitor_service.adapters.mongo_chains import MongoChains
from monitor_service.adapters.mongo_ledger import MongoLedger
from monitor_service.adapters.mongo_replays import MongoReplays
from monitor_service.adapters.mongo_reviews import MongoReviews
from monitor_service.domain.health import Expected
from monitor_service.entrypoints import metrics, rpc, stream
from monitor_service.ports import Ledger, Replays
from monitor_service.ports.audit import Chains
from monitor_service.ports.reviews import Reviews
from monitor_service.settings import MonitorSettings
from monitor_service.usecases.reviews import KeepReviews

NAME = "monitor-service"
DATABASE = "monitor_service"


@dataclass(frozen=True)
class App:
    """A wired service: everything is bound to the bus, which is not started yet."""

    settings: MonitorSettings
    bus: Bus
    probes: Starlette
    sweep: Sweep
    close: Callable[[], None] = lambda: None
    """Ends what `build` opened."""

    async def run(self, drain: Drain) -> None:
        """Serve until draining is requested; a batch under way is finished first."""
        with closing(self):
            async with self.serving(), asyncio.TaskGroup() as group:
                sweeping = group.create_task(self.sweep.run(drain.requested))
                await drain.wait()
                await sweeping

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        """Consume, answer and offer probes until the block ends; yields the base URL of the probes."""
        async with asgi.serve(
            self.probes,
            host=self.settings.health_host,
            port=self.settings.health_port,
            cert_file=self.settings.tls_cert_file,
            key_file=self.settings.tls_key_file,
            setting="TENANTKEEP_HEALTH_PORT",
        ) as url:
            await self.bus.broker.start()
            try:
                yield url
            finally:
                await self.bus.broker.stop()


@dataclass(frozen=True)
class Stores:
    """Where the service keeps what it knows."""

    ledger: Ledger
    replays: Replays
    chains: Chains
    reviews: Reviews


async def build(settings: MonitorSettings, clock: Clock | None = None) -> App:
    """The service on the bus and the document store of the settings; `clock` is the system's unless given."""
    db = documents.connect(settings, DATABASE)
    ledger, replays, chains = await MongoLedger.open(db), await MongoReplays.open(db), await MongoChains.open(db)
    reviews = await MongoReviews.open(db)
    clock = clock or SystemClock()
    connected = Bus(bus.connect(settings, NAME), NAME)
    tasks = {
        f"pending-{name}": PendingEvents(collection, connected, clock, settings.pending_grace).sweep
        for name, collection in {"replays": replays.collection, "reviews": reviews.collection}.items()
    }
    for tenant in {tally.tenant for tally in await ledger.tallies()}:  # known before reviews were made
        await reviews.enrol(tenant, clock.now())
    made = build_with(
        settings,
        connected,
        Stores(ledger, replays, chains, reviews),
        clock=clock,
        checks={"documents": ledger.ping},
        tasks=tasks,
    )
    return replace(made, close=db.client.close)


def build_with(
    settings: MonitorSettings,
    connected: Bus,
    stores: Stores,
    *,
    clock: Clock,
    checks: Mapping[str, Check],
    tasks: Mapping[str, Task],
) -> App:
    """The service on a given bus, stores and clock; `tasks` is what its sweep does besides."""
    ledger, reviews = stores.ledger, stores.reviews
    registry = new_registry(NAME, version("tenantkeep-monitor-service"))
    expected = Expected(
        timedelta(seconds=settings.expected_interval), timedelta(seconds=settings.expected_drill_interval)
    )
    stream.bind(connected, ledger, DeliveryPolicy.of(settings), registry)

    async def begun(tenant: str) -> None:
        if tenant != ANY_TENANT:
            await reviews.enrol(tenant, clock.now())

    stream.bind_audit(connected, stores.chains, begun, DeliveryPolicy.of(settings), registry)
    server = RpcServer(connected)
    rpc.bind(server, ledger, clock, expected)
    rpc.bind_dead_letters(server, BusLetters(connected), stores.replays, clock)
    rpc.bind_audit(server, stores.chains)
    keep = KeepReviews(reviews, ledger, BusTokens(connected, clock), clock, plan=settings.reviews(), expected=expected)
    rpc.bind_reviews(server, reviews, keep)

    probes = metrics.application(ledger, clock, expected, {"bus": bus_answers(connected), **checks}, registry)
    all_tasks = {**tasks, "reviews": keep.due, "overdue-reviews": keep.overdue}
    sweep = Sweep(settings.sweep_interval, clock, all_tasks, registry)
    return App(settings, connected, probes, sweep)
