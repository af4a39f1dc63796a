"""The least retention of a tenant, kept in the repository itself (format, section 13).

The engine keeps it at every commit, whatever the caller asks for: no form, no configuration and no caller can have
a restore point expire before it.
"""

from dataclasses import dataclass
from datetime import datetime

from backup_engine import names
from backup_engine.backing import Backing
from backup_engine.errors import AlreadyExists, IntegrityError
from backup_engine.header import Kind
from backup_engine.moments import read_moment, written_moment
from backup_engine.retention import Period, Retained


@dataclass(frozen=True, slots=True)
class Floor:
    """The newest `policies/<n>`; the older ones stay and tell who changed it when."""

    n: int
    period: Period
    set_by: str
    set_at: datetime


def history(backing: Backing) -> list[Floor]:
    """Every floor there ever was, oldest first."""
    return [_read(backing, info.key) for info in backing.storage.list(names.POLICIES)]


def current(backing: Backing) -> Floor | None:
    """The floor in force; None when nobody ever set one. One listing, and one read unless it is kept here."""
    newest = max((info.key for info in backing.storage.list(names.POLICIES)), default=None)
    return None if newest is None else _read(backing, newest)


def put(backing: Backing, period: Period, *, by: str, at: datetime) -> Floor:
    """Set the floor for every restore point committed from now on; setting what is in force writes nothing."""
    while True:
        known = current(backing)
        if known is not None and known.period == period:
            return known
        floor = Floor(known.n + 1 if known else 1, period, by, at)
        payload = {"period": str(period), "set_by": by, "set_at": written_moment(at)}
        try:
            backing.objects.put(names.policy(floor.n), Kind.RETENTION_FLOOR, payload)
        except AlreadyExists:
            continue  # somebody else was faster: look again at what is in force
        return floor


def lift(floor: Floor | None, taken_at: datetime, asked: Retained) -> Retained:
    """What a restore point gets that asks for `asked`: never less than the floor in force."""
    if floor is None:
        return asked
    least = Retained(f"floor={floor.period}", floor.period.end(taken_at))
    return least if least.expires_at > asked.expires_at else asked


def _read(backing: Backing, name: str) -> Floor:
    n = names.policy_number(name)
    payload = backing.objects.require(name, Kind.RETENTION_FLOOR, kept=True)
    try:
        return Floor(n, Period.parse(payload["period"]), payload["set_by"], read_moment(payload["set_at"]))
    except (KeyError, TypeError, ValueError) as error:
        raise IntegrityError(f"{name} is no retention floor", key=name) from error
