"""Let people work in their calendars; deterministic from a seed."""

import random
import sqlite3

from graph_simulator import calendars, events, occurrences
from graph_simulator.database import transaction
from graph_simulator.directory import Tenant
from graph_simulator.events import Event
from graph_simulator.seed.event import store
from graph_simulator.seed.event_generator import EventGenerator

KINDS = ("created", "deleted", "updated", "moved", "cancelled", "excepted")
SHARES = (30, 15, 25, 10, 10, 10)
_WINDOW = ("2025-01-01T00:00:00", "2028-01-01T00:00:00")


def change_events(
    connection: sqlite3.Connection, tenant: Tenant, user: sqlite3.Row, rng: random.Random, fraction: float
) -> list[str]:
    """Change about this fraction of a mailbox's events, at least one of each kind; return what was done, by kind.

    `cancelled` takes one day out of a series, `excepted` renames one.
    """
    rows = connection.execute(
        "SELECT * FROM event WHERE user_pk = ? AND master_pk IS NULL ORDER BY pk", (user["pk"],)
    ).fetchall()
    if not rows:
        return []
    wanted = max(len(KINDS), round(len(rows) * fraction))
    kinds = [*KINDS, *rng.choices(KINDS, SHARES, k=wanted - len(KINDS))]
    generator = EventGenerator(rng.getrandbits(32), tenant.domain, [user["upn"].split("@")[0]])
    done: list[str] = []
    with transaction(connection):
        for kind, row in zip(kinds, rng.sample(rows, min(len(rows), wanted)), strict=False):
            if kind == "created":
                store(connection, user["pk"], generator.event(generator.mailboxes[0]))
                done.append(kind)
            else:
                done.append(_change(connection, events.loaded(connection, row), kind, rng))
    return done


def _change(connection: sqlite3.Connection, event: Event, kind: str, rng: random.Random) -> str:
    """Do what `kind` says; with a single event, of which no day can be cancelled, change its subject instead."""
    match kind:
        case "deleted":
            events.delete(connection, event)
            return kind
        case "moved":
            own = [row for row in calendars.calendars(connection, event.user_pk) if row["owner_address"] is None]
            events.move(connection, event, rng.choice([r["pk"] for r in own if r["pk"] != event.calendar_pk]))
            return kind
        case "cancelled" | "excepted":
            following = [] if event.recurrence is None else occurrences.between(connection, event, *_WINDOW)
            if following:
                _change_day(connection, rng.choice(following), kind)
                return kind
    events.update(connection, event, {"subject": f"{event.properties['subject']} (neu)"})
    return "updated"


def _change_day(connection: sqlite3.Connection, day: Event, kind: str) -> None:
    if kind == "cancelled":
        events.delete(connection, day)
    else:
        events.update(connection, day, {"subject": f"{day.properties['subject']} (geändert)"})
