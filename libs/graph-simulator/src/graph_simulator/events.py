"""Events of a mailbox, as stored: single events, masters of series, and the days of a series that differ from it.

Days that follow their series have no row: `occurrences.py` computes them. Every change takes a new number (`seq`);
a change to one day of a series changes the master's number as well, because Exchange keeps the days inside it.
https://learn.microsoft.com/graph/api/resources/event
"""

import json
import sqlite3
from dataclasses import dataclass, field, replace
from typing import Any

from graph_simulator import zones
from graph_simulator.database import next_seq, state_secret, transaction
from graph_simulator.identifiers import IMMUTABLE_START, immutable_id, occurrence_id, regular_id
from graph_simulator.messages import normalized_property
from graph_simulator.times import iso, now

Json = dict[str, Any]
_ROW_TABLES = ("event_attachment", "event_property")


class EventNotFoundError(LookupError):
    """No such event in this mailbox (any more); Graph answers ErrorItemNotFound."""


@dataclass(frozen=True, slots=True)
class When:
    """Start and end in local time of a zone; the end lies in the same zone, whatever was said."""

    starts: str
    ends: str
    zone: str
    all_day: bool = False


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event ready to be stored; `extended` are MAPI properties by id."""

    when: When
    properties: Json
    recurrence: Json | None = None
    transaction_id: str | None = None
    extended: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Event:
    """One event as Graph shows it. `pk` is None for a day that follows its series."""

    pk: int | None
    user_pk: int
    calendar_pk: int
    id: str
    immutable_id: str
    seq: int
    created: str
    modified: str
    when: When
    properties: Json
    recurrence: Json | None = None
    transaction_id: str | None = None
    master: "Event | None" = None
    day: str | None = None  # of a series, as it was before anybody moved it: YYYY-MM-DD

    @property
    def type(self) -> str:
        if self.master is not None:
            return "occurrence" if self.pk is None else "exception"
        return "singleInstance" if self.recurrence is None else "seriesMaster"


def insert(connection: sqlite3.Connection, user_pk: int, calendar_pk: int, new: NewEvent) -> int:
    """Store an event and return its key."""
    with transaction(connection):
        seq, secret = next_seq(connection), state_secret(connection)
        pk = _insert(
            connection,
            (user_pk, calendar_pk, regular_id(secret, "event", seq), immutable_id(secret, "event", seq), seq),
            new,
        )
        for property_id, value in new.extended.items():
            set_extended(connection, pk, property_id, value)
    return pk


def by_pk(connection: sqlite3.Connection, pk: int) -> Event:
    """Return the event with this key. Raises EventNotFoundError."""
    row = connection.execute("SELECT * FROM event WHERE pk = ?", (pk,)).fetchone()
    if row is None:
        raise EventNotFoundError(pk)
    return loaded(connection, row)


def by_id(connection: sqlite3.Connection, user_pk: int, key: str) -> Event | None:
    """Return the event with this id in either format, if it has a row."""
    column = "immutable_id" if key.startswith(IMMUTABLE_START) else "id"
    row = connection.execute(
        f"SELECT * FROM event WHERE {column} = ? AND user_pk = ?",  # noqa: S608 - one of two constants
        (key, user_pk),
    ).fetchone()
    return None if row is None else loaded(connection, row)


def by_transaction(connection: sqlite3.Connection, user_pk: int, transaction_id: str) -> Event | None:
    """Return the event that was created under this transactionId."""
    row = connection.execute(
        "SELECT * FROM event WHERE user_pk = ? AND transaction_id = ?", (user_pk, transaction_id)
    ).fetchone()
    return None if row is None else loaded(connection, row)


def loaded(connection: sqlite3.Connection, row: sqlite3.Row) -> Event:
    """Return what a row means; a day that differs shows its series' properties where it has none of its own."""
    master = None if row["master_pk"] is None else by_pk(connection, row["master_pk"])
    own = json.loads(row["properties"])
    return Event(
        pk=row["pk"],
        user_pk=row["user_pk"],
        calendar_pk=row["calendar_pk"],
        id=row["id"],
        immutable_id=row["immutable_id"],
        seq=row["seq"],
        created=row["created"],
        modified=row["modified"],
        when=When(row["starts"], row["ends"], row["zone"], bool(row["all_day"])),
        properties=own if master is None else master.properties | own,
        recurrence=None if row["recurrence"] is None else json.loads(row["recurrence"]),
        transaction_id=row["transaction_id"],
        master=master,
        day=row["original_day"],
    )


def update(
    connection: sqlite3.Connection,
    event: Event,
    properties: Json,
    when: When | None = None,
    recurrence: Json | None = None,
    *,
    no_series: bool = False,
) -> int:
    """Change an event and return its key; a day of a series becomes an exception.

    A series whose times or pattern change forgets its exceptions and cancelled days, as in Exchange.
    """
    with transaction(connection):
        pk = _make_exception(connection, event) if event.pk is None else event.pk
        row = connection.execute("SELECT * FROM event WHERE pk = ?", (pk,)).fetchone()
        merged = json.loads(row["properties"]) | properties
        chosen = when or event.when
        if event.recurrence is not None and (when or recurrence or no_series):
            _forget_days(connection, pk)
        text = json.dumps(recurrence) if recurrence else (None if no_series else row["recurrence"])
        connection.execute(
            "UPDATE event SET properties = ?, zone = ?, all_day = ?, starts = ?, ends = ?, starts_utc = ?,"
            " ends_utc = ?, recurrence = ? WHERE pk = ?",
            (json.dumps(merged, ensure_ascii=False), *_times(chosen), text, pk),
        )
        touch(connection, pk)
    return pk


def touch(connection: sqlite3.Connection, pk: int) -> None:
    """Give the event, and the series it belongs to, a new change number."""
    row = connection.execute("SELECT master_pk FROM event WHERE pk = ?", (pk,)).fetchone()
    for changed in (pk, row["master_pk"]):
        connection.execute(
            "UPDATE event SET seq = ?, modified = ? WHERE pk = ?", (next_seq(connection), iso(now()), changed)
        )


def delete(connection: sqlite3.Connection, event: Event) -> None:
    """Delete an event; deleting a day of a series cancels that day."""
    with transaction(connection):
        bury(connection, event)
        if event.master is not None:
            assert event.master.pk is not None
            connection.execute("INSERT OR IGNORE INTO cancelled_occurrence VALUES (?, ?)", (event.master.pk, event.day))
            touch(connection, event.master.pk)
        if event.pk is not None:
            _forget_days(connection, event.pk)
            _delete_row(connection, event.pk)


def move(connection: sqlite3.Connection, event: Event, calendar_pk: int) -> None:
    """Move an event to another calendar, as people do in Outlook: only its immutable id stays."""
    assert event.pk is not None
    with transaction(connection):
        bury(connection, event)
        moves = connection.execute("UPDATE event SET moves = moves + 1 WHERE pk = ? RETURNING moves", (event.pk,))
        new_id = regular_id(state_secret(connection), "moved event", event.pk, moves.fetchone()["moves"])
        connection.execute("UPDATE event SET id = ? WHERE pk = ?", (new_id, event.pk))
        connection.execute("UPDATE event SET calendar_pk = ? WHERE ? IN (pk, master_pk)", (calendar_pk, event.pk))
        touch(connection, event.pk)


def set_extended(connection: sqlite3.Connection, pk: int, property_id: str, value: str) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO event_property VALUES (?, ?, ?, ?)",
        (pk, property_id, normalized_property(property_id), value),
    )


def extended(connection: sqlite3.Connection, event: Event, wanted: list[str]) -> list[Json]:
    """Return those of the wanted MAPI properties that the event has."""
    rows = connection.execute("SELECT match, value FROM event_property WHERE event_pk = ?", (event.pk,))
    values = {row["match"]: row["value"] for row in rows}
    matches = {property_id: normalized_property(property_id) for property_id in wanted}
    return [{"id": name, "value": values[match]} for name, match in matches.items() if match in values]


def exceptions(connection: sqlite3.Connection, master: Event) -> list[Event]:
    """Return the days that differ from the series, in order."""
    rows = connection.execute("SELECT * FROM event WHERE master_pk = ? ORDER BY original_day", (master.pk,))
    return [loaded(connection, row) for row in rows.fetchall()]


def cancelled_days(connection: sqlite3.Connection, master: Event) -> list[str]:
    rows = connection.execute("SELECT day FROM cancelled_occurrence WHERE master_pk = ? ORDER BY day", (master.pk,))
    return [row["day"] for row in rows]


def bury(connection: sqlite3.Connection, event: Event) -> None:
    """Tell the delta of the event's calendar that it is gone from there."""
    connection.execute(
        "INSERT INTO tombstone VALUES (?, ?, ?, ?)",
        (f"e{event.calendar_pk}", next_seq(connection), event.id, event.immutable_id),
    )


def _make_exception(connection: sqlite3.Connection, event: Event) -> int:
    assert event.master is not None
    assert event.master.pk is not None
    names = (event.user_pk, event.calendar_pk, event.id, event.immutable_id, next_seq(connection))
    pk = _insert(connection, names, NewEvent(event.when, {}), event.master.pk, event.day)
    connection.execute(
        "INSERT INTO event_attachment SELECT ?, ordinal, kind, name, content_type, inline, content_id, content"
        " FROM event_attachment WHERE event_pk = ?",
        (pk, event.master.pk),
    )
    return pk


def _insert(
    connection: sqlite3.Connection,
    names: tuple[int, int, str, str, int],
    new: NewEvent,
    master_pk: int | None = None,
    day: str | None = None,
) -> int:
    stamp = iso(now())
    cursor = connection.execute(
        "INSERT INTO event (user_pk, calendar_pk, id, immutable_id, seq, created, modified, master_pk, original_day,"
        " zone, all_day, starts, ends, starts_utc, ends_utc, recurrence, transaction_id, properties)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *names,
            stamp,
            stamp,
            master_pk,
            day,
            *_times(new.when),
            None if new.recurrence is None else json.dumps(new.recurrence),
            new.transaction_id,
            json.dumps(new.properties, ensure_ascii=False),
        ),
    )
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def _times(when: When) -> tuple[str, bool, str, str, str, str]:
    anchor = zones.anchor(when.zone, all_day=when.all_day)
    utc = (zones.to_utc(when.starts, anchor), zones.to_utc(when.ends, anchor))
    return (when.zone, when.all_day, when.starts, when.ends, *utc)


def _forget_days(connection: sqlite3.Connection, master_pk: int) -> None:
    rows = connection.execute("SELECT pk FROM event WHERE master_pk = ?", (master_pk,)).fetchall()
    for row in rows:
        _delete_row(connection, row["pk"])
    connection.execute("DELETE FROM cancelled_occurrence WHERE master_pk = ?", (master_pk,))


def _delete_row(connection: sqlite3.Connection, pk: int) -> None:
    for table in _ROW_TABLES:
        connection.execute(f"DELETE FROM {table} WHERE event_pk = ?", (pk,))  # noqa: S608 - constants of this module
    connection.execute("DELETE FROM event WHERE pk = ?", (pk,))


def on_day(connection: sqlite3.Connection, master: Event, day: str, when: When) -> Event:
    """Return the day of a series that follows it."""
    assert master.pk is not None
    secret = state_secret(connection)
    ids = [occurrence_id(secret, master_id, master.pk, day) for master_id in (master.id, master.immutable_id)]
    shown = replace(master, pk=None, id=ids[0], immutable_id=ids[1], when=when, recurrence=None)
    return replace(shown, transaction_id=None, master=master, day=day)
