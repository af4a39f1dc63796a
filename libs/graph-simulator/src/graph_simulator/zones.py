"""Time zones as Exchange names them: Windows names, and the IANA names that Graph takes as well.

https://learn.microsoft.com/graph/api/resources/datetimetimezone
"""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

WINDOWS_NAMES = {olson: windows for windows, olson in WINDOWS_TO_OLSON.items()}
_FORMAT = "%Y-%m-%dT%H:%M:%S"
_ALL_DAY_ZONE = "UTC"


class ZoneUnknownError(LookupError):
    """No time zone of that name; Graph answers TimeZoneNotSupportedException."""


def zone(name: str) -> ZoneInfo:
    """Return the zone of a Windows or IANA name. Raises ZoneUnknownError."""
    try:
        return ZoneInfo(WINDOWS_TO_OLSON.get(name, name))
    except (OSError, ValueError, LookupError) as error:
        raise ZoneUnknownError(name) from error


def to_utc(local: str, name: str) -> str:
    """Turn a local time (YYYY-MM-DDTHH:MM:SS) of a zone into UTC, written the same way."""
    return write(read(local).replace(tzinfo=zone(name)).astimezone(UTC))


def from_utc(moment: str, name: str) -> str:
    """Turn a time in UTC into the local time of a zone."""
    return write(read(moment).replace(tzinfo=UTC).astimezone(zone(name)))


def read(text: str) -> datetime:
    """Read a local time, with any number of fractional digits, which Graph writes as seven. Raises ValueError."""
    whole, _, _ = text.strip().removesuffix("Z").partition(".")
    moment = datetime.fromisoformat(whole)
    if moment.tzinfo is not None:
        raise ValueError(f"{text!r} is no local time")
    return moment


def write(moment: datetime) -> str:
    return moment.strftime(_FORMAT)


def shown(local: str, name: str, wanted: str, *, all_day: bool) -> dict[str, str]:
    """Return a `dateTimeTimeZone` in the wanted zone; whole days are the same days everywhere."""
    moment = local if all_day else from_utc(to_utc(local, name), wanted)
    return {"dateTime": f"{moment}.0000000", "timeZone": wanted}


def anchor(name: str, *, all_day: bool) -> str:
    """Return the zone in which an event's times count; whole days count as days in UTC."""
    return _ALL_DAY_ZONE if all_day else name
