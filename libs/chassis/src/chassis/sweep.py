"""The sweep: every few seconds it looks for due work. Events only make things faster; the sweep makes them happen."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import structlog
from prometheus_client import CollectorRegistry, Counter

from chassis.clock import Clock

log = structlog.get_logger()

Task = Callable[[], Awaitable[int]]
"""Handles what is due now, a bounded number of things, and says how many."""


class Sweep:
    """Runs each task every `interval` seconds. One task failing never stops the others, nor the next round."""

    def __init__(self, interval: float, clock: Clock, tasks: Mapping[str, Task], registry: CollectorRegistry) -> None:
        self._interval = interval
        self._clock = clock
        self._tasks = tasks
        self._handled = Counter("m365_sweep_handled", "Things the sweep handled", ["task"], registry=registry)
        self._failed = Counter("m365_sweep_failures", "Sweep tasks that failed", ["task"], registry=registry)
        for name in tasks:
            self._handled.labels(name)
            self._failed.labels(name)

    async def run(self, stop: asyncio.Event) -> None:
        """Sweep until `stop` is set."""
        while not stop.is_set():
            await self.once()
            pause = asyncio.ensure_future(self._clock.sleep(self._interval))
            stopped = asyncio.ensure_future(stop.wait())
            await asyncio.wait({pause, stopped}, return_when=asyncio.FIRST_COMPLETED)
            pause.cancel()
            stopped.cancel()

    async def once(self) -> None:
        """One round over all tasks."""
        for name, task in self._tasks.items():
            try:
                handled = await task()
            except Exception as error:  # noqa: BLE001 - a store that is away must not end the sweep
                self._failed.labels(name).inc()
                log.warning("sweep task failed; it runs again in the next round", task=name, error=str(error))
            else:
                self._handled.labels(name).inc(handled)
