"""Calendars of a mailbox and their groups, as stored.

https://learn.microsoft.com/graph/api/resources/calendar · https://learn.microsoft.com/graph/api/resources/calendargroup
"""

import sqlite3
from dataclasses import dataclass

from graph_simulator.database import next_seq, state_secret, transaction
from graph_simulator.identifiers import regular_id

MY_CALENDARS, OTHER_CALENDARS = "Meine Kalender", "Andere Kalender"
DEFAULT_NAME = "Kalender"


class CalendarNotFoundError(LookupError):
    """No such calendar or group in this mailbox; Graph answers ErrorItemNotFound."""


class CalendarExistsError(Exception):
    """The group has a calendar of that name; Graph answers ErrorFolderExists."""


class CalendarFixedError(Exception):
    """The default calendar and those of others cannot be deleted; Graph answers ErrorDeleteDistinguishedFolder."""


@dataclass(frozen=True, slots=True)
class NewCalendar:
    """What a calendar is made of. Without an owner it belongs to the mailbox."""

    name: str
    color: str = "auto"
    owner_name: str | None = None
    owner_address: str | None = None
    can_edit: bool = True


def create_groups(connection: sqlite3.Connection, user_pk: int) -> None:
    """Give the mailbox its two groups and its default calendar; what is there stays."""
    with transaction(connection):
        if connection.execute("SELECT 1 FROM calendar_group WHERE user_pk = ?", (user_pk,)).fetchone():
            return
        mine = create_group(connection, user_pk, MY_CALENDARS)
        create_group(connection, user_pk, OTHER_CALENDARS)
        insert_calendar(connection, user_pk, mine, NewCalendar(DEFAULT_NAME), is_default=True)


def create_group(connection: sqlite3.Connection, user_pk: int, name: str) -> int:
    with transaction(connection):
        seq = next_seq(connection)
        group_id = regular_id(state_secret(connection), "calendar group", seq)
        cursor = connection.execute(
            "INSERT INTO calendar_group (user_pk, id, name, seq) VALUES (?, ?, ?, ?)", (user_pk, group_id, name, seq)
        )
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def groups(connection: sqlite3.Connection, user_pk: int) -> list[sqlite3.Row]:
    create_groups(connection, user_pk)
    return connection.execute("SELECT * FROM calendar_group WHERE user_pk = ? ORDER BY pk", (user_pk,)).fetchall()


def find_group(connection: sqlite3.Connection, user_pk: int, key: str) -> sqlite3.Row:
    """Find a group by id. Raises CalendarNotFoundError."""
    for row in groups(connection, user_pk):
        if row["id"] == key:
            return row
    raise CalendarNotFoundError(key)


def calendars(connection: sqlite3.Connection, user_pk: int, group_pk: int | None = None) -> list[sqlite3.Row]:
    """Return all calendars of the mailbox, or those of one group, in the order they were made."""
    create_groups(connection, user_pk)
    return connection.execute(
        "SELECT * FROM calendar WHERE user_pk = ? AND (? IS NULL OR group_pk = ?) ORDER BY pk",
        (user_pk, group_pk, group_pk),
    ).fetchall()


def find_calendar(connection: sqlite3.Connection, user_pk: int, key: str | None) -> sqlite3.Row:
    """Find a calendar by id, the default one without an id. Raises CalendarNotFoundError."""
    for row in calendars(connection, user_pk):
        if row["id"] == key or (key is None and row["is_default"]):
            return row
    raise CalendarNotFoundError(key)


def create_calendar(connection: sqlite3.Connection, user_pk: int, group_pk: int, new: NewCalendar) -> int:
    """Create a calendar and return its key. Raises CalendarExistsError."""
    with transaction(connection):
        if any(row["name"].lower() == new.name.lower() for row in calendars(connection, user_pk, group_pk)):
            raise CalendarExistsError(new.name)
        return insert_calendar(connection, user_pk, group_pk, new)


def insert_calendar(
    connection: sqlite3.Connection, user_pk: int, group_pk: int, new: NewCalendar, *, is_default: bool = False
) -> int:
    """Store a calendar whatever its name: two of one name exist in real mailboxes."""
    with transaction(connection):
        seq = next_seq(connection)
        cursor = connection.execute(
            "INSERT INTO calendar (user_pk, group_pk, id, name, color, is_default, owner_name, owner_address, can_edit,"
            " seq) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                user_pk,
                group_pk,
                regular_id(state_secret(connection), "calendar", seq),
                new.name,
                new.color,
                is_default,
                new.owner_name,
                new.owner_address,
                new.can_edit,
                seq,
            ),
        )
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def rename_calendar(connection: sqlite3.Connection, calendar: sqlite3.Row, name: str, color: str) -> None:
    """Give the calendar another name and colour. Raises CalendarExistsError."""
    with transaction(connection):
        siblings = calendars(connection, calendar["user_pk"], calendar["group_pk"])
        if any(row["name"].lower() == name.lower() and row["pk"] != calendar["pk"] for row in siblings):
            raise CalendarExistsError(name)
        connection.execute(
            "UPDATE calendar SET name = ?, color = ?, seq = ? WHERE pk = ?",
            (name, color, next_seq(connection), calendar["pk"]),
        )


def delete_calendar(connection: sqlite3.Connection, calendar: sqlite3.Row) -> None:
    """Delete a calendar with its events. Raises CalendarFixedError."""
    if calendar["is_default"] or calendar["owner_address"] is not None:
        raise CalendarFixedError(calendar["name"])
    inside = "SELECT pk FROM event WHERE calendar_pk = ?"
    with transaction(connection):
        for table in ("event_attachment", "event_property"):
            connection.execute(
                f"DELETE FROM {table} WHERE event_pk IN ({inside})",  # noqa: S608 - constants of this function
                (calendar["pk"],),
            )
        connection.execute(f"DELETE FROM cancelled_occurrence WHERE master_pk IN ({inside})", (calendar["pk"],))  # noqa: S608 - as above
        connection.execute("DELETE FROM event WHERE calendar_pk = ?", (calendar["pk"],))
        connection.execute("DELETE FROM calendar WHERE pk = ?", (calendar["pk"],))
