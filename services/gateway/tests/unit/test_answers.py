"""Problems, headers, limits, counts and log lines."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import structlog
from prometheus_client import generate_latest

from contracts.views import Listing, Tenant


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not-found"),
        ("GET", "/tenants/", 404, "not-found"),
        ("DELETE", "/tenants/contoso", 405, "method-not-allowed"),
        ("GET", "/tenants/contoso/runs/not.a.token", 404, "not-found"),
        ("GET", "/tenants/contoso/runs?limit=0", 422, "invalid"),
        ("GET", "/tenants/contoso/runs?limt=5", 422, "invalid"),
        ("PUT", "/tenants/contoso/profiles/unheard-of/credential", 404, "not-found"),
        ("GET", "/openapi.json", 404, "not-found"),
        ("GET", "/docs", 404, "not-found"),
    ],
)
async def test_problems(gateway: Any, method: str, path: str, status: int, code: str) -> None:
    answer = await gateway.call(method, path)
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert (answer.status_code, body["status"], body["code"]) == (status, status, code)
    assert body["type"] == f"https://tenantkeep.dev/problems/{code}"


async def test_validation_names_places_and_reasons_only(gateway: Any) -> None:
    answer = await gateway.call(
        "POST", "/tenants/contoso/backup-configurations", json={"name": "", "target": "t", "retain": 3}
    )
    assert answer.json()["errors"] == [
        {"loc": "body.name", "msg": "String should have at least 1 character", "type": "string_too_short"},
        {"loc": "body.retain", "msg": "Extra inputs are not permitted", "type": "extra_forbidden"},
    ]


async def test_a_defect_answers_500_without_a_trace_and_is_logged_once(
    gateway: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def explode(*_args: Any) -> None:
        raise ZeroDivisionError("PLANTED")

    monkeypatch.setattr(gateway.around.services, "ask", explode)
    with structlog.testing.capture_logs() as lines:
        answer = await gateway.call("GET", "/tenants")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert "PLANTED" not in answer.text
    assert [line["event"] for line in lines] == ["request failed", "request answered"]
    assert lines[1]["route"] == "list_tenants"


async def test_security_headers(gateway: Any) -> None:
    for answer in (await gateway.call("GET", "/tenants"), await gateway.call("GET", "/nowhere")):
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["strict-transport-security"] == "max-age=63072000"
        assert len(answer.headers["x-request-id"]) == 26
    plain = await gateway.client.get("http://gateway.example/api/v1/tenants")
    assert "strict-transport-security" not in plain.headers


async def test_a_body_has_a_limit_declared_or_not(gateway: Any) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"x" * 65_536

    token = {"authorization": f"Bearer {gateway.issuer.token()}", "content-type": "application/json"}
    declared = await gateway.client.post("/api/v1/tenants", content=b"x" * ((1 << 20) + 1), headers=token)
    chunked = await gateway.client.post("/api/v1/tenants", content=chunks(), headers=token)
    for answer in (declared, chunked):
        assert (answer.status_code, answer.json()["status"]) == (413, 413)
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["connection"] == "close"


async def test_requests_are_counted_with_a_closed_set_of_labels(gateway: Any) -> None:
    await gateway.call("GET", "/tenants/contoso/runs/r1")
    await gateway.call("GET", "/tenants/contoso/runs/r2")
    await gateway.call("GET", "/tenants/nobody/runs/r2")
    for path in ("/nowhere", "/else/where"):
        await gateway.call("GET", path)
    await gateway.client.request("BREW", "/api/v1/tenants")
    text = generate_latest(gateway.registry).decode()
    lines = {line for line in text.splitlines() if line.startswith("m365_gateway_requests_total{")}
    assert lines == {
        'm365_gateway_requests_total{method="GET",route="get_run",status_class="2xx"} 2.0',
        'm365_gateway_requests_total{method="GET",route="get_run",status_class="4xx"} 1.0',
        'm365_gateway_requests_total{method="GET",route="unmatched",status_class="4xx"} 2.0',
        'm365_gateway_requests_total{method="other",route="list_tenants",status_class="4xx"} 1.0',
    }


async def test_the_log_line_names_the_route_and_never_the_ticket(gateway: Any) -> None:
    gateway.upstream["/v1/downloads/contoso/PLANTED-ticket"] = (200, b"zip-bytes")
    with structlog.testing.capture_logs() as lines:
        answer = await gateway.call("GET", "/tenants/contoso/downloads/PLANTED-ticket")
        spent = await gateway.call("GET", "/tenants/contoso/downloads/PLANTED-other")
    assert (answer.status_code, answer.content) == (200, b"zip-bytes")
    assert (spent.status_code, spent.json()["title"]) == (404, "Download not found")
    assert "PLANTED" not in str(lines) + spent.text
    line = next(line for line in lines if line["event"] == "request answered")
    assert (line["route"], line["status"], line["tenant"], line["bytes"]) == ("download", 200, "contoso", 9)


async def test_a_download_source_in_trouble_is_unavailable(gateway: Any) -> None:
    gateway.upstream["/v1/downloads/contoso/t"] = (500, b"PLANTED")
    answer = await gateway.call("GET", "/tenants/contoso/downloads/t")
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert "PLANTED" not in answer.text


async def test_a_drain_waits_for_what_is_running(gateway: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, answered = asyncio.Event(), asyncio.Event()

    async def slow(*_args: Any) -> Listing[Tenant]:
        asked.set()
        await answered.wait()
        return Listing[Tenant](items=())

    monkeypatch.setattr(gateway.around.services, "ask", slow)
    await gateway.around.in_flight.none_left()
    request = asyncio.create_task(gateway.call("GET", "/tenants"))
    await asked.wait()
    waiting = asyncio.create_task(gateway.around.in_flight.none_left())
    await asyncio.sleep(0)
    assert not waiting.done()
    answered.set()
    assert (await request).status_code == 200
    await waiting
