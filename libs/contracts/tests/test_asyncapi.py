"""The AsyncAPI document: whole, resolvable, and true about subjects, streams and schemas."""

import json
import re
from functools import cache
from typing import Any

import pytest

from contracts import asyncapi, streams, subjects
from contracts.events import EVENTS, Request
from contracts.streams import DURABLES, STREAMS


@cache
def document() -> dict[str, Any]:
    """Made by the tests and not by their collection, which each process of a run repeats."""
    return asyncapi.document()


def references(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        return own + [found for value in node.values() for found in references(value)]
    return [found for value in node for found in references(value)] if isinstance(node, list) else []


def test_every_reference_leads_somewhere() -> None:
    """A schema's own references begin at the schema, which has an `$id`; all others at the document."""
    outside = {name: part for name, part in document().items() if name != "components"}
    outside["messages"] = document()["components"]["messages"]
    for reference in references(outside):
        node: Any = document()
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]
    for schema in document()["components"]["schemas"].values():
        assert schema["$id"]
        for reference in references(schema):
            assert reference.removeprefix("#/$defs/") in schema["$defs"]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.type_name())
def test_every_event_has_its_channel(event: Any) -> None:
    name = event.type_name()
    channel = document()["channels"][name]
    address = channel["address"].format(tenant="contoso", source="crm")
    if issubclass(event, Request):
        assert address == subjects.requested("crm", "contoso", event.DOMAIN)
    else:
        assert address == subjects.event("contoso", event.DOMAIN, event.NAME)
    assert set(channel["parameters"]) == set(re.findall(r"\{(\w+)\}", channel["address"]))
    taking = streams.taking(address)
    assert taking is not None
    assert channel["x-stream"] == taking.name
    action = document()["operations"][f"publish {name}"]["action"]
    assert action == ("receive" if issubclass(event, Request) else "send")


def test_every_stream_and_durable_is_named() -> None:
    assert document()["x-streams"].keys() == {stream.name for stream in STREAMS}
    named = {name for stream in document()["x-streams"].values() for name in stream["durables"]}
    assert named == {durable.name for durable in DURABLES}


def test_it_is_json_and_the_same_every_time() -> None:
    assert json.dumps(asyncapi.document()) == json.dumps(document())
    assert document()["asyncapi"] == "3.0.0"
