"""Retry-After in every form that was seen: integer, decimal, HTTP-date, garbage, absent."""

import math
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LONGEST = 86_400.0
"""Longer waits (seconds) are not believed: the work is planned again within a day anyway."""

_NUMBER = re.compile(r"[0-9]{1,12}(\.[0-9]{0,12})?")


def parse_retry_after(value: str, now: datetime) -> float | None:
    """Give the seconds to wait, 0 to LONGEST, or None when the header is absent or unreadable.

    Graph sends decimals such as `2.128` (concepts/throttling); RFC 9110 allows seconds and HTTP-dates.
    """
    text = value.strip()
    if _NUMBER.fullmatch(text):
        return min(float(text), LONGEST)
    moment = _http_date(text)
    if moment is None:
        return None
    seconds = (moment - now).total_seconds()
    return min(max(math.ceil(seconds), 0.0), LONGEST)


def pause_asked_for(value: str, date: str, now: datetime) -> float | None:
    """Give the seconds that an answer's Retry-After asks for; `date` is its Date header, `now` our clock.

    An HTTP-date is compared with the server's idea of now, so that a skewed clock here does not stretch it.
    """
    if not value:
        return None
    moment = _http_date(date)
    return parse_retry_after(value, now if moment is None else moment)


def _http_date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
        # "-0000" yields a naive value: RFC 9110 dates are always GMT.
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
