"""A worker on fakes that can crash and be followed by another one."""

import asyncio
import threading
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from backup_fakes.engine import EngineInMemory
from backup_fakes.exchange import ANNA, Exchange
from backup_fakes.fuse import Fuse
from backup_fakes.jobs import MemoryJobs
from backup_fakes.mail import MemoryTenants

from backup_engine.model import Snapshot
from backup_engine.testing.faulty import SimulatedCrash
from backup_service.adapters.error_classes import Judgement
from backup_service.domain.restore_order import RestoreOrder
from backup_service.usecases.execute_job import ExecuteJob
from backup_service.usecases.reading.checkpoints import BackupPace
from backup_service.usecases.reading.sources import READERS
from backup_service.usecases.restoring.frame import RestorePace
from backup_service.usecases.restoring.run_restore import RunRestore
from backup_service.usecases.run_backup import RunBackup
from chassis.delivered import Delivered
from chassis.testing.clock import ManualClock
from contracts.names import JobKind, Source
from contracts.views import Job, RestorePoint

RECHECK = 10.0
_TURNS = 30


class RememberedPoints:
    def __init__(self) -> None:
        self.known: dict[str, RestorePoint] = {}

    async def add_restore_point(self, point: RestorePoint) -> None:
        self.known[point.id] = point


class Worker:
    """One worker after the other on what survives: the mailboxes, the objects, the job documents."""

    def __init__(self, exchange: Exchange | None = None) -> None:
        self.clock = ManualClock()
        self.fuse = Fuse()
        self.exchange = exchange or Exchange()
        self.repositories = EngineInMemory(self.fuse)
        self.jobs = MemoryJobs(self.clock, self.fuse)
        self.points = RememberedPoints()
        self.settled: list[str] = []
        self.lost: list[tuple[str, str, str]] = []
        self.checkpoint_bytes = 1
        self.parallel = 1
        self.stopping = asyncio.Event()
        self.resource = ANNA
        self.tenants: Any = None
        """Another Microsoft 365 than the one in memory."""
        self.readers: Mapping[Source, Any] = READERS
        self._number = 0
        self._deliveries: dict[str, int] = {}

    def queue(self) -> str:
        """A new backup job of the mailbox, Anna's by default."""
        self._number += 1
        return self.jobs.add(f"j{self._number}", self.resource).job

    def queue_restore(self, point: str, target: str, folder: str = "", **order_: Any) -> str:
        self._number += 1
        order = RestoreOrder("c1", self._shard, point, target, folder, **order_)
        return self.jobs.add(f"r{self._number}", ANNA, kind=JobKind.RESTORE, order=order).job

    async def deliver(self, job: str) -> Job:
        """Wake the worker once more; the job as it is then."""
        wake = self.jobs.wake(job)
        delivery = self._deliveries.get(wake.message, 0) + 1
        self._deliveries[wake.message] = delivery
        await self._execute()(Delivered(wake, "m365.job", "", "", delivery))
        return self.jobs.rows[job].view

    async def deliver_and_die(self, job: str, step: int) -> bool:
        """Let the worker die at `step`; False when it came to its end before. Another worker is ready afterwards."""
        self.restart(dies_at=step)
        try:
            await self.deliver(job)
        except SimulatedCrash:
            return True
        except BaseExceptionGroup as group:
            rest = group.split(SimulatedCrash)[1]
            if rest is not None:
                raise
            return True
        else:
            return False
        finally:
            self.restart()

    async def deliver_and_leave(self, job: str, step: int) -> Job:
        """Tell the worker to leave at `step`; another one is ready afterwards."""
        self.restart()
        loop = asyncio.get_running_loop()
        self.fuse.meanwhile[step] = lambda: self._tell_to_leave(loop)
        view = await self.deliver(job)
        self.fuse.meanwhile.pop(step, None)
        self.stopping.clear()
        self.restart()
        return view

    def _tell_to_leave(self, loop: asyncio.AbstractEventLoop) -> None:
        """A thread of the engine stands still until the event loop has done all that needs no thread."""
        if threading.current_thread() is threading.main_thread():
            self.stopping.set()
            return
        dealt_with = threading.Event()

        async def tell() -> None:
            self.stopping.set()
            for _ in range(_TURNS):
                await asyncio.sleep(0)
            dealt_with.set()

        told = asyncio.run_coroutine_threadsafe(tell(), loop)
        assert dealt_with.wait(10)
        told.result(10)

    def restart(self, dies_at: int | None = None) -> None:
        self.fuse.renew(dies_at)
        self.repositories.forget()

    async def backup(self) -> Job:
        return await self.deliver(self.queue())

    async def snapshot(self) -> Snapshot:
        return (await self._repository()).snapshots(self._shard)[0]

    async def digest(self) -> str:
        return (await self._repository()).content_digest(self._shard, (await self.snapshot()).id)

    async def mirror(self) -> dict[str, tuple[str, str, bytes, dict[str, Any]]]:
        """What the newest restore point holds, in the form of Exchange.mirror."""
        repository = await self._repository()
        rows = repository.items(self._shard, (await self.snapshot()).id, "mail")
        return {row.key: (row.parent, row.version, repository.read(row), dict(row.meta)) for row in rows}

    async def folders(self) -> dict[str, tuple[str, str]]:
        rows = (await self._repository()).items(self._shard, (await self.snapshot()).id, "folder")
        return {row.key: (str(row.meta["name"]), row.parent) for row in rows}

    async def _repository(self) -> Any:
        return await self.repositories.open("contoso", "t1")

    @property
    def _shard(self) -> str:
        return f"c1/{self.resource}"

    def _execute(self) -> ExecuteJob:
        tenants = self.tenants or MemoryTenants(self.exchange, self.fuse)
        pace = BackupPace(checkpoint_bytes=self.checkpoint_bytes, parallel=self.parallel)
        backup = RunBackup(
            tenants=tenants,
            repositories=self.repositories,
            jobs=self.jobs,
            points=self.points,
            lost=self._lose,
            clock=self.clock,
            pace=pace,
            readers=self.readers,
        )
        restore = RunRestore(
            tenants, self.repositories, self.jobs, clock=self.clock, pace=RestorePace(parallel=1, progress_seconds=0)
        )
        kinds = {JobKind.BACKUP: backup, JobKind.RESTORE: restore}
        return ExecuteJob(self.jobs, kinds, judge=Judgement(RECHECK), settle=self._settle, stopping=self.stopping)

    async def _lose(self, tenant: str, resource: str, name: str) -> None:
        self.lost.append((tenant, resource, name))

    async def _settle(self, tenant: str, run: str) -> bool:
        self.settled.append(run)
        return True


@pytest.fixture
def worker(exchange: Exchange) -> Worker:
    return Worker(exchange)


@pytest.fixture
def new_worker() -> Callable[[Exchange], Worker]:
    return Worker
