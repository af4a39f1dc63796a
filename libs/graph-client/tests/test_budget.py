import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from graph_client import GraphClient, Limits, Request, Response, Throttled

Make = Callable[..., Any]


async def everything(client: GraphClient, *paths: str) -> None:
    await asyncio.gather(*(client.get(path) for path in paths))


async def test_one_mailbox_never_has_more_than_four_requests_running(world: Make, ok: Make) -> None:
    w = world()

    async def slow() -> Response:
        await w.clock.sleep(1.0)
        return ok(body={})

    w.transport.script = [lambda _: slow()]
    await w.run(everything(w.client, *[f"users/anna/messages/{n}" for n in range(12)]))
    assert w.transport.most_running == 4
    assert w.clock.monotonic() == pytest.approx(3.0)


async def test_other_mailboxes_have_places_of_their_own(world: Make, ok: Make) -> None:
    w = world()

    async def slow() -> Response:
        await w.clock.sleep(1.0)
        return ok(body={})

    w.transport.script = [lambda _: slow()]
    await w.run(everything(w.client, *[f"users/u{n % 5}/messages/{n}" for n in range(20)]))
    assert w.transport.most_running == 20
    assert w.clock.monotonic() == pytest.approx(1.0)


async def test_a_429_pauses_every_client_of_the_tenant(world: Make, ok: Make, no: Make) -> None:
    w = world(no(429, "TooManyRequests", {"Retry-After": "10"}), lambda _: ok(body={}))
    moments: list[float] = []

    def note(_: Request) -> Response:
        moments.append(w.clock.monotonic())
        return ok(body={})

    async def story() -> None:
        first = asyncio.ensure_future(w.client.get("users/anna/messages/1"))
        await w.transport.answered.wait()
        w.transport.script = [note]
        await asyncio.gather(first, w.another().get("users/otto/messages/2"), w.client.get("users/ida/events"))

    await w.run(story())
    assert len(moments) == 3
    assert min(moments) >= 10.0


async def test_a_mailbox_concurrency_429_pauses_that_mailbox_only(world: Make, ok: Make) -> None:
    crowded = b'{"error":{"code":"ApplicationThrottled","message":"over its MailboxConcurrency limit."}}'
    w = world(ok(429, crowded, {"Retry-After": "10"}))

    async def story() -> float:
        first = asyncio.ensure_future(w.client.get("users/anna/messages/1"))
        await w.transport.answered.wait()
        w.transport.script = [lambda _: ok(body={})]
        await w.client.get("users/otto/messages/2")
        other = w.clock.monotonic()
        await first
        return other

    assert await w.run(story()) == 0.0
    assert w.clock.monotonic() >= 10.0


async def test_the_directory_goes_on_while_exchange_is_throttled(world: Make, ok: Make, no: Make) -> None:
    w = world(no(429, "TooManyRequests", {"Retry-After": "99"}), ok(body={}))
    with pytest.raises(Throttled):
        await w.run(w.client.get("users/anna/messages/1"))
    await w.run(w.client.get("users/anna"))
    assert w.clock.monotonic() == 0.0


async def test_the_window_of_a_mailbox_holds_and_slides(world: Make, ok: Make) -> None:
    limits = Limits(requests=10, window=60.0, max_wait=100.0)
    w = world(lambda _: ok(body={}), limits=limits)
    moments: list[float] = []
    w.transport.script = [lambda _: (moments.append(w.clock.monotonic()), ok(body={}))[1]]

    async def story() -> None:
        for n in range(35):
            await w.client.get(f"users/anna/messages/{n}")

    await w.run(story())
    for end in moments:
        assert sum(1 for moment in moments if end - 60.0 < moment <= end) <= 10
    assert w.clock.monotonic() <= 3 * (60.0 + 1.0 + 1.0)


async def test_a_spent_window_beyond_the_limit_is_throttled_without_a_request(world: Make, ok: Make) -> None:
    w = world(lambda _: ok(body={}), limits=Limits(requests=2))

    async def story() -> None:
        for n in range(3):
            await w.client.get(f"users/anna/messages/{n}")

    with pytest.raises(Throttled) as caught:
        await w.run(story())
    assert 600.0 <= caught.value.after <= 611.0
    assert len(w.transport.seen) == 2


async def test_time_scale_shortens_the_window(world: Make, ok: Make) -> None:
    w = world(lambda _: ok(body={}), limits=Limits(requests=2, time_scale=0.01))

    async def story() -> None:
        for n in range(5):
            await w.client.get(f"users/anna/messages/{n}")

    await w.run(story())
    assert 12.0 <= w.clock.monotonic() < 14.0


async def test_a_cancelled_call_gives_its_place_back(world: Make, ok: Make) -> None:
    w = world(limits=Limits(concurrency=1))

    async def never() -> None:
        await asyncio.get_running_loop().create_future()

    async def story() -> None:
        w.transport.script = [lambda _: never()]
        stuck = asyncio.ensure_future(w.client.get("users/anna/messages/1"))
        waiting = asyncio.ensure_future(w.client.get("users/anna/messages/2"))
        await w.transport.asked.wait()
        waiting.cancel()
        stuck.cancel()
        await asyncio.gather(stuck, waiting, return_exceptions=True)
        w.transport.script = [lambda _: ok(body={})]
        await w.client.get("users/anna/messages/3")

    await w.run(story())
    assert len(w.transport.seen) == 2


async def test_idle_mailboxes_are_forgotten(world: Make, ok: Make) -> None:
    w = world(lambda _: ok(body={}), limits=Limits(window=1.0))

    async def story() -> None:
        for n in range(600):
            await w.client.get(f"users/u{n}/messages")
        await w.clock.sleep(5.0)
        await w.client.get("users/last/messages")

    await w.run(story())
    assert len(w.budget._mailboxes) <= 512
