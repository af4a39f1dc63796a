"""Moments in sealed objects: RFC 3339 text in UTC."""

from datetime import UTC, datetime


def written_moment(moment: datetime) -> str:
    if moment.tzinfo is None:
        raise ValueError("a moment without a time zone")
    return moment.astimezone(UTC).isoformat()


def read_moment(text: str) -> datetime:
    """Raises ValueError or TypeError."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a moment without a time zone")
    return moment
