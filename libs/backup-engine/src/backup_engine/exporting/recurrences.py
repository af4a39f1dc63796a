"""Recurrence patterns of Microsoft 365 as rules of RFC 5545.

https://learn.microsoft.com/graph/api/resources/patternedrecurrence
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, tzinfo
from typing import Any

_DAYS = {
    "monday": "MO",
    "tuesday": "TU",
    "wednesday": "WE",
    "thursday": "TH",
    "friday": "FR",
    "saturday": "SA",
    "sunday": "SU",
}
_POSITIONS = {"first": 1, "second": 2, "third": 3, "fourth": 4, "last": -1}
_FREQUENCIES = {"daily": "DAILY", "weekly": "WEEKLY", "monthly": "MONTHLY", "yearly": "YEARLY"}
_IN_EVERY_MONTH = 28


def rule(recurrence: Mapping[str, Any], zone: tzinfo | None) -> dict[str, Any]:
    """The parts of an RRULE; `zone` is that of the series, None for whole days. Raises KeyError, ValueError."""
    pattern, span = recurrence["pattern"], recurrence["range"]
    kind = str(pattern["type"]).lower().removeprefix("absolute").removeprefix("relative")
    parts: dict[str, Any] = {"FREQ": _FREQUENCIES[kind], "INTERVAL": int(pattern["interval"])}
    parts |= _which_days(pattern, kind, relative=str(pattern["type"]).lower().startswith("relative"))
    match str(span["type"]).lower():
        case "numbered":
            parts["COUNT"] = int(span["numberOfOccurrences"])
        case "enddate":
            parts["UNTIL"] = _last_moment(date.fromisoformat(span["endDate"]), zone)
    return parts


def _which_days(pattern: Mapping[str, Any], kind: str, *, relative: bool) -> dict[str, Any]:
    days = [_DAYS[str(day).lower()] for day in pattern.get("daysOfWeek") or ()]
    if kind == "daily":
        return {}
    if kind == "weekly":
        return {"BYDAY": days, "WKST": _DAYS[str(pattern.get("firstDayOfWeek") or "sunday").lower()]}
    month = {"BYMONTH": int(pattern["month"])} if kind == "yearly" else {}
    if relative:
        return {**month, "BYDAY": days, "BYSETPOS": _POSITIONS[str(pattern["index"]).lower()]}
    return {**month, **_month_day(int(pattern["dayOfMonth"]))}


def _month_day(day: int) -> dict[str, Any]:
    """Outlook takes the last day of a month that is too short; RFC 5545 would leave that month out."""
    if day <= _IN_EVERY_MONTH:
        return {"BYMONTHDAY": day}
    return {"BYMONTHDAY": list(range(_IN_EVERY_MONTH, day + 1)), "BYSETPOS": -1}


def _last_moment(day: date, zone: tzinfo | None) -> date:
    """UNTIL is UTC where the series has a time zone."""
    return day if zone is None else datetime.combine(day, time(23, 59, 59), zone).astimezone(UTC)
