"""What becomes of a delivered message, on a real nats-server; among it the traps FastStream and JetStream set."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import nats
import pytest
from faststream.nats import NatsBroker
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError
from pymongo.errors import AutoReconnect

from chassis import bootstrap
from chassis.bus import Bus, BusUnreachable
from chassis.delivered import Delivered
from chassis.delivery import DeliveryPolicy, subscribe, subscribe_batch
from chassis.errors import GiveUp, RetryLater
from chassis.testing.servers import NatsProcess
from chassis.vault import VaultUnreachable
from contracts import streams
from contracts.bus_users import inbox_prefix
from contracts.events import BackupRequested, JobEvent, JobQueued, JobWakeUp

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
QUICK = DeliveryPolicy(heartbeat=0.2, ladder=(0.05, 0.1), attempts=3, fetch_timeout=0.5, outage_pause=0.05)
USER = "backup-service"

Deliveries = list[tuple[str, int]]


@dataclass
class Line:
    """One consumer's bus, and a look at the streams from outside."""

    bus: Bus
    js: JetStreamContext
    seen: Deliveries = field(default_factory=list)

    async def dead_letters(self) -> list[tuple[str, str, bytes]]:
        """(subject, reason, payload) of each."""
        count = (await self.js.stream_info(streams.DLQ.name)).state.messages
        found = [await self.js.get_msg(streams.DLQ.name, n) for n in range(1, count + 1)]
        return [(m.subject or "", (m.headers or {})["m365-dlq-reason"], m.data or b"") for m in found]

    async def waiting(self, stream: streams.Stream) -> int:
        return (await self.js.stream_info(stream.name)).state.messages

    async def unacknowledged(self, durable: streams.Durable) -> int:
        info = await self.js.consumer_info(durable.stream.name, durable.name)
        return (info.num_ack_pending or 0) + (info.num_pending or 0)


@pytest.fixture
async def line(tmp_path: Path) -> AsyncIterator[Line]:
    with NatsProcess(tmp_path) as server:
        connection = await nats.connect(server.url)
        js = connection.jetstream()
        await bootstrap.ensure(js, ack_wait=1.0)
        broker = NatsBroker(server.url, inbox_prefix=inbox_prefix(USER), graceful_timeout=0.2, logger=None)
        try:
            yield Line(Bus(broker, USER), js)
        finally:
            await broker.stop()
            await connection.close()


def wake(job: str) -> JobWakeUp:
    return JobWakeUp(tenant="contoso", job=job, kind="backup", message=f"{job}-1")


async def until(question: Callable[[], Awaitable[bool]], what: str) -> None:
    async with asyncio.timeout(15):
        while not await question():  # noqa: ASYNC110 - a server is asked, and it offers no event
            await asyncio.sleep(0.02)
    assert what


async def jobs_done(line: Line) -> bool:
    return await line.waiting(streams.JOBS) == 0


async def test_returning_is_the_ack(line: Line) -> None:
    async def handler(message: Delivered[JobWakeUp]) -> None:
        line.seen.append((message.body.job, message.delivery))

    subscribe(line.bus, streams.JOBS_BACKUP, JobWakeUp, handler, QUICK)
    await line.bus.broker.start()
    assert await line.bus.wake(wake("a"))
    await until(lambda: jobs_done(line), "acked")
    assert line.seen == [("a", 1)]
    assert await line.dead_letters() == []


@pytest.mark.parametrize(
    "away",
    [AutoReconnect("documents"), VaultUnreachable("GET", "kv", "no answer"), BusUnreachable("no answer")],
    ids=str,
)
async def test_an_outage_of_any_length_makes_no_dead_letter(line: Line, away: Exception) -> None:
    async def handler(message: Delivered[JobWakeUp]) -> None:
        line.seen.append((message.body.job, message.delivery))
        if message.delivery <= QUICK.attempts + 2:
            raise away

    subscribe(line.bus, streams.JOBS_BACKUP, JobWakeUp, handler, QUICK)
    await line.bus.broker.start()
    await line.bus.wake(wake("a"))
    await until(lambda: jobs_done(line), "acked in the end")
    assert len(line.seen) == QUICK.attempts + 3
    assert await line.dead_letters() == []


async def test_retry_later_waits_and_comes_back(line: Line) -> None:
    async def handler(message: Delivered[JobWakeUp]) -> None:
        line.seen.append((message.body.job, message.delivery))
        if message.delivery < 3:
            raise RetryLater(0.1, "not yet")

    subscribe(line.bus, streams.JOBS_BACKUP, JobWakeUp, handler, QUICK)
    await line.bus.broker.start()
    await line.bus.wake(wake("a"))
    await until(lambda: jobs_done(line), "acked in the end")
    assert line.seen == [("a", 1), ("a", 2), ("a", 3)]


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"not json", "unreadable"),
        (b"{}", "unreadable: tenant"),
        (b'{"tenant":"contoso","job":"a","kind":"dance","message":"m"}', "unreadable: kind"),
        (b"[1, 2]", "unreadable"),
    ],
)
async def test_an_unreadable_wake_up_becomes_a_dead_letter_at_once(line: Line, payload: bytes, reason: str) -> None:
    async def handler(_message: Delivered[JobWakeUp]) -> None:
        raise AssertionError("unreadable messages reach no handler")

    subscribe(line.bus, streams.JOBS_BACKUP, JobWakeUp, handler, QUICK)
    await line.bus.broker.start()
    await line.js.publish("m365.job.v1.contoso.backup.a", payload)
    await until(lambda: jobs_done(line), "gone from the work queue")
    [(subject, why, body)] = await line.dead_letters()
    assert subject == "m365.dlq.v1.jobs-backup.contoso"
    assert why.startswith(reason)
    assert body == payload


async def test_a_request_whose_body_names_another_tenant_is_refused(line: Line) -> None:
    async def handler(message: Delivered[BackupRequested]) -> None:
        line.seen.append((message.body.tenant, message.delivery))

    subscribe(line.bus, streams.BACKUP_REQUESTED, BackupRequested, handler, QUICK)
    await line.bus.broker.start()
    event = BackupRequested(tenant="fabrikam", at=NOW, request="r", configuration="c")
    structured = (
        b'{"specversion":"1.0","id":"1","source":"x","type":"m365.backup.requested.v1","data":'
        + event.model_dump_json().encode()
        + b"}"
    )
    headers = {"content-type": "application/cloudevents+json"}
    await line.js.publish("m365.ext.v1.stranger.contoso.backup.requested", structured, headers=headers)
    await line.js.publish("m365.ext.v1.stranger.fabrikam.backup.requested", structured, headers=headers)
    await until(lambda: _drained(line, streams.BACKUP_REQUESTED), "both read")
    assert line.seen == [("fabrikam", 1)]
    [(_, why, _)] = await line.dead_letters()
    assert "tenant in subject and body disagree" in why


async def test_a_bug_climbs_the_ladder_and_ends_as_a_dead_letter_without_a_hot_loop(line: Line) -> None:
    async def handler(message: Delivered[JobWakeUp]) -> None:
        line.seen.append((message.body.job, message.delivery))
        raise KeyError("a defect")

    subscribe(line.bus, streams.JOBS_BACKUP, JobWakeUp, handler, QUICK)
    await line.bus.broker.start()
    await line.bus.wake(wake("a"))
    await until(lambda: jobs_done(line), "dead-lettered")
    assert line.seen == [("a", 1), ("a", 2), ("a", 3)]
    [(_, why, _)] = await line.dead_letters()
    assert why == "handler failed 3 times: KeyError"


async def test_giving_up_keeps_payload_and_reason(line: Line) -> None:
    async def handler(_message: Delivered[JobWakeUp]) -> None:
        raise GiveUp("no such tenant\nand never was")

    subscribe(line.bus, streams.JOBS_BACKUP, JobWakeUp, handler, QUICK)
    await line.bus.broker.start()
    await line.bus.wake(wake("a"))
    await until(lambda: jobs_done(line), "dead-lettered")
    [(_, why, body)] = await line.dead_letters()
    assert why == "no such tenant and never was"
    assert JobWakeUp.model_validate_json(body) == wake("a")


async def test_long_work_is_kept_alive_by_heartbeats(line: Line) -> None:
    async def handler(message: Delivered[JobWakeUp]) -> None:
        line.seen.append((message.body.job, message.delivery))
        await asyncio.sleep(2.5)  # the work: two and a half times the ack wait

    subscribe(line.bus, streams.JOBS_BACKUP, JobWakeUp, handler, QUICK, parallel=2)
    await line.bus.broker.start()
    await line.bus.wake(wake("a"))
    await until(lambda: jobs_done(line), "acked")
    assert line.seen == [("a", 1)]


async def test_a_cancelled_handler_hands_its_message_to_the_next_replica_at_once(line: Line) -> None:
    running = asyncio.Event()

    async def handler(_message: Delivered[JobWakeUp]) -> None:
        running.set()
        await asyncio.Event().wait()

    subscribe(line.bus, streams.JOBS_BACKUP, JobWakeUp, handler, QUICK)
    await line.bus.broker.start()
    await line.bus.wake(wake("a"))
    await asyncio.wait_for(running.wait(), 10)
    await line.bus.broker.stop()
    puller = await line.js.pull_subscribe_bind(streams.JOBS_BACKUP.name, streams.JOBS.name)
    [message] = await puller.fetch(1, timeout=0.9)
    assert message.metadata.num_delivered == 2


async def test_only_one_wake_up_per_job_is_outstanding(line: Line) -> None:
    await line.bus.broker.start()
    assert await line.bus.wake(wake("a"))
    assert not await line.bus.wake(wake("a"), again=1)
    assert await line.bus.wake(wake("b"))
    assert await line.waiting(streams.JOBS) == 2


async def test_a_batch_is_acked_together_and_its_poison_sorted_out(line: Line) -> None:
    batches: list[list[int]] = []

    async def handler(messages: Sequence[Delivered[JobEvent]]) -> None:
        batches.append([message.body.version for message in messages])

    subscribe_batch(line.bus, streams.MONITOR_LEDGER, JobEvent, handler, QUICK)
    await line.bus.broker.start()
    for version in range(3):
        event = JobQueued(tenant="contoso", at=NOW, scope="job", id="j", run="r", kind="backup", version=version)
        await line.bus.publish(event)
    await line.js.publish("m365.evt.v1.contoso.job.queued", b"poison")

    async def all_settled() -> bool:
        # The job log copies from the event stream, so an empty consumer alone proves nothing.
        info = await line.js.consumer_info(streams.MONITOR_LEDGER.stream.name, streams.MONITOR_LEDGER.name)
        return info.ack_floor is not None and info.ack_floor.stream_seq == 4

    await until(all_settled, "all read")
    assert sorted(version for batch in batches for version in batch) == [0, 1, 2]
    assert len(await line.dead_letters()) == 1


async def test_a_second_publish_of_the_same_event_is_dropped(line: Line) -> None:
    await line.bus.broker.start()
    event = JobQueued(tenant="contoso", at=NOW, scope="job", id="j", run="r", kind="backup", version=1)
    await line.bus.publish(event)
    await line.bus.publish(event)
    assert await line.waiting(streams.EVT) == 1


async def test_services_never_change_what_the_bootstrap_declared(line: Line) -> None:
    """FastStream updates a stream to its own defaults unless told not to declare it."""

    async def handler(_message: Delivered[JobWakeUp]) -> None:
        return

    before = await line.js.stream_info(streams.JOBS.name)
    subscribe(line.bus, streams.JOBS_BACKUP, JobWakeUp, handler, QUICK)
    await line.bus.broker.start()
    after = await line.js.stream_info(streams.JOBS.name)
    assert after.config == before.config


async def test_a_missing_stream_fails_the_start_instead_of_waiting_in_silence(line: Line) -> None:
    async def handler(_message: Delivered[JobWakeUp]) -> None:
        return

    await line.js.delete_stream(streams.JOBS.name)
    subscribe(line.bus, streams.JOBS_BACKUP, JobWakeUp, handler, QUICK)
    with pytest.raises(NotFoundError):
        await line.bus.broker.start()


async def _drained(line: Line, durable: streams.Durable) -> bool:
    return await line.unacknowledged(durable) == 0
