import asyncio
import socket

import pytest

from chassis import http
from chassis.asgi import PortTaken
from chassis.health import serve_health
from chassis.metrics import BoundedLabel, new_registry
from chassis.settings import ServiceSettings
from chassis.testing.pki import ServerTls


async def well() -> None:
    await asyncio.sleep(0)


async def broken() -> None:
    raise ConnectionError("refused with password=planted")


async def hanging() -> None:
    await asyncio.Event().wait()


@pytest.fixture
def over_tls(settings: ServiceSettings, server_tls: ServerTls) -> ServiceSettings:
    return settings.model_copy(update={"tls_cert_file": server_tls.cert_file, "tls_key_file": server_tls.key_file})


async def test_a_well_process_is_alive_ready_and_measured(over_tls: ServiceSettings) -> None:
    registry = new_registry("token-service", "0.1.0")
    async with (
        serve_health(over_tls, {"bus": well, "vault": well}, registry) as url,
        http.client(over_tls.ca_file, base_url=url) as client,
    ):
        assert url.startswith("https://127.0.0.1:")
        assert (await client.get("/livez")).text == "ok"
        ready = await client.get("/readyz")
        assert (ready.status_code, ready.json()) == (
            200,
            {"ready": True, "failing": [], "checks": {"bus": "ok", "vault": "ok"}},
        )
        metrics = await client.get("/metrics")
        assert 'm365_build_info{service="token-service",version="0.1.0"} 1.0' in metrics.text
        assert "process_resident_memory_bytes" in metrics.text
        assert metrics.headers["content-type"].startswith("text/plain")


async def test_failing_and_hanging_checks_are_named_while_the_process_stays_alive(
    settings: ServiceSettings,
) -> None:
    checks = {"bus": well, "documents": broken, "vault": hanging}
    async with (
        serve_health(settings, checks, new_registry("any", "0")) as url,
        http.client(settings.ca_file, base_url=url) as client,
    ):
        assert url.startswith("http://127.0.0.1:")
        answer = await client.get("/readyz")
        assert answer.status_code == 503
        assert answer.json() == {
            "ready": False,
            "failing": ["documents", "vault"],
            "checks": {
                "bus": "ok",
                "documents": "ConnectionError: refused with password=[redacted]",
                "vault": "no answer within 2 s",
            },
        }
        assert (await client.get("/livez")).status_code == 200


async def test_a_taken_port_names_the_setting(settings: ServiceSettings) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        taken = settings.model_copy(update={"health_port": port})
        with pytest.raises(PortTaken, match=rf"Port {port} on 127.0.0.1 .* TENANTKEEP_HEALTH_PORT"):
            async with serve_health(taken, {}, new_registry("any", "0")):
                pass


async def test_an_open_connection_does_not_hold_the_end(settings: ServiceSettings) -> None:
    async with asyncio.timeout(5):
        async with serve_health(settings, {"vault": hanging}, new_registry("any", "0")) as url:
            host, port = url.removeprefix("http://").split(":")
            _reader, writer = await asyncio.open_connection(host, int(port))
        writer.close()


def test_labels_stop_growing_at_their_limit() -> None:
    label = BoundedLabel(3, known=["contoso"])
    assert [label(value) for value in ("a", "contoso", "b", "c", "a", "d")] == [
        "a",
        "contoso",
        "b",
        "other",
        "a",
        "other",
    ]
