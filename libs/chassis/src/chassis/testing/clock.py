"""Virtual time: nothing sleeps for real, sleepers wake in the order of their deadlines."""

import asyncio
import heapq
import itertools
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

Result = TypeVar("Result")

START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
_SETTLE_ROUNDS = 25
"""Turns of the event loop given to woken tasks; a chain of awaits without I/O needs one turn per link."""


class ManualClock:
    """A Clock whose time moves only by `advance` and `run`."""

    def __init__(self, start: datetime = START) -> None:
        self._start = start
        self._elapsed = 0.0
        self._order = itertools.count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        return self._elapsed

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._elapsed + seconds, next(self._order), woken))
        await woken

    async def advance(self, seconds: float) -> None:
        """Move on by `seconds`, waking each sleeper at its own time and letting it run before the next."""
        until = self._elapsed + seconds
        await _settle()
        while self._sleepers and self._sleepers[0][0] <= until:
            await self._wake_next()
        self._elapsed = until
        await _settle()

    async def run(self, work: Coroutine[Any, Any, Result], *, real_limit: float = 20.0) -> Result:
        """Run `work` to its end, jumping to the next deadline whenever everything waits for the clock.

        `real_limit` bounds the real seconds spent, because waiting for input or output takes real time; raises
        TimeoutError beyond it.
        """
        task = asyncio.ensure_future(work)
        try:
            async with asyncio.timeout(real_limit):
                while not task.done():
                    await _settle()
                    if task.done():
                        break
                    if self._sleepers:
                        await self._wake_next()
                    else:
                        await asyncio.wait({task}, timeout=0.005)
            return await task
        finally:
            task.cancel()

    async def _wake_next(self) -> None:
        deadline, _, woken = heapq.heappop(self._sleepers)
        if woken.done():  # its task was cancelled
            return
        self._elapsed = max(self._elapsed, deadline)
        woken.set_result(None)
        await _settle()


async def _settle() -> None:
    for _ in range(_SETTLE_ROUNDS):
        await asyncio.sleep(0)
