"""Change tracking of a window of a calendar: the dialect of `delta.py`, series taken apart into their days.

A changed series comes whole: its master, every day in the window that follows it, in brief, and every day that
differs. $select is not supported here. https://learn.microsoft.com/graph/api/event-delta
"""

import sqlite3

from starlette.responses import Response

from graph_simulator import events, occurrences
from graph_simulator.events import Event
from graph_simulator.web import calendar_call, delta
from graph_simulator.web.call import Call, Json
from graph_simulator.web.event_view import as_occurrence, listed
from graph_simulator.web.problems import bad_request


async def calendar_view_delta(call: Call) -> Response:
    """GET …/calendarView/delta?startDateTime&endDateTime, of the default calendar or of one calendar."""
    calendar = calendar_call.calendar(call)
    if refused := {"select", "filter", "expand", "orderby", "search"} & call.options.keys():
        raise bad_request(f"The query option ${min(refused)} is not supported with delta.", "ErrorInvalidUrlQuery")
    if not call.options.keys() & {"deltatoken", "skiptoken"}:
        calendar_call.window(call)

    def live(after: int, limit: int) -> list[sqlite3.Row]:
        return call.connection.execute(
            "SELECT * FROM event WHERE calendar_pk = ? AND master_pk IS NULL AND seq > ? ORDER BY seq LIMIT ?",
            (calendar["pk"], after, limit),
        ).fetchall()

    return delta.answer_many(
        call, f"e{calendar['pk']}", live, lambda row, since: _entries(call, row, initial=since == 0), "event"
    )


def _entries(call: Call, row: sqlite3.Row, *, initial: bool) -> list[Json]:
    start, end = calendar_call.window(call)
    event = events.loaded(call.connection, row)
    inside = occurrences.between(call.connection, event, start, end)
    if not inside:
        # What left the window is gone as far as the reader is concerned.
        return [] if initial else [{"id": _id(call, event), "@removed": {"reason": "deleted"}}]
    head = {"@odata.type": "#microsoft.graph.event"}
    whole = [event] if event.recurrence is not None else []
    whole += [each for each in inside if each.type != "occurrence"]
    entries = [head | listed(call, each, None, {}) for each in whole]
    return entries + [as_occurrence(call, each) for each in inside if each.type == "occurrence"]


def _id(call: Call, event: Event) -> str:
    return event.immutable_id if call.immutable else event.id
