"""Which calendar request leads to which handler."""

from collections.abc import Awaitable, Callable

from starlette.responses import Response

from graph_simulator.permissions import READ_CALENDARS, WRITE_CALENDARS
from graph_simulator.web import calendar_delta, calendar_events, calendar_folders, event_attachments
from graph_simulator.web.call import Call
from graph_simulator.web.paths import RouteTable

_USER = "/users/{user}"
_CALENDAR = f"{_USER}/calendars/{{calendar}}"
_DEFAULT = f"{_USER}/calendar"


def add_calendar_routes(table: RouteTable[Callable[[Call], Awaitable[Response]]]) -> None:
    """Add the routes of calendars, their groups, events and attachments."""
    _folders(table)
    for prefix in (_USER, _DEFAULT, _CALENDAR):
        table.add("GET", f"{prefix}/calendarView/delta", calendar_delta.calendar_view_delta, READ_CALENDARS)
        table.add("GET", f"{prefix}/calendarView", calendar_events.calendar_view, READ_CALENDARS)
        _events(table, f"{prefix}/events")
        _attachments(table, f"{prefix}/events/{{event}}/attachments")


def _folders(table: RouteTable[Callable[[Call], Awaitable[Response]]]) -> None:
    table.add("GET", f"{_USER}/calendarGroups", calendar_folders.list_groups, READ_CALENDARS)
    table.add("POST", f"{_USER}/calendarGroups", calendar_folders.create_group, WRITE_CALENDARS)
    table.add("GET", f"{_USER}/calendarGroups/{{group}}", calendar_folders.get_group, READ_CALENDARS)
    for prefix in (f"{_USER}/calendars", f"{_USER}/calendarGroups/{{group}}/calendars"):
        table.add("GET", prefix, calendar_folders.list_calendars, READ_CALENDARS)
        table.add("POST", prefix, calendar_folders.create_calendar, WRITE_CALENDARS)
    for path in (_DEFAULT, _CALENDAR):
        table.add("GET", path, calendar_folders.get_calendar, READ_CALENDARS)
        table.add("PATCH", path, calendar_folders.update_calendar, WRITE_CALENDARS)
    table.add("DELETE", _CALENDAR, calendar_folders.delete_calendar, WRITE_CALENDARS)


def _events(table: RouteTable[Callable[[Call], Awaitable[Response]]], prefix: str) -> None:
    table.add("GET", prefix, calendar_events.list_events, READ_CALENDARS)
    table.add("POST", prefix, calendar_events.create_event, WRITE_CALENDARS)
    table.add("GET", f"{prefix}/{{event}}", calendar_events.get_event, READ_CALENDARS)
    table.add("PATCH", f"{prefix}/{{event}}", calendar_events.update_event, WRITE_CALENDARS)
    table.add("DELETE", f"{prefix}/{{event}}", calendar_events.delete_event, WRITE_CALENDARS)
    table.add("GET", f"{prefix}/{{event}}/instances", calendar_events.list_instances, READ_CALENDARS)


def _attachments(table: RouteTable[Callable[[Call], Awaitable[Response]]], prefix: str) -> None:
    table.add("GET", prefix, event_attachments.list_attachments, READ_CALENDARS)
    table.add("POST", prefix, event_attachments.post_attachment, WRITE_CALENDARS)
    table.add("POST", f"{prefix}/createUploadSession", event_attachments.create_upload_session, WRITE_CALENDARS)
    table.add("GET", f"{prefix}/{{attachment}}", event_attachments.get_attachment, READ_CALENDARS)
    table.add("DELETE", f"{prefix}/{{attachment}}", event_attachments.remove_attachment, WRITE_CALENDARS)
    table.add("GET", f"{prefix}/{{attachment}}/$value", event_attachments.get_attachment_content, READ_CALENDARS)
