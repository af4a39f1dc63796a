"""The days of a series: computed from its pattern, without those that were cancelled, with those that differ."""

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from graph_simulator import events, zones
from graph_simulator.events import Event, EventNotFoundError, When
from graph_simulator.identifiers import read_occurrence_id
from graph_simulator.recurrence import days


def find_event(connection: sqlite3.Connection, user_pk: int, key: str) -> Event:
    """Find an event of the mailbox by either of its ids, a day of a series included. Raises EventNotFoundError."""
    found = events.by_id(connection, user_pk, key)
    if found is not None:
        return found
    place = read_occurrence_id(key)
    if place is None:
        raise EventNotFoundError(key)
    master = events.by_pk(connection, place[0])
    if master.recurrence is None or master.user_pk != user_pk:
        raise EventNotFoundError(key)
    for day, when in _days_of(connection, master, place[1]):
        if day == place[1]:
            occurrence = events.on_day(connection, master, day, when)
            if key in (occurrence.id, occurrence.immutable_id):
                return occurrence
    raise EventNotFoundError(key)


def between(connection: sqlite3.Connection, event: Event, start: str, end: str) -> list[Event]:
    """Return what of an event takes place between two instants (UTC, YYYY-MM-DDTHH:MM:SS): itself or its days."""
    if event.recurrence is None:
        return [event] if _overlaps(event.when, start, end) else []
    last = (zones.read(end) + timedelta(days=1)).date().isoformat()
    following = [events.on_day(connection, event, day, when) for day, when in _days_of(connection, event, last)]
    every = [*following, *events.exceptions(connection, event)]
    return sorted((each for each in every if _overlaps(each.when, start, end)), key=lambda each: each.when.starts)


def instant(text: str) -> str:
    """Read an instant such as 2026-01-01T00:00:00Z; without an offset it counts as UTC. Raises ValueError."""
    whole = text.strip().replace(" ", "+")  # an unescaped plus sign in a query arrives as a blank
    moment = datetime.fromisoformat(whole)
    return zones.write(moment if moment.tzinfo is None else moment.astimezone(UTC))


def original_start(event: Event) -> str:
    """Return when a day of a series would start had nobody moved it, in UTC."""
    assert event.master is not None
    when = event.master.when
    local = f"{event.day}T{when.starts.partition('T')[2]}"
    return zones.to_utc(local, zones.anchor(when.zone, all_day=when.all_day))


def _days_of(connection: sqlite3.Connection, master: Event, last: str) -> Iterator[tuple[str, When]]:
    """Yield the days up to `last` that follow the series."""
    assert master.recurrence is not None
    apart = {each.day for each in events.exceptions(connection, master)}
    apart |= set(events.cancelled_days(connection, master))
    starts, ends = zones.read(master.when.starts), zones.read(master.when.ends)
    for day in days(master.recurrence):
        if day.isoformat() > last:
            return
        if day.isoformat() not in apart:
            start = datetime.combine(day, starts.time())
            shown = zones.write(start), zones.write(start + (ends - starts))
            yield day.isoformat(), When(*shown, master.when.zone, master.when.all_day)


def _overlaps(when: When, start: str, end: str) -> bool:
    anchor = zones.anchor(when.zone, all_day=when.all_day)
    starts, ends = zones.to_utc(when.starts, anchor), zones.to_utc(when.ends, anchor)
    return starts < end and (ends > start or starts == ends >= start)
