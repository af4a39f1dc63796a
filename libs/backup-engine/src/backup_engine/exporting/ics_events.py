"""Events of Microsoft 365 as components of iCalendar (RFC 5545), written by the library icalendar."""

import base64
import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from icalendar import Alarm, Event, vCalAddress, vText, vUri
from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

from backup_engine.exporting.recurrences import rule

Json = Mapping[str, Any]
_CLASSES = {"private": "PRIVATE", "personal": "PRIVATE", "confidential": "CONFIDENTIAL"}
_PRIORITIES = {"high": 1, "low": 9}
_ANSWERS = {"accepted": "ACCEPTED", "declined": "DECLINED", "tentativelyaccepted": "TENTATIVE", "organizer": "ACCEPTED"}
_ROLES = {"optional": "OPT-PARTICIPANT", "resource": "NON-PARTICIPANT"}
_BUSY = {"free": "FREE", "tentative": "TENTATIVE", "oof": "OOF", "workingElsewhere": "WORKINGELSEWHERE"}
_BREAK = re.compile(r"<(?:br|/p|/div|/tr|/li|/h\d)\b[^>]*>", re.IGNORECASE)
_UNSEEN = re.compile(r"<(style|script|head)\b.*?</\1>|<!--.*?-->", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"<[^>]+>")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")


@dataclass(frozen=True)
class Attached:
    """What hangs on an event: `data` inline, or else `link` to where it lies."""

    name: str
    content_type: str = ""
    data: bytes | None = field(default=None, repr=False)
    link: str = ""


@dataclass(frozen=True)
class Placed:
    """In which zone the times of an event count: None for whole days."""

    zone: tzinfo | None

    def moment(self, value: Json) -> date:
        """A `dateTimeTimeZone` as a date, or as a time of the zone."""
        text = str(value["dateTime"]).partition(".")[0]
        local = datetime.fromisoformat(text).replace(tzinfo=zone_of(str(value.get("timeZone") or "UTC")))
        return local.date() if self.zone is None else local.astimezone(self.zone)

    def on(self, day: str, start: date) -> date:
        """The start on another day of the series."""
        if not isinstance(start, datetime):
            return date.fromisoformat(day)
        return datetime.combine(date.fromisoformat(day), start.time(), start.tzinfo)

    def original(self, day: Json, start: date) -> date:
        """When a day of the series would have started, had nobody changed it."""
        moment = datetime.fromisoformat(str(day["originalStart"])).astimezone(UTC)
        return moment.astimezone(self.zone) if isinstance(start, datetime) else moment.date()


def zone_of(name: str) -> ZoneInfo:
    """The zone of a Windows or IANA name; UTC for what only the mailbox's owner knows."""
    try:
        return ZoneInfo(WINDOWS_TO_OLSON.get(name, name))
    except (OSError, ValueError, LookupError):
        return ZoneInfo("UTC")


def placed(event: Json) -> Placed:
    """Where an event takes place in time: a series in the zone of its pattern, so that it follows the clocks there."""
    if event.get("isAllDay"):
        return Placed(None)
    span = (event.get("recurrence") or {}).get("range") or {}
    return Placed(zone_of(str(span.get("recurrenceTimeZone") or event.get("originalStartTimeZone") or "UTC")))


def components(
    event: Json, exceptions: Sequence[Json], cancelled: Sequence[str], attached: Mapping[str, Sequence[Attached]]
) -> tuple[Placed, list[Event]]:
    """An event, or a series and its days that differ; `attached` by id of either. Raises KeyError, ValueError."""
    place = placed(event)
    start = place.moment(event["start"])
    uid = str(event.get("iCalUId") or event["id"])
    master = _component(event, place, uid, attached.get(str(event["id"]), ()))
    if event.get("recurrence"):
        master.add("rrule", rule(event["recurrence"], place.zone))
        days = [place.on(occurrence[-len("2026-01-01") :], start) for occurrence in cancelled]
        if days:
            master.add("exdate", days)
    found = [master]
    for day in exceptions:
        differing = _component(day, place, uid, attached.get(str(day["id"]), ()))
        differing.add("recurrence-id", place.original(day, start))
        found.append(differing)
    return place, found


def _component(event: Json, place: Placed, uid: str, attached: Sequence[Attached]) -> Event:
    component = Event()
    component.add("uid", uid)
    modified = _instant(event.get("lastModifiedDateTime"))
    component.add("dtstamp", modified or datetime.fromtimestamp(0, UTC))
    for name, moment in (("created", _instant(event.get("createdDateTime"))), ("last-modified", modified)):
        if moment is not None:
            component.add(name, moment)
    component.add("dtstart", place.moment(event["start"]))
    component.add("dtend", place.moment(event["end"]))
    component.add("summary", str(event.get("subject") or ""))
    _describe(component, event)
    _classify(component, event)
    _invite(component, event)
    for each in attached:
        _attach(component, each)
    if event.get("isReminderOn") and not event.get("isCancelled"):
        alarm = Alarm()
        alarm.add("action", "DISPLAY")
        alarm.add("description", str(event.get("subject") or ""))
        alarm.add("trigger", -timedelta(minutes=int(event.get("reminderMinutesBeforeStart") or 0)))
        component.add_component(alarm)
    return component


def _describe(component: Event, event: Json) -> None:
    body = event.get("body") or {}
    content = str(body.get("content") or "")
    if str(body.get("contentType")).lower() == "html":
        # As text, because the library does not escape the line ends of what it does not know.
        component.add("x-alt-desc", vText(content), parameters={"FMTTYPE": "text/html"})
        content = plain_text(content)
    if content:
        component.add("description", content)
    place = str((event.get("location") or {}).get("displayName") or "")
    if place:
        component.add("location", place)
    link = (event.get("onlineMeeting") or {}).get("joinUrl") or event.get("onlineMeetingUrl")
    if link:
        component.add("url", _line(link))


def _classify(component: Event, event: Json) -> None:
    component.add("class", _CLASSES.get(str(event.get("sensitivity")), "PUBLIC"))
    component.add("priority", _PRIORITIES.get(str(event.get("importance")), 5))
    shown = str(event.get("showAs") or "busy")
    component.add("transp", "TRANSPARENT" if shown == "free" else "OPAQUE")
    component.add("x-microsoft-cdo-busystatus", _BUSY.get(shown, "BUSY"))
    status = "TENTATIVE" if shown == "tentative" else "CONFIRMED"
    component.add("status", "CANCELLED" if event.get("isCancelled") else status)
    if event.get("categories"):
        component.add("categories", [str(name) for name in event["categories"]])


def _invite(component: Event, event: Json) -> None:
    attendees = event.get("attendees") or ()
    if attendees and event.get("organizer"):
        component.add("organizer", _person(event["organizer"]))
    for attendee in attendees:
        person = _person(attendee)
        answer = str((attendee.get("status") or {}).get("response") or "").lower()
        person.params["PARTSTAT"] = vText(_ANSWERS.get(answer, "NEEDS-ACTION"))
        person.params["ROLE"] = vText(_ROLES.get(str(attendee.get("type")), "REQ-PARTICIPANT"))
        component.add("attendee", person)


def _person(recipient: Json) -> vCalAddress:
    address = recipient.get("emailAddress") or {}
    person = vCalAddress(f"mailto:{_line(address.get('address') or '')}")
    if address.get("name"):
        person.params["CN"] = vText(_line(address["name"]))
    return person


def _attach(component: Event, attached: Attached) -> None:
    parameters = {"X-FILENAME": _line(attached.name)}
    if attached.content_type:
        parameters["FMTTYPE"] = _line(attached.content_type)
    if attached.data is None:
        component.add("attach", vUri(attached.link), parameters=parameters)
    else:
        # Encoded here: the library takes binary values for text.
        parameters |= {"ENCODING": "BASE64", "VALUE": "BINARY"}
        component.add("attach", vUri(base64.b64encode(attached.data).decode()), parameters=parameters)


def _line(value: Any) -> str:
    """What stands in a parameter or an address: one line, no double quotes."""
    return _CONTROL.sub(" ", str(value)).replace('"', "'")


def _instant(value: Any) -> datetime | None:
    return datetime.fromisoformat(str(value)).astimezone(UTC) if value else None


def plain_text(markup: str) -> str:
    """The words of an HTML body, a line per paragraph."""
    text = _TAG.sub("", _BREAK.sub("\n", _UNSEEN.sub("", markup.replace("\r\n", "\n"))))
    lines = [" ".join(html.unescape(line).split()) for line in text.split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
