"""Event requests: list, read, create, change, delete, and the days of a series.

https://learn.microsoft.com/graph/api/resources/event
"""

from starlette.responses import Response

from graph_simulator import events, occurrences
from graph_simulator.database import transaction
from graph_simulator.events import Event
from graph_simulator.web import calendar_call
from graph_simulator.web.call import Call, Json
from graph_simulator.web.event_selection import order, where
from graph_simulator.web.event_view import expanded, listed, render, selected
from graph_simulator.web.event_writing import addresses, parse_changes, parse_new
from graph_simulator.web.problems import GraphProblem, json_response

DEFAULT_PAGE, LARGEST_PAGE = 10, 1000
_KEPT = ("select", "filter", "expand", "orderby", "startdatetime", "enddatetime")


async def list_events(call: Call) -> Response:
    """GET …/events of the default calendar or of one calendar: single events and masters of series."""
    calendar = calendar_call.calendar(call)
    clauses, values = where(call.options.get("filter", ""))
    condition = " AND ".join(["calendar_pk = ?", "master_pk IS NULL", *clauses])
    top, skip = call.integer("top", DEFAULT_PAGE, LARGEST_PAGE), call.integer("skip", 0, 2**31)
    query = f"SELECT * FROM event WHERE {condition} ORDER BY {order(call.options.get('orderby', ''))} LIMIT ? OFFSET ?"  # noqa: S608 - built from constants
    rows = call.connection.execute(query, (calendar["pk"], *values, top + 1, skip)).fetchall()
    content: Json = {"@odata.context": f"{call.graph_url}/$metadata#users('{call.user()['id']}')/events"}
    if call.options.get("count", "").lower() == "true":
        counted = f"SELECT count(*) AS n FROM event WHERE {condition}"  # noqa: S608 - as above
        content["@odata.count"] = call.connection.execute(counted, (calendar["pk"], *values)).fetchone()["n"]
    found = [events.loaded(call.connection, row) for row in rows[:top]]
    return _page(call, content, found, more=len(rows) > top, top=top, skip=skip)


async def calendar_view(call: Call) -> Response:
    """GET …/calendarView?startDateTime&endDateTime: what takes place in the window, series taken apart."""
    calendar, (start, end) = calendar_call.calendar(call), calendar_call.window(call)
    rows = call.connection.execute(
        "SELECT * FROM event WHERE calendar_pk = ? AND master_pk IS NULL AND starts_utc < ?", (calendar["pk"], end)
    ).fetchall()
    found = [
        each
        for row in rows
        for each in occurrences.between(call.connection, events.loaded(call.connection, row), start, end)
    ]
    return _window_page(call, found)


async def list_instances(call: Call) -> Response:
    """GET …/events/{event}/instances?startDateTime&endDateTime: the days of a series in the window."""
    master, (start, end) = calendar_call.event(call, readable=True), calendar_call.window(call)
    if master.recurrence is None:
        raise GraphProblem(400, "ErrorInvalidRequest", "Instances exist only for the master of a series.")
    return _window_page(call, occurrences.between(call.connection, master, start, end))


async def get_event(call: Call) -> Response:
    return event_response(call, calendar_call.event(call, readable=True))


async def create_event(call: Call) -> Response:
    """POST …/events; whoever is named as attendee is sent an invitation. A transactionId creates one event only."""
    calendar, new = calendar_call.calendar(call), parse_new(await call.json())
    if not calendar["can_edit"]:
        raise GraphProblem(403, "ErrorAccessDenied", "Access is denied. Check credentials and try again.")
    if new.transaction_id is not None:
        known = events.by_transaction(call.connection, calendar["user_pk"], new.transaction_id)
        if known is not None:
            return event_response(call, known, 201)
    with transaction(call.connection):
        pk = events.insert(call.connection, calendar["user_pk"], calendar["pk"], new)
        made = events.by_pk(call.connection, pk)
        _invite(call, made, "request", addresses(made.properties))
    return event_response(call, made, 201)


async def update_event(call: Call) -> Response:
    """PATCH …/events/{event}; changing a day of a series makes it an exception. Attendees are told."""
    event, body = calendar_call.event(call), await call.json()
    properties, when, recurrence = parse_changes(body, event)
    no_series = "recurrence" in body and body["recurrence"] is None
    before = set(addresses(event.properties))
    with transaction(call.connection):
        pk = events.update(call.connection, event, properties, when, recurrence, no_series=no_series)
        after = events.by_pk(call.connection, pk)
        now = addresses(after.properties)
        _invite(call, after, "request", [each for each in now if each not in before])
        _invite(call, after, "update", [each for each in now if each in before])
        _invite(call, after, "cancellation", sorted(before - set(now)))
    return event_response(call, after)


async def delete_event(call: Call) -> Response:
    """DELETE …/events/{event}; deleting a day of a series cancels it. The attendees of an organizer are told."""
    event = calendar_call.event(call)
    with transaction(call.connection):
        _invite(call, event, "cancellation", addresses(event.properties))
        events.delete(call.connection, event)
    return Response(status_code=204)


def event_response(call: Call, event: Event, status: int = 200) -> Response:
    context = f"{call.graph_url}/$metadata#users('{call.user()['id']}')/events/$entity"
    view = render(call, event, selected(call), expanded(call), alone=True)
    return json_response({"@odata.context": context} | view, status, {"ETag": str(view["@odata.etag"])})


def _invite(call: Call, event: Event, kind: str, recipients: list[str]) -> None:
    """Note the letters that Exchange sends in the organizer's name, so that a test can see them."""
    if event.properties.get("isOrganizer", True):
        call.connection.executemany(
            "INSERT INTO invitation (user_pk, event_id, kind, recipient) VALUES (?, ?, ?, ?)",
            [(event.user_pk, event.immutable_id, kind, recipient) for recipient in recipients],
        )


def _window_page(call: Call, found: list[Event]) -> Response:
    found.sort(key=lambda each: (each.when.starts, each.id))
    top, skip = call.integer("top", DEFAULT_PAGE, LARGEST_PAGE), call.integer("skip", 0, 2**31)
    content: Json = {"@odata.context": f"{call.graph_url}/$metadata#users('{call.user()['id']}')/events"}
    return _page(call, content, found[skip : skip + top], more=len(found) > skip + top, top=top, skip=skip)


def _page(call: Call, content: Json, found: list[Event], *, more: bool, top: int, skip: int) -> Response:
    select, expand = selected(call), expanded(call)
    content["value"] = [listed(call, event, select, expand) for event in found]
    if more:
        kept = {name: call.options[name] for name in _KEPT if name in call.options}
        content["@odata.nextLink"] = call.next_link(**kept, top=str(top), skip=str(skip + top))
    return json_response(content)
