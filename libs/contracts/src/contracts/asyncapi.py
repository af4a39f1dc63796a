"""The AsyncAPI 3.0 document of the bus (docs/reference/asyncapi.json): what strangers may say and hear.

It covers facts, requests, wake-ups and dead letters. Questions (`m365.rpc.v1`) are asked by the gateway alone; for
everybody else the API in docs/reference/openapi.json asks them.

Format: asyncapi.com/docs/reference/specification/v3.0.0.
"""

from typing import Any

from contracts import dead_letters, schemas, subjects
from contracts.events import EVENTS, Event, JobWakeUp, Request
from contracts.streams import DLQ, DURABLES, JOBS, STREAMS, Stream, taking

Document = dict[str, Any]

_DESCRIPTION = """\
Facts (`m365.evt.v1`) are published by our services, requests (`m365.ext.v1`) by anyone who has a bus user for its
source. Messages are CloudEvents 1.0: ours in binary mode (`ce-*` headers), requests also in structured mode with the
content type application/cloudevents+json. The tenant in the subject and in the body must agree. Ids are derived from
what happened, so a repeat has the same id; consumers drop repeats. Unknown fields are to be ignored. What cannot be
processed becomes a dead letter, and of a request its source hears request.rejected.

A foreign source signs in to an account of its own, where JetStream's commands begin with m365.api instead of $JS.API,
and reads the events of its tenants from the durable source-<name> of M365_EVT (docs/reference/connect.md)."""

_PARAMETERS = {
    "tenant": "slug of the tenant, [a-z0-9-]{1,32}",
    "source": "name of the system that asks; its bus user may use no other",
    "kind": "kind of the job: backup, restore, verify, restore-drill or maintain (a sync has no wake-up)",
    "job": "id of the job",
    "durable": "the durable consumer that gave the message up",
}
_ATTRIBUTES = {
    "ce-specversion": "always 1.0",
    "ce-id": "identity of the event; the run a request leads to is derived from source and ce-id",
    "ce-source": "who says it, a URI reference",
    "ce-type": "type and version",
    "ce-time": "RFC 3339 time",
}
_REQUIRED = ("ce-id", "ce-source", "ce-type")
_OPTIONAL = {
    "content-type": "application/json",
    "traceparent": "W3C trace context",
    "Nats-Msg-Id": "a repeat of it, by whomever, is dropped within the duplicate window: use one nobody can guess",
}


def document() -> Document:
    """The document as JSON data; its order is stable."""
    channels: Document = {}
    operations: Document = {}
    messages: Document = {}
    for event in EVENTS:
        name, asks = event.type_name(), issubclass(event, Request)
        address = _address(event)
        channels[name] = _channel(address, name, taking(address))
        operations[f"publish {name}"] = _operation("receive" if asks else "send", name, event.__doc__)
        messages[name] = _event_message(event)
    wake_up, letter = "job.wake-up", "dead-letter"
    channels[wake_up] = _channel(_named(subjects.job("*", "*", "*"), "tenant", "kind", "job"), wake_up, JOBS)
    channels[letter] = _channel(_named(subjects.dead_letter("*", "*"), "durable", "tenant"), letter, DLQ)
    operations[f"publish {wake_up}"] = _operation("send", wake_up, JobWakeUp.__doc__)
    operations[f"publish {letter}"] = _operation("send", letter, "A message that could not be processed.")
    messages[wake_up] = _message(wake_up, {"$ref": f"#/components/schemas/{wake_up}"}, None)
    messages[letter] = _message(letter, {}, _letter_headers())
    found = schemas.documents()
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Tenantkeep", "version": "1", "description": _DESCRIPTION},
        "defaultContentType": "application/json",
        "servers": {
            "embedded": {
                "host": "127.0.0.1:4222",
                "protocol": "nats",
                "description": "TLS 1.2 or newer, nkey; the port is that of the stack",
            }
        },
        "channels": channels,
        "operations": operations,
        "components": {
            "messages": messages,
            "schemas": {name: found[name] for name in (*(event.type_name() for event in EVENTS), wake_up)},
        },
        "x-streams": {stream.name: _stream(stream) for stream in STREAMS},
    }


def _address(event: type[Event]) -> str:
    if issubclass(event, Request):
        return _named(subjects.requested("*", "*", event.DOMAIN), "source", "tenant")
    return _named(subjects.event("*", event.DOMAIN, event.NAME), "tenant")


def _named(pattern: str, *names: str) -> str:
    """The subject with its wildcards, in order, as parameters."""
    for name in names:
        pattern = pattern.replace("*", f"{{{name}}}", 1)
    return pattern


def _channel(address: str, message: str, stream: Stream | None) -> Document:
    named = [part[1:-1] for part in address.split(".") if part.startswith("{")]
    return {
        "address": address,
        "messages": {message: {"$ref": f"#/components/messages/{message}"}},
        "parameters": {name: {"description": _PARAMETERS[name]} for name in named},
        "x-stream": None if stream is None else stream.name,
    }


def _operation(action: str, name: str, docstring: str | None) -> Document:
    """`receive`: we read what others publish there; `send`: we publish."""
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{name}"},
        "summary": (docstring or "").split("\n")[0],
        "messages": [{"$ref": f"#/channels/{name}/messages/{name}"}],
    }


def _event_message(event: type[Event]) -> Document:
    name = event.type_name()
    properties = {key: {"type": "string", "description": text} for key, text in (_ATTRIBUTES | _OPTIONAL).items()}
    properties["ce-type"]["const"] = name
    headers = {"type": "object", "properties": properties, "required": list(_REQUIRED)}
    return _message(name, {"$ref": f"#/components/schemas/{name}"}, headers)


def _message(name: str, payload: Document, headers: Document | None) -> Document:
    found: Document = {"name": name, "contentType": "application/json", "payload": payload}
    return found if headers is None else {**found, "headers": headers}


def _letter_headers() -> Document:
    named = (
        dead_letters.REASON,
        dead_letters.SUBJECT,
        dead_letters.STREAM,
        dead_letters.SEQUENCE,
        dead_letters.DELIVERIES,
    )
    return {"type": "object", "properties": {name: {"type": "string"} for name in named}, "required": list(named)}


def _stream(stream: Stream) -> Document:
    return {
        "subjects": list(stream.subjects),
        "retention": stream.retention,
        "maxAgeSeconds": stream.max_age,
        "maxBytes": stream.max_bytes,
        "maxMessageBytes": stream.max_msg_size,
        "duplicateWindowSeconds": stream.duplicate_window,
        "durables": {durable.name: durable.filter for durable in DURABLES if durable.stream is stream},
    }
