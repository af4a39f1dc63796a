"""Events as clients send them: read, checked, and brought into the form in which they are stored.

https://learn.microsoft.com/graph/api/user-post-events
"""

from datetime import date
from typing import Any

from graph_simulator import zones
from graph_simulator.events import Event, Json, NewEvent, When
from graph_simulator.mime_properties import PREVIEW_LENGTH, plain_text
from graph_simulator.recurrence import RecurrenceInvalidError, checked, days
from graph_simulator.web.compose import extended_properties
from graph_simulator.web.event_view import NEVER, PROPERTIES
from graph_simulator.web.problems import GraphProblem, bad_request
from graph_simulator.zones import ZoneUnknownError

_ENUMS = {
    "importance": ("low", "normal", "high"),
    "sensitivity": ("normal", "personal", "private", "confidential"),
    "showAs": ("free", "tentative", "busy", "oof", "workingElsewhere", "unknown"),
}
_TRUTHS = ("isReminderOn", "responseRequested", "allowNewTimeProposals", "hideAttendees", "isOnlineMeeting")
_COPIED = ("subject", "reminderMinutesBeforeStart", "categories", "onlineMeetingProvider")
_OBJECTS = {"calendar", "singleValueExtendedProperties", "start", "end", "recurrence", "transactionId"}


def parse_new(body: Json) -> NewEvent:
    """Read a whole event. Anything Graph would not take is a 400."""
    _refuse_unknown(body)
    when = _when(body, None)
    recurrence = _recurrence(body, when)
    return NewEvent(
        when=_on_first_day(when, recurrence),
        properties=properties(body, {}),
        recurrence=recurrence,
        transaction_id=str(body["transactionId"]) if body.get("transactionId") else None,
        extended=extended_properties(body.get("singleValueExtendedProperties", [])),
    )


def parse_changes(body: Json, event: Event) -> tuple[Json, When | None, Json | None]:
    """Read a PATCH: changed properties, new times and pattern, each None when it stays."""
    _refuse_unknown(body)
    if "transactionId" in body:
        raise bad_request("transactionId cannot be changed.", "ErrorInvalidPropertySet")
    if event.master is not None and body.get("recurrence"):
        raise bad_request("An occurrence has no recurrence of its own.", "ErrorInvalidRequest")
    changed = body.keys() & {"start", "end", "isAllDay"}
    when = _when(body, event.when) if changed else None
    recurrence = _recurrence(body, when or event.when) if body.get("recurrence") else None
    if recurrence is not None:
        when = _on_first_day(when or event.when, recurrence)
    return properties(body, event.properties), when, recurrence


def properties(body: Json, before: Json) -> Json:
    """Return what the body says, as it is stored; a recipient's answer cannot be given for him."""
    found: Json = {name: body[name] for name in _COPIED if name in body}
    found |= {name: _one_of(name, body[name], allowed) for name, allowed in _ENUMS.items() if name in body}
    found |= {name: _truth(name, body[name]) for name in _TRUTHS if body.get(name) is not None}
    if "body" in body:
        found |= _body(body["body"])
    if "location" in body or "locations" in body:
        found |= _locations(body)
    if "attendees" in body:
        found["attendees"] = _attendees(body["attendees"], before.get("attendees", []))
    if found.get("isOnlineMeeting"):
        address = "https://teams.microsoft.com/l/meetup-join/simulated"
        found |= {"onlineMeetingProvider": "teamsForBusiness", "onlineMeeting": {"joinUrl": address}}
    return found


def addresses(properties_: Json) -> list[str]:
    """Return the addresses of an event's attendees."""
    return [str(each["emailAddress"].get("address", "")).lower() for each in properties_.get("attendees", [])]


def _refuse_unknown(body: Json) -> None:
    if unknown := {name for name in body if "@" not in name} - PROPERTIES - _OBJECTS:
        text = f"The property '{min(unknown)}' does not exist on type 'microsoft.graph.event'."
        raise bad_request(text, "RequestBodyRead")


def _when(body: Json, before: When | None) -> When:
    all_day = bool(body.get("isAllDay", before.all_day if before else False))
    try:
        start = _moment(body["start"]) if before is None or "start" in body else (before.starts, before.zone)
        ends = _moment(body["end"]) if before is None or "end" in body else (before.ends, before.zone)
        end = ends[0] if all_day or ends[1] == start[1] else zones.from_utc(zones.to_utc(*ends), start[1])
        zones.zone(start[1])
    except ZoneUnknownError as error:
        raise bad_request(f"The time zone '{error}' is not supported.", "TimeZoneNotSupportedException") from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise bad_request("start and end need dateTime and timeZone.", "ErrorPropertyValidationFailure") from error
    if end < start[0]:
        raise bad_request("The end lies before the start.", "ErrorCalendarEndDateIsEarlierThanStartDate")
    if all_day and not (start[0].endswith("T00:00:00") and end.endswith("T00:00:00") and start[0] < end):
        text = "An event that is all day must start and end at midnight in one time zone, at least a day apart."
        raise bad_request(text, "ErrorInvalidRequest")
    return When(start[0], end, start[1], all_day)


def _moment(value: Any) -> tuple[str, str]:
    return zones.write(zones.read(value["dateTime"])), str(value.get("timeZone") or "UTC")


def _recurrence(body: Json, when: When) -> Json | None:
    if not body.get("recurrence"):
        return None
    try:
        recurrence = checked(body["recurrence"])
    except RecurrenceInvalidError as error:
        raise bad_request(f"The recurrence is not valid: {error}", "ErrorInvalidRequest") from error
    recurrence["range"]["recurrenceTimeZone"] = when.zone
    if next(days(recurrence), None) is None:
        raise GraphProblem(400, "ErrorCalendarOutOfRange", "The series has no occurrence.")
    return recurrence


def _on_first_day(when: When, recurrence: Json | None) -> When:
    """A series starts on the first day its pattern names, whatever its start says."""
    if recurrence is None:
        return when
    first: date = next(days(recurrence))
    moved = first - zones.read(when.starts).date()
    recurrence["range"]["startDate"] = first.isoformat()
    starts, ends = (zones.write(zones.read(text) + moved) for text in (when.starts, when.ends))
    return When(starts, ends, when.zone, when.all_day)


def _body(value: Any) -> Json:
    if not isinstance(value, dict):
        raise bad_request("body must be an object.", "RequestBodyRead")
    kind = _one_of("contentType", value.get("contentType", "text"), ("text", "html"))
    content = str(value.get("content") or "")
    preview = plain_text(content) if kind == "html" else " ".join(content.split())
    return {"body": {"contentType": kind, "content": content}, "bodyPreview": preview[:PREVIEW_LENGTH]}


def _locations(body: Json) -> Json:
    """The first of several places is the place."""
    places = body.get("locations") or ([body["location"]] if body.get("location") else [])
    if not all(isinstance(place, dict) for place in places):
        raise bad_request("A location is an object.", "RequestBodyRead")
    full = [{"locationType": "default", "uniqueIdType": "unknown", "displayName": "", **place} for place in places]
    return {"location": full[0], "locations": full} if full else {"locations": []}


def _attendees(value: Any, before: list[Json]) -> list[Json]:
    if not isinstance(value, list) or not all(isinstance(each, dict) and "emailAddress" in each for each in value):
        raise bad_request("attendees must be a list of recipients.", "RequestBodyRead")
    answers = {each["emailAddress"].get("address"): each["status"] for each in before}
    unanswered = {"response": "none", "time": NEVER}
    return [
        {
            "type": each.get("type", "required"),
            "status": answers.get(each["emailAddress"].get("address"), unanswered),
            "emailAddress": each["emailAddress"],
        }
        for each in value
    ]


def _one_of(name: str, value: Any, allowed: tuple[str, ...]) -> str:
    for choice in allowed:
        if str(value).lower() == choice.lower():
            return choice
    raise bad_request(f"Cannot convert the literal '{value}' to the expected type of {name}.", "RequestBodyRead")


def _truth(name: str, value: Any) -> bool:
    """Read a truth value; some clients, O365 among them, send it as text."""
    text = str(value).lower()
    if text not in ("true", "false"):
        raise bad_request(f"{name} must be true or false.", "RequestBodyRead")
    return text == "true"
