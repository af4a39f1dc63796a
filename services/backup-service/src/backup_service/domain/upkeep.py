"""When a repository is verified, test-restored and maintained."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from contracts.names import UpkeepKind


@dataclass(frozen=True)
class DueUpkeep:
    """One kind of upkeep of one storage target whose time has come."""

    tenant: str
    target: str
    kind: UpkeepKind
    at: datetime


def next_time(at: datetime, interval: timedelta, now: datetime) -> datetime:
    """The next due time after `now` in the rhythm of `at`: however many were missed, one run makes up for them."""
    missed = max(0, (now - at) // interval)
    return at + (missed + 1) * interval
