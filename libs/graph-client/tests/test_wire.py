"""The real httpx against a server that writes raw bytes, so that it can break in every way a server can."""

import asyncio
import contextlib
import gzip
import random
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from graph_client import BodyTooLarge, Budget, GraphClient, Limits, RetryPolicy, SystemClock, Unreachable

BODY = bytes(range(256)) * 1024
WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY
SHORT = WHOLE[: len(WHOLE) // 2]
HTML = b"HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>"
HUGE = b"<p>" * 700_000
HUGE_HTML = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: %d\r\n\r\n" % len(HUGE) + HUGE
NO_HEADERS = b""
PACKED = gzip.compress(BODY)
GZIPPED = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(PACKED) + PACKED
HALF = BODY[:70_000]
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n" % len(HALF) + HALF + b"\r\n"


class Server:
    """Answers request n with script[n] (the last one for ever), then cuts the connection."""

    def __init__(self, *script: bytes) -> None:
        self.script = list(script)
        self.lines: list[str] = []
        self.heads: list[str] = []
        self.url = ""

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.heads.append(head.lower())
        self.lines.append(head.split("\r\n")[0])
        step = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        writer.write(step)
        with contextlib.suppress(ConnectionError):  # the client may leave in the middle of an answer
            await writer.drain()
            writer.close()
            await writer.wait_closed()


@asynccontextmanager
async def serving(*script: bytes) -> AsyncIterator[tuple[Server, GraphClient]]:
    server = Server(*script)
    listener = await asyncio.start_server(server.answer, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    server.url = f"http://127.0.0.1:{port}"
    clock, rng = SystemClock(), random.Random(3)
    client = GraphClient(
        f"{server.url}/v1.0",
        Tokens(),
        verify=ssl.create_default_context(),
        budget=Budget(clock, rng, Limits(time_scale=0.001)),
        retry=RetryPolicy(attempts=4),
        clock=clock,
        rng=rng,
    )
    async with listener, client:
        yield server, client


class Tokens:
    async def token(self) -> str:
        return "secret-token"

    async def rejected(self, token: str) -> None:
        raise AssertionError("the server never answers 401")


@pytest.mark.parametrize("broken", [SHORT, HTML, HUGE_HTML, NO_HEADERS, WHOLE[:40], CHUNKED])
async def test_a_body_is_read_whole_in_spite_of_one_broken_answer(broken: bytes) -> None:
    async with serving(broken, WHOLE) as (server, client):
        assert await client.read("users/a/messages/m/$value") == BODY
        assert len(server.lines) == 2
        assert client.counters.retries == 1
        assert client.counters.bytes >= len(BODY)


async def test_a_gzipped_body_is_whole_and_unpacked() -> None:
    async with serving(GZIPPED) as (_, client):
        assert await client.read("users/a/messages/m/$value") == BODY


async def test_a_body_that_never_comes_whole_is_unreachable() -> None:
    async with serving(SHORT) as (server, client):
        with pytest.raises(Unreachable):
            await client.read("users/a/messages/m/$value")
        assert len(server.lines) == 4


async def drain(client: GraphClient, received: bytearray) -> None:
    async with client.stream("users/a/messages/m/$value") as chunks:
        async for chunk in chunks:
            received += chunk


async def test_a_stream_that_breaks_off_raises_and_never_just_ends() -> None:
    async with serving(SHORT) as (_, client):
        received = bytearray()
        with pytest.raises(Unreachable):
            await drain(client, received)
        assert 0 < len(received) < len(BODY)


async def test_a_stream_may_be_left_early() -> None:
    async with serving(WHOLE) as (_, client):
        async with client.stream("users/a/messages/m/$value") as chunks:
            assert await anext(chunks) == BODY[: 64 * 1024]
        assert await client.read("users/a/messages/m/$value") == BODY


async def test_a_stream_gives_its_place_back() -> None:
    async with serving(WHOLE) as (_, client):
        for _n in range(6):
            async with client.stream("users/a/messages/m/$value") as chunks:
                assert b"".join([chunk async for chunk in chunks]) == BODY


async def test_a_body_over_the_limit_is_refused_without_another_attempt() -> None:
    async with serving(WHOLE) as (server, client):
        with pytest.raises(BodyTooLarge):
            await client.read("users/a/messages/m/$value", max_bytes=1000)
        assert len(server.lines) == 1


async def test_a_post_whose_answer_is_lost_is_not_sent_twice() -> None:
    async with serving(NO_HEADERS) as (server, client):
        with pytest.raises(Unreachable) as caught:
            await client.post("users/a/messages", {})
        assert caught.value.sent
        assert len(server.lines) == 1


async def test_a_server_that_is_down_is_unreachable_and_nothing_was_sent() -> None:
    async with serving(WHOLE) as (server, _):
        elsewhere = GraphClient(
            "https://127.0.0.1:1/v1.0",
            Tokens(),
            verify=ssl.create_default_context(),
            budget=Budget(SystemClock(), random.Random(1), Limits(time_scale=0.001)),
        )
        async with elsewhere:
            with pytest.raises(Unreachable) as caught:
                await elsewhere.post("users/a/messages", {})
        assert not caught.value.sent
        assert elsewhere.counters.requests == 6
        assert not server.lines


async def test_a_link_travels_as_graph_wrote_it() -> None:
    query = "$skiptoken=a%2Fb%3D%3D+c-_.~!*'(),;:@/?x&$deltatoken=%C3%A4"
    done = b'{"value":[],"@odata.deltaLink":"x"}'
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(done) + done
    async with serving(answer) as (server, client):
        path = "/v1.0/users('a')/mailFolders('AAMk%2FAA%3D')/messages/delta"
        async for _ in client.delta(f"{server.url}{path}?{query}"):
            pass
        assert server.lines == [f"GET {path}?{query} HTTP/1.1"]


async def test_the_environment_does_not_matter(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.setenv(name, f"{tmp_path}/missing.pem")
    async with serving(WHOLE) as (server, client):
        assert await client.read("users/a/messages/m/$value") == BODY
        assert "authorization: bearer secret-token" in server.heads[0]


@pytest.fixture(autouse=True)
def _no_proxy_exceptions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
