"""The API behind real servers: TLS, streamed downloads, and the process with its signals."""

import asyncio
import json
import os
import signal
import ssl
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import nkeys
import pytest
import structlog
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from chassis import asgi, bus, http
from chassis.rpc import RpcServer
from chassis.settings import BusSettings
from chassis.testing.pki import ServerTls, make_server_tls
from chassis.testing.process import Server, free_port
from chassis.testing.servers import NatsProcess
from contracts import envelope, rpc
from contracts.bus_users import BACKUP_SERVICE, GATEWAY, TOKEN_SERVICE, BusUser
from contracts.events import Counts, JobProgressed
from contracts.names import JobState
from contracts.views import Job, Listing, Run, Tenant
from gateway.adapters.httpx_downloads import HttpxDownloads
from gateway.app import build_with

CHUNK = b"z" * 65_536
DOWNLOAD = "/api/v1/tenants/contoso/downloads/ticket-1"
PROGRESS = "/api/v1/tenants/contoso/runs/r1/progress"


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> ServerTls:
    return make_server_tls(tmp_path_factory.mktemp("pki"))


class Source:
    """backup-service's download route: a body the test lets flow chunk by chunk."""

    def __init__(self) -> None:
        self.flow = asyncio.Semaphore(0)
        self.breaks = False
        self.chunks = 3
        self.closed = asyncio.Event()
        self.app = Starlette(routes=[Route("/v1/downloads/contoso/ticket-1", self._answer)])

    async def _answer(self, _request: Request) -> Response:
        headers = {"content-disposition": 'attachment; filename="anna.zip"'}
        return StreamingResponse(self._body(), media_type="application/zip", headers=headers)

    async def _body(self) -> AsyncIterator[bytes]:
        try:
            for _ in range(self.chunks):
                await self.flow.acquire()
                yield CHUNK
            if self.breaks:
                raise ConnectionError("the repository went away")
        finally:
            self.closed.set()


@dataclass
class Served:
    source: Source
    client: httpx.AsyncClient
    url: str
    headers: dict[str, str]


@pytest.fixture
async def served(gateway: Any, tls: ServerTls) -> AsyncIterator[Served]:
    source = Source()
    certificate = {"host": "127.0.0.1", "port": 0, "cert_file": tls.cert_file, "key_file": tls.key_file}
    async with AsyncExitStack() as stack:
        upstream = await stack.enter_async_context(asgi.serve(source.app, **certificate))
        download_client = await stack.enter_async_context(http.client(tls.ca_file))
        around = replace(
            gateway.around, downloads=HttpxDownloads(download_client, upstream), registry=CollectorRegistry()
        )
        app = build_with(around, around.tenant_roles())
        url = await stack.enter_async_context(asgi.serve(app, **certificate))
        client = await stack.enter_async_context(http.client(tls.ca_file, base_url=url))
        yield Served(source, client, url, {"authorization": f"Bearer {gateway.issuer.token()}"})


async def test_a_download_flows_through_while_it_is_made(served: Served) -> None:
    async with served.client.stream("GET", DOWNLOAD, headers=served.headers) as answer:
        assert answer.headers["content-disposition"] == 'attachment; filename="anna.zip"'
        assert answer.headers["content-type"] == "application/zip"
        received = 0
        body = answer.aiter_raw()
        for released in (1, 2, 3):
            served.source.flow.release()
            while received < released * len(CHUNK):
                received += len(await asyncio.wait_for(anext(body), 5))
        assert [chunk async for chunk in body] == []
    assert received == 3 * len(CHUNK)


async def test_a_client_that_leaves_ends_the_request_upstream(served: Served) -> None:
    served.source.chunks = 1_000_000
    async with served.client.stream("GET", DOWNLOAD, headers=served.headers) as answer:
        served.source.flow.release()
        await anext(answer.aiter_raw())
    served.source.flow.release()
    async with asyncio.timeout(5):
        await served.source.closed.wait()


async def test_a_source_that_breaks_off_is_not_a_complete_download(served: Served) -> None:
    served.source.breaks = True
    for _ in range(3):
        served.source.flow.release()
    with structlog.testing.capture_logs() as lines, pytest.raises(httpx.RemoteProtocolError):
        await served.client.get(DOWNLOAD, headers=served.headers)
    last = lines[-1]
    assert (last["event"], last["complete"]) == ("request answered", False)
    assert "ticket-1" not in str(lines)


async def test_tls_below_1_2_is_refused(served: Served, tls: ServerTls) -> None:
    context = ssl.create_default_context(cafile=str(tls.ca_file))
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    async with httpx.AsyncClient(verify=context, trust_env=False) as old:
        with pytest.raises(httpx.ConnectError):
            await old.get(f"{served.url}/api/v1/tenants")
    assert (await served.client.get("/api/v1/tenants", headers=served.headers)).status_code == 200


async def test_progress_arrives_as_it_happens_and_a_client_that_leaves_ends_the_listening(
    served: Served, gateway: Any
) -> None:
    gateway.world.run = gateway.world.run.model_copy(update={"state": JobState.RUNNING})
    before = len(gateway.world.broker.subscriptions)
    async with served.client.stream("GET", PROGRESS, headers=served.headers) as answer:
        lines = answer.aiter_lines()
        await _reads(lines, "event: jobs")
        await gateway.world.broker.bus("backup-service").publish(_mark("r1", stored=7))
        await _reads(lines, "event: progressed")
        assert json.loads((await anext(lines)).removeprefix("data: "))["counts"]["stored"] == 7
        assert len(gateway.world.broker.subscriptions) == before + 1
    async with asyncio.timeout(5):
        while len(gateway.world.broker.subscriptions) > before:  # noqa: ASYNC110 - the fake offers a list, no event
            await asyncio.sleep(0.01)


def _mark(run: str, stored: int) -> JobProgressed:
    facts: dict[str, Any] = {"scope": "job", "id": "j1", "run": run, "kind": "backup", "version": 9}
    return JobProgressed(tenant="contoso", at=datetime.now(UTC), counts=Counts(stored=stored), **facts)


async def _reads(lines: AsyncIterator[str], wanted: str) -> None:
    async with asyncio.timeout(5):
        while await anext(lines) != wanted:
            pass


# ---- the process ----


@dataclass(frozen=True)
class Bus:
    server: NatsProcess
    seeds: dict[str, str]


@pytest.fixture
def nats_bus(tmp_path: Path, tls: ServerTls) -> Iterator[Bus]:
    seeds = {
        user.name: bytes(nkeys.encode_seed(os.urandom(32), nkeys.PREFIX_BYTE_USER)).decode()
        for user in (GATEWAY, TOKEN_SERVICE, BACKUP_SERVICE)
    }
    users = [_granted(user, seeds[user.name]) for user in (GATEWAY, TOKEN_SERVICE, BACKUP_SERVICE)]
    config = f"accounts: {json.dumps({'M365': {'jetstream': 'enabled', 'users': users}})}"
    with NatsProcess(tmp_path / "nats", config=config, server_tls=tls) as server:
        yield Bus(server, seeds)


def _granted(user: BusUser, seed: str) -> dict[str, Any]:
    key = nkeys.from_seed(seed.encode()).public_key.decode()
    permissions: dict[str, Any] = {"publish": {"allow": user.publish}, "subscribe": {"allow": user.subscribe}}
    if user.responds:
        permissions["allow_responses"] = True
    return {"nkey": key, "permissions": permissions}


def _settings(nats_bus: Bus, tls: ServerTls, user: str) -> BusSettings:
    return BusSettings(health_port=0, ca_file=tls.ca_file, nats_url=nats_bus.server.url, nats_nkey=nats_bus.seeds[user])


def _environment(nats_bus: Bus, tls: ServerTls, issuer_url: str, ports: dict[str, int]) -> dict[str, str]:
    hostile = dict.fromkeys(("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"), "/nonexistent")
    return hostile | {
        "PATH": os.environ["PATH"],  # noqa: TID251 - the child needs it to start
        "TENANTKEEP_CA_FILE": str(tls.ca_file),
        "TENANTKEEP_TLS_CERT_FILE": str(tls.cert_file),
        "TENANTKEEP_TLS_KEY_FILE": str(tls.key_file),
        "TENANTKEEP_NATS_URL": nats_bus.server.url,
        "TENANTKEEP_NATS_NKEY": nats_bus.seeds["gateway"],
        "TENANTKEEP_HEALTH_PORT": str(ports["health"]),
        "TENANTKEEP_GATEWAY_PORT": str(ports["https"]),
        "TENANTKEEP_GATEWAY_HTTP_PORT": str(ports["http"]),
        "TENANTKEEP_OIDC_ISSUER": "https://issuer.example/realms/tenantkeep",
        "TENANTKEEP_OIDC_AUDIENCE": "tenantkeep",
        "TENANTKEEP_OIDC_JWKS_URL": f"{issuer_url}/jwks",
        "TENANTKEEP_VAULT_URL": f"https://127.0.0.1:{free_port()}",
        "TENANTKEEP_VAULT_ROLE_ID": "gateway",
        "TENANTKEEP_VAULT_SECRET_ID": "PLANTED-secret-id",
        "TENANTKEEP_DOWNLOAD_URL": f"https://127.0.0.1:{free_port()}",
    }


def _publish_keys(gateway: Any) -> Starlette:
    async def jwks(_request: Request) -> Response:
        answer = gateway.issuer.answer(httpx.Request("GET", "https://issuer.example/jwks"))
        return JSONResponse(json.loads(answer.content))

    return Starlette(routes=[Route("/jwks", jwks)])


async def _answer_tenants(stack: AsyncExitStack, nats_bus: Bus, tls: ServerTls) -> None:
    broker = bus.connect(_settings(nats_bus, tls, "token-service"), "token-service")
    server = RpcServer(bus.Bus(broker, "token-service"))

    async def tenants(_call: Any) -> Listing[Tenant]:
        return Listing[Tenant](items=())

    async def tenant(_call: Any) -> Tenant:
        return Tenant(tenant="contoso", entra_tenant_id="t", display_name="Contoso", created_at=datetime.now(UTC))

    server.answer(rpc.TENANT_LIST, tenants)
    server.answer(rpc.TENANT_GET, tenant)
    await broker.start()
    stack.push_async_callback(broker.stop)


async def _answer_runs(stack: AsyncExitStack, nats_bus: Bus, tls: ServerTls, run: Run) -> bus.Bus:
    broker = bus.connect(_settings(nats_bus, tls, "backup-service"), "backup-service")
    service = bus.Bus(broker, "backup-service")
    server = RpcServer(service)

    async def get(_call: Any) -> Run:
        return run

    async def jobs(_call: Any) -> Listing[Job]:
        return Listing[Job](items=())

    server.answer(rpc.RUN_GET, get)
    server.answer(rpc.JOB_LIST, jobs)
    await broker.start()
    stack.push_async_callback(broker.stop)
    return service


async def _until(client: httpx.AsyncClient, url: str, status: int) -> httpx.Response:
    async with asyncio.timeout(20):
        while True:
            try:
                answer = await client.get(url)
            except httpx.TransportError:
                answer = None
            if answer is not None and answer.status_code == status:
                return answer
            await asyncio.sleep(0.05)


async def test_the_process_serves_both_ports_reports_and_drains(
    gateway: Any, nats_bus: Bus, tls: ServerTls, tmp_path: Path
) -> None:
    ports = {name: free_port() for name in ("https", "http", "health")}
    async with AsyncExitStack() as stack:
        await _answer_tenants(stack, nats_bus, tls)
        run = gateway.world.run.model_copy(update={"state": JobState.RUNNING})
        service = await _answer_runs(stack, nats_bus, tls, run)
        issuer = await stack.enter_async_context(
            asgi.serve(_publish_keys(gateway), host="127.0.0.1", port=0, cert_file=tls.cert_file, key_file=tls.key_file)
        )
        client = await stack.enter_async_context(http.client(tls.ca_file))
        command = [sys.executable, "-m", "gateway"]
        process = Server("gateway", command, tmp_path, env=_environment(nats_bus, tls, issuer, ports))
        await asyncio.to_thread(process.start, lambda: True)
        stack.callback(process.stop)
        health = f"https://127.0.0.1:{ports['health']}"
        # From then on every question is answered, the first one included.
        assert (await _until(client, f"{health}/readyz", 200)).json()["checks"] == dict.fromkeys(
            ("bus", "issuer", "api"), "ok"
        )
        bearer = {"authorization": f"Bearer {gateway.issuer.token()}"}
        for origin in (f"https://127.0.0.1:{ports['https']}", f"http://127.0.0.1:{ports['http']}"):
            answer = await client.get(f"{origin}/api/v1/tenants", headers=bearer)
            assert (answer.status_code, answer.json()) == (200, {"items": [], "cursor": None})
            assert ("strict-transport-security" in answer.headers) == origin.startswith("https")
        counted = (await client.get(f"{health}/metrics")).text
        assert 'm365_gateway_requests_total{method="GET",route="list_tenants",status_class="2xx"} 2.0' in counted
        address = f"https://127.0.0.1:{ports['https']}{PROGRESS}"
        async with client.stream("GET", address, headers=bearer) as following:
            lines = following.aiter_lines()
            await _reads(lines, "event: jobs")
            fact = _mark("r1", stored=7)
            head = envelope.headers(fact, "backup-service")
            await service.broker.publish(fact.model_dump_json().encode(), fact.subject(), headers=head)
            await _reads(lines, "event: progressed")
            os.kill(process.pid, signal.SIGTERM)
            async with asyncio.timeout(5):
                assert not [line async for line in lines if line.startswith("event: end")]
        await client.aclose()  # an idle TLS connection would take the server's full closing time
        code = await asyncio.to_thread(process._process.wait, 10)
        assert code == 0, process.log_tail()
    text = process.log_file.read_text()
    assert "PLANTED" not in text
    assert gateway.issuer.token().split(".")[0] not in text
    assert all(json.loads(line) for line in text.splitlines())


def test_plain_http_beyond_this_machine_is_refused_with_a_sentence(tls: ServerTls, tmp_path: Path) -> None:
    environment = {
        **_environment(
            Bus(_Nowhere(), {"gateway": "SU"}), tls, "https://i.example", {"https": 0, "http": 8080, "health": 0}
        ),  # type: ignore[arg-type] # only its URL is read
        "TENANTKEEP_GATEWAY_HOST": "0.0.0.0",
    }
    process = Server("gateway", [sys.executable, "-m", "gateway"], tmp_path, env=environment)
    with pytest.raises(Exception, match="ended with code 2") as raised:
        process.start(lambda: False)
    assert "plain http is allowed on a loopback address only" in str(raised.value)
    assert "TENANTKEEP_GATEWAY_HTTP_PORT=0" in str(raised.value)


class _Nowhere:
    url = "tls://127.0.0.1:1"
