import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from chassis import asgi, http, tls
from chassis.testing.pki import ServerTls

HOSTILE = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "AWS_CA_BUNDLE")


@pytest.fixture
async def url(server_tls: ServerTls) -> AsyncIterator[str]:
    app = Starlette(routes=[Route("/", lambda _request: PlainTextResponse("hello"))])
    async with asgi.serve(
        app, host="127.0.0.1", port=0, cert_file=server_tls.cert_file, key_file=server_tls.key_file
    ) as base:
        yield base


async def fetch(url: str, ca_file: Path | None) -> str:
    async with http.client(ca_file) as client:
        return (await client.get(url)).text


async def test_the_given_authority_is_trusted_and_no_other(
    url: str, server_tls: ServerTls, other_tls: ServerTls
) -> None:
    assert await fetch(url, server_tls.ca_file) == "hello"
    for untrusting in (other_tls.ca_file, None):
        with pytest.raises(httpx.ConnectError, match="certificate verify failed"):
            await fetch(url, untrusting)


async def test_variables_of_the_environment_neither_break_nor_widen_trust(
    url: str, server_tls: ServerTls, other_tls: ServerTls, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in HOSTILE:
        monkeypatch.setenv(name, "/nonexistent/bundle.pem")
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert await fetch(url, server_tls.ca_file) == "hello"
    for name in HOSTILE:
        monkeypatch.setenv(name, str(server_tls.ca_file))
    for untrusting in (other_tls.ca_file, None):
        with pytest.raises(httpx.ConnectError, match="certificate verify failed"):
            await fetch(url, untrusting)


async def test_older_protocols_are_refused_by_both_sides(url: str, server_tls: ServerTls) -> None:
    old = tls.client_context(server_tls.ca_file)
    assert old.minimum_version is ssl.TLSVersion.TLSv1_2
    with pytest.warns(DeprecationWarning, match="TLSv1 is deprecated"):
        old.minimum_version = ssl.TLSVersion.TLSv1
    with pytest.warns(DeprecationWarning, match="TLSv1_1 is deprecated"):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    async with httpx.AsyncClient(verify=old, trust_env=False) as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(url)


def test_a_missing_bundle_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        tls.client_context(tmp_path / "none.pem")
    (tmp_path / "empty.pem").touch()
    with pytest.raises(ssl.SSLError):
        tls.client_context(tmp_path / "empty.pem")
