"""From a stored event to the JSON that creates it again without telling anybody, and what makes two events the same.

Exchange invites whoever is named as attendee, and Graph has no way to keep it from that (ADR 0024): who was invited,
and what they answered, is written below the text of the restored event, and kept whole in a property of its own.
"""

import html
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

from backup_service.domain.calendar import WholeEvent
from backup_service.domain.graph_message import Tags

Json = Mapping[str, Any]
ATTENDEES_TAG = "String {7d0f9b0e-3c0e-4e0d-9d55-3a1c0b5e4f21} Name TenantkeepAttendees"
_FOOTER = "<hr><p>"
_COPIED = (
    "subject",
    "isAllDay",
    "importance",
    "sensitivity",
    "showAs",
    "isReminderOn",
    "reminderMinutesBeforeStart",
    "categories",
    "locations",
)
_TAGS = re.compile(r"<(style|script|head)\b.*?</\1>|<!--.*?-->|<[^>]+>", re.IGNORECASE | re.DOTALL)
_DAY = len("2026-01-01")


@dataclass(frozen=True)
class CreatedEvent:
    """An event that an attempt of this restore has created: which item it is, and which event is to go for it."""

    id: str
    item: str
    replaces: str


def new_event(whole: WholeEvent, tags: Tags) -> dict[str, Any]:
    """The body of the create call; days that differ and attachments follow it."""
    body = changes(whole.event, zone_of(whole.event))
    properties = list(tags.properties())
    if whole.event.get("attendees"):
        people = json.dumps(whole.event["attendees"], ensure_ascii=False, separators=(",", ":"))
        properties.append({"id": ATTENDEES_TAG, "value": people})
    if whole.event.get("recurrence"):
        body["recurrence"] = whole.event["recurrence"]
    return {**body, "singleValueExtendedProperties": properties}


def changes(event: Json, zone: str) -> dict[str, Any]:
    """What an event, or a day of a series, says of itself; times as local times of the zone of its series."""
    said = {name: event[name] for name in _COPIED if event.get(name) is not None}
    said["start"], said["end"] = (
        _local(event[name], zone, all_day=bool(event.get("isAllDay"))) for name in ("start", "end")
    )
    return {**said, "body": _body(event)}


def zone_of(event: Json) -> str:
    """The zone in which the times of an event count; UTC where only the mailbox's owner knows the one it names."""
    span = (event.get("recurrence") or {}).get("range") or {}
    name = str(span.get("recurrenceTimeZone") or event.get("originalStartTimeZone") or "UTC")
    return name if _zone(name) is not None else "UTC"


def cancelled_days(whole: WholeEvent) -> list[str]:
    """Days of a series that do not take place, YYYY-MM-DD."""
    return [occurrence[-_DAY:] for occurrence in whole.cancelled]


def day_of(occurrence: Json, zone: str, *, all_day: bool) -> str:
    """Which day of its series an occurrence is, whenever it takes place now."""
    told = occurrence.get("originalStart")
    moment = datetime.fromisoformat(str(told)) if told else _moment(occurrence["start"])
    local = moment.astimezone(UTC) if all_day else moment.astimezone(_zone(zone) or UTC)
    return local.date().isoformat()


def invites(event: Json) -> bool:
    """Whether deleting the event would send a cancellation to people."""
    return bool(event.get("attendees")) and bool(event.get("isOrganizer", True))


def facts(whole: WholeEvent, attached: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """What people see of an event, comparable; `attached` are names and digests by the id of event or day."""
    zone, all_day = zone_of(whole.event), bool(whole.event.get("isAllDay"))
    found = _facts(whole.event)
    pattern = (whole.event.get("recurrence") or {}).get("pattern") or {}
    span = (whole.event.get("recurrence") or {}).get("range") or {}
    found["pattern"] = {name: value for name, value in pattern.items() if value not in (0, None)}
    found["range"] = {name: span.get(name) for name in ("type", "startDate", "endDate", "numberOfOccurrences")}
    found["cancelled days"] = sorted(cancelled_days(whole))
    found["attachments"] = sorted(attached.get(whole.id, ()))
    for day in whole.exceptions:
        own = {**_facts(day), "attachments": sorted(attached.get(str(day["id"]), ()))}
        found[f"day {day_of(day, zone, all_day=all_day)}"] = own
    return found


def differences(one: Json, other: Json) -> list[str]:
    """Names of the properties, or days, that differ; never their values."""
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))


def by_item(found: Iterable[CreatedEvent]) -> dict[str, list[CreatedEvent]]:
    items: dict[str, list[CreatedEvent]] = {}
    for created in found:
        items.setdefault(created.item, []).append(created)
    return items


def _facts(event: Json) -> dict[str, Any]:
    said = {name: event.get(name) for name in _COPIED if name != "locations"}
    said["categories"] = sorted(event.get("categories") or ())
    said["locations"] = [str(place.get("displayName") or "") for place in event.get("locations") or ()]
    for name in ("start", "end"):
        said[name] = _moment(event[name]).astimezone(UTC).isoformat()
    body = event.get("body") or {}
    said["body"] = _words(str(body.get("content") or "").partition(_FOOTER)[0], str(body.get("contentType")))
    return said


def _words(content: str, kind: str) -> str:
    text = html.unescape(_TAGS.sub(" ", content)) if kind.lower() == "html" else content
    return " ".join(text.split())


def _body(event: Json) -> dict[str, str]:
    """The text, and below it who was invited."""
    body = event.get("body") or {}
    content = str(body.get("content") or "")
    if str(body.get("contentType") or "text").lower() != "html":
        content = "<br>".join(html.escape(line) for line in content.splitlines())
    return {"contentType": "html", "content": content + _invited(event)}


def _invited(event: Json) -> str:
    people = event.get("attendees") or ()
    if not people:
        return ""
    lines = [f"Organizer: {_person(event.get('organizer') or {})}"]
    for each in people:
        answer = str((each.get("status") or {}).get("response") or "none")
        lines.append(f"{_person(each)} ({each.get('type') or 'required'}, {answer})")
    return _FOOTER + "<br>".join(html.escape(line) for line in lines) + "</p>"


def _person(recipient: Json) -> str:
    address = recipient.get("emailAddress") or {}
    return f"{address.get('name') or ''} <{address.get('address') or ''}>".strip()


def _local(value: Json, zone: str, *, all_day: bool) -> dict[str, str]:
    if all_day:
        return {"dateTime": str(value["dateTime"])[:19], "timeZone": zone}
    local = _moment(value).astimezone(_zone(zone) or UTC)
    return {"dateTime": local.strftime("%Y-%m-%dT%H:%M:%S"), "timeZone": zone}


def _moment(value: Json) -> datetime:
    local = datetime.fromisoformat(str(value["dateTime"]).partition(".")[0])
    return local.replace(tzinfo=_zone(str(value.get("timeZone") or "UTC")) or UTC)


def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(WINDOWS_TO_OLSON.get(name, name))
    except (OSError, ValueError, LookupError):
        return None
