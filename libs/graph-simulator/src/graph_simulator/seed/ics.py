"""Read events out of an iCalendar file (RFC 5545): one calendar per file, as exports have it."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from icalendar import Calendar

from graph_simulator import recurrence, zones
from graph_simulator.events import NewEvent, When
from graph_simulator.seed.event import SeedDay, SeedEvent
from graph_simulator.seed.mail import SourceInvalidError
from graph_simulator.zones import WINDOWS_NAMES

# Values of a property have one of thirty types, by its name; what is read here is checked by reading it.
Component = Any

_SHORT = {day[:2].upper(): day for day in recurrence.DAYS}
_INDEXES = {1: "first", 2: "second", 3: "third", 4: "fourth", -1: "last"}
_SENSITIVITY = {"PRIVATE": "private", "CONFIDENTIAL": "confidential"}
_ANSWERS = {"ACCEPTED": "accepted", "DECLINED": "declined", "TENTATIVE": "tentativelyAccepted"}


def read(path: Path, mailbox: str) -> Iterator[SeedEvent]:
    """Yield the events of a file. Raises SourceInvalidError for a file or rule that has no counterpart in Graph."""
    try:
        calendar = Calendar.from_ical(path.read_bytes())
    except ValueError as error:
        raise SourceInvalidError(f"{path} is no iCalendar file: {error}") from error
    name = str(calendar.get("X-WR-CALNAME", path.stem))
    components = list(calendar.walk("VEVENT"))
    apart: dict[str, list[Component]] = {}
    for component in components:
        if "RECURRENCE-ID" in component:
            apart.setdefault(str(component.get("UID")), []).append(component)
    for component in components:
        if "RECURRENCE-ID" not in component:
            yield _event(component, apart.get(str(component.get("UID")), []), mailbox, name)


def _event(component: Component, apart: list[Component], mailbox: str, calendar: str) -> SeedEvent:
    event = NewEvent(_when(component), _properties(component))
    if "RRULE" not in component:
        return SeedEvent(mailbox, calendar, event)
    pattern = recurrence.checked(_recurrence(component["RRULE"], event.when))
    pattern["range"]["recurrenceTimeZone"] = event.when.zone
    days = [SeedDay(_day(value)) for value in _excluded(component)]
    days += [SeedDay(_day(each["RECURRENCE-ID"].dt), _properties(each), _when(each)) for each in apart]
    return SeedEvent(mailbox, calendar, replace(event, recurrence=pattern), tuple(days))


def _when(component: Component) -> When:
    start = component["DTSTART"].dt
    end = component["DTEND"].dt if "DTEND" in component else start + _length(component, start)
    if not isinstance(start, datetime):
        starts, ends = (zones.write(datetime.combine(each, time())) for each in (start, end))
        return When(starts, ends, "UTC", all_day=True)
    return When(_local(start), _local(end), _zone(start))


def _length(component: Component, start: date) -> timedelta:
    if "DURATION" in component:
        length: timedelta = component["DURATION"].dt
        return length
    return timedelta(0) if isinstance(start, datetime) else timedelta(days=1)


def _zone(moment: datetime) -> str:
    key = getattr(moment.tzinfo, "key", None) or "UTC"
    return WINDOWS_NAMES.get(key, key)


def _local(moment: datetime) -> str:
    return zones.write(moment.replace(tzinfo=None))


def _day(moment: date) -> str:
    return (moment.date() if isinstance(moment, datetime) else moment).isoformat()


def _excluded(component: Component) -> Iterator[date]:
    found = component.get("EXDATE", [])
    for entry in found if isinstance(found, list) else [found]:
        yield from (each.dt for each in entry.dts)


def _properties(component: Component) -> dict[str, Any]:
    text = str(component.get("DESCRIPTION", ""))
    found: dict[str, Any] = {
        "subject": str(component.get("SUMMARY", "")),
        "body": {"contentType": "text", "content": text},
        "bodyPreview": " ".join(text.split())[:255],
        "sensitivity": _SENSITIVITY.get(str(component.get("CLASS", "")).upper(), "normal"),
        "showAs": "free" if str(component.get("TRANSP", "")).upper() == "TRANSPARENT" else "busy",
        "categories": [str(each) for each in getattr(component.get("CATEGORIES"), "cats", [])],
    }
    if place := str(component.get("LOCATION", "")):
        location = {"displayName": place, "locationType": "default", "uniqueId": place, "uniqueIdType": "private"}
        found |= {"location": location, "locations": [location]}
    attendees = component.get("ATTENDEE", [])
    for each in attendees if isinstance(attendees, list) else [attendees]:
        found.setdefault("attendees", []).append(_attendee(each))
    return found


def _attendee(value: Any) -> dict[str, Any]:
    address = str(value).removeprefix("mailto:").removeprefix("MAILTO:")
    answer = _ANSWERS.get(str(value.params.get("PARTSTAT", "")).upper(), "none")
    role = str(value.params.get("ROLE", "")).upper()
    return {
        "type": "optional" if role == "OPT-PARTICIPANT" else "required",
        "status": {"response": answer, "time": "0001-01-01T00:00:00Z"},
        "emailAddress": {"name": str(value.params.get("CN", address)), "address": address},
    }


def _recurrence(rule: Any, when: When) -> dict[str, Any]:
    first = zones.read(when.starts).date()
    span: dict[str, Any] = {"type": "noEnd", "startDate": first.isoformat()}
    if "COUNT" in rule:
        span |= {"type": "numbered", "numberOfOccurrences": rule["COUNT"][0]}
    elif "UNTIL" in rule:
        span |= {"type": "endDate", "endDate": _day(rule["UNTIL"][0])}
    return {"pattern": {"interval": rule.get("INTERVAL", [1])[0], **_pattern(rule, first)}, "range": span}


def _pattern(rule: Any, first: date) -> dict[str, Any]:
    frequency = str(rule["FREQ"][0]).upper()
    weekdays = [str(each) for each in rule.get("BYDAY", [])]
    days = [_SHORT[each[-2:]] for each in weekdays] or [recurrence.DAYS[first.weekday()]]
    if frequency == "DAILY" and not weekdays:
        return {"type": "daily"}
    if frequency in {"DAILY", "WEEKLY"}:
        start = _SHORT[str(rule.get("WKST", ["MO"])[0])]
        return {"type": "weekly", "daysOfWeek": days, "firstDayOfWeek": start}
    if frequency not in {"MONTHLY", "YEARLY"}:
        raise SourceInvalidError(f"Graph has no series that happens {frequency}")
    month = {"month": rule.get("BYMONTH", [first.month])[0]} if frequency == "YEARLY" else {}
    kind = frequency.capitalize()
    if not weekdays:
        return {"type": f"absolute{kind}", "dayOfMonth": rule.get("BYMONTHDAY", [first.day])[0], **month}
    position = int(weekdays[0][:-2] or rule.get("BYSETPOS", [1])[0])
    if position not in _INDEXES:
        raise SourceInvalidError(f"Graph has no series on place {position} of a month")
    return {"type": f"relative{kind}", "daysOfWeek": days, "index": _INDEXES[position], **month}
