"""Graph's spelling of paths, reduced to plain segments, and the table that leads from them to a handler.

Segments are cut before they are percent-decoded, because ids contain slashes. Tolerated as in Graph: doubled
slashes, any letter case of names, `mailFolders('id')` for `mailFolders/id`, `delta()` and `microsoft.graph.delta()`.
"""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar
from urllib.parse import unquote

_KEYED = re.compile(r"([A-Za-z$.]+)\((?:([A-Za-z]+)=)?'((?:[^']|'')*)'\)")
_CALLED = re.compile(r"([A-Za-z$.]+)\(\)")
_PREFIX = "microsoft.graph."

Target = TypeVar("Target", bound=Callable[..., Awaitable[object]])


def split(raw_path: bytes) -> list[str]:
    """Return the decoded segments of a raw path; `name(key='x')` becomes the two segments `name(key)` and `x`."""
    segments: list[str] = []
    for raw in raw_path.decode("ascii", "replace").split("/"):
        segment = unquote(raw)
        if not segment:
            continue
        if keyed := _KEYED.fullmatch(segment):
            name, key, value = keyed.groups()
            segments.append(f"{name}({key})" if key else name)
            segments.append(value.replace("''", "'"))
        elif called := _CALLED.fullmatch(segment):
            segments.append(_plain(called[1]))
        else:
            segments.append(_plain(segment))
    return segments


def _plain(segment: str) -> str:
    return segment[len(_PREFIX) :] if segment.lower().startswith(_PREFIX) else segment


@dataclass(frozen=True, slots=True)
class Route(Generic[Target]):
    """One line of the table: `template` is what statistics and tests call it."""

    method: str
    template: str
    target: Target
    roles: frozenset[str]
    segments: tuple[str, ...]

    def match(self, segments: list[str]) -> dict[str, str] | None:
        found: dict[str, str] = {}
        for expected, actual in zip(self.segments, segments, strict=True):
            if expected.startswith("{"):
                found[expected[1:-1]] = actual
            elif expected != actual.lower():
                return None
        return found


@dataclass(slots=True)
class RouteTable(Generic[Target]):
    """Routes by number of segments; the first match wins, so fixed names come before placeholders."""

    _by_length: dict[int, list[Route[Target]]] = field(default_factory=dict)

    def add(self, method: str, template: str, target: Target, roles: frozenset[str] = frozenset()) -> None:
        """Register a handler; the caller needs one of the roles, or none if the set is empty."""
        parts = tuple(part if part.startswith("{") else part.lower() for part in template.split("/") if part)
        self._by_length.setdefault(len(parts), []).append(Route(method, template, target, roles, parts))

    def find(self, method: str, segments: list[str]) -> tuple[Route[Target], dict[str, str]] | list[str]:
        """Return route and path values, or the list of methods that this path would accept."""
        allowed: list[str] = []
        for route in self._by_length.get(len(segments), []):
            values = route.match(segments)
            if values is not None and route.method == method:
                return route, values
            if values is not None:
                allowed.append(route.method)
        return allowed
