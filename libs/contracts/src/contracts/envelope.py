"""CloudEvents 1.0 over NATS. We publish binary mode (`ce-*` headers); from strangers structured mode is accepted too.

Source: CloudEvents NATS protocol binding, github.com/cloudevents/spec (bindings/nats-protocol-binding.md).
"""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote, unquote

from contracts import subjects
from contracts.events.base import Event

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://tenantkeep.dev/events")
_STRUCTURED = "application/cloudevents"
_REQUIRED = ("id", "source", "type")
LONGEST_ID = 256
"""Characters of a CloudEvents id: it is kept in documents and in every event that follows from the request."""


class BadEnvelope(ValueError):
    """The message is no CloudEvent of ours; the text says what is wrong and names no payload."""


@dataclass(frozen=True)
class Envelope:
    """A decoded message: CloudEvents attributes and the raw JSON body."""

    id: str
    source: str
    type: str
    body: bytes
    traceparent: str | None = None


def event_id(event: Event) -> str:
    """Derived, not drawn: the same step gives the same id, so a repeat is dropped by JetStream and by consumers."""
    return str(uuid.uuid5(_NAMESPACE, "/".join((event.type_name(), *event.key()))))


def run_id(source: str, identity: str) -> str:
    """The run a request leads to, derived from (source, ce-id): the asker knows it before anyone read the request."""
    return str(uuid.uuid5(_NAMESPACE, f"run/{source}/{identity}"))


def headers(event: Event, source: str, traceparent: str | None = None) -> dict[str, str]:
    """Headers of binary mode, `Nats-Msg-Id` included."""
    identity = event_id(event)
    values = {
        "Nats-Msg-Id": identity,
        "content-type": "application/json",
        "ce-specversion": "1.0",
        "ce-id": identity,
        "ce-source": f"/tenantkeep/{source}",
        "ce-type": event.type_name(),
        "ce-time": _rfc3339(event.at),
    }
    if traceparent:
        values["traceparent"] = traceparent
    return {name: quote(value, safe=" !#$&'()*+,/:;=?@[]~-._") for name, value in values.items()}


def decode(subject: str, message_headers: Mapping[str, str], body: bytes) -> Envelope:
    """Read either mode. Raises BadEnvelope; also when subject and body disagree about the tenant."""
    lowered = {name.lower(): value for name, value in message_headers.items()}
    if lowered.get("content-type", "").lower().startswith(_STRUCTURED):
        envelope = _structured(body, lowered.get("traceparent"))
    else:
        envelope = _binary(lowered, body)
    _check_tenant(subject, envelope.body)
    return envelope


def claimed_id(message_headers: Mapping[str, str], body: bytes) -> str:
    """The id that a message says it has, read as far as it can be read; empty when there is none of sane length."""
    lowered = {name.lower(): value for name, value in message_headers.items()}
    found: object = unquote(lowered.get("ce-id", ""))
    if lowered.get("content-type", "").lower().startswith(_STRUCTURED):
        try:
            found = _object(body, "structured CloudEvent").get("id")
        except BadEnvelope:
            return ""
    return found if isinstance(found, str) and len(found) <= LONGEST_ID else ""


def _binary(lowered: Mapping[str, str], body: bytes) -> Envelope:
    attributes = {name[3:]: unquote(value) for name, value in lowered.items() if name.startswith("ce-")}
    _check_required(attributes)
    return Envelope(attributes["id"], attributes["source"], attributes["type"], body, lowered.get("traceparent"))


def _structured(body: bytes, traceparent: str | None) -> Envelope:
    document = _object(body, "structured CloudEvent")
    _check_required({k: v for k, v in document.items() if isinstance(v, str)})
    data = json.dumps(document.get("data")).encode()
    own_trace = document.get("traceparent")
    trace = own_trace if isinstance(own_trace, str) else traceparent
    return Envelope(document["id"], document["source"], document["type"], data, trace)


def _object(body: bytes, what: str) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:  # the second: thousands of brackets in a few kilobytes
        raise BadEnvelope(f"{what} is not JSON") from error
    if not isinstance(document, dict):
        raise BadEnvelope(f"{what} is not a JSON object")
    return document


def _check_required(attributes: Mapping[str, str]) -> None:
    missing = [name for name in _REQUIRED if not attributes.get(name)]
    if missing:
        raise BadEnvelope(f"CloudEvents attribute missing: {', '.join(missing)}")
    if len(attributes["id"]) > LONGEST_ID:
        raise BadEnvelope(f"the CloudEvents id is longer than {LONGEST_ID} characters")
    if attributes.get("specversion", "1.0") != "1.0":
        raise BadEnvelope("only CloudEvents 1.0 is understood")


def _check_tenant(subject: str, body: bytes) -> None:
    if _object(body, "body").get("tenant") != subjects.tenant_of(subject):
        raise BadEnvelope("tenant in subject and body disagree")


def _rfc3339(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
