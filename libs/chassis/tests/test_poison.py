"""Poison of every kind on every durable: no hot loop, no silence, always a dead letter with payload and reason."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import nats
import pytest
import structlog
from faststream.nats import NatsBroker
from nats.js import JetStreamContext
from nats.js.errors import APIError
from pydantic import BaseModel

from chassis import bootstrap
from chassis.bus import Bus
from chassis.delivered import Delivered
from chassis.delivery import DeliveryPolicy, subscribe, subscribe_batch
from chassis.errors import GiveUp
from chassis.testing.poison import NOW, Case, cases, poisons
from chassis.testing.servers import NatsProcess
from contracts import dead_letters, streams
from contracts.bus_users import inbox_prefix
from contracts.envelope import headers, run_id
from contracts.events import (
    AnyJobEvent,
    BackupRequested,
    Event,
    JobQueued,
    RequestRejected,
)
from contracts.streams import DURABLES, Durable

QUICK = DeliveryPolicy(heartbeat=0.2, ladder=(0.05, 0.1), attempts=3, fetch_timeout=0.5)
USER = "backup-service"
CASES = cases()
BACKUP = BackupRequested(tenant="contoso", at=NOW, request="r", configuration="c")
JOB: dict[str, Any] = {"tenant": "contoso", "at": NOW, "scope": "job", "run": "r", "kind": "backup", "version": 1}

Letter = tuple[bytes, dict[str, str]]


@dataclass
class Line:
    js: JetStreamContext
    bus: Bus
    logged: list[Any]
    seen: list[str] = field(default_factory=list)

    async def letters(self) -> list[Letter]:
        count = (await self.js.stream_info(streams.DLQ.name)).state.messages
        found = [await self.js.get_msg(streams.DLQ.name, n + 1) for n in range(count)]
        return [(letter.data or b"", dict(letter.headers or {})) for letter in found]

    async def settled(self, durable: Durable, letters: int) -> list[Letter]:
        """The dead letters, as soon as there are so many and the durable has nothing left to deliver."""
        async with asyncio.timeout(15):
            while True:
                info = await self.js.consumer_info(durable.stream.name, durable.name)
                found = await self.letters()
                if len(found) >= letters and not info.num_pending and not info.num_ack_pending:
                    return found
                await asyncio.sleep(0.02)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsProcess]:
    with NatsProcess(tmp_path_factory.mktemp("nats")) as running:
        yield running


@pytest.fixture
async def line(server: NatsProcess) -> AsyncIterator[Line]:
    connection = await nats.connect(server.url)
    js = connection.jetstream()
    for name in [info.config.name for info in await js.streams_info()]:
        await js.delete_stream(name or "")
    await bootstrap.ensure(js, ack_wait=5.0)
    broker = NatsBroker(server.url, inbox_prefix=inbox_prefix(USER), graceful_timeout=0.2, logger=None)
    with structlog.testing.capture_logs() as logged:
        yield Line(js, Bus(broker, USER), logged)
    await broker.stop()
    await connection.close()


def consume(line: Line, durable: Durable, model: type[BaseModel], *, fails: bool = False) -> None:
    """Bind a handler that remembers what reached it, as its service does: one by one or in batches."""

    async def one(message: Delivered[Any]) -> None:
        line.seen.append(message.subject)
        if fails:
            raise KeyError("a defect")

    async def many(messages: Sequence[Delivered[Any]]) -> None:
        for message in messages:
            await one(message)

    if durable.batch > 1:
        subscribe_batch(line.bus, durable, model, many, QUICK)
    else:
        subscribe(line.bus, durable, model, one, QUICK)


def test_every_durable_has_a_case() -> None:
    assert {durable.name for durable in DURABLES} == CASES.keys()


@pytest.mark.parametrize("durable", DURABLES, ids=lambda durable: durable.name)
async def test_what_cannot_be_read_becomes_a_dead_letter_at_once(line: Line, durable: Durable) -> None:
    case = CASES[durable.name]
    sent = poisons(case)
    consume(line, durable, case.model)
    await line.bus.broker.start()
    for subject, body, head in sent.values():
        await line.js.publish(subject, body, headers=head or None)
    letters = await line.settled(durable, len(sent))
    assert line.seen == []
    assert sorted(body for body, _ in letters) == sorted(body for _, body, _ in sent.values())
    for _, head in letters:
        assert head[dead_letters.REASON].startswith("unreadable: ")
        assert int(head[dead_letters.DELIVERIES]) == 1
        assert head[dead_letters.STREAM] == durable.stream.name
        assert "Nats-Rollup" not in head
    told = [entry for entry in line.logged if entry["log_level"] == "error" and entry["durable"] == durable.name]
    assert len(told) == len(sent)


async def test_whoever_asked_hears_why_nobody_will_answer(line: Line) -> None:
    """One rejection for each poisoned request, with its id as far as that could be read; never one of its values."""
    durable = streams.BACKUP_REQUESTED
    case = CASES[durable.name]
    sent = poisons(case) | {"id without end": _with_id(case, "x" * 257), "given up": _with_id(case, "crm-1")}
    subscribe(line.bus, durable, BackupRequested, _give_up, QUICK)
    await line.bus.broker.start()
    for subject, body, head in sent.values():
        await line.js.publish(subject, body, headers=head or None)
    await line.settled(durable, len(sent))
    told = [await line.js.get_msg("M365_EVT", n + 1) for n in range(len(sent) - 1)]
    rejections = [RequestRejected.model_validate_json(message.data or b"") for message in told]
    assert {message.subject for message in told} == {
        "m365.evt.v1.contoso.request.rejected",
        "m365.evt.v1.fabrikam.request.rejected",
    }
    assert {rejected.source for rejected in rejections} == {"crm"}
    # The tenant that is no name has no subject to be told on; its dead letter is all there is.
    assert len({rejected.sequence for rejected in rejections}) == len(sent) - 1
    assert (await line.js.stream_info("M365_EVT")).state.messages == len(sent) - 1
    known = headers(BACKUP, "crm")["ce-id"]
    assert {rejected.causation for rejected in rejections} == {known, "1", "", "crm-1"}
    [given_up] = [rejected for rejected in rejections if rejected.causation == "crm-1"]
    assert (given_up.reason, given_up.run) == ("never", run_id("crm", "crm-1"))
    assert all(rejected.reason.startswith("unreadable: ") for rejected in rejections if rejected is not given_up)


async def _give_up(_message: Delivered[BackupRequested]) -> None:
    raise GiveUp("never")


def _with_id(case: Case, identity: str) -> tuple[str, bytes, dict[str, str]]:
    head = headers(BACKUP, "crm") | {"ce-id": identity, "Nats-Msg-Id": identity}
    return case.subject, case.good.model_dump_json().encode(), head


@pytest.mark.parametrize("durable", DURABLES, ids=lambda durable: durable.name)
async def test_a_handler_that_always_fails_ends_with_a_dead_letter(line: Line, durable: Durable) -> None:
    case = CASES[durable.name]
    consume(line, durable, case.model, fails=True)
    await line.bus.broker.start()
    head = headers(case.good, "crm") if isinstance(case.good, Event) else None
    await line.js.publish(case.subject, case.good.model_dump_json().encode(), headers=head)
    [(body, letter)] = await line.settled(durable, 1)
    assert set(line.seen) == {case.subject}
    assert len(line.seen) == QUICK.attempts
    assert letter[dead_letters.REASON] == "handler failed 3 times: KeyError"
    assert body == case.good.model_dump_json().encode()


@pytest.mark.parametrize("durable", DURABLES, ids=lambda durable: durable.name)
async def test_an_oversized_message_is_refused_when_it_is_published(line: Line, durable: Durable) -> None:
    """So a dead letter, which has more headers than its message, never exceeds what the server takes."""
    with pytest.raises(APIError) as refused:
        await line.js.publish(CASES[durable.name].subject, b" " * (256 * 1024 + 1))
    assert refused.value.err_code == 10054
    assert await line.letters() == []


@pytest.mark.parametrize("verdict", [KeyError("a defect"), GiveUp("never")], ids=["bug", "given up"])
async def test_one_bad_message_of_a_batch_buries_no_other(line: Line, verdict: Exception) -> None:
    durable, done = streams.MONITOR_LEDGER, set()

    async def handler(messages: Sequence[Delivered[AnyJobEvent]]) -> None:
        for message in messages:
            if message.body.root.id == "bad":
                raise verdict
        done.update(message.body.root.id for message in messages)

    for name in ("a", "b", "bad", "c", "d"):
        event = JobQueued(**JOB, id=name)
        await line.js.publish(event.subject(), event.model_dump_json().encode(), headers=headers(event, "x"))
    subscribe_batch(line.bus, durable, AnyJobEvent, handler, QUICK)
    await line.bus.broker.start()
    [(body, _)] = await line.settled(durable, 1)
    assert json.loads(body)["id"] == "bad"
    assert done == {"a", "b", "c", "d"}
