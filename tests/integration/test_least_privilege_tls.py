"""TLS 1.1, plain text and a foreign authority: refused by every port of the stack and by every client of ours."""

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from main_job import settings_of
from pydantic import SecretStr
from stack_fixture import RunningStack

from backup_engine.storage import S3Storage
from backup_service.settings import BackupSettings
from chassis import bootstrap, bus, documents, http, tls
from chassis.clock import SystemClock
from chassis.openbao import open_vault
from chassis.testing.pki import ServerTls, make_server_tls
from chassis.testing.vault import MemoryVault
from graph_client import GraphClient, RetryPolicy
from tenantkeep.commands.client import Gateway
from tenantkeep.commands.session import Access
from tenantkeep.stack import trust as stack_trust
from token_service.adapters.msal_authority import MsalAuthority
from token_service.adapters.transit_keys import TransitKeys
from token_service.domain.credential import ClientSecret
from token_service.ports import Issued

pytestmark = [
    pytest.mark.integration,
    pytest.mark.soak,
    pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning"),
]

PLAIN_BY_DESIGN = {"gateway_http"}
"""Plain http on loopback; the gateway refuses to start it on any other address (its settings' tests)."""
PATIENCE = 10.0


def _listeners(stack: RunningStack) -> dict[str, int]:
    """Every port that any process of the stack listens on, whether the stack knows of it or not."""
    names = {port: name for name, port in stack.ports.items()}
    found = {}
    for pid in stack.pids():
        process = psutil.Process(pid)
        for member in [process, *process.children(recursive=True)]:
            for connection in member.net_connections("tcp"):
                if connection.status == psutil.CONN_LISTEN:
                    assert connection.laddr.ip == "127.0.0.1"
                    port = connection.laddr.port
                    found[names.get(port, f"unknown port {port} of {member.name()}")] = port
    return found


def _old_tls() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    return context


def _handshake(port: int, context: ssl.SSLContext) -> str | None:
    """The protocol version two sides agree on."""
    with (
        socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as raw,
        context.wrap_socket(raw, server_hostname="127.0.0.1") as wrapped,
    ):
        return wrapped.version()


def _plain_answer(port: int) -> bytes:
    """What the port says to a question in plain text."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as raw:
        try:
            raw.sendall(b"GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            return raw.recv(4096)
        except ConnectionError:
            return b""


def test_every_port_of_the_stack_refuses_plain_text_old_tls_and_is_refused_under_a_foreign_authority(
    stack: RunningStack, tmp_path: Path
) -> None:
    listeners = _listeners(stack)
    expected = stack.ports.keys() - {"objects_admin", "objects_admin_grpc"}  # the store starts these later
    assert expected <= listeners.keys() <= set(stack.ports)
    foreign = stack_trust.context(make_server_tls(tmp_path).ca_file)
    refusals = []
    for name, port in listeners.items():
        if name in PLAIN_BY_DESIGN:
            continue
        answer = _plain_answer(port)
        # Go's http servers say in plain text that they speak TLS; that is all one may hear.
        assert answer == b"" or (answer.startswith(b"HTTP/1.0 400") and b"HTTPS server" in answer), (name, answer)
        with pytest.raises((ssl.SSLError, ConnectionError)):
            _handshake(port, _old_tls())
        with pytest.raises((ssl.SSLCertVerificationError, ssl.SSLError, ConnectionError)):
            _handshake(port, foreign)
        refusals.append(name)
    assert len(refusals) == len(listeners) - len(PLAIN_BY_DESIGN)


def test_the_parts_of_the_object_store_speak_only_to_members(stack: RunningStack) -> None:
    """Its internal ports know no user: who reaches them owns every tenant's objects."""
    stranger = stack_trust.context(stack.home.ca)
    internal = [port for name, port in _listeners(stack).items() if name.startswith("objects_")]
    assert len(internal) >= 6
    for port in internal:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            _first_word(port, stranger)


def _first_word(port: int, context: ssl.SSLContext) -> bytes:
    """Only the first read tells that TLS 1.3 was refused."""
    with (
        socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as raw,
        context.wrap_socket(raw, server_hostname="127.0.0.1") as wrapped,
    ):
        return wrapped.recv(1)


class Hostile:
    """A server that greets in plain text, or offers TLS in a way no client may accept; keeps what it hears."""

    def __init__(self, *, greeting: bytes = b"", context: ssl.SSLContext | None = None) -> None:
        self.heard: list[bytes] = []
        self.accepted = 0
        self._greeting, self._context = greeting, context
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(PATIENCE)

    def _serve(self) -> None:
        while True:
            try:
                raw, _ = self._socket.accept()
            except OSError:
                return
            with raw, contextlib.suppress(OSError):  # a refused handshake is what we are here for
                raw.settimeout(0.5)
                if self._context is None:
                    raw.sendall(self._greeting)
                    self.heard.append(raw.recv(65_536))
                else:
                    with self._context.wrap_socket(raw, server_side=True) as wrapped:
                        self.heard.append(wrapped.recv(65_536))
            self.accepted += 1


INFO = (
    b'INFO {"server_id":"x","version":"2.15.1","proto":1,"headers":true,"max_payload":1048576,"jetstream":true,'
    b'"auth_required":true,"nonce":"abcdefghijk"}\r\n'
)


def _server(kind: str, identity: ServerTls) -> Hostile:
    if kind == "plain text":
        return Hostile()
    if kind == "plain text of a bus":
        return Hostile(greeting=INFO)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(identity.cert_file, identity.key_file)
    if kind == "TLS 1.1":
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    return Hostile(context=context)


async def _bus(settings: BackupSettings, _address: str) -> None:
    broker = bus.connect(settings, "gateway")
    try:
        await broker.start()
    finally:
        await broker.stop()


async def _bootstrap(settings: BackupSettings, _address: str) -> None:
    await bootstrap.main(
        bootstrap.BootstrapSettings(
            nats_url=settings.nats_url, nats_nkey=settings.nats_nkey, ca_file=settings.ca_file, health_port=0
        )
    )


async def _documents(settings: BackupSettings, _address: str) -> None:
    db = documents.connect(settings, "backup_service")
    try:
        await db.things.find_one({})
    finally:
        db.client.close()


async def _vault(settings: BackupSettings, _address: str) -> None:
    async with open_vault(settings, SystemClock()) as vault:
        await vault.kv_read("tenants/contoso/storage/main")


async def _http(settings: BackupSettings, address: str) -> None:
    async with http.client(settings.ca_file) as client:
        await client.get(f"https://{address}/", headers={"authorization": "Bearer planted"})


class _Token:
    async def token(self) -> str:
        return "planted"

    async def rejected(self, token: str) -> None:
        raise AssertionError("nobody answered")


async def _graph(settings: BackupSettings, address: str) -> None:
    trust = tls.client_context(settings.ca_file)
    once = RetryPolicy(attempts=1)
    async with GraphClient(f"https://{address}/v1.0", _Token(), verify=trust, retry=once) as client:
        await client.get("users")


async def _sign_in(settings: BackupSettings, address: str) -> None:
    trust, clock = tls.client_context(settings.ca_file), SystemClock()
    keys, secret = TransitKeys(MemoryVault(clock), clock), ClientSecret("planted")
    url, scope = f"https://{address}", "s/.default"
    with MsalAuthority(url, scope, trust=trust, proxy=None, keys=keys, clock=clock) as authority:
        outcome = await authority.acquire("6d3f6a4e-0f8c-4a6f-9d5e-2b1c7a9e4f10", "client", secret)
    if not isinstance(outcome, Issued):
        raise ConnectionError(repr(outcome))


async def _storage(settings: BackupSettings, address: str) -> None:
    storage = S3Storage(address, "bucket", "planted-access", "planted-secret", ca_file=settings.ca_file)
    try:
        await asyncio.to_thread(storage.get, "key")
    finally:
        storage.close()


async def _command_line(settings: BackupSettings, address: str) -> None:
    access = Access(f"https://{address}", f"https://{address}", "ops", SecretStr("planted"), settings.ca_file)
    with Gateway(access) as gateway:
        await asyncio.to_thread(gateway.tenants)


async def _stack_probe(settings: BackupSettings, address: str) -> None:
    assert settings.ca_file is not None
    async with stack_trust.client(settings.ca_file) as client:
        await client.get(f"https://{address}/")


Client = Callable[[BackupSettings, str], Awaitable[Any]]
CLIENTS: dict[str, Client] = {
    "bus": _bus,
    "bootstrap": _bootstrap,
    "documents": _documents,
    "vault": _vault,
    "http": _http,
    "Graph": _graph,
    "sign-in": _sign_in,
    "storage": _storage,
    "command line": _command_line,
    "stack probe": _stack_probe,
}
KINDS = ["plain text", "plain text of a bus", "TLS 1.1", "foreign authority"]


@pytest.fixture(scope="module")
def identities(tmp_path_factory: pytest.TempPathFactory) -> tuple[ServerTls, ServerTls]:
    """One that clients trust, one that they do not."""
    folder = tmp_path_factory.mktemp("identities")
    return make_server_tls(folder, "ours"), make_server_tls(folder, "foreign")


@pytest.fixture
def hostile(request: pytest.FixtureRequest, identities: tuple[ServerTls, ServerTls]) -> Iterator[Hostile]:
    ours, foreign = identities
    server = _server(request.param, foreign if request.param == "foreign authority" else ours)
    yield server
    server.close()


@pytest.mark.parametrize("hostile", ["TLS 1.1"], indirect=True)
def test_the_old_server_would_be_understood_by_an_old_client(hostile: Hostile) -> None:
    """Otherwise the refusals below would prove nothing."""
    assert _handshake(hostile.port, _old_tls()) == "TLSv1.1"


@pytest.mark.parametrize("name", CLIENTS)
@pytest.mark.parametrize("hostile", KINDS, indirect=True)
async def test_no_client_says_a_word_to_a_server_it_cannot_trust(
    servers: RunningStack, identities: tuple[ServerTls, ServerTls], hostile: Hostile, name: str
) -> None:
    address = f"127.0.0.1:{hostile.port}"
    places = {
        "ca_file": identities[0].ca_file,
        "nats_url": f"tls://{address}",
        "mongo_url": f"mongodb://{address}/?retryWrites=false&serverSelectionTimeoutMS=300",
        "vault_url": f"https://{address}",
    }
    settings = BackupSettings(**{**settings_of(servers, "backup-service"), **places})
    attempt = asyncio.ensure_future(CLIENTS[name](settings, address))
    async with asyncio.timeout(PATIENCE):
        # The bus tries for ever; one refused attempt is enough.
        while not attempt.done() and hostile.accepted < 1:  # noqa: ASYNC110 - the server is a thread
            await asyncio.sleep(0.01)
    if name in {"bus", "bootstrap"}:
        # A handshake that fails at the same moment swallows a cancellation (asyncio.wait_for before Python 3.12).
        while not attempt.done():
            attempt.cancel()
            await asyncio.wait({attempt}, timeout=1)
    with pytest.raises((Exception, asyncio.CancelledError)):  # each client has its own error
        await attempt
    assert hostile.accepted >= 1, "nobody called: the test would prove nothing"
    for words in hostile.heard:
        assert words == b"" or words.startswith(b"\x16\x03"), words  # nothing but a TLS greeting
