"""How a stored event looks as Graph JSON.

https://learn.microsoft.com/graph/api/resources/event
"""

from typing import Any

from graph_simulator import events, mime_properties, occurrences
from graph_simulator.event_attachments import attachments_of, has_attachments
from graph_simulator.events import Event
from graph_simulator.fault_rules import FaultKind
from graph_simulator.identifiers import change_key
from graph_simulator.web import attachment_view
from graph_simulator.web.call import Call, Json
from graph_simulator.web.problems import GraphProblem, bad_request
from graph_simulator.web.selection import parse_expand, parse_select, property_ids
from graph_simulator.zones import ZoneUnknownError, shown, zone

NEVER = "0001-01-01T00:00:00Z"
DEFAULTS: dict[str, Any] = {
    "subject": "",
    "bodyPreview": "",
    "importance": "normal",
    "sensitivity": "normal",
    "isCancelled": False,
    "isOrganizer": True,
    "responseRequested": True,
    "showAs": "busy",
    "isReminderOn": True,
    "reminderMinutesBeforeStart": 15,
    "allowNewTimeProposals": True,
    "hideAttendees": False,
    "isDraft": False,
    "isOnlineMeeting": False,
    "onlineMeetingProvider": "unknown",
    "onlineMeetingUrl": None,
    "onlineMeeting": None,
    "body": {"contentType": "html", "content": ""},
    "location": {"displayName": "", "locationType": "default", "uniqueIdType": "unknown"},
    "locations": [],
    "attendees": [],
    "responseStatus": {"response": "organizer", "time": NEVER},
    "categories": [],
}
COMPUTED = frozenset(
    [
        "id",
        "changeKey",
        "createdDateTime",
        "lastModifiedDateTime",
        "transactionId",
        "originalStartTimeZone",
        "originalEndTimeZone",
        "originalStart",
        "iCalUId",
        "hasAttachments",
        "isAllDay",
        "webLink",
        "seriesMasterId",
        "type",
        "organizer",
        "start",
        "end",
        "recurrence",
    ]
)
OF_SERIES = frozenset({"cancelledOccurrences", "exceptionOccurrences"})
PROPERTIES = COMPUTED | DEFAULTS.keys() | OF_SERIES
UTC_NAME = "UTC"


def selected(call: Call) -> frozenset[str] | None:
    return parse_select(call.options.get("select"), PROPERTIES, "microsoft.graph.event")


def expanded(call: Call) -> dict[str, str]:
    return parse_expand(call.options.get("expand"))


def render(
    call: Call, event: Event, select: frozenset[str] | None, expand: dict[str, str], *, alone: bool = False
) -> Json:
    """Return one event with the wanted properties; id and etag are always there.

    Only for an event asked for by its id (`alone`) Graph tells which days of a series are cancelled or differ.
    """
    key = change_key(event.seq)
    view: Json = {"@odata.etag": f'W/"{key}"', "id": _id(call, event)}
    view |= {name: value for name, value in properties(call, event).items() if select is None or name in select}
    if alone and select is not None and "cancelledOccurrences" in select and event.recurrence is not None:
        view["cancelledOccurrences"] = _cancelled(call, event)
    if alone and "exceptionOccurrences" in expand and event.recurrence is not None:
        apart = events.exceptions(call.connection, event)
        view["exceptionOccurrences"] = [render(call, each, None, {}) for each in apart]
    if "attachments" in expand:
        view["attachments"] = attachment_views(call, event)
    if "singleValueExtendedProperties" in expand:
        wanted = property_ids(expand["singleValueExtendedProperties"])
        if found := events.extended(call.connection, event, wanted):
            view["singleValueExtendedProperties"] = found
    return view


def listed(call: Call, event: Event, select: frozenset[str] | None, expand: dict[str, str]) -> Json:
    """Return one event of a list; one that Exchange cannot list costs the whole page a 500, which names no item."""
    if call.faults.take(FaultKind.UNLISTABLE_ITEM, "GET", "", item=f"event/{event.pk}") is not None:
        raise GraphProblem(500, "InternalServerError", "An internal server error occurred.")
    return render(call, event, select, expand)


def as_occurrence(call: Call, event: Event) -> Json:
    """Return a day that follows its series as a delta page shows it: what differs from its master, nothing else."""
    every = properties(call, event)
    names = ("type", "seriesMasterId", "start", "end")
    head = {"@odata.type": "#microsoft.graph.event", "@odata.etag": f'W/"{change_key(event.seq)}"'}
    return head | {"id": _id(call, event)} | {name: every[name] for name in names}


def attachment_views(call: Call, event: Event) -> list[Json]:
    owner = attachment_view.Owner(_id(call, event), event.modified)
    return [attachment_view.render(owner, each) for each in attachments_of(call.connection, event)]


def properties(call: Call, event: Event) -> Json:
    """Return everything Graph tells of an event unless asked for less."""
    wanted, when = wanted_zone(call), event.when
    view: Json = {
        "createdDateTime": event.created,
        "lastModifiedDateTime": event.modified,
        "changeKey": change_key(event.seq),
        "transactionId": event.transaction_id,
        "originalStartTimeZone": when.zone,
        "originalEndTimeZone": when.zone,
        "iCalUId": _ical_uid(event),
        "hasAttachments": has_attachments(call.connection, event),
        "isAllDay": when.all_day,
        "webLink": f"https://outlook.office365.com/owa/?itemid={event.id}&exvsurl=1&path=/calendar/item",
        "seriesMasterId": None if event.master is None else _id(call, event.master),
        "type": event.type,
        "organizer": _organizer(call, event),
        "start": shown(when.starts, when.zone, wanted, all_day=when.all_day),
        "end": shown(when.ends, when.zone, wanted, all_day=when.all_day),
        "recurrence": event.recurrence,
        **DEFAULTS,
        **{name: value for name, value in event.properties.items() if name in DEFAULTS},
    }
    if event.master is not None:
        view["originalStart"] = f"{occurrences.original_start(event)}Z"
    if call.preferences.get("outlook.body-content-type") == "text":
        view["body"] = _as_text(view["body"])
    return view


def wanted_zone(call: Call) -> str:
    """Return the zone the caller wants times in; https://learn.microsoft.com/graph/api/event-get says UTC if none."""
    name = call.preferences.get("outlook.timezone", UTC_NAME)
    try:
        zone(name)
    except ZoneUnknownError as error:
        text = f"A valid TimeZone value must be specified. The following TimeZone value is not supported: '{name}'."
        raise bad_request(text, "TimeZoneNotSupportedException") from error
    return name


def _id(call: Call, event: Event) -> str:
    return event.immutable_id if call.immutable else event.id


def _cancelled(call: Call, event: Event) -> list[str]:
    """Ids of cancelled days have a form of their own, https://learn.microsoft.com/graph/api/resources/event."""
    return [f"OID.{_id(call, event)}.{day}" for day in events.cancelled_days(call.connection, event)]


def _ical_uid(event: Event) -> str:
    """Return what every copy of a meeting has in common; the days of a series share it."""
    source = event.master or event
    known = event.properties.get("iCalUId")
    return (
        str(known) if known else f"040000008200E00074C5B7101A82E008{source.immutable_id[8:72].encode().hex().upper()}"
    )


def _organizer(call: Call, event: Event) -> Json:
    found: Json | None = event.properties.get("organizer")
    if found is not None:
        return found
    user = call.connection.execute(
        "SELECT upn, profile ->> 'displayName' AS name FROM user WHERE pk = ?", (event.user_pk,)
    )
    row = user.fetchone()
    return {"emailAddress": {"name": row["name"], "address": row["upn"]}}


def _as_text(body: object) -> Json:
    if isinstance(body, dict) and body.get("contentType") == "html":
        return {"contentType": "text", "content": mime_properties.plain_text(str(body["content"]))}
    return body if isinstance(body, dict) else {}
