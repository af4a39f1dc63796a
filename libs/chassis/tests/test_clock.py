import asyncio
from datetime import UTC, timedelta

import pytest

from chassis.clock import SystemClock
from chassis.testing.clock import ManualClock


async def test_system_clock_is_aware_and_advances() -> None:
    clock = SystemClock()
    assert clock.now().tzinfo is UTC
    before = clock.monotonic()
    await clock.sleep(-1)
    await clock.sleep(0.001)
    assert clock.monotonic() > before


async def test_sleepers_wake_in_the_order_of_their_deadlines(clock: ManualClock) -> None:
    woken: list[tuple[str, float]] = []

    async def sleeper(name: str, seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append((name, clock.monotonic()))

    async with asyncio.TaskGroup() as group:
        for name, seconds in (("late", 30.0), ("early", 10.0), ("same", 10.0)):
            group.create_task(sleeper(name, seconds))
        await clock.advance(5)
        assert woken == []
        await clock.advance(5)
        assert woken == [("early", 10.0), ("same", 10.0)]
        await clock.advance(100)
    assert woken[-1] == ("late", 30.0)
    assert clock.monotonic() == 110.0


async def test_run_passes_an_hour_of_backoff_at_once(clock: ManualClock) -> None:
    start = clock.now()

    async def backoff() -> int:
        attempts = 0
        while attempts < 12:
            await clock.sleep(300)
            attempts += 1
        return attempts

    assert await clock.run(backoff()) == 12
    assert clock.now() - start == timedelta(hours=1)


async def test_run_passes_errors_on_and_ends_what_waits_for_ever(clock: ManualClock) -> None:
    async def fails() -> None:
        await clock.sleep(1)
        raise LookupError("as asked")

    with pytest.raises(LookupError):
        await clock.run(fails())
    with pytest.raises(TimeoutError):
        await clock.run(asyncio.Event().wait(), real_limit=0.05)


async def test_a_cancelled_sleeper_does_not_move_the_time(clock: ManualClock) -> None:
    sleeper = asyncio.create_task(clock.sleep(50))
    await clock.advance(1)
    sleeper.cancel()
    assert await clock.run(asyncio.sleep(0, "done")) == "done"
    assert clock.monotonic() == 1.0
