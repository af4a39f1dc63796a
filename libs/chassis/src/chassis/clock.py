"""Time as something that is handed in, so that tests can run an hour of back-off in no time."""

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Real in processes, `chassis.testing.clock.ManualClock` in tests."""

    def now(self) -> datetime:
        """Say the wall-clock time, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Say the seconds since an arbitrary point; never goes back."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`; zero or less only yields to other tasks."""
        ...


class SystemClock:
    """The clock of the operating system."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds))
