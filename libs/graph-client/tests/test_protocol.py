"""HTTP/1.1 and nothing else: what HTTP/2 can do to a connection cannot happen to this client."""

import asyncio
import contextlib
import random
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from chassis.testing.pki import ServerTls, make_server_tls
from graph_client import Budget, GraphClient, Limits, RetryPolicy, SystemClock, Unreachable

BODY = b"From: anna@contoso.example"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY

SETTINGS = bytes.fromhex("000000 04 00 00000000")
RST_STREAM = bytes.fromhex("000004 03 00 00000001 00000002")
"""Stream 1 ends with INTERNAL_ERROR (RFC 9113, 6.4)."""
GOAWAY = bytes.fromhex("000008 07 00 00000000 00000000 0000000b")
"""No stream was served; ENHANCE_YOUR_CALM (RFC 9113, 6.8)."""


class Tokens:
    async def token(self) -> str:
        return "secret-token"

    async def rejected(self, token: str) -> None:
        raise AssertionError("the server never answers 401")


class Server:
    """Prefers HTTP/2 wherever a client offers it, and sends its script: one step per request, the last one repeats."""

    def __init__(self, *script: bytes) -> None:
        self._script = list(script)
        self.agreed: list[str | None] = []
        self.requests: list[bytes] = []

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.agreed.append(writer.get_extra_info("ssl_object").selected_alpn_protocol())
        with contextlib.suppress(ConnectionError, ssl.SSLError):  # the client may leave at any time
            self.requests.append(await reader.readuntil(b"\r\n"))
            writer.write(self._script.pop(0) if len(self._script) > 1 else self._script[0])
            await writer.drain()
            writer.close()
            await writer.wait_closed()


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> ServerTls:
    return make_server_tls(tmp_path_factory.mktemp("pki"))


@asynccontextmanager
async def serving(tls: ServerTls, *script: bytes) -> AsyncIterator[tuple[Server, GraphClient]]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(Path(tls.cert_file), Path(tls.key_file))
    context.set_alpn_protocols(["h2", "http/1.1"])
    server, clock, rng = Server(*script), SystemClock(), random.Random(3)
    listener = await asyncio.start_server(server.answer, "127.0.0.1", 0, ssl=context)
    client = GraphClient(
        f"https://127.0.0.1:{listener.sockets[0].getsockname()[1]}/v1.0",
        Tokens(),
        verify=ssl.create_default_context(cafile=str(tls.ca_file)),
        budget=Budget(clock, rng, Limits(time_scale=0.001)),
        retry=RetryPolicy(attempts=3),
        clock=clock,
        rng=rng,
    )
    async with listener, client:
        yield server, client


async def test_a_server_that_prefers_http2_is_spoken_to_in_http11(tls: ServerTls) -> None:
    async with serving(tls, ANSWER) as (server, client):
        assert await client.read("users/a/messages/m/$value") == BODY
        assert server.agreed == ["http/1.1"]
        assert server.requests == [b"GET /v1.0/users/a/messages/m/$value HTTP/1.1\r\n"]


@pytest.mark.parametrize(
    "frames", [SETTINGS + RST_STREAM, SETTINGS + GOAWAY, SETTINGS], ids=["reset", "goaway", "none"]
)
async def test_frames_of_http2_never_pass_as_an_answer(tls: ServerTls, frames: bytes) -> None:
    async with serving(tls, frames, ANSWER) as (server, client):
        assert await client.read("users/a/messages/m/$value") == BODY
        assert client.counters.retries == 1
    async with serving(tls, frames) as (server, client):
        with pytest.raises(Unreachable):
            await client.read("users/a/messages/m/$value")
        assert len(server.agreed) == 3
        with pytest.raises(Unreachable) as caught:
            await client.post("users/a/messages", {})
        assert caught.value.sent, "nobody knows what such a server did with it"
        assert len(server.agreed) == 4
