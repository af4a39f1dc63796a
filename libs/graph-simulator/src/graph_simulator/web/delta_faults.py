"""Delta feeds as they sometimes are: replays, empty pages, pages that are too long, rounds that never end.

https://learn.microsoft.com/graph/delta-query-overview says that a reader must live with replays.
"""

from collections.abc import Callable
from dataclasses import dataclass

from graph_simulator.fault_rules import FaultKind, FaultRule
from graph_simulator.web.call import Call, Json

NEXT = "@odata.nextLink"
Entries = list[Json]


@dataclass(frozen=True, slots=True)
class Links:
    """The links a strange page may name instead of its own: the address asked for, and a new one to the same page."""

    asked: str
    again: Callable[[], str]


def page_size(call: Call, wanted: int) -> int:
    """Return how many entries the page gets; a server may give more than odata.maxpagesize asks for."""
    return 3 * wanted if _take(call, FaultKind.DELTA_OVERFULL) else wanted


def disturbed(call: Call, content: Json, entries: Entries, links: Links) -> Json:
    """Return the page as a fault wants it, or as it is."""
    if _take(call, FaultKind.DELTA_EMPTY):
        return _going_on(content, [], links.again())
    if rule := _take(call, FaultKind.DELTA_LOOP):
        return _going_on(content, entries, links.asked if rule.spec.get("links") == "same" else links.again())
    if _take(call, FaultKind.DELTA_REPLAY):
        stale = [{**entry, "changeKey": "replayed", "@odata.etag": 'W/"replayed"'} for entry in entries]
        return {**content, "value": [*stale, *entries, *entries[-1:]]}
    return content


def _going_on(content: Json, entries: Entries, link: str) -> Json:
    kept = {name: value for name, value in content.items() if not name.endswith("Link")}
    return {**kept, "value": entries, NEXT: link}


def _take(call: Call, kind: FaultKind) -> FaultRule | None:
    return call.faults.take(kind, call.request.method, call.request.url.path)
