"""Budgets across processes: what a pool hands out, and budgets that live on its shares."""

import asyncio
import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph_client import Budget, Draw, Limits, MemoryPool, PoolUnreachable, Response, Route, Throttled, settle

Make = Callable[..., Any]
SMALL = Limits(requests=40, window=60.0, slices=6, portions=5)
ANNA = "users/anna/messages"

STEP = st.tuples(
    st.sampled_from("abcdef"), st.floats(0.0, 4.0), st.integers(0, 4), st.booleans(), st.floats(0.0, 1.0), st.booleans()
)


@given(st.lists(STEP, max_size=80))
def test_whatever_processes_do_the_limits_hold(steps: list[Any]) -> None:
    """Each holder runs at most what it was given, spends some of its grant, leaves, or dies without a word."""
    record: dict[str, Any] = {}
    now, running, left, until = 1000.0, {}, {}, {}
    spent: list[tuple[float, int]] = []
    for name, pause, wish, wanted, part, dies in steps:
        now += pause
        for holder in [holder for holder in until if until[holder] <= now]:
            # Whoever did not renew in time starts nothing and ends what runs (a keeper renews while requests run).
            running.pop(holder), left.pop(holder), until.pop(holder)
        use = int(left.get(name, 0) * part)
        if use:
            spent.append((now, use))
        mine = min(running.get(name, 0), wish)
        draw = Draw(name, mine, wanted, {"requests": left.get(name, 0) - use}, {"requests": 1})
        record, share = settle(record, draw, SMALL, now)
        if wanted or mine:
            running[name], left[name] = share.places, share.allowed.get("requests", 0)
            until[name] = now + SMALL.lease
        else:
            running.pop(name, None), left.pop(name, None), until.pop(name, None)
        if dies and name in until:
            spent.append((now, left[name]))
            left[name] = 0
        assert sum(running.values()) <= SMALL.concurrency
        assert sum(amount for at, amount in spent if at + 60.0 > now) <= SMALL.requests


def test_places_are_shared_fairly_and_only_once_given_back() -> None:
    record, share = settle({}, Draw("a"), Limits(), 0.0)
    assert share.places == 4
    record, share = settle(record, Draw("b"), Limits(), 0.1)
    assert share.places == 0
    record, share = settle(record, Draw("a", running=3), Limits(), 1.0)
    assert share.places == 3  # three of its requests still run
    record, share = settle(record, Draw("b"), Limits(), 1.1)
    assert share.places == 1
    record, share = settle(record, Draw("a", running=1), Limits(), 2.0)
    assert share.places == 2
    record, share = settle(record, Draw("b", running=1), Limits(), 2.1)
    assert share.places == 2
    record, _ = settle(record, Draw("a", wanted=False), Limits(), 3.0)
    _, share = settle(record, Draw("b", running=2), Limits(), 3.1)
    assert share.places == 4


def test_what_a_process_dies_with_is_free_after_its_lease() -> None:
    record, _ = settle({}, Draw("a"), Limits(), 0.0)
    _, early = settle(record, Draw("b"), Limits(), 2.9)
    _, late = settle(record, Draw("b"), Limits(), 3.0)
    assert (early.places, late.places) == (0, 4)


def test_nearly_the_whole_budget_can_be_used() -> None:
    record, used, now = {}, 0, 0.0
    limits = Limits()
    while now < 3 * limits.window:
        record, share = settle(record, Draw("a", need={"requests": 1}), limits, now)
        used += share.allowed["requests"]
        now += 1.0 + share.wait
    assert used >= 0.9 * 3 * limits.requests


class Replicas:
    """Budgets of several processes on one pool, and a counter where Exchange would count."""

    def __init__(self, world: Make, ok: Make, count: int, limits: Limits) -> None:
        self.world = world()
        clock = self.world.clock
        self.pool = MemoryPool(clock, limits)
        self.running = self.most_running = 0
        self.moments: list[float] = []
        self.clients = []
        for number in range(count):
            self.world.budget = Budget(clock, random.Random(number), limits, self.pool)
            self.clients.append(self.world.another())

        async def serve() -> Response:
            self.running += 1
            self.most_running = max(self.most_running, self.running)
            self.moments.append(clock.monotonic())
            await clock.sleep(0.2)
            self.running -= 1
            return ok(body={})

        self.world.transport.script = [lambda _: serve()]

    async def work(self, number: int, calls: int) -> None:
        async with self.clients[number] as client:
            await asyncio.gather(*(client.get(ANNA) for _ in range(calls)))


async def test_two_processes_never_have_more_than_four_requests_running(world: Make, ok: Make) -> None:
    r = Replicas(world, ok, 2, Limits())

    async def story() -> None:
        await asyncio.gather(r.work(0, 100), r.work(1, 100))

    await r.world.run(story())
    assert len(r.moments) == 200
    assert r.most_running == 4
    assert r.world.clock.monotonic() < 15.0  # 10 s without any loss


async def test_two_processes_keep_one_window(world: Make, ok: Make) -> None:
    r = Replicas(world, ok, 2, Limits(requests=50, window=30.0, max_wait=200.0))

    async def story() -> None:
        await asyncio.gather(r.work(0, 80), r.work(1, 80))

    await r.world.run(story())
    assert len(r.moments) == 160
    for end in r.moments:
        assert sum(1 for moment in r.moments if end - 30.0 < moment <= end) <= 50


async def test_a_429_of_one_process_stops_the_others_at_their_next_draw(world: Make, ok: Make) -> None:
    limits = Limits()
    r = Replicas(world, ok, 2, limits)
    other = Budget(r.world.clock, random.Random(9), limits, r.pool)

    async def story() -> float:
        busy = asyncio.ensure_future(r.work(0, 150))
        await r.world.clock.sleep(2.0)
        await other.throttled(Route("outlook", "bert"), after=20.0, mailbox_only=False)
        said = r.world.clock.monotonic()
        await busy
        return said

    said = await r.world.run(story())
    assert len(r.moments) == 150
    assert not [moment for moment in r.moments if said + limits.renewal + 0.3 < moment < said + 20.0]
    with pytest.raises(Throttled):
        await r.world.run(_closed(r, limits))


async def _closed(r: Replicas, limits: Limits) -> None:
    """A process that starts now learns it before its first request, even for an address without a mailbox."""
    fresh = Budget(r.world.clock, random.Random(3), limits, r.pool)
    await r.pool.close("directory", None, 99.0)
    await fresh.enter(Route("directory"), path="/users")
    await fresh.enter(Route("directory"), path="/users")


async def test_a_process_that_lost_the_pool_starts_nothing_and_goes_on_when_it_is_back(world: Make, ok: Make) -> None:
    r = Replicas(world, ok, 1, Limits())
    away, draw = False, r.pool.draw

    async def failing(*args: Any) -> Any:
        if away:
            raise PoolUnreachable("gone")
        return await draw(*args)

    r.pool.draw = failing  # type: ignore[method-assign]  # an outage

    async def story() -> None:
        nonlocal away
        async with r.clients[0] as client:
            await client.get(ANNA)
            away = True
            await r.world.clock.sleep(10.0)
            with pytest.raises(PoolUnreachable):
                await client.get(ANNA)
            away = False
            await client.get(ANNA)

    await r.world.run(story())
    assert len(r.moments) == 2
