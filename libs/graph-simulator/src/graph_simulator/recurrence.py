"""On which days a series takes place: Graph's recurrence patterns, expanded by dateutil.

https://learn.microsoft.com/graph/api/resources/recurrencepattern
"""

from collections.abc import Iterator
from datetime import date, datetime, time
from typing import Any

from dateutil import rrule

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_POSITIONS = {"first": 1, "second": 2, "third": 3, "fourth": 4, "last": -1}
_WEEKDAYS = (rrule.MO, rrule.TU, rrule.WE, rrule.TH, rrule.FR, rrule.SA, rrule.SU)
_FREQUENCIES = {
    "daily": rrule.DAILY,
    "weekly": rrule.WEEKLY,
    "absolutemonthly": rrule.MONTHLY,
    "relativemonthly": rrule.MONTHLY,
    "absoluteyearly": rrule.YEARLY,
    "relativeyearly": rrule.YEARLY,
}
# The last day that every month has; from the next on Outlook falls back on a month's last day.
_IN_EVERY_MONTH = 28
_LAST_YEAR = 2400


class RecurrenceInvalidError(ValueError):
    """The pattern or range makes no sense; Graph answers ErrorInvalidRequest."""


def checked(recurrence: dict[str, Any]) -> dict[str, Any]:
    """Return the recurrence with everything Graph shows, unsaid things filled in. Raises RecurrenceInvalidError."""
    try:
        pattern, span = recurrence["pattern"], recurrence["range"]
        if pattern["type"].lower() not in _FREQUENCIES or int(pattern.get("interval", 0)) < 1:
            raise RecurrenceInvalidError("the pattern needs a known type and an interval of 1 or more")
        _check_range(span)
        full = {"pattern": _pattern(pattern), "range": _range(span)}
        next(days(full), None)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RecurrenceInvalidError(f"{type(error).__name__}: {error}") from error
    return full


def days(recurrence: dict[str, Any]) -> Iterator[date]:
    """Yield the days of the series in order, in the time zone of its range; without an end, to the year 2400."""
    pattern, span = recurrence["pattern"], recurrence["range"]
    start = datetime.combine(date.fromisoformat(span["startDate"]), time())
    options: dict[str, Any] = {"interval": int(pattern["interval"]), **_parts(pattern)}
    match span["type"].lower():
        case "numbered":
            options["count"] = int(span["numberOfOccurrences"])
        case "enddate":
            options["until"] = datetime.combine(date.fromisoformat(span["endDate"]), time())
        case _:
            options["until"] = datetime(_LAST_YEAR, 1, 1)  # noqa: DTZ001 - a day, not an instant
    frequency = _FREQUENCIES[pattern["type"].lower()]
    for moment in rrule.rrule(frequency, dtstart=start, **options):
        yield moment.date()


def _parts(pattern: dict[str, Any]) -> dict[str, Any]:
    kind = pattern["type"].lower()
    weekdays = [_WEEKDAYS[DAYS.index(day.lower())] for day in pattern.get("daysOfWeek", ())]
    month = {"bymonth": int(pattern["month"])} if kind.endswith("yearly") else {}
    if kind == "daily":
        return {}
    if kind == "weekly":
        if not weekdays:
            raise RecurrenceInvalidError("a weekly pattern needs daysOfWeek")
        return {"byweekday": weekdays, "wkst": _WEEKDAYS[DAYS.index(pattern["firstDayOfWeek"].lower())]}
    if kind.startswith("absolute"):
        return month | _month_day(int(pattern["dayOfMonth"]))
    if not weekdays:
        raise RecurrenceInvalidError("a relative pattern needs daysOfWeek")
    return month | {"byweekday": weekdays, "bysetpos": _POSITIONS[pattern["index"].lower()]}


def _month_day(day: int) -> dict[str, Any]:
    """In a month without that day Outlook takes its last one."""
    if not 1 <= day <= 31:  # noqa: PLR2004 - the calendar's own border
        raise RecurrenceInvalidError("dayOfMonth is between 1 and 31")
    if day <= _IN_EVERY_MONTH:
        return {"bymonthday": day}
    return {"bymonthday": list(range(_IN_EVERY_MONTH, day + 1)), "bysetpos": -1}


def _check_range(span: dict[str, Any]) -> None:
    kind = span["type"].lower()
    start = date.fromisoformat(span["startDate"])
    if kind not in {"noend", "enddate", "numbered"}:
        raise RecurrenceInvalidError("the range is noEnd, endDate or numbered")
    if kind == "numbered" and int(span["numberOfOccurrences"]) < 1:
        raise RecurrenceInvalidError("numberOfOccurrences is 1 or more")
    if kind == "enddate" and date.fromisoformat(span["endDate"]) < start:
        raise RecurrenceInvalidError("endDate lies before startDate")


def _pattern(pattern: dict[str, Any]) -> dict[str, Any]:
    shown = {
        "type": pattern["type"],
        "interval": int(pattern["interval"]),
        "month": int(pattern.get("month", 0)),
        "dayOfMonth": int(pattern.get("dayOfMonth", 0)),
        "firstDayOfWeek": pattern.get("firstDayOfWeek") or "sunday",
        "index": pattern.get("index") or "first",
    }
    return shown | ({"daysOfWeek": list(pattern["daysOfWeek"])} if pattern.get("daysOfWeek") else {})


def _range(span: dict[str, Any]) -> dict[str, Any]:
    kind = span["type"].lower()
    return {
        "type": span["type"],
        "startDate": span["startDate"],
        "endDate": span["endDate"] if kind == "enddate" else "0001-01-01",
        "recurrenceTimeZone": span.get("recurrenceTimeZone") or "",
        "numberOfOccurrences": int(span["numberOfOccurrences"]) if kind == "numbered" else 0,
    }
