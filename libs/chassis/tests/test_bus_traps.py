"""The traps that FastStream and JetStream set, one test each on a real nats-server: our wrapper steps into none.

Each names the trap and what it would cost; what the wrapper does instead is asserted from outside.
"""

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import nkeys
import pytest
from faststream import AckPolicy
from nats.aio.msg import Msg
from nats.errors import TimeoutError as NatsTimeoutError
from nats.js import JetStreamContext
from nats.js.errors import NoStreamResponseError
from prometheus_client import REGISTRY
from pydantic import SecretStr

from chassis import bootstrap, bus, checks, closing
from chassis.bus import Bus, BusUnreachable
from chassis.delivered import Delivered
from chassis.delivery import LONGEST_NAK, DeliveryPolicy, subscribe, subscribe_batch
from chassis.errors import RetryLater
from chassis.settings import BusSettings
from chassis.testing.clock import ManualClock
from chassis.testing.pki import make_server_tls
from chassis.testing.servers import NatsProcess
from contracts import streams
from contracts.events import JobEvent, JobQueued, JobWakeUp
from contracts.streams import DURABLES, JOBS, JOBS_BACKUP, STREAMS

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
QUICK = DeliveryPolicy(heartbeat=0.2, ladder=(0.2,), attempts=4, fetch_timeout=0.3)
USER = "backup-service"


@dataclass
class Line:
    server: NatsProcess
    bus: Bus
    js: JetStreamContext
    settings: BusSettings
    seen: list[tuple[str, float]] = field(default_factory=list)

    def jobs(self) -> list[str]:
        return [job for job, _ in self.seen]

    async def wake(self, *jobs: str) -> None:
        for job in jobs:
            await self.bus.wake(JobWakeUp(tenant="contoso", job=job, kind="backup", message=f"{job}-1"))


@pytest.fixture
async def line(tmp_path: Path) -> AsyncIterator[Line]:
    """The broker is that of `chassis.bus.connect`: its options are what most traps are about."""
    server_tls = make_server_tls(tmp_path / "pki")
    seed = nkeys.encode_seed(os.urandom(32), nkeys.PREFIX_BYTE_USER).decode()
    public = nkeys.from_seed(seed.encode()).public_key.decode()
    config = f'authorization {{ users: [{{ nkey: "{public}" }}] }}'
    with NatsProcess(tmp_path / "nats", config=config, server_tls=server_tls) as server:
        settings = BusSettings(
            ca_file=server_tls.ca_file, health_port=0, nats_url=server.url, nats_nkey=SecretStr(seed), drain_timeout=1
        )
        broker = bus.connect(settings, USER)
        outside = bus.connect(settings, "outside")
        connection = await outside.connect()
        js = connection.jetstream()
        await bootstrap.ensure(js, ack_wait=2.0)
        yield Line(server, Bus(broker, USER), js, settings)
        await broker.stop()
        await outside.stop()


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(20):
        while not await holds():  # noqa: ASYNC110 - a server is asked, and it offers no event
            await asyncio.sleep(0.02)


async def done(line: Line) -> bool:
    return (await line.js.stream_info(JOBS.name)).state.messages == 0


def remember(line: Line) -> Callable[[Delivered[JobWakeUp]], Awaitable[None]]:
    async def handler(message: Delivered[JobWakeUp]) -> None:
        line.seen.append((message.body.job, time.monotonic()))

    return handler


async def test_1_a_starting_service_does_not_reset_its_streams(line: Line) -> None:
    """FastStream declares streams with its own defaults: retention, limits and compression would be gone."""

    async def configurations() -> list[object]:
        infos = [await line.js.stream_info(stream.name) for stream in STREAMS]
        consumers = [await line.js.consumer_info(durable.stream.name, durable.name) for durable in DURABLES]
        return [info.config for info in (*infos, *consumers)]

    before = await configurations()
    subscribe(line.bus, JOBS_BACKUP, JobWakeUp, remember(line), QUICK)
    await line.bus.broker.start()
    assert await configurations() == before


async def test_2_an_exception_does_not_delete_the_message(line: Line) -> None:
    """The default policy ends a message at its first exception; in a work queue that deletes it."""

    async def handler(message: Delivered[JobWakeUp]) -> None:
        line.seen.append((message.body.job, time.monotonic()))
        if message.delivery == 1:
            raise OSError

    subscribe(line.bus, JOBS_BACKUP, JobWakeUp, handler, QUICK)
    assert {subscriber.ack_policy for subscriber in line.bus.broker.subscribers} == {AckPolicy.MANUAL}
    await line.bus.broker.start()
    await line.wake("a")
    await until(lambda: done(line))
    assert line.jobs() == ["a", "a"]


async def test_3_a_bug_does_not_become_a_hot_loop(line: Line) -> None:
    """A negative acknowledgement without delay comes back at once, thousands of times a second."""

    async def handler(message: Delivered[JobWakeUp]) -> None:
        line.seen.append((message.body.job, time.monotonic()))
        raise OSError

    subscribe(line.bus, JOBS_BACKUP, JobWakeUp, handler, QUICK)
    await line.bus.broker.start()
    await line.wake("a")
    await until(lambda: done(line))
    moments = [moment for _, moment in line.seen]
    assert len(moments) == QUICK.attempts
    assert min(later - sooner for sooner, later in pairwise(moments)) > 0.15


async def test_4_an_outage_neither_blocks_the_loop_nor_ends_the_subscription(line: Line) -> None:
    """After the last reconnect attempt the pull loop spins without an await: the whole process is dead."""
    subscribe(line.bus, JOBS_BACKUP, JobWakeUp, remember(line), QUICK)
    await line.bus.broker.start()
    line.server.kill()
    longest = await _longest_pause(seconds=2.5)
    line.server.__enter__()
    await line.wake("a")
    await until(lambda: done(line))
    assert line.jobs() == ["a"]
    assert longest < 0.5


async def _longest_pause(seconds: float) -> float:
    """How long the event loop was deaf at most."""
    longest, last = 0.0, time.monotonic()
    end = last + seconds
    while last < end:
        await asyncio.sleep(0.01)
        now = time.monotonic()
        longest, last = max(longest, now - last), now
    return longest


async def test_5_a_durable_that_comes_back_is_read_again(line: Line) -> None:
    """A deleted durable is not noticed by the pull loop; the bootstrap restores it and nothing needs a restart."""
    subscribe(line.bus, JOBS_BACKUP, JobWakeUp, remember(line), QUICK)
    await line.bus.broker.start()
    await line.js.delete_consumer(JOBS.name, JOBS_BACKUP.name)
    assert await _longest_pause(seconds=1.0) < 0.5
    await bootstrap.ensure(line.js, ack_wait=2.0)
    await line.wake("a")
    await until(lambda: done(line))
    assert line.jobs() == ["a"]


async def test_6_nothing_is_fetched_ahead_of_a_long_job(line: Line) -> None:
    """Workers inside one subscriber prefetch without heartbeat: a waiting job is delivered twice."""
    most = 0

    async def handler(message: Delivered[JobWakeUp]) -> None:
        nonlocal most
        line.seen.append((message.body.job, float(message.delivery)))
        info = await line.js.consumer_info(JOBS.name, JOBS_BACKUP.name)
        most = max(most, info.num_ack_pending or 0)
        await asyncio.sleep(2.5)  # the work: longer than the ack wait of two seconds

    subscribe(line.bus, JOBS_BACKUP, JobWakeUp, handler, QUICK, parallel=2)
    await line.bus.broker.start()
    await line.wake("a", "b", "c")
    await until(lambda: done(line))
    assert sorted(line.seen) == [("a", 1.0), ("b", 1.0), ("c", 1.0)]
    assert most <= 2


async def test_7_a_slow_job_holds_up_no_other(line: Line) -> None:
    """A pull of several waits for the slowest before it pulls again, so jobs are pulled one by one."""
    release = asyncio.Event()

    async def handler(message: Delivered[JobWakeUp]) -> None:
        line.seen.append((message.body.job, 0))
        if message.body.job == "slow":
            await release.wait()

    assert [durable.name for durable in DURABLES if durable.stream is JOBS and durable.batch != 1] == []
    subscribe(line.bus, JOBS_BACKUP, JobWakeUp, handler, QUICK, parallel=2)
    await line.bus.broker.start()
    await line.wake("slow", "a", "b", "c", "d")

    async def only_the_slow_one_is_left() -> bool:
        return (await line.js.stream_info(JOBS.name)).state.messages == 1

    await until(only_the_slow_one_is_left)
    assert sorted(line.jobs()) == ["a", "b", "c", "d", "slow"]
    release.set()
    await until(lambda: done(line))


async def test_8_a_publish_that_no_stream_takes_is_an_error(line: Line) -> None:
    """Without the name of a stream a publish is fire and forget: an unbound subject would be a silent loss."""
    clock = ManualClock()
    await line.bus.broker.start()
    await line.js.delete_stream(streams.EVT.name)
    event = JobQueued(tenant="contoso", at=NOW, scope="job", id="j", run="r", kind="backup", version=1)
    publishing = asyncio.create_task(Bus(line.bus.broker, USER, clock).publish(event))
    while not publishing.done():
        await asyncio.sleep(0.01)
        await clock.advance(10)
    with pytest.raises(BusUnreachable) as raised:
        publishing.result()
    assert isinstance(raised.value.__cause__, NoStreamResponseError)


async def test_9_no_metric_grows_with_tenants_and_jobs(line: Line) -> None:
    """FastStream's Prometheus middleware labels by the whole subject: one series per tenant and job."""
    subscribe(line.bus, JOBS_BACKUP, JobWakeUp, remember(line), QUICK)
    await line.bus.broker.start()
    await line.wake("a", "b")
    await until(lambda: done(line))
    assert not [m for m in line.bus.broker.config.broker_middlewares if "prometheus" in str(m).lower()]
    assert not [metric for metric in REGISTRY.collect() if metric.name.startswith("faststream")]


async def test_10_one_tenant_that_has_to_wait_does_not_stall_the_others(line: Line) -> None:
    """A delayed message keeps its place among the unacknowledged, so the delay is bounded and places are many."""

    async def handler(message: Delivered[JobWakeUp]) -> None:
        line.seen.append((message.body.job, time.monotonic()))
        if message.body.job.startswith("throttled") and message.delivery == 1:
            raise RetryLater(3600, "throttled for an hour")

    assert LONGEST_NAK <= 30
    assert all(durable.max_ack_pending >= 256 for durable in DURABLES)
    subscribe(line.bus, JOBS_BACKUP, JobWakeUp, handler, QUICK)
    await line.bus.broker.start()
    await line.wake(*(f"throttled-{n}" for n in range(20)), "free")

    async def free_is_done() -> bool:
        info = await line.js.consumer_info(JOBS.name, JOBS_BACKUP.name)
        return "free" in line.jobs() and info.num_ack_pending == 20

    await until(free_is_done)


async def test_11_a_handshake_that_fails_does_not_keep_a_service_from_starting(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    """nats-py would wait for ever for the end of that connection, and never try again (nats-io/nats.py#718)."""
    monkeypatch.setattr(closing, "HANDSHAKE", 0.5)
    async with _busy_at_first(line.server.url) as (url, calls):
        broker = bus.connect(line.settings.model_copy(update={"nats_url": url}), USER)
        async with asyncio.timeout(10):
            await broker.start()
        assert await broker.ping(timeout=2)
        assert len(calls) == 2
        await broker.stop()


@asynccontextmanager
async def _busy_at_first(url: str) -> AsyncIterator[tuple[str, list[int]]]:
    """Before the server at `url`: leaves the first connection without a word, and passes on all others."""
    calls: list[int] = []
    relays = set[asyncio.Task[None]]()
    writers = set[asyncio.StreamWriter]()
    host, _, port = url.rpartition("/")[2].partition(":")

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        calls.append(len(calls))
        writers.add(writer)
        if calls == [0]:
            return
        inner_reader, inner_writer = await asyncio.open_connection(host, int(port))
        writers.add(inner_writer)
        for source, sink in ((reader, inner_writer), (inner_reader, writer)):
            relays.add(asyncio.create_task(_relay(source, sink)))

    front = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield f"tls://127.0.0.1:{front.sockets[0].getsockname()[1]}", calls
    finally:
        front.close()
        for relay in relays:
            relay.cancel()
        await asyncio.gather(*relays, return_exceptions=True)
        for writer in writers:
            writer.close()
        await asyncio.gather(*(writer.wait_closed() for writer in writers), return_exceptions=True)


async def _relay(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while block := await source.read(65_536):
            sink.write(block)
            await sink.drain()
    sink.close()


async def test_a_batch_in_hand_survives_the_end_of_a_pull(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trap: the built-in TimeoutError, which nats-py raises in one pull of twenty, costs FastStream's batch.

    Here every pull that finds nothing ends so; what was held would come again after the ack wait.
    """
    whole = JetStreamContext.PullSubscription.fetch

    async def ends_between_requests(self: JetStreamContext.PullSubscription, *args: int, **options: float) -> list[Msg]:
        try:
            return await whole(self, *args, **options)
        except NatsTimeoutError:
            raise TimeoutError from None

    monkeypatch.setattr(JetStreamContext.PullSubscription, "fetch", ends_between_requests)
    seen: asyncio.Queue[tuple[int, int]] = asyncio.Queue()

    async def handler(messages: Sequence[Delivered[JobEvent]]) -> None:
        for message in messages:
            seen.put_nowait((message.body.version, message.delivery))

    subscribe_batch(line.bus, streams.MONITOR_LEDGER, JobEvent, handler, QUICK)
    await line.bus.broker.start()
    async with asyncio.timeout(20):
        for version in range(3):
            event = JobQueued(tenant="contoso", at=NOW, scope="job", id="j", run="r", kind="backup", version=version)
            await line.bus.publish(event)
            assert await seen.get() == (version, 1)


async def test_a_service_is_ready_when_it_is_subscribed_and_not_when_it_is_only_connected(line: Line) -> None:
    """Whoever asks a service that says it is ready must not hear that nobody answers."""
    ready = checks.bus_answers(line.bus)
    await line.bus.broker.connect()
    with pytest.raises(ConnectionError, match="not subscribed"):
        await ready()
    await line.bus.broker.start()
    await ready()
