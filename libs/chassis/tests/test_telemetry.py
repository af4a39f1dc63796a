"""Traces: handed on always, recorded and sent only where a collector is named, over TLS that knows our authority."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from otlp_receiver import receiving

from chassis import telemetry
from chassis.pending import waiting
from chassis.rpc import Call, RpcServer
from chassis.settings import ProcessSettings, SettingsRefused, read
from chassis.testing.bus import MemoryBroker
from chassis.testing.pki import make_server_tls
from chassis.testing.process import free_port
from contracts import rpc, views
from contracts.caller import Caller
from contracts.events import BackupRequested, JobWakeUp
from contracts.names import JobKind

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
STRANGER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
REQUEST = BackupRequested(tenant="contoso", at=NOW, request="r1", configuration="c1")


@pytest.fixture(autouse=True)
def silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test ends with the tracer it began with."""
    monkeypatch.setattr(telemetry._Recording, "tracer", telemetry._Recording.tracer)


def test_without_a_collector_nothing_begins_and_a_strangers_trace_goes_on() -> None:
    telemetry.configure(ProcessSettings(health_port=0), "test")
    with telemetry.span("alone"):
        assert telemetry.traceparent() is None
    with telemetry.span("asked", parent=STRANGER):
        assert telemetry.traceparent() == STRANGER
    assert telemetry.traceparent() is None


def test_a_traceparent_that_is_none_begins_nothing() -> None:
    for broken in ("", "x", "00-0-0-01", "00-" + "0" * 32 + "-" + "0" * 16 + "-01"):
        with telemetry.span("asked", parent=broken):
            assert telemetry.traceparent() is None


async def test_every_message_carries_the_trace_it_belongs_to() -> None:
    broker = MemoryBroker()
    bus = broker.bus("gateway")
    wake = JobWakeUp(tenant="contoso", job="j1", kind=JobKind.BACKUP, message="m1")
    with telemetry.span("asked", parent=STRANGER):
        await bus.request(REQUEST)
        [pending] = waiting([REQUEST], "backup-service")
    await bus.wake(wake, traceparent=STRANGER)
    await bus.wake(wake.model_copy(update={"job": "j2", "message": "m2"}))
    assert [stored.headers.get("traceparent") for stored in broker.stored] == [STRANGER, STRANGER, None]
    assert pending["headers"]["traceparent"] == STRANGER


async def test_a_question_carries_it_too() -> None:
    broker = MemoryBroker()
    seen: list[str | None] = []

    async def answer(_call: Call[rpc.Page]) -> views.Listing[views.Tenant]:
        seen.append(telemetry.traceparent())
        return views.Listing[views.Tenant](items=())

    RpcServer(broker.bus("token-service")).answer(rpc.TENANT_LIST, answer)
    with telemetry.span("asked", parent=STRANGER):
        await broker.bus("gateway").ask(rpc.TENANT_LIST, None, rpc.Page(), Caller("anna", (), "r1"))
    assert seen == [STRANGER]


def test_spans_reach_the_collector_linked_and_without_the_text_of_errors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "HTTPS_PROXY", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/hostile")
    server, port = make_server_tls(tmp_path), free_port()
    with receiving(port, server.cert_file, server.key_file) as receiver:
        endpoint = f"https://127.0.0.1:{port}/v1/traces"
        stop = telemetry.configure(
            ProcessSettings(health_port=0, ca_file=server.ca_file, otlp_endpoint=endpoint), "test-service"
        )
        with telemetry.span("outer", "server", STRANGER, tenant="contoso"), pytest.raises(ValueError, match="PLANTED"):
            _fail()
        stop()
    inner, outer = receiver.spans
    assert (outer.service, outer.name, outer.trace, outer.parent) == (
        "test-service", "outer", STRANGER[3:35], STRANGER[36:52]
    )  # fmt: skip
    assert (inner.name, inner.parent, inner.failed, outer.failed) == ("inner", outer.span, True, False)
    assert outer.attributes == {"tenantkeep.tenant": "contoso"}
    assert inner.attributes == {"error.type": "ValueError"}
    assert b"PLANTED" not in b"".join(receiver.raw)


def _fail() -> None:
    with telemetry.span("inner"):
        raise ValueError("PLANTED")


def test_traces_travel_over_tls_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TENANTKEEP_HEALTH_PORT", "0")
    monkeypatch.setenv("TENANTKEEP_OTLP_ENDPOINT", "http://collector:4318/v1/traces")
    with pytest.raises(SettingsRefused, match="TENANTKEEP_OTLP_ENDPOINT is not usable"):
        read(ProcessSettings)
