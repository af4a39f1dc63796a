"""Published schemas may grow; what was valid stays valid."""

import copy
import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from contracts import schemas
from contracts.events import EVENTS

COMMITTED = Path(__file__).parents[1] / "schemas"
FAILED = "m365.job.failed.v1"


@cache
def documents() -> dict[str, schemas.Schema]:
    """Made by the tests and not by their collection, which each process of a run repeats."""
    return schemas.documents()


@pytest.mark.parametrize("name", sorted(path.stem for path in COMMITTED.glob("*.json")))
def test_the_committed_schema_still_holds(name: str) -> None:
    assert name in documents(), "a published schema must not disappear"
    committed = json.loads((COMMITTED / f"{name}.json").read_text(encoding="utf-8"))
    assert schemas.breaking_changes(committed, documents()[name]) == []


def test_every_schema_is_committed() -> None:
    assert sorted(documents()) == sorted(path.stem for path in COMMITTED.glob("*.json")), "run: make generate"


def test_every_event_has_a_schema_under_its_type() -> None:
    assert {event.type_name() for event in EVENTS} <= set(documents())


def test_every_schema_names_its_dialect_and_itself() -> None:
    for name, document in documents().items():
        assert document["$schema"] == schemas.DIALECT
        assert document["$id"].endswith(f"/{name}.json")


def test_no_event_has_a_field_for_a_secret() -> None:
    for event in EVENTS:
        text = json.dumps(documents()[event.type_name()]["properties"])
        assert '"format": "password"' not in text
        assert "secret" not in text.lower()


def changed(**edits: Any) -> list[str]:
    """What is said about the schema of JobFailed with its properties edited; None removes one."""
    new = copy.deepcopy(documents()[FAILED])
    for name, node in edits.items():
        if node is None:
            del new["properties"][name]
        else:
            new["properties"][name] = node
    return schemas.breaking_changes(documents()[FAILED], new)


def test_a_constant_may_become_one_of_several_but_not_the_other_way_round() -> None:
    def schema(node: dict[str, Any]) -> dict[str, Any]:
        return {"type": "object", "properties": {"kind": {"type": "string", **node}}}

    one, two = schema({"const": "s3"}), schema({"enum": ["s3", "sftp"]})
    assert schemas.breaking_changes(one, two) == []
    assert schemas.breaking_changes(two, one) == ["kind: the value 'sftp' disappeared"]
    assert schemas.breaking_changes(one, schema({"const": "sftp"})) == ["kind: the value 's3' disappeared"]
    assert schemas.breaking_changes(schema({}), one) == ["kind: only ['s3'] are left of any value"]


def test_a_new_optional_field_is_welcome() -> None:
    assert changed(hint={"type": "string", "default": ""}) == []


def test_a_removed_or_renamed_field_is_noticed() -> None:
    assert changed(detail=None, details={"type": "string", "default": ""}) == ["detail: removed"]


def test_a_retyped_field_is_noticed() -> None:
    assert changed(version={"type": "string"}) == ["version: type was 'integer' and is 'string'"]
    assert "format" in changed(at={"type": "string"})[0]


def test_a_changed_default_is_noticed() -> None:
    assert changed(attempt={"type": "integer", "default": 1}) == ["attempt: the default was 0 and is 1"]


def test_an_object_gains_fields_without_another_default() -> None:
    old = {"properties": {"counts": {"type": "object", "default": {"listed": 0}}}}
    more, other, less = copy.deepcopy(old), copy.deepcopy(old), copy.deepcopy(old)
    more["properties"]["counts"]["default"] = {"listed": 0, "stored": 0}
    other["properties"]["counts"]["default"] = {"listed": 1, "stored": 0}
    less["properties"]["counts"]["default"] = {"stored": 0}
    assert schemas.breaking_changes(old, more) == []
    assert len(schemas.breaking_changes(old, other)) == len(schemas.breaking_changes(old, less)) == 1


def test_a_newly_required_field_is_noticed() -> None:
    new = copy.deepcopy(documents()[FAILED])
    new["required"].append("resource")
    assert schemas.breaking_changes(documents()[FAILED], new) == ["resource: became required"]


def test_changes_behind_a_reference_are_noticed() -> None:
    new = copy.deepcopy(documents()[FAILED])
    new["$defs"]["ErrorClass"]["enum"].remove("integrity")
    del new["$defs"]["Counts"]["properties"]["listed"]
    assert schemas.breaking_changes(documents()[FAILED], new) == [
        "counts.listed: removed",
        "error: the value 'integrity' disappeared",
    ]


def test_a_new_value_of_an_enumeration_is_welcome() -> None:
    new = copy.deepcopy(documents()[FAILED])
    new["$defs"]["JobKind"]["enum"].append("verify")
    assert schemas.breaking_changes(documents()[FAILED], new) == []


def test_changes_inside_lists_and_alternatives_are_noticed() -> None:
    name = "rpc.backup-service.job.list.response"
    new = copy.deepcopy(documents()[name])
    new["$defs"]["ItemProblem"]["properties"]["item"]["type"] = "integer"
    new["$defs"]["Job"]["properties"]["hold"]["anyOf"].pop()
    found = schemas.breaking_changes(documents()[name], new)
    assert any("item: type was 'string'" in sentence for sentence in found)
    assert any("fewer alternatives" in sentence for sentence in found)
