"""What a source of events yields, and how it is put into a mailbox."""

import sqlite3
from dataclasses import dataclass, field
from typing import Any

from graph_simulator import calendars, event_attachments, events, occurrences
from graph_simulator.attachments import Attachment
from graph_simulator.calendars import NewCalendar
from graph_simulator.database import transaction
from graph_simulator.events import Event, NewEvent, When

HOLIDAYS, SHARED = "Feiertage in Deutschland", "Kalender"


@dataclass(frozen=True, slots=True)
class SeedDay:
    """One day of a series that differs: cancelled when it has neither properties nor times."""

    day: str
    properties: dict[str, Any] | None = None
    when: When | None = None


@dataclass(frozen=True, slots=True)
class SeedEvent:
    """One event for a calendar of a mailbox, with the days of it that differ."""

    mailbox: str
    calendar: str
    event: NewEvent
    days: tuple[SeedDay, ...] = ()
    attachments: tuple[Attachment, ...] = field(default=(), repr=False)


def calendar_named(connection: sqlite3.Connection, user_pk: int, name: str) -> int:
    """Return the key of the first calendar of that name, made if missing; an empty name means the default one."""
    if not name:
        default: int = calendars.find_calendar(connection, user_pk, None)["pk"]
        return default
    for row in calendars.calendars(connection, user_pk):
        if row["name"] == name and not row["is_default"]:
            found: int = row["pk"]
            return found
    group = calendars.groups(connection, user_pk)[0]["pk"]
    return calendars.insert_calendar(connection, user_pk, group, NewCalendar(name))


def create_usual_calendars(connection: sqlite3.Connection, user_pk: int, colleague: tuple[str, str]) -> None:
    """Give a mailbox what people have: holidays nobody edits, a colleague's calendar, two calendars of one name."""
    mine, others = (row["pk"] for row in calendars.groups(connection, user_pk)[:2])
    if len(calendars.calendars(connection, user_pk)) > 1:
        return
    calendars.insert_calendar(connection, user_pk, mine, NewCalendar("Projekte", "lightGreen"))
    calendars.insert_calendar(connection, user_pk, others, NewCalendar("Projekte", "lightBlue"))
    calendars.insert_calendar(connection, user_pk, others, NewCalendar(HOLIDAYS, "lightRed", can_edit=False))
    name, address = colleague
    shared = NewCalendar(SHARED, "lightPink", owner_name=name, owner_address=address, can_edit=False)
    calendars.insert_calendar(connection, user_pk, others, shared)


def store(connection: sqlite3.Connection, user_pk: int, seeded: SeedEvent) -> int:
    """Store one event with its attachments and differing days, and return its key. Nobody is invited."""
    with transaction(connection):
        calendar_pk = calendar_named(connection, user_pk, seeded.calendar)
        pk = events.insert(connection, user_pk, calendar_pk, seeded.event)
        for attachment in seeded.attachments:
            event_attachments.add_attachment(connection, events.by_pk(connection, pk), attachment)
        for day in seeded.days:
            apply_day(connection, events.by_pk(connection, pk), day)
    return pk


def apply_day(connection: sqlite3.Connection, master: Event, day: SeedDay) -> None:
    """Make one day of a series differ. A day the series does not have is left alone."""
    start, end = f"{day.day}T00:00:00", f"{day.day}T23:59:59"
    for occurrence in occurrences.between(connection, master, start, end):
        if occurrence.day != day.day:
            continue
        if day.properties is None and day.when is None:
            events.delete(connection, occurrence)
        else:
            events.update(connection, occurrence, day.properties or {}, day.when)
        return
