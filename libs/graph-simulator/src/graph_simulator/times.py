"""The simulator's clock and Graph's way of writing an instant."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


@dataclass
class Wall:
    """The clock on Microsoft's wall: `ahead` of this machine's, behind it when negative."""

    ahead: timedelta = timedelta()


WALL = Wall()
"""Of this process; a restart sets it right."""


def now() -> datetime:
    """Return the current instant in UTC: the only place that asks the machine for the time."""
    return datetime.now(UTC) + WALL.ahead


def iso(moment: datetime) -> str:
    """Write an instant as Graph does: UTC, whole seconds, a trailing Z."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_iso(text: str) -> datetime:
    """Read an ISO 8601 instant; without an offset it counts as UTC. Raises ValueError."""
    moment = datetime.fromisoformat(text.strip())
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
