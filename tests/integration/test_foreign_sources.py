"""A foreign source on the real bus: what it may do works, everything beside that is tried and refused (ADR 0020)."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from bus_user import User, connect, connect_with, settled
from nats.errors import Error as NatsError
from nats.errors import TimeoutError as NatsTimeoutError
from nats.js import JetStreamContext
from stack_fixture import RunningStack, running_stack, wait_until

from contracts.foreign_sources import API_PREFIX, CONNECTIONS, HEARD
from contracts.streams import DURABLES, STREAMS
from tenantkeep.stack import register, services, sources
from tenantkeep.stack.settings import StackSettings

pytestmark = [pytest.mark.integration, pytest.mark.soak]

DESTRUCTIVE = ("STREAM.DELETE", "STREAM.PURGE", "STREAM.INFO", "STREAM.SNAPSHOT", "CONSUMER.LIST", "CONSUMER.NAMES")


@dataclass
class Bus:
    """A bus with two sources: crm for contoso and acme, erp for fabrikam."""

    stack: RunningStack
    folder: Path

    @property
    def settings(self) -> StackSettings:
        return StackSettings(home=self.stack.home.root, ports="auto")

    def seed(self, name: str) -> Path:
        return self.folder / f"{name}.nk"

    def add(self, name: str, *tenants: str) -> register.Added:
        added = register.add(self.stack.home.sources, name, tenants, self.seed(name))
        assert sources.apply(self.stack.home, self.settings)
        return added

    def remove(self, name: str) -> None:
        register.remove(self.stack.home.sources, name)
        assert sources.apply(self.stack.home, self.settings)
        self.seed(name).unlink()

    @asynccontextmanager
    async def source(self, name: str) -> AsyncIterator[tuple[User, JetStreamContext]]:
        user = await connect_with(self.stack, self.seed(name))
        try:
            yield user, user.connection.jetstream(prefix=API_PREFIX, timeout=3)
        finally:
            await user.connection.close()

    @asynccontextmanager
    async def ours(self, name: str = "bootstrap") -> AsyncIterator[JetStreamContext]:
        user = await connect(self.stack, name)
        try:
            yield user.connection.jetstream(timeout=3)
        finally:
            await user.connection.close()


@pytest.fixture(scope="module")
def bus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bus]:
    folder = tmp_path_factory.mktemp("bus")
    with running_stack(folder, only=["nats"]) as stack:
        bus = Bus(stack, folder)
        services.bootstrap(stack.home, stack.ports, bus.settings)
        bus.add("crm", "contoso", "acme")
        bus.add("erp", "fabrikam")
        yield bus


ALLOWED = {
    "m365.ext.v1.crm.contoso.backup.requested",
    "m365.ext.v1.crm.acme.sync.requested",
    f"{API_PREFIX}.CONSUMER.INFO.M365_EVT.source-crm",
    f"{API_PREFIX}.CONSUMER.MSG.NEXT.M365_EVT.source-crm",
    "$JS.ACK.M365_EVT.source-crm.1.1.1.1.0",
}
"""Written by hand: what crm may publish to, one example of each."""

NEIGHBOURS = (
    "m365.ext.v1.crm.fabrikam.backup.requested",
    "m365.ext.v1.crm.backup.requested",
    "m365.ext.v1.erp.contoso.backup.requested",
    "m365.ext.v1.gateway.contoso.backup.requested",
    "m365.ext.v2.crm.contoso.backup.requested",
    "m365.evt.v1.contoso.job.succeeded",
    "m365.evt.v1.contoso.token.rejected",
    "m365.job.v1.contoso.backup.j1",
    "m365.dlq.v1.backup-requested.contoso",
    "m365.rpc.v1.token-service.contoso.tenant.get",
    "_INBOX.someone",
    "_INBOX_gateway.someone",
    "_R_.someone",
    "$SYS.REQ.SERVER.PING",
    "$SYS.REQ.USER.INFO",
    "$JS.EVENT.ADVISORY.API",
    "$JS.ACK.M365_EVT.source-erp.1.1.1.1.0",
    "$JS.ACK.M365_JOBS.jobs-backup.1.1.1.1.0",
)


def _commands() -> Iterator[str]:
    """JetStream's commands, by the server's name for them and by the source's."""
    for prefix in ("$JS.API", API_PREFIX):
        yield from (f"{prefix}.INFO", f"{prefix}.STREAM.NAMES", f"{prefix}.STREAM.LIST")
        for stream in STREAMS:
            verbs = (
                "STREAM.CREATE",
                "STREAM.UPDATE",
                "STREAM.MSG.GET",
                "STREAM.MSG.DELETE",
                "DIRECT.GET",
                *DESTRUCTIVE,
            )
            yield from (f"{prefix}.{verb}.{stream.name}" for verb in verbs)
            yield f"{prefix}.CONSUMER.CREATE.{stream.name}.mine"
        places = [f"{durable.stream.name}.{durable.name}" for durable in DURABLES]
        for place in (*places, "M365_EVT.source-erp"):
            verbs = ("DURABLE.CREATE", "DELETE", "INFO", "MSG.NEXT", "PAUSE", "RESET", "UNPIN")
            yield from (f"{prefix}.CONSUMER.{verb}.{place}" for verb in verbs)
        yield from (f"{prefix}.CONSUMER.{verb}.M365_EVT.source-crm" for verb in ("DELETE", "DURABLE.CREATE", "PAUSE"))
    yield from ("$JS.API.CONSUMER.INFO.M365_EVT.source-crm", "$JS.API.CONSUMER.MSG.NEXT.M365_EVT.source-crm")


async def test_a_source_writes_its_requests_and_nothing_else(bus: Bus) -> None:
    foreign = {*NEIGHBOURS, *_commands()}
    async with bus.source("crm") as (user, _):
        for subject in (*foreign, *ALLOWED):
            await user.connection.publish(subject, b"{}")
        await settled(user, lambda: all(user.was_refused("publish", subject) for subject in foreign))
        allowed = {subject for subject in (*foreign, *ALLOWED) if not user.was_refused("publish", subject)}
    assert allowed == ALLOWED


async def test_a_source_hears_its_inbox_and_nothing_else(bus: Bus) -> None:
    foreign = ("m365.>", ">", "$JS.>", "$SYS.>", "_R_.>", "_INBOX_gateway.>", "m365.evt.v1.contoso.job.>", "*.*.*")
    async with bus.source("crm") as (user, _):
        for subject in (*foreign, "_INBOX.>"):
            await user.connection.subscribe(subject)
        await settled(user, lambda: all(user.was_refused("subscription", subject) for subject in foreign))
        assert [s for s in (*foreign, "_INBOX.>") if not user.was_refused("subscription", s)] == ["_INBOX.>"]


async def test_answers_cannot_be_sent_where_the_source_may_not_write(bus: Bus) -> None:
    """The server writes to the reply subject a client names; in an account of ours that would delete streams."""
    doors = [
        (f"{API_PREFIX}.CONSUMER.MSG.NEXT.M365_EVT.source-crm", b'{"batch":1,"no_wait":true}'),
        (f"{API_PREFIX}.CONSUMER.INFO.M365_EVT.source-crm", b""),
        ("m365.ext.v1.crm.contoso.backup.requested", b"{}"),
    ]
    targets = [f"$JS.API.{verb}.{stream.name}" for verb in DESTRUCTIVE for stream in STREAMS]
    targets += [f"$JS.API.CONSUMER.DELETE.{durable.stream.name}.{durable.name}" for durable in DURABLES]
    targets += ["m365.evt.v1.fabrikam.job.failed", "m365.job.v1.fabrikam.backup.j", "m365.dlq.v1.jobs-backup.fabrikam"]
    targets += ["m365.ext.v1.gateway.fabrikam.backup.requested", "m365.ext.v1.erp.fabrikam.backup.requested"]
    own = ("M365_EXT", "m365.ext.v1.crm.contoso.backup.requested")
    async with bus.ours() as js, bus.source("crm") as (user, _):
        before = await _state(js)
        for (subject, body), reply in itertools.product(doors, targets):
            await user.connection.publish(subject, body, reply=reply)
        await user.connection.flush()
        sent = len(targets)
        async with asyncio.timeout(10):
            while (await _state(js)).get(own, 0) - before.get(own, 0) < sent:  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0.05)
        after = await _state(js)
    assert after.pop(own) == before.pop(own, 0) + sent
    assert after == before


async def _state(js: JetStreamContext) -> dict[tuple[str, str], int]:
    """Messages by stream and subject, and every durable."""
    found = {}
    for stream in STREAMS:
        info = await js.stream_info(stream.name, subjects_filter=">")
        found |= {(stream.name, subject): count for subject, count in (info.state.subjects or {}).items()}
        found |= {(stream.name, consumer.name): -1 for consumer in await js.consumers_info(stream.name)}
    return found


async def test_a_source_asks_and_reads_what_concerns_its_tenants(bus: Bus) -> None:
    async with bus.ours("backup-service") as ours, bus.source("crm") as (_, js), bus.source("erp") as (_, other):
        subject = "m365.ext.v1.crm.contoso.backup.requested"
        first = await js.publish(subject, b"{}", headers={"Nats-Msg-Id": "once"})
        again = await js.publish(subject, b"{}", headers={"Nats-Msg-Id": "once"})
        assert (first.stream, first.duplicate, again.duplicate, again.seq) == ("M365_EXT", None, True, first.seq)
        for tenant in ("contoso", "fabrikam", "acme"):
            await ours.publish(f"m365.evt.v1.{tenant}.job.succeeded", tenant.encode())
            await ours.publish(f"m365.evt.v1.{tenant}.backup.chunk-stored", b"not theirs")
        assert await _heard(js, "crm", 2) == [b"contoso", b"acme"]
        assert await _heard(other, "erp", 1) == [b"fabrikam"]
        assert await _heard(js, "crm", 1) == []


async def _heard(js: JetStreamContext, name: str, count: int) -> list[bytes]:
    subscription = await js.pull_subscribe_bind(durable=f"source-{name}", stream="M365_EVT")
    try:
        messages = await subscription.fetch(count, timeout=2 if count > 1 else 0.5)
    except NatsTimeoutError:
        messages = []
    for message in messages:
        assert message.subject.startswith("m365.evt.v1.")
        await message.ack_sync()
    await subscription.unsubscribe()
    return [message.data for message in messages]


async def test_a_source_takes_only_so_many_connections(bus: Bus) -> None:
    users = [await connect_with(bus.stack, bus.seed("erp")) for _ in range(CONNECTIONS)]
    try:
        with pytest.raises(NatsError):
            await connect_with(bus.stack, bus.seed("erp"))
    finally:
        for user in users:
            await user.connection.close()


async def test_a_removed_source_is_out_at_once_and_the_others_stay(bus: Bus) -> None:
    await asyncio.to_thread(bus.add, "shop", "contoso")
    gone = await connect_with(bus.stack, bus.seed("shop"))
    seed = bus.seed("shop").read_bytes()
    async with bus.ours() as ours, bus.source("crm") as (_, js):
        await asyncio.to_thread(bus.remove, "shop")
        assert not gone.connection.is_connected
        bus.seed("shop").write_bytes(seed)
        with pytest.raises(NatsError):
            await connect_with(bus.stack, bus.seed("shop"))
        assert "source-shop" not in {consumer.name for consumer in await ours.consumers_info("M365_EVT")}
        await js.publish("m365.ext.v1.crm.contoso.backup.requested", b"{}")
    async with bus.source("crm") as (_, js):
        await js.publish("m365.ext.v1.crm.contoso.backup.requested", b"{}")
    bus.seed("shop").unlink()


async def test_other_tenants_for_the_same_source(bus: Bus) -> None:
    await asyncio.to_thread(bus.add, "shop", "contoso")
    try:
        changed = await asyncio.to_thread(bus.add, "shop", "fabrikam")
        assert changed.credentials is None
        async with bus.source("shop") as (user, js):
            await js.publish("m365.ext.v1.shop.fabrikam.backup.requested", b"{}")
            lost = "m365.ext.v1.shop.contoso.backup.requested"
            await user.connection.publish(lost, b"{}")
            await settled(user, lambda: user.was_refused("publish", lost))
            assert user.was_refused("publish", lost)
            info = await js.consumer_info("M365_EVT", "source-shop")
            assert info.config.filter_subjects == [f"m365.evt.v1.fabrikam.{domain}.>" for domain in HEARD]
    finally:
        await asyncio.to_thread(bus.remove, "shop")


async def test_sources_survive_the_death_of_the_bus(bus: Bus) -> None:
    pid = bus.stack.pid("nats")
    await asyncio.to_thread(_kill, bus.stack, pid)
    async with bus.source("crm") as (_, js):
        await js.publish("m365.ext.v1.crm.contoso.backup.requested", b"{}")
        assert (await js.consumer_info("M365_EVT", "source-crm")).num_ack_pending == 0


def _kill(stack: RunningStack, pid: int) -> None:
    stack.state.processes["nats"].identity.process().kill()  # type: ignore[union-attr] # it runs
    wait_until(
        lambda: stack.state.processes["nats"].state.value == "ready" and stack.pid("nats") != pid,
        seconds=30,
        what="the bus is back",
    )


def test_no_seed_is_kept_but_in_the_file_that_was_written(bus: Bus) -> None:
    seed = bus.seed("crm").read_bytes().strip()
    assert bus.seed("crm").stat().st_mode & 0o777 == 0o600
    holding = [path for path in bus.stack.home.root.rglob("*") if path.is_file() and seed in path.read_bytes()]
    assert holding == []
