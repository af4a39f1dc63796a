"""`python -m token_service` among the real servers: asked over the bus, killed, drained."""

import asyncio
import random
import ssl
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import nats
import pytest
from pydantic import SecretStr

from chassis import tls
from chassis.bus import Bus, connect
from chassis.clock import SystemClock
from chassis.ids import new_ulid
from chassis.openbao import AppRoleVault, open_vault
from chassis.settings import ServiceSettings
from chassis.testing.process import STOP_DEADLINE, Server, free_port
from chassis.vault import VaultDenied
from contracts import envelope, rpc
from contracts.caller import Caller
from contracts.events.tokens import TokenRefreshed, TokenRejected
from contracts.names import CredentialKind, Profile, TokenStatus
from contracts.operations import tokens as asked
from contracts.problem import ProblemError
from graph_client import GraphClient
from graph_simulator.testing import SimulatorProcess

pytestmark = pytest.mark.integration

CALLER = Caller("anna", ("operator",), "request-1")
SUBJECT = "m365.evt.v1.contoso.token.refreshed"
TOKEN = "tenants/contoso/tokens/exchange-backup"
_DRAWN = random.Random(5)


class Running:
    """The service as a process, and its neighbours' view of it."""

    def __init__(self, bench: Any, directory: Path, **variables: str) -> None:
        self.bench = bench
        self.port = free_port()
        self._directory = directory
        self._variables = variables
        self.process = self._fresh()

    def _fresh(self) -> Server:
        environment = self.bench.environment(
            "token-service",
            HEALTH_PORT=str(self.port),
            TOKEN_CLAIM="2",
            SWEEP_INTERVAL="0.1",
            TOKEN_REJECTED_PAUSE="0.2",
            **self._variables,
        )
        return Server("token-service", [sys.executable, "-m", "token_service"], self._directory, env=environment)

    def start(self) -> None:
        self.process = self._fresh()
        self.process.start(self.ready)

    def ready(self) -> bool:
        try:
            answer = httpx.get(f"https://127.0.0.1:{self.port}/readyz", verify=self.trust(), trust_env=False)
        except httpx.TransportError:
            return False
        return answer.is_success

    def trust(self) -> ssl.SSLContext:
        return tls.client_context(self.bench.bundle)

    def settings(self, user: str) -> ServiceSettings:
        bench = self.bench
        return ServiceSettings(
            ca_file=bench.bundle,
            health_port=0,
            nats_url=bench.nats.url,
            nats_nkey=SecretStr(bench.seeds[user]),
            mongo_url=bench.documents.url,
            vault_url=bench.vault.url,
            vault_role_id=user,
            vault_secret_id=SecretStr(bench.vault.secret_ids.get(user, "none")),
        )

    @asynccontextmanager
    async def bus(self, user: str) -> AsyncIterator[Bus]:
        broker = connect(self.settings(user), user)
        async with broker:
            await broker.start()
            yield Bus(broker, user)

    @asynccontextmanager
    async def vault(self, user: str) -> AsyncIterator[AppRoleVault]:
        async with open_vault(self.settings(user), SystemClock()) as vault:
            yield vault

    async def register(self, bus: Bus) -> None:
        wish = rpc.RegisterTenant(
            tenant="contoso", entra_tenant_id=self.bench.simulator.tenant_id, display_name="Contoso"
        )
        await bus.ask(rpc.TENANT_REGISTER, None, wish, CALLER)

    async def bring_secret(self, secret: str | None = None) -> rpc.SetCredential:
        app = self.bench.simulator.apps["exchange-backup"]
        intake = new_ulid(SystemClock(), _DRAWN)
        async with self.vault("gateway") as vault:
            data = {"client_secret": secret or app["client_secret"]}
            await vault.kv_create(f"tenants/contoso/intake/{intake}", data)
        return rpc.SetCredential(profile=Profile.EXCHANGE_BACKUP, client_id=app["client_id"], intake=intake)

    async def sign_in_with(self, bus: Bus, kind: CredentialKind) -> Any:
        """Generate a token of exchange-backup with a fresh credential of this kind."""
        if kind is CredentialKind.SECRET:
            return await bus.ask(rpc.CREDENTIAL_SET, "contoso", await self.bring_secret(), CALLER)
        question = asked.OfProfile(profile=Profile.EXCHANGE_BACKUP)
        offer = await _answered(lambda: bus.ask(asked.VAULT_KEY_OFFER, "contoso", question, CALLER))
        simulator = self.bench.simulator
        path = "tenants/contoso/apps/exchange-backup/certificates"
        simulator.server.control("POST", path, {"certificate": offer.certificate})
        client_id = simulator.apps["exchange-backup"]["client_id"]
        wish = asked.SetVaultKey(profile=Profile.EXCHANGE_BACKUP, client_id=client_id)
        return await _answered(lambda: bus.ask(asked.VAULT_KEY_SET, "contoso", wish, CALLER))

    async def generation(self) -> int:
        """Of the token that is stored; 0 when there is none."""
        async with self.vault("backup-service") as vault:
            found = await vault.kv_read(TOKEN)
        return 0 if found is None else int(found[0]["generation"])

    async def stored(self) -> dict[str, Any]:
        async with self.vault("backup-service") as vault:
            found = await vault.kv_read(TOKEN)
        assert found is not None
        return found[0]

    async def announced(self) -> dict[str, Any]:
        """The newest TokenRefreshed in the stream."""
        connection = await nats.connect(
            self.bench.nats.url,
            connect_timeout=10,  # a handshake on a busy machine
            nkeys_seed_str=self.bench.seeds["bootstrap"],
            tls=self.trust(),
            inbox_prefix=b"_INBOX_bootstrap",
        )
        try:
            message = await connection.jetstream().get_last_msg("M365_EVT", SUBJECT)
        finally:
            await connection.close()
        event = TokenRefreshed.model_validate_json(message.data or b"")
        assert (message.headers or {})["Nats-Msg-Id"] == envelope.event_id(event)
        return event.model_dump()


async def eventually(check: Callable[[], Awaitable[bool]], within: float = 15.0) -> None:
    deadline = time.monotonic() + within
    while not await check():
        assert time.monotonic() < deadline, "the state was not reached in time"
        await asyncio.sleep(0.05)


async def _answered(ask: Callable[[], Awaitable[Any]]) -> Any:
    """Ask again as any asker may: what a busy machine did not answer in time it has done by the next question."""
    for _ in range(5):
        try:
            return await ask()
        except ProblemError as error:
            if error.problem.code != "unavailable":
                raise
    return await ask()


@pytest.fixture(scope="module")
def service(bench: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One process for all tests: its start costs more than most of them. Who stops it starts it again."""
    running = Running(bench, tmp_path_factory.mktemp("service"))
    running.start()
    yield running
    running.process.stop()


async def test_a_credential_becomes_a_token_that_graph_accepts(service: Running) -> None:
    async with service.bus("gateway") as bus:
        await service.register(bus)
        question = await service.bring_secret()
        view = await bus.ask(rpc.CREDENTIAL_SET, "contoso", question, CALLER)
        assert view.status is TokenStatus.ACTIVE
        again = await bus.ask(rpc.CREDENTIAL_SET, "contoso", question, CALLER)
        assert again.generation == view.generation
        listing = await bus.ask(rpc.TOKEN_LIST, "contoso", rpc.Nothing(), CALLER)
        assert [token.status for token in listing.items].count(TokenStatus.ACTIVE) == 1
    stored = await service.stored()

    async def told() -> bool:
        return (await service.announced())["fingerprint"] == stored["fingerprint"]

    await eventually(told)
    async with service.vault("backup-service") as vault:
        await vault.transit_data_key("tenant-contoso")
        with pytest.raises(VaultDenied):
            await vault.kv_read("tenants/contoso/credentials/exchange-backup")

    class Given:
        async def token(self) -> str:
            return str(stored["access_token"])

        async def rejected(self, token: str) -> None:
            raise AssertionError("the token is fresh")

    graph = service.bench.simulator.server.url + "/v1.0"
    async with GraphClient(graph, Given(), verify=service.trust()) as client:
        assert (await client.get("users"))["value"]


async def test_a_wrong_secret_is_refused_over_the_bus(service: Running) -> None:
    async with service.bus("gateway") as bus:
        await service.register(bus)
        question = await service.bring_secret("a-wrong-secret")
        with pytest.raises(ProblemError) as caught:
            await bus.ask(rpc.CREDENTIAL_SET, "contoso", question, CALLER)
    assert caught.value.problem.code == "credential-refused"
    assert "AADSTS7000215" in caught.value.problem.detail
    assert "a-wrong-secret" not in service.process.log_tail(100_000)


async def test_a_rejected_token_is_replaced(service: Running) -> None:
    async with service.bus("gateway") as bus:
        await service.register(bus)
        await bus.ask(rpc.CREDENTIAL_SET, "contoso", await service.bring_secret(), CALLER)
    before = await service.stored()
    async with service.bus("backup-service") as bus:
        await bus.publish(
            TokenRejected(
                tenant="contoso",
                at=SystemClock().now(),
                profile=Profile.EXCHANGE_BACKUP,
                fingerprint=before["fingerprint"],
            )
        )

    async def replaced() -> bool:
        stored = await service.stored()
        told = await service.announced()
        return stored["fingerprint"] != before["fingerprint"] == told["fingerprint"] or (
            stored["generation"] > before["generation"] and told["generation"] == stored["generation"]
        )

    await eventually(replaced)


async def test_killed_at_any_moment_it_ends_in_one_consistent_state(service: Running) -> None:
    async with service.bus("gateway") as bus:
        await service.register(bus)
        for delay in (0.01, 0.1, 0.35):
            question = await service.bring_secret()
            asking = asyncio.ensure_future(bus.ask(rpc.CREDENTIAL_SET, "contoso", question, CALLER))
            await asyncio.sleep(delay)
            service.process.kill()
            service.start()
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
            view = await bus.ask(rpc.CREDENTIAL_SET, "contoso", question, CALLER)
            assert view.status is TokenStatus.ACTIVE
            assert (await service.stored())["generation"] == view.generation

            async def told(generation: int = view.generation) -> bool:
                return (await service.announced())["generation"] == generation

            await eventually(told)


async def test_sigterm_ends_it_cleanly(service: Running) -> None:
    began = time.monotonic()
    service.process.stop()
    took, log = time.monotonic() - began, service.process.log_tail(100_000)
    service.start()  # before anything fails: the next tests ask it
    assert took < STOP_DEADLINE, f"it had to be killed: {log[-4000:]}"
    assert '"event": "draining"' in log
    assert "drain timed out" not in log
    assert "process failed" not in log


async def test_what_a_gateway_that_died_left_is_destroyed_and_what_is_awaited_is_not(service: Running) -> None:
    async with service.bus("gateway") as bus:
        await service.register(bus)
    awaited = (await service.bring_secret()).intake
    forgotten = f"01ARZ3NDEK{awaited[10:]}"  # drawn years ago
    async with service.vault("gateway") as vault:
        await vault.kv_create(f"tenants/contoso/intake/{forgotten}", {"client_secret": "forgotten"})
    service.process.kill()
    service.start()
    async with service.vault("token-service") as vault:

        async def cleared() -> bool:
            return await vault.kv_list("tenants/contoso/intake") == (awaited,)

        await eventually(cleared)
        await vault.kv_delete(f"tenants/contoso/intake/{awaited}")


async def test_its_log_holds_no_secret(service: Running) -> None:
    async with service.bus("gateway") as bus:
        await service.register(bus)
        await bus.ask(rpc.CREDENTIAL_SET, "contoso", await service.bring_secret(), CALLER)
    stored = await service.stored()
    log = service.process.log_tail(1_000_000)
    assert stored["access_token"] not in log
    assert service.bench.simulator.apps["exchange-backup"]["client_secret"] not in log
    assert "credential proven and kept" in log


@pytest.mark.soak
async def test_a_key_that_only_the_vault_has_is_replaced_by_the_next_one(service: Running) -> None:
    async with service.bus("gateway") as bus:
        await service.register(bus)
        for _ in range(2):
            view = await service.sign_in_with(bus, CredentialKind.VAULT_KEY)
            assert (view.status, view.credential) == (TokenStatus.ACTIVE, CredentialKind.VAULT_KEY)
        details = await bus.ask(asked.TOKEN_GET, "contoso", asked.OfProfile(profile=Profile.EXCHANGE_BACKUP), CALLER)
    new, old = details.records[:2]
    assert (new.ended, new.key_destroyed_at) == (None, None)
    assert old.key_destroyed_at is not None
    names = [f"app.contoso.exchange-backup.{record.key}" for record in (new, old)]
    async with service.vault("token-service") as vault, service.vault("gateway") as gateway:
        assert [await vault.transit_has_key(name) for name in names] == [True, False]
        with pytest.raises(VaultDenied):
            await gateway.transit_sign(names[0], b"assertion", "pss")
    log = service.process.log_tail(1_000_000)
    assert "eyJ" not in log, "neither assertion nor token"


@pytest.mark.parametrize(
    "kind", [CredentialKind.SECRET, pytest.param(CredentialKind.VAULT_KEY, marks=pytest.mark.soak)]
)
async def test_two_replicas_renew_each_token_once(
    service: Running, bench: Any, tmp_path: Path, kind: CredentialKind
) -> None:
    service.process.stop()  # or it would be a third
    app = bench.simulator.apps["exchange-backup"]["client_id"]
    options = ("--token-lifetime", "3")
    with SimulatorProcess(bench.simulator.server.state, options=options) as brief:
        replicas = [Running(bench, tmp_path / name, AUTHORITY_URL=brief.url) for name in ("one", "two")]
        before = await replicas[0].generation()  # a credential of an earlier test is renewed from the start
        for replica in replicas:
            replica.start()
        try:
            async with replicas[0].bus("gateway") as bus:
                await replicas[0].register(bus)
                first = await replicas[0].sign_in_with(bus, kind)

            async def renewed() -> bool:
                return bool((await replicas[0].stored())["generation"] >= first.generation + 3)

            await eventually(renewed)
        finally:
            for replica in replicas:
                replica.process.stop()
        stored = await replicas[0].stored()
        assert brief.control("GET", "stats")["tokens_issued"][app] == stored["generation"] - before
        assert (await replicas[0].announced())["fingerprint"] == stored["fingerprint"]
