"""The query options $select, $expand and $filter, as far as this tenant understands them.

https://learn.microsoft.com/graph/query-parameters
"""

import re
from dataclasses import dataclass

from graph_simulator.web.problems import bad_request

_CONDITION = re.compile(r"([A-Za-z/]+)\s+(eq|ne|ge|gt|le|lt)\s+('(?:[^']|'')*'|[^\s'()]+)", re.IGNORECASE)
_STARTS_WITH = re.compile(r"startswith\(\s*([A-Za-z]+)\s*,\s*('(?:[^']|'')*')\s*\)", re.IGNORECASE)
_ANY = re.compile(r"([A-Za-z]+)/any\(\s*(\w+)\s*:\s*\2\s+eq\s+('(?:[^']|'')*')\s*\)", re.IGNORECASE)
_PROPERTY_ANY = re.compile(
    r"singleValueExtendedProperties/any\(\s*(\w+)\s*:\s*\1/id\s+eq\s+'((?:[^']|'')*)'"
    r"\s+and\s+\1/value\s+eq\s+'((?:[^']|'')*)'\s*\)",
    re.IGNORECASE,
)
_AND = re.compile(r"\s+and\s+", re.IGNORECASE)
_OR = re.compile(r"\s+or\s+(?=[^']*(?:'[^']*'[^']*)*$)", re.IGNORECASE)
"""Outside of quoted texts, that is, with an even number of quotes behind it."""
_PROPERTY_IDS = re.compile(r"id\s+eq\s+'((?:[^']|'')*)'", re.IGNORECASE)
_NESTED_SELECT = re.compile(r"\$select=([^;]*)", re.IGNORECASE)
_EXPANSION = re.compile(r"([A-Za-z./]+)(?:\((.*)\))?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Condition:
    """`name operator value`, also `startswith` and `any` (one of a list).

    The value is None for null, and text or a truth value otherwise.
    """

    name: str
    operator: str
    value: str | bool | None


@dataclass(frozen=True, slots=True)
class ExtendedCondition:
    """A named MAPI property that must have this very value."""

    property_id: str
    value: str


def parse_filter(text: str, *, directory: bool = False) -> list[Condition | ExtendedCondition]:
    """Read conditions joined by `and`; anything else is a 400.

    The `directory` knows functions that Exchange does not.
    """
    conditions: list[Condition | ExtendedCondition] = []
    rest = text.strip()
    while rest:
        if (found := _PROPERTY_ANY.match(rest)) is not None:
            conditions.append(ExtendedCondition(_unquote(found[2]), _unquote(found[3])))
        elif directory and (found := _STARTS_WITH.match(rest)) is not None:
            conditions.append(Condition(found[1], "startswith", _literal(found[2])))
        elif directory and (found := _ANY.match(rest)) is not None:
            conditions.append(Condition(found[1], "any", _literal(found[3])))
        elif (found := _CONDITION.match(rest)) is not None:
            conditions.append(Condition(found[1], found[2].lower(), _literal(found[3])))
        else:
            raise bad_request(f"Invalid filter clause: {text}", "ErrorInvalidUrlQueryFilter")
        rest = rest[found.end() :]
        if rest and (joint := _AND.match(rest)) is None:
            raise bad_request(f"Invalid filter clause: {text}", "ErrorInvalidUrlQueryFilter")
        rest = rest[joint.end() :] if rest and joint else ""
    return conditions


def parse_alternatives(text: str) -> list[list[Condition | ExtendedCondition]]:
    """Read what the directory understands besides: groups of such conditions, joined by `or`."""
    return [parse_filter(group, directory=True) for group in _OR.split(text)]


def parse_select(text: str | None, known: frozenset[str], type_name: str) -> frozenset[str] | None:
    """Return the selected property names, None for the default set; an unknown name is a 400."""
    if not text:
        return None
    names = frozenset(name.strip() for name in text.split(",") if name.strip())
    for name in names - known:
        raise bad_request(f"Could not find a property named '{name}' on type '{type_name}'.")
    return names


def parse_expand(text: str | None) -> dict[str, str]:
    """Return the options of each expanded property by its name, separated at commas outside parentheses."""
    expansions: dict[str, str] = {}
    for piece in re.split(r",(?![^(]*\))", text or ""):
        if (found := _EXPANSION.fullmatch(piece.strip())) is not None:
            expansions[found[1]] = found[2] or ""
    return expansions


def nested_select(options: str) -> str | None:
    """Return what `$select=…` of an $expand names; None without one."""
    found = _NESTED_SELECT.search(options)
    return None if found is None else found[1]


def property_ids(options: str) -> list[str]:
    """Return the MAPI property ids named in `$filter=id eq '…' or id eq '…'` of an $expand."""
    return [_unquote(found) for found in _PROPERTY_IDS.findall(options)]


def _unquote(text: str) -> str:
    return text.replace("''", "'")


def _literal(text: str) -> str | bool | None:
    if text.startswith("'"):
        return _unquote(text[1:-1])
    return {"true": True, "false": False, "null": None}.get(text.lower(), text)
