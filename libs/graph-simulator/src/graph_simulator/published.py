"""The published property names and types of Graph v1.0, and the check that an answer keeps to them.

The table is `published_types.txt`; its head says what it holds and where it comes from.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources

from graph_simulator.times import parse_iso

TABLE = "published_types.txt"
_GUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]*={0,2}")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,7})?Z")
_JSON: dict[str, type | tuple[type, ...]] = {"string": str, "boolean": bool, "integer": int, "number": (int, float)}
_FORMS = {"guid": _GUID, "base64": _BASE64, "date": _DATE, "instant": _INSTANT}
# Collections whose name does not give away their type by losing an s.
_COLLECTIONS = {
    "directoryobjects": "directoryObject",
    "oauth2permissiongrants": "oAuth2PermissionGrant",
    "organization": "organization",
    "photo": "profilePhoto",
    "policies": "conditionalAccessPolicy",
    "roleassignments": "unifiedRoleAssignment",
    "methods": "authenticationMethod",
}
_KEY = re.compile(r"\([^()]*\)$")


@dataclass(frozen=True, slots=True)
class PublishedType:
    """One entity or complex type with the properties it adds to those of `base`."""

    base: str
    properties: dict[str, str]


@cache
def types() -> dict[str, PublishedType]:
    """Return the table by type name."""
    found: dict[str, PublishedType] = {}
    current: dict[str, str] = {}
    for line in resources.files(__package__).joinpath(TABLE).read_text("utf-8").splitlines():
        if line.startswith("    "):
            current |= dict(entry.split(":", 1) for entry in line.split())
        elif line and not line.startswith("#"):
            name, _, base = line.partition(" < ")
            current = {}
            found[name] = PublishedType(base, current)
    return found


@cache
def properties(name: str) -> dict[str, str]:
    """Return all properties of a type by name, inherited ones included."""
    published = types()[name]
    inherited = properties(published.base) if published.base else {}
    return {**inherited, **published.properties}


def answer_problems(document: object) -> list[str]:
    """Say what is wrong with a JSON answer of Graph, judged by the type its `@odata.context` names."""
    if not isinstance(document, dict):
        return ["the answer is no JSON object"]
    if "error" in document:
        return list(_error_problems(document["error"]))
    context = document.get("@odata.context")
    if not isinstance(context, str):
        return ["the answer has no @odata.context"]
    name = type_of_context(context)
    if name not in types():
        return [f"{context}: no published type {name}"]
    entity = context.endswith("/$entity") or "value" not in document
    listed = document if entity else document["value"]
    return list(problems(listed, name if entity else f"[{name}]"))


def type_of_context(context: str) -> str:
    """Return the type that a context URL such as `…/$metadata#users('id')/messages/$entity` speaks of."""
    path = context.partition("#")[2].removesuffix("/$entity")
    if path.startswith("Collection("):
        return path.removeprefix("Collection(").removesuffix(")").removeprefix("microsoft.graph.")
    *before, last = path.split("/")
    last = _KEY.sub("", last)
    if last == "contacts":
        return "contact" if before else "orgContact"
    name = last.removeprefix("microsoft.graph.")
    return _COLLECTIONS.get(name.lower(), name.removesuffix("s") if name not in types() else name)


def problems(value: object, wanted: str, path: str = "$") -> Iterator[str]:
    """Say what about a value does not fit the published type; `[name]` stands for a list."""
    if value is None:
        return
    if wanted.startswith("["):
        if not isinstance(value, list):
            yield f"{path}: no list"
            return
        for number, each in enumerate(value):
            yield from problems(each, wanted[1:-1], f"{path}[{number}]")
    elif wanted in types():
        yield from _object_problems(value, wanted, path)
    elif not _fits(value, wanted):
        yield f"{path}: {str(value)[:40]!r} is no {wanted}"


def _object_problems(value: object, wanted: str, path: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{path}: no {wanted} object"
        return
    declared = str(value.get("@odata.type", "")).removeprefix("#microsoft.graph.")
    known = properties(declared if declared in types() else wanted)
    for name, inner in value.items():
        if name in known:
            yield from problems(inner, known[name], f"{path}.{name}")
        elif "@" not in name:
            yield f"{path}.{name}: not a property of {declared or wanted}"


def _error_problems(error: object) -> Iterator[str]:
    if not isinstance(error, dict) or not all(isinstance(error.get(name), str) for name in ("code", "message")):
        yield "$.error: needs code and message"


def _fits(value: object, wanted: str) -> bool:
    if wanted in _JSON:
        return isinstance(value, _JSON[wanted]) and (wanted == "boolean" or not isinstance(value, bool))
    if not isinstance(value, str) or _FORMS[wanted].fullmatch(value) is None:
        return False
    if wanted != "instant":
        return True
    try:
        parse_iso(value)
    except ValueError:
        return False
    return True
