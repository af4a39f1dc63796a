"""Asking and requesting, on a real NATS and on the bus in memory: the same promises."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
import nats
import pytest
from faststream.nats import NatsBroker
from pymongo.errors import NetworkTimeout

from chassis import bootstrap
from chassis.bus import Bus
from chassis.listening import listening
from chassis.rpc import Call, RpcServer
from chassis.testing.bus import MemoryBroker
from chassis.testing.servers import NatsProcess
from chassis.vault import VaultUnreachable
from contracts import rpc, streams, subjects
from contracts.bus_users import inbox_prefix
from contracts.caller import Caller
from contracts.envelope import Envelope, decode, event_id, run_id
from contracts.events import BackupRequested, TokenRefreshed
from contracts.problem import ProblemError, not_found
from contracts.views import Tenant

CALLER = Caller("anna", ("admin", "user"), "request-1")
NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
TENANT = Tenant(tenant="contoso", entra_tenant_id="t", display_name="Contoso", created_at=NOW)


@dataclass(frozen=True)
class Pair:
    """The asking side, the answering side not yet started, and a look into the request stream."""

    gateway: Bus
    server: RpcServer
    start: Callable[[], Awaitable[None]]
    requests: Callable[[], Awaitable[list[tuple[str, dict[str, str], bytes]]]]


@pytest.fixture(params=["nats", "memory"])
async def pair(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Pair]:
    make = _real if request.param == "nats" else _memory
    async for made in make(tmp_path):
        yield made


async def _memory(_directory: Path) -> AsyncIterator[Pair]:
    broker = MemoryBroker()

    async def start() -> None:
        return None

    async def requests() -> list[tuple[str, dict[str, str], bytes]]:
        return [(s.subject, s.headers, s.body) for s in broker.stored if s.stream == streams.EXT.name]

    yield Pair(broker.bus("gateway"), RpcServer(broker.bus("token-service")), start, requests)


async def _real(directory: Path) -> AsyncIterator[Pair]:
    with NatsProcess(directory) as server:
        client = await nats.connect(server.url)
        stream = client.jetstream()
        await bootstrap.ensure(stream)
        brokers = [
            NatsBroker(server.url, inbox_prefix=inbox_prefix(user), logger=logging.getLogger("faststream"))
            for user in ("gateway", "token-service")
        ]

        async def start() -> None:
            for broker in brokers:
                await broker.start()
                await broker.connection.flush()
            await _known(server, len(brokers[1].subscribers))

        async def requests() -> list[tuple[str, dict[str, str], bytes]]:
            state = (await stream.stream_info(streams.EXT.name)).state
            messages = [await stream.get_msg(streams.EXT.name, n + 1) for n in range(state.messages)]
            return [(m.subject or "", dict(m.headers or {}), m.data or b"") for m in messages]

        yield Pair(Bus(brokers[0], "gateway"), RpcServer(Bus(brokers[1], "token-service")), start, requests)
        for broker in brokers:
            await broker.stop()
        await client.close()


async def _known(server: NatsProcess, answering: int) -> None:
    """FastStream subscribes in the background: nobody asks before the server knows who answers."""
    async with httpx.AsyncClient(trust_env=False) as http, asyncio.timeout(20):
        while True:
            page = await http.get(
                f"http://127.0.0.1:{server.monitor_port}/subsz", params={"subs": "1", "limit": "1000"}
            )
            found = [one for one in page.json().get("subscriptions_list", ()) if one["subject"].startswith("m365.rpc.")]
            if len(found) >= answering:
                return


async def test_an_answer_comes_back_typed_and_the_service_knows_who_asks(pair: Pair) -> None:
    asked: list[Call[rpc.Nothing]] = []

    async def answer(call: Call[rpc.Nothing]) -> Tenant:
        asked.append(call)
        return TENANT

    pair.server.answer(rpc.TENANT_GET, answer)
    await pair.start()
    assert await pair.gateway.ask(rpc.TENANT_GET, "contoso", rpc.Nothing(), CALLER) == TENANT
    assert asked == [Call("contoso", rpc.Nothing(), CALLER)]


async def test_a_question_about_no_single_tenant_names_none(pair: Pair) -> None:
    tenants: list[str | None] = []

    async def answer(call: Call[rpc.Page]) -> rpc.Listing[Tenant]:
        tenants.append(call.tenant)
        return rpc.Listing[Tenant](items=())

    pair.server.answer(rpc.TENANT_LIST, answer)
    await pair.start()
    await pair.gateway.ask(rpc.TENANT_LIST, None, rpc.Page(), CALLER)
    assert tenants == [None]


async def test_a_problem_of_the_service_reaches_the_asker(pair: Pair) -> None:
    async def answer(_call: Call[rpc.Nothing]) -> Tenant:
        raise not_found("Tenant")

    pair.server.answer(rpc.TENANT_GET, answer)
    await pair.start()
    with pytest.raises(ProblemError) as raised:
        await pair.gateway.ask(rpc.TENANT_GET, "contoso", rpc.Nothing(), CALLER)
    assert raised.value.problem == not_found("Tenant").problem


async def test_a_defect_is_an_answer_too(pair: Pair) -> None:
    async def answer(_call: Call[rpc.Nothing]) -> Tenant:
        raise ZeroDivisionError

    pair.server.answer(rpc.TENANT_GET, answer)
    await pair.start()
    with pytest.raises(ProblemError) as raised:
        await pair.gateway.ask(rpc.TENANT_GET, "contoso", rpc.Nothing(), CALLER)
    assert (raised.value.problem.code, raised.value.problem.status) == ("internal", 500)


@pytest.mark.parametrize("outage", [NetworkTimeout("no answer"), VaultUnreachable("GET", "kv/x", "sealed")])
async def test_an_outage_behind_a_service_is_no_defect_of_it(pair: Pair, outage: Exception) -> None:
    async def answer(_call: Call[rpc.Nothing]) -> Tenant:
        raise outage

    pair.server.answer(rpc.TENANT_GET, answer)
    await pair.start()
    with pytest.raises(ProblemError) as raised:
        await pair.gateway.ask(rpc.TENANT_GET, "contoso", rpc.Nothing(), CALLER)
    assert (raised.value.problem.code, raised.value.problem.status) == ("unavailable", 503)


async def test_nobody_there_is_unavailable(pair: Pair) -> None:
    await pair.start()
    with pytest.raises(ProblemError) as raised:
        await pair.gateway.ask(rpc.TENANT_GET, "contoso", rpc.Nothing(), CALLER)
    assert raised.value.problem.status == 503


async def test_a_repeated_request_is_stored_once_and_names_the_same_run(pair: Pair) -> None:
    await pair.start()
    first = BackupRequested(tenant="contoso", at=NOW, request="r1", configuration="c1")
    repeat = first.model_copy(update={"at": datetime(2026, 3, 2, 8, 5, tzinfo=UTC)})
    runs = [await pair.gateway.request(event) for event in (first, repeat)]
    assert runs == [run_id("gateway", event_id(first))] * 2
    [(subject, headers, body)] = await pair.requests()
    assert subject == "m365.ext.v1.gateway.contoso.backup.requested"
    assert decode(subject, headers, body).id == event_id(first)
    assert BackupRequested.model_validate_json(body) == first


async def test_nobody_else_can_use_up_the_message_id_of_a_request(pair: Pair) -> None:
    """JetStream drops twins of a message id whoever sends them, and the id of the event can be computed by others."""
    await pair.start()
    request = BackupRequested(tenant="contoso", at=NOW, request="r1", configuration="c1")
    taken = {"Nats-Msg-Id": event_id(request)}
    await pair.gateway.publish_raw("m365.ext.v1.crm.contoso.backup.requested", b"{}", taken, streams.EXT)
    await pair.gateway.request(request)
    assert [subject.split(".")[3] for subject, _, _ in await pair.requests()] == ["crm", "gateway"]


async def test_a_listener_hears_the_facts_of_its_subject_while_it_listens(pair: Pair) -> None:
    await pair.start()
    heard: asyncio.Queue[Envelope] = asyncio.Queue()
    facts = [_refreshed("contoso", 1), _refreshed("fabrikam", 1), _refreshed("contoso", 2)]
    async with listening(pair.gateway, subjects.event("contoso", "token", "*"), heard.put_nowait):
        for fact in facts:
            await pair.gateway.publish(fact)
        async with asyncio.timeout(5):
            assert [(await heard.get()).id for _ in range(2)] == [event_id(facts[0]), event_id(facts[2])]
    await pair.gateway.publish(_refreshed("contoso", 3))
    assert heard.empty()


async def test_a_listener_passes_over_what_it_cannot_read(pair: Pair) -> None:
    await pair.start()
    heard: asyncio.Queue[Envelope] = asyncio.Queue()
    fact = _refreshed("contoso", 1)
    async with listening(pair.gateway, fact.subject(), heard.put_nowait):
        await pair.gateway.publish_raw(fact.subject(), b"{", {"Nats-Msg-Id": "poison"}, streams.EVT)
        await pair.gateway.publish(fact)
        async with asyncio.timeout(5):
            assert (await heard.get()).id == event_id(fact)


def _refreshed(tenant: str, generation: int) -> TokenRefreshed:
    return TokenRefreshed(
        tenant=tenant, at=NOW, profile="directory", generation=generation, expires_at=NOW, fingerprint="f" * 16
    )
