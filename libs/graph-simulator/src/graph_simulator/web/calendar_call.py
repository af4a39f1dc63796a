"""What calendar requests find by the names in their path."""

import sqlite3

from graph_simulator import calendars
from graph_simulator.calendars import CalendarNotFoundError
from graph_simulator.events import Event, EventNotFoundError
from graph_simulator.fault_rules import FaultKind
from graph_simulator.occurrences import find_event, instant
from graph_simulator.web.call import Call
from graph_simulator.web.problems import GraphProblem, bad_request, item_not_found


def calendar(call: Call) -> sqlite3.Row:
    """Return the calendar of the path, the default one when the path names none."""
    try:
        return calendars.find_calendar(call.connection, call.user()["pk"], call.path.get("calendar"))
    except CalendarNotFoundError as error:
        raise item_not_found() from error


def event(call: Call, *, readable: bool = False) -> Event:
    """Return the event of the path, also checking the calendar when the path names one."""
    try:
        found = find_event(call.connection, call.user()["pk"], call.path["event"])
    except EventNotFoundError as error:
        raise item_not_found() from error
    if "calendar" in call.path and calendar(call)["pk"] != found.calendar_pk:
        raise item_not_found()
    if readable:
        _refuse_unreadable(call, found)
    return found


def window(call: Call) -> tuple[str, str]:
    """Return the instants between which a view is wanted; both are required."""
    try:
        start, end = (instant(call.options[name]) for name in ("startdatetime", "enddatetime"))
    except KeyError as error:
        text = "This request requires a time window given by the query parameters StartDateTime and EndDateTime."
        raise bad_request(text, "ErrorInvalidParameter") from error
    except ValueError as error:
        raise bad_request("The DateTime value of the window is malformed.", "ErrorInvalidParameter") from error
    if end < start:
        raise bad_request("The end of the window lies before its start.", "ErrorInvalidParameter")
    return start, end


def _refuse_unreadable(call: Call, found: Event) -> None:
    for kind in (FaultKind.UNREADABLE_ITEM, FaultKind.UNLISTABLE_ITEM):
        if (rule := call.faults.take(kind, "GET", "", item=f"event/{found.pk}")) is not None:
            raise GraphProblem(500, str(rule.spec.get("code", "ErrorCorruptData")), "The item cannot be read.")
