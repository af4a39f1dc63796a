"""Does the runs that are due, several at a time, as soon as it is woken and every few seconds anyway."""

import asyncio

import structlog

from chassis.clock import Clock
from sync_service.domain.runs import Run
from sync_service.usecases.execute_run import ExecuteRun

log = structlog.get_logger(__name__)


class Worker:
    """`slots` runs at a time; `interval` in seconds."""

    def __init__(self, execute: ExecuteRun, clock: Clock, *, slots: int, interval: float) -> None:
        self._execute = execute
        self._clock = clock
        self._slots = slots
        self._interval = interval
        self._woken = asyncio.Event()
        self._under_way: dict[tuple[str, str], asyncio.Task[None]] = {}

    def wake(self) -> None:
        """There may be something due."""
        self._woken.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set; runs under way are then handed back at their checkpoint."""
        try:
            while not stop.is_set():
                self._woken.clear()
                await self._look()
                await self._pause(stop)
        finally:
            under_way = list(self._under_way.values())
            for task in under_way:
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)

    async def _look(self) -> None:
        try:
            found = await self._execute.due()
        except Exception as error:  # noqa: BLE001 - a store that is away must not end the worker
            log.warning("could not look for syncs that are due", reason=str(error))
            return
        for run in found:
            key = (run.tenant, run.id)
            if key not in self._under_way and len(self._under_way) < self._slots:
                self._under_way[key] = asyncio.create_task(self._one(run, key))

    async def _one(self, run: Run, key: tuple[str, str]) -> None:
        try:
            await self._execute(run)
        except Exception as error:  # noqa: BLE001 - its lease ends, and it is taken up again
            log.warning("a sync could not be settled; it is taken up again", run=run.id, reason=str(error))
        finally:
            del self._under_way[key]
            self.wake()

    async def _pause(self, stop: asyncio.Event) -> None:
        waits = [
            asyncio.ensure_future(wait) for wait in (self._clock.sleep(self._interval), self._woken.wait(), stop.wait())
        ]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
