"""The real process on the real bus and store, over TLS, with its own users and no right beyond them."""

import asyncio
import base64
import json
import os
import random
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import httpx
import nats
import nkeys
import pytest
from motor.motor_asyncio import AsyncIOMotorClient
from pydantic import SecretStr

from chassis import bus, tls
from chassis.bootstrap import ensure
from chassis.bus import Bus
from chassis.settings import BusSettings
from chassis.testing.pki import ServerTls, make_server_tls
from chassis.testing.process import Server, free_port
from chassis.testing.servers import MongoUser, NatsProcess, SecantusProcess
from contracts import dead_letters, subjects
from contracts.bus_users import BOOTSTRAP, BUS_USERS, inbox_prefix
from contracts.caller import Caller
from contracts.envelope import headers
from contracts.events import JobEvent
from contracts.names import Health, JobKind
from contracts.problem import ProblemError
from contracts.rpc import (
    DEAD_LETTER_GET,
    DEAD_LETTER_LIST,
    DEAD_LETTER_REPLAY,
    HEALTH_GET,
    DeadLettersOf,
    Nothing,
    OneDeadLetter,
)
from contracts.streams import DLQ, EVT, MONITOR_LEDGER
from contracts.views import HealthView

Make = Callable[..., JobEvent]

SEEDS = {user.name: nkeys.encode_seed(os.urandom(32), nkeys.PREFIX_BYTE_USER).decode() for user in BUS_USERS}
OPERATOR = Caller("operator@contoso", ("operator",), "request-1")


@dataclass(frozen=True)
class Stores:
    nats: NatsProcess
    documents: SecantusProcess
    tls: ServerTls
    directory: Path

    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],  # noqa: TID251 - the child's own environment
            "TENANTKEEP_CA_FILE": str(self.tls.ca_file),
            "TENANTKEEP_NATS_URL": self.nats.url,
            "TENANTKEEP_NATS_NKEY": SEEDS["monitor-service"],
            "TENANTKEEP_MONGO_URL": self.documents.url,
            "TENANTKEEP_MONGO_USER": "monitor-service",
            "TENANTKEEP_MONGO_PASSWORD": "monitor-password",
            "TENANTKEEP_TLS_CERT_FILE": str(self.tls.cert_file),
            "TENANTKEEP_TLS_KEY_FILE": str(self.tls.key_file),
        }


class MonitorProcess(Server):
    def __init__(self, stores: Stores) -> None:
        self.url = f"https://127.0.0.1:{(port := free_port())}"
        self._trust = tls.client_context(stores.tls.ca_file)
        environment = {**stores.environment(), "TENANTKEEP_HEALTH_PORT": str(port)}
        super().__init__("monitor", [sys.executable, "-m", "monitor_service"], stores.directory, env=environment)

    def __enter__(self) -> Self:
        self.start(self._ready)
        return self

    def get(self, path: str) -> httpx.Response:
        return httpx.get(self.url + path, verify=self._trust, trust_env=False, timeout=15)

    def _ready(self) -> bool:
        try:
            return self.get("/readyz").is_success
        except httpx.TransportError:
            return False


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stores]:
    directory = tmp_path_factory.mktemp("stores")
    server_tls = make_server_tls(directory / "pki")
    user = MongoUser("monitor-service", "monitor-password", "monitor_service")
    with (
        NatsProcess(directory / "nats", config=_users(), server_tls=server_tls) as running,
        SecantusProcess(directory / "documents", users=[user], server_tls=server_tls) as documents,
    ):
        yield Stores(running, documents, server_tls, directory)


def _users() -> str:
    users = []
    for user in BUS_USERS:
        permissions: dict[str, Any] = {
            "publish": {"allow": list(user.publish)} if user.publish else {"deny": [">"]},
            "subscribe": {"allow": list(user.subscribe)},
        }
        if user.responds:
            permissions["allow_responses"] = True
        public = nkeys.from_seed(SEEDS[user.name].encode()).public_key.decode()
        users.append({"nkey": public, "permissions": permissions})
    return f"accounts: {json.dumps({'M365': {'jetstream': 'enabled', 'users': users}})}"


@pytest.fixture
async def js(stores: Stores) -> AsyncIterator[nats.js.JetStreamContext]:
    connection = await nats.connect(
        stores.nats.url,
        connect_timeout=10,  # a handshake on a busy machine
        nkeys_seed_str=SEEDS[BOOTSTRAP.name],
        tls=tls.client_context(stores.tls.ca_file),
        inbox_prefix=inbox_prefix(BOOTSTRAP.name).encode(),
    )
    context = connection.jetstream()
    await ensure(context, ack_wait=1.0)
    yield context
    await connection.close()


@asynccontextmanager
async def bus_of(stores: Stores, user: str) -> AsyncIterator[Bus]:
    settings = BusSettings(
        ca_file=stores.tls.ca_file, health_port=0, nats_url=stores.nats.url, nats_nkey=SecretStr(SEEDS[user])
    )
    connected = Bus(bus.connect(settings, user), user)
    await connected.broker.start()
    try:
        yield connected
    finally:
        await connected.broker.stop()


async def until(holds: Callable[[], Awaitable[bool]], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not await holds():
        assert time.monotonic() < deadline, "it did not become true in time"
        await asyncio.sleep(0.05)


async def answers(gateway: Bus) -> bool:
    """FastStream subscribes in the background: a process may be ready before the bus knows who answers."""
    try:
        await gateway.ask(HEALTH_GET, "anybody", Nothing(), OPERATOR)
    except ProblemError:
        return False
    return True


async def drained(js: nats.js.JetStreamContext) -> bool:
    info = await js.consumer_info(MONITOR_LEDGER.stream.name, MONITOR_LEDGER.name)
    behind = await js.stream_info(MONITOR_LEDGER.stream.name)
    source = await js.stream_info(EVT.name, subjects_filter=MONITOR_LEDGER.filter)
    copied = behind.state.messages >= sum((source.state.subjects or {}).values())
    return copied and info.num_pending == 0 and info.num_ack_pending == 0


async def backup_health(gateway: Bus, tenant: str) -> HealthView:
    listing = await gateway.ask(HEALTH_GET, tenant, Nothing(), OPERATOR)
    return next(view for view in listing.items if view.kind is JobKind.BACKUP)


@pytest.mark.integration
async def test_killed_again_and_again_it_counts_every_end_once(
    stores: Stores, js: nats.js.JetStreamContext, event: Make
) -> None:
    rng = random.Random(7)
    now = {"tenant": "kill-nine", "at": datetime.now(UTC)}
    ends = [rng.choice(["succeeded", "partial", "failed"]) for _ in range(150)]
    events = [event("started", f"job-{n}", 1, **now) for n in range(150)]
    events += [event(end, f"job-{n}", 2, **now) for n, end in enumerate(ends)]
    events += [event("succeeded", "run-1", 3, scope="run", **now)]
    rng.shuffle(events)
    client: Any = AsyncIOMotorClient(
        stores.documents.url,
        tls=True,
        tlsCAFile=str(stores.tls.ca_file),
        username="monitor-service",
        password="monitor-password",
    )
    tallies = client["monitor_service"]["tallies"]

    async def revision() -> int:
        found = await tallies.find_one({"_id": "kill-nine/backup"}, {"revision": 1})
        return 0 if found is None else found["revision"]

    kills = 0
    async with bus_of(stores, "backup-service") as backup, bus_of(stores, "gateway") as gateway:
        monitor = MonitorProcess(stores)
        for start in range(0, len(events), 60):
            with monitor:
                before = await revision()
                for each in events[start : start + 60]:
                    await backup.publish(each)
                    if rng.random() < 0.1:  # beyond the duplicate window JetStream lets a repeat through
                        await repeat(backup, each, rng)
                await until(lambda before=before: _grew(revision, before))
                monitor.kill()
                kills += 1
        assert kills >= 5
        with monitor:
            await until(lambda: drained(js))
            view = await backup_health(gateway, "kill-nine")
            assert {"succeeded": view.succeeded, "partial": view.partial, "failed": view.failed} == Counter(ends)
            assert view.health is Health.CRITICAL
            assert view.failure_ratio == pytest.approx(Counter(ends)["failed"] / 150)
            text = monitor.get("/metrics").text
            for outcome in ("succeeded", "partial", "failed"):
                expected = f'm365_jobs_finished_total{{kind="backup",outcome="{outcome}",tenant="kill-nine"}}'
                assert f"{expected} {float(Counter(ends)[outcome])}" in text
    client.close()


async def repeat(backup: Bus, event: JobEvent, rng: random.Random) -> None:
    sent_again = {**headers(event, backup.user), "Nats-Msg-Id": f"repeat-{rng.random()}"}
    await backup.publish_raw(event.subject(), event.model_dump_json().encode(), sent_again, EVT)


async def _grew(revision: Callable[[], Awaitable[int]], before: int) -> bool:
    return await revision() > before


@pytest.mark.integration
async def test_an_unreadable_event_becomes_a_dead_letter_and_holds_up_nothing(
    stores: Stores, js: nats.js.JetStreamContext, event: Make
) -> None:
    now = {"tenant": "poison", "at": datetime.now(UTC)}
    readable, unknown = event("succeeded", "good", 1, **now), event("succeeded", "odd", 1, **now)
    async with bus_of(stores, "backup-service") as backup, bus_of(stores, "gateway") as gateway:
        odd = {**headers(unknown, "backup-service"), "ce-type": "m365.job.vanished.v1"}
        await backup.publish_raw(unknown.subject(), unknown.model_dump_json().encode(), odd, EVT)
        without_error = headers(unknown, "backup-service") | {"Nats-Msg-Id": "2", "ce-type": "m365.job.failed.v1"}
        await backup.publish_raw(unknown.subject(), unknown.model_dump_json().encode(), without_error, EVT)
        await backup.publish(readable)
        with MonitorProcess(stores):
            await until(lambda: drained(js))
            assert (await backup_health(gateway, "poison")).succeeded == 1
    reasons = [
        (await js.get_msg("M365_DLQ", sequence)).headers["m365-dlq-reason"]  # type: ignore[index] # ours has headers
        for sequence in (1, 2)
    ]
    assert "does not know the type" in reasons[0]
    assert reasons[1].endswith("fields missing or wrong: error")


@pytest.mark.integration
async def test_a_dead_letter_is_listed_shown_and_replayed_once(
    stores: Stores, js: nats.js.JetStreamContext, event: Make
) -> None:
    good = event("succeeded", "late", 1, tenant="replay", at=datetime.now(UTC))
    body = good.model_dump_json().encode()
    letter = {  # as chassis.delivery buries a message whose handler failed
        **headers(good, "backup-service"),
        "Nats-Msg-Id": "dlq-monitor-ledger-9000",
        dead_letters.REASON: "handler failed 8 times: KeyError",
        dead_letters.SUBJECT: good.subject(),
        dead_letters.DELIVERIES: "8",
    }
    stray = letter | {"Nats-Msg-Id": "stray", dead_letters.SUBJECT: "nowhere"}
    async with bus_of(stores, "monitor-service") as owner, bus_of(stores, "gateway") as gateway:
        for tenant, head in (("replay", letter), ("other", stray)):
            await owner.publish_raw(subjects.dead_letter("monitor-ledger", tenant), body, head, DLQ)
        with MonitorProcess(stores):
            everything = await gateway.ask(DEAD_LETTER_LIST, None, DeadLettersOf(limit=500), OPERATOR)
            elsewhere = next(found for found in everything.items if found.tenant == "other")
            mine = DeadLettersOf(tenants=("replay",), durable="monitor-ledger")
            [found] = (await gateway.ask(DEAD_LETTER_LIST, None, mine, OPERATOR)).items
            assert (found.deliveries, found.replayed_at, found.size) == (8, None, len(body))
            shown = await gateway.ask(DEAD_LETTER_GET, None, OneDeadLetter(id=found.id), OPERATOR)
            assert base64.b64decode(shown.payload) == body
            assert shown.headers["ce-type"] == "m365.job.succeeded.v1"

            first = OneDeadLetter(id=found.id, tenants=("replay",))
            replayed = [await gateway.ask(DEAD_LETTER_REPLAY, None, first, OPERATOR) for _ in range(2)]
            assert replayed[0] == replayed[1]
            assert replayed[0].replayed_by == OPERATOR.subject
            await until(lambda: _succeeded(gateway, "replay", 1))
            assert (await js.get_last_msg("M365_EVT", good.subject())).headers["Nats-Msg-Id"] == f"replay-{found.id}"  # type: ignore[index] # ours has headers
            assert (await gateway.ask(DEAD_LETTER_LIST, None, mine, OPERATOR)).items == (replayed[0],)

            for question, code in (
                (OneDeadLetter(id=elsewhere.id, tenants=("replay",)), "not-found"),
                (OneDeadLetter(id=elsewhere.id), "conflict"),
                (OneDeadLetter(id="999999-1"), "not-found"),
                (OneDeadLetter(id="nonsense"), "not-found"),
            ):
                with pytest.raises(ProblemError) as refusal:
                    await gateway.ask(DEAD_LETTER_REPLAY, None, question, OPERATOR)
                assert refusal.value.problem.code == code


@pytest.mark.integration
async def test_without_the_store_nothing_stale_is_shown_and_no_event_is_lost(
    stores: Stores, js: nats.js.JetStreamContext, event: Make
) -> None:
    told = event("partial", "job-1", 1, tenant="outage", at=datetime.now(UTC))
    async with bus_of(stores, "backup-service") as backup, bus_of(stores, "gateway") as gateway:
        with MonitorProcess(stores) as monitor:
            assert "m365_job_health" in monitor.get("/metrics").text
            stores.documents.stop()
            await backup.publish(told)
            without = await asyncio.to_thread(monitor.get, "/metrics")
            assert without.status_code == 503
            assert "m365_job_health" not in without.text
            readiness = await asyncio.to_thread(monitor.get, "/readyz")
            assert readiness.json()["failing"] == ["documents"]
            assert monitor.get("/livez").is_success
            with pytest.raises(ProblemError) as refusal:
                await gateway.ask(HEALTH_GET, "outage", Nothing(), OPERATOR)
            assert refusal.value.problem.code == "unavailable"
            stores.documents.__enter__()  # in this thread: servers die with the thread that started them
            await until(lambda: drained(js))
            view = await backup_health(gateway, "outage")
            assert (view.partial, view.health, view.reason) == (1, Health.UNKNOWN, "no_run_in_interval")


@pytest.mark.integration
async def test_of_a_tenant_never_seen_nothing_is_claimed(stores: Stores, js: nats.js.JetStreamContext) -> None:
    async with bus_of(stores, "gateway") as gateway:
        with MonitorProcess(stores):
            await until(lambda: answers(gateway))
            listing = await gateway.ask(HEALTH_GET, "nobody", Nothing(), OPERATOR)
    assert [(view.kind, view.health, view.failure_ratio) for view in listing.items] == [
        (JobKind.BACKUP, Health.UNKNOWN, None)
    ]


@pytest.mark.integration
async def test_it_goes_on_after_the_bus_was_killed(stores: Stores, js: nats.js.JetStreamContext, event: Make) -> None:
    now = {"tenant": "bus-away", "at": datetime.now(UTC)}
    async with bus_of(stores, "backup-service") as backup, bus_of(stores, "gateway") as gateway:
        with MonitorProcess(stores):
            await backup.publish(event("succeeded", "before", 1, **now))
            await until(lambda: drained(js))
            stores.nats.kill()
            stores.nats.__enter__()
            await backup.publish(event("succeeded", "after", 1, **now))
            await until(lambda: _succeeded(gateway, "bus-away", 2), seconds=60)


async def _succeeded(gateway: Bus, tenant: str, count: int) -> bool:
    try:
        return (await backup_health(gateway, tenant)).succeeded == count
    except ProblemError:  # unavailable while everybody reconnects
        return False


@pytest.mark.integration
async def test_sigterm_ends_it_soon_and_well(stores: Stores, js: nats.js.JetStreamContext) -> None:
    with MonitorProcess(stores) as monitor:
        process = monitor._process
        assert process is not None
        process.terminate()
        assert await asyncio.to_thread(process.wait, 10) == 0
