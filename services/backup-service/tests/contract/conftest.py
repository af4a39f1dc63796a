"""The document store for real, the bus in memory (its own suite runs on both), a database for each test."""

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest
from backup_fakes.exchange import ANNA
from backup_fakes.fuse import Fuse
from backup_fakes.jobs import ATTEMPTS, LADDER, LEASE, MemoryJobs
from pydantic import SecretStr

from backup_service.adapters.mongo_catalogue import MongoCatalogue
from backup_service.adapters.mongo_custody import MongoCustody
from backup_service.adapters.mongo_jobs import JobTiming, MongoJobs
from backup_service.adapters.mongo_resources import MongoResources
from backup_service.adapters.mongo_runs import MongoRuns
from backup_service.adapters.mongo_store import Store, open_store
from backup_service.usecases.configure import Configure
from backup_service.usecases.discover import Discover
from backup_service.usecases.retention import Retention
from chassis.documents import connect
from chassis.settings import StoreSettings
from chassis.testing.bus import MemoryBroker, Stored
from chassis.testing.clock import ManualClock
from chassis.testing.servers import SecantusProcess
from contracts.events import JobWakeUp
from contracts.names import JobKind
from contracts.views import Job

_NUMBER = count()


@pytest.fixture(scope="session")
def secantus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecantusProcess]:
    with SecantusProcess(tmp_path_factory.mktemp("secantus")) as running:
        yield running


@pytest.fixture
async def store(secantus: SecantusProcess) -> AsyncIterator[Store]:
    settings = StoreSettings(
        health_port=0,
        nats_url="tls://127.0.0.1:1",
        nats_nkey=SecretStr("unused"),
        mongo_url=secantus.url,
    )
    db = connect(settings, f"backup_service_{next(_NUMBER)}")
    yield await open_store(db)
    db.client.close()


@dataclass
class Ledger:
    """What reached the bus."""

    broker: MemoryBroker

    def events(self, scope: str = "job") -> list[tuple[str, int]]:
        """Name and version of the job events of one scope, as published."""
        found = [(one.envelope().type.split(".")[2], _body(one)) for one in self._stored("M365_EVT")]
        return [(name, body["version"]) for name, body in found if body.get("scope") == scope]

    def causes(self) -> set[tuple[str, str, str]]:
        """(scope, who asked, id of the asking) of every job event."""
        bodies = [_body(one) for one in self._stored("M365_EVT")]
        return {(body["scope"], body["requested_by"], body["causation"]) for body in bodies if "scope" in body}

    def chunks(self) -> list[str]:
        return [_body(one)["pack"] for one in self._stored("M365_EVT") if ".backup.chunk-stored" in one.subject]

    def wakes(self) -> list[JobWakeUp]:
        return [JobWakeUp.model_validate_json(one.body) for one in self._stored("M365_JOBS")]

    def _stored(self, stream: str) -> list[Stored]:
        return [one for one in self.broker.stored if one.stream == stream]


def _body(stored: Stored) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(stored.body)
    return body


class Planner:
    """The adapters of one process on one database."""

    def __init__(self, store: Store, clock: ManualClock) -> None:
        self.clock = clock
        self.store = store
        self.broker = MemoryBroker()
        self.ledger = Ledger(self.broker)
        bus = self.broker.bus("backup-service", clock)
        self.runs = MongoRuns(store, bus, clock, lease=LEASE)
        self.jobs = MongoJobs(store, bus, clock, JobTiming(LEASE, LADDER, ATTEMPTS))
        self.catalogue = MongoCatalogue(store)
        self.custody = MongoCustody(store)
        self.retention = Retention(self.custody, clock)
        self.configure = Configure(self.catalogue, self.retention, clock)
        self.resources = MongoResources(store)
        self.discover = Discover(self.resources, clock)

    async def start(
        self, run: str = "run-1", *, tenant: str = "contoso", configuration: str = "c1", kind: JobKind = JobKind.BACKUP
    ) -> Any:
        at = self.clock.now()
        await self.runs.start(tenant, run, kind, configuration=configuration, requested_at=at, details={})
        return await self.runs.get(tenant, run)

    async def plan(self, run: Any, *resources: str) -> list[Job]:
        fields = {"target": "t1", "retention_days": 30}
        await self.runs.plan(run, [(resource, f"{resource}@x", fields) for resource in resources])
        return await self.jobs_of(run)

    async def jobs_of(self, run: Any) -> list[Job]:
        return list((await self.catalogue.jobs(run["tenant"], run["id"], None, 500)).items)


@pytest.fixture
def planner(store: Store, clock: ManualClock) -> Planner:
    return Planner(store, clock)


class MemoryDesk:
    """One queued job in memory."""

    def __init__(self, clock: ManualClock) -> None:
        self.jobs = MemoryJobs(clock, Fuse())
        self.jobs.add("j1", ANNA)

    async def wake(self) -> JobWakeUp:
        return self.jobs.wake("j1")

    async def view(self) -> Job:
        return self.jobs.rows["j1"].view

    async def due_in(self) -> float | None:
        return self.jobs.rows["j1"].due_in

    def events(self) -> list[tuple[str, int]]:
        return self.jobs.rows["j1"].events

    def chunks(self) -> list[str]:
        return self.jobs.rows["j1"].packs


class MongoDesk:
    """One queued job in the document store."""

    def __init__(self, planner: Planner, job: Job) -> None:
        self.jobs = planner.jobs
        self._planner = planner
        self._job = job

    async def wake(self) -> JobWakeUp:
        document = await self._document()
        return JobWakeUp(
            tenant="contoso", job=self._job.id, kind=JobKind(document["kind"]), message=document["message"]
        )

    async def view(self) -> Job:
        found = await self._planner.catalogue.job("contoso", self._job.id)
        assert found is not None
        return found

    async def due_in(self) -> float | None:
        due = (await self._document()).get("due_at")
        return None if due is None else (due - self._planner.clock.now()).total_seconds()

    def events(self) -> list[tuple[str, int]]:
        return self._planner.ledger.events()

    def chunks(self) -> list[str]:
        return self._planner.ledger.chunks()

    async def _document(self) -> Any:
        return await self._planner.store.jobs.find_one({"id": self._job.id})


@pytest.fixture(params=["memory", "mongo"])
async def desk(request: pytest.FixtureRequest, clock: ManualClock, planner: Planner) -> MemoryDesk | MongoDesk:
    if request.param == "memory":
        return MemoryDesk(clock)
    (job,) = await planner.plan(await planner.start(), ANNA)
    return MongoDesk(planner, job)
