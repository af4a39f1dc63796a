"""CloudEvents 1.0 in binary mode from us, in both modes from others."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import envelope
from contracts.envelope import BadEnvelope
from contracts.events import AnyJobEvent, BackupRequested, JobFailed, TokenRefreshed, parse_job_event

AT = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
REQUEST = BackupRequested(tenant="contoso", at=AT, request="r-1", configuration="c-1")
FAILED = JobFailed(
    tenant="contoso", at=AT, scope="job", id="j-1", run="r-1", kind="backup", version=4, error="rate_limited"
)


def test_what_we_publish_is_read_back() -> None:
    headers = envelope.headers(FAILED, "backup-service", traceparent="00-aa-bb-01")
    found = envelope.decode(FAILED.subject(), headers, FAILED.model_dump_json().encode())
    assert (found.id, found.type, found.source) == (
        envelope.event_id(FAILED),
        "m365.job.failed.v1",
        "/tenantkeep/backup-service",
    )
    assert found.traceparent == "00-aa-bb-01"
    assert JobFailed.model_validate_json(found.body) == FAILED


def test_the_message_id_is_the_event_id() -> None:
    headers = envelope.headers(FAILED, "backup-service")
    assert headers["Nats-Msg-Id"] == headers["ce-id"] == envelope.event_id(FAILED)
    assert headers["ce-time"] == "2026-03-02T08:00:00Z"
    assert headers["ce-specversion"] == "1.0"


def test_the_same_step_has_the_same_id_and_another_step_another() -> None:
    later = FAILED.model_copy(update={"at": datetime(2027, 1, 1, tzinfo=UTC), "detail": "said differently"})
    assert envelope.event_id(later) == envelope.event_id(FAILED)
    for change in ({"version": 5}, {"id": "j-2"}, {"tenant": "fabrikam"}, {"scope": "run"}):
        assert envelope.event_id(FAILED.model_copy(update=change)) != envelope.event_id(FAILED)


@pytest.mark.parametrize(
    "content_type", ["application/cloudevents+json", "Application/CloudEvents+JSON; charset=utf-8"]
)
def test_structured_mode_of_others_is_understood(content_type: str) -> None:
    body = {
        "specversion": "1.0",
        "id": "crm-77",
        "source": "https://crm.example/events",
        "type": "m365.backup.requested.v1",
        "time": "2026-03-02T08:00:00Z",
        "data": json.loads(REQUEST.model_dump_json()),
    }
    found = envelope.decode(REQUEST.requested_by("crm"), {"Content-Type": content_type}, json.dumps(body).encode())
    assert (found.id, found.source) == ("crm-77", "https://crm.example/events")
    assert BackupRequested.model_validate_json(found.body) == REQUEST


def test_header_names_are_read_in_any_case_and_values_unquoted() -> None:
    headers = {"CE-ID": "a%20b", "Ce-Source": "/x", "ce-type": "t"}
    found = envelope.decode("m365.evt.v1.contoso.job.failed", headers, b'{"tenant": "contoso"}')
    assert found.id == "a b"


@pytest.mark.parametrize(
    ("headers", "body", "complaint"),
    [
        ({}, b'{"tenant": "contoso"}', "attribute missing: id, source, type"),
        ({"ce-id": "1", "ce-source": "s", "ce-type": ""}, b'{"tenant": "contoso"}', "missing: type"),
        ({"ce-id": "1", "ce-source": "s", "ce-type": "t", "ce-specversion": "0.3"}, b"{}", "only CloudEvents 1.0"),
        ({"ce-id": "1", "ce-source": "s", "ce-type": "t"}, b"secret", "body is not JSON"),
        ({"ce-id": "1", "ce-source": "s", "ce-type": "t"}, b"[1]", "not a JSON object"),
        ({"ce-id": "1", "ce-source": "s", "ce-type": "t"}, b'{"tenant": "fabrikam"}', "disagree"),
        ({"content-type": "application/cloudevents+json"}, b"{", "not JSON"),
        ({"content-type": "application/cloudevents+json"}, b"[]", "not a JSON object"),
        ({"content-type": "application/cloudevents+json"}, b'{"id": 7, "source": "s", "type": "t"}', "missing: id"),
    ],
)
def test_what_is_no_event_of_ours_is_refused_without_quoting_it(
    headers: dict[str, str], body: bytes, complaint: str
) -> None:
    with pytest.raises(BadEnvelope, match=complaint) as refusal:
        envelope.decode("m365.ext.v1.crm.contoso.backup.requested", headers, body)
    assert "secret" not in str(refusal.value)


@given(body=st.binary(max_size=200), mode=st.sampled_from(["application/json", "application/cloudevents+json"]))
def test_arbitrary_bytes_are_refused_and_nothing_else_happens(body: bytes, mode: str) -> None:
    headers = {"content-type": mode, "ce-id": "1", "ce-source": "s", "ce-type": "t"}
    with pytest.raises(BadEnvelope):
        envelope.decode("m365.ext.v1.crm.contoso.backup.requested", headers, body)


def test_the_asker_knows_the_run_before_anyone_read_the_request() -> None:
    mine = envelope.run_id("crm", "77")
    assert mine == envelope.run_id("crm", "77")
    assert mine != envelope.run_id("erp", "77")


def test_a_token_event_cannot_carry_the_token() -> None:
    with pytest.raises(ValueError, match="fingerprint"):
        TokenRefreshed(
            tenant="contoso", at=AT, profile="directory", generation=1, fingerprint="eyJ0eXAiOiJKV1Qi", expires_at=AT
        )


def test_the_job_family_is_read_by_its_type() -> None:
    body = json.loads(FAILED.model_dump_json())
    assert parse_job_event("m365.job.failed.v1", body) == FAILED
    assert AnyJobEvent.model_validate_json(json.dumps(body), context={"type": "m365.job.failed.v1"}).root == FAILED


@pytest.mark.parametrize(
    ("type_name", "body", "complaint"),
    [
        ("m365.job.vanished.v1", {}, "does not know the type"),
        ("m365.job.failed.v2", {}, "does not know the type"),
        ("m365.job.failed.v1", {"detail": "confidential"}, "fields missing or wrong"),
    ],
)
def test_an_unknown_or_unreadable_job_event_is_refused_without_quoting_it(
    type_name: str, body: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint) as refusal:
        AnyJobEvent.model_validate(body, context={"type": type_name})
    faults = refusal.value.errors(include_input=False, include_url=False, include_context=False)  # type: ignore[attr-defined] # pydantic's error
    assert "confidential" not in str(faults)
