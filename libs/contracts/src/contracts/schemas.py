"""JSON Schemas of everything that crosses a boundary: events, wake-ups, questions, answers, API bodies, problems.

They are generated into `libs/contracts/schemas/` for other systems. A schema that was published may grow, but what was
valid stays valid and keeps its meaning (`breaking_changes`); anything else is a new version of the event.
"""

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from contracts import api
from contracts.events import EVENTS, JobWakeUp
from contracts.problem import Problem
from contracts.rpc import OPERATIONS

DIALECT = "https://json-schema.org/draft/2020-12/schema"
ROOT = "https://tenantkeep.dev/schemas/"

Schema = dict[str, Any]


def models() -> dict[str, type[BaseModel]]:
    """Every model by the name of its schema, in the order of the names.

    `m365.<domain>.<event>.v<n>` events and requests, `rpc.<service>.<operation>.request|response`, `api.<body>`.
    """
    found: dict[str, type[BaseModel]] = {event.type_name(): event for event in EVENTS}
    for operation in OPERATIONS:
        name = f"rpc.{operation.service}.{operation.name}"
        found |= {f"{name}.request": operation.request, f"{name}.response": operation.response}
    bodies = inspect.getmembers(api, lambda member: inspect.isclass(member) and issubclass(member, BaseModel))
    found |= {f"api.{name}": body for name, body in bodies if body.__module__ == api.__name__ and body is not api.Body}
    found |= {"problem": Problem, "job.wake-up": JobWakeUp}
    return dict(sorted(found.items()))


def documents() -> dict[str, Schema]:
    """The JSON Schema of every model, by name."""
    return {
        name: {"$schema": DIALECT, "$id": f"{ROOT}{name}.json", **model.model_json_schema()}
        for name, model in models().items()
    }


def breaking_changes(old: Schema, new: Schema) -> list[str]:
    """What of `old` does not hold in `new`, one sentence each; empty when every old message is still understood.

    Fields must not be removed, change type or default, or become required; values of an enumeration must not disappear.
    """
    return list(_breaks(_Side(old, old), _Side(new, new), ""))


class _Side:
    """A schema inside its document, which holds what `$ref` points to."""

    def __init__(self, document: Mapping[str, Any], node: Mapping[str, Any]) -> None:
        while "$ref" in node:
            node = document["$defs"][node["$ref"].rsplit("/", 1)[-1]]
        self.document = document
        self.node = node

    def at(self, node: Mapping[str, Any]) -> "_Side":
        return _Side(self.document, node)


_TYPE = ("type", "format", "pattern")


def _breaks(old: _Side, new: _Side, path: str) -> Iterator[str]:
    where = path or "the message"
    for keyword in _TYPE:
        if old.node.get(keyword) != new.node.get(keyword):
            yield f"{where}: {keyword} was {old.node.get(keyword)!r} and is {new.node.get(keyword)!r}"
    before, after = _values(old.node), _values(new.node)
    for value in before:
        if value not in after:
            yield f"{where}: the value {value!r} disappeared"
    if after and not before:
        yield f"{where}: only {after} are left of any value"
    yield from _fields(old, new, path)
    yield from _inner(old, new, where)


def _values(node: Mapping[str, Any]) -> list[Any]:
    """What an enumeration offers; a constant is an enumeration of one, and may grow like one."""
    return [node["const"]] if "const" in node else list(node.get("enum", ()))


def _fields(old: _Side, new: _Side, path: str) -> Iterator[str]:
    before, after = old.node.get("properties", {}), new.node.get("properties", {})
    for name, node in before.items():
        field = f"{path}.{name}".lstrip(".")
        if name not in after:
            yield f"{field}: removed"
        else:
            yield from _breaks(old.at(node), new.at(after[name]), field)
            if "default" in node and not _same_default(node["default"], after[name].get("default")):
                yield f"{field}: the default was {node['default']!r} and is {after[name].get('default')!r}"
    for name in sorted(set(new.node.get("required", ())) - set(old.node.get("required", ()))):
        yield f"{f'{path}.{name}'.lstrip('.')}: became required"


def _same_default(before: object, after: object) -> bool:
    """An object may gain fields, as a message may; what it said before it has to say still."""
    if isinstance(before, dict) and isinstance(after, dict):
        return all(name in after and _same_default(value, after[name]) for name, value in before.items())
    return before == after


def _inner(old: _Side, new: _Side, where: str) -> Iterator[str]:
    for keyword in ("items", "additionalProperties"):
        before, after = old.node.get(keyword), new.node.get(keyword)
        if isinstance(before, dict) and isinstance(after, dict):
            yield from _breaks(old.at(before), new.at(after), f"{where}[]")
        elif before != after:
            yield f"{where}: {keyword} changed"
    before, after = old.node.get("anyOf", ()), new.node.get("anyOf", ())
    if len(after) < len(before):
        yield f"{where}: fewer alternatives"
    for one, other in zip(before, after, strict=False):
        yield from _breaks(old.at(one), new.at(other), where)
