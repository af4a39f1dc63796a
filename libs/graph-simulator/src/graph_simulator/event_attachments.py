"""Attachments of events: rows of their own. A day that follows its series shows those of the series.

https://learn.microsoft.com/graph/api/event-list-attachments
"""

import sqlite3
from dataclasses import replace

from graph_simulator import events
from graph_simulator.attachments import Attachment, AttachmentKind
from graph_simulator.database import transaction
from graph_simulator.events import Event


def attachments_of(connection: sqlite3.Connection, event: Event) -> list[Attachment]:
    """Return the attachments of an event in order."""
    rows = connection.execute("SELECT * FROM event_attachment WHERE event_pk = ? ORDER BY ordinal", (_owner(event).pk,))
    return [
        Attachment(
            row["ordinal"],
            AttachmentKind(row["kind"]),
            row["name"],
            row["content_type"],
            bool(row["inline"]),
            row["content_id"],
            row["content"],
        )
        for row in rows
    ]


def has_attachments(connection: sqlite3.Connection, event: Event) -> bool:
    row = connection.execute(
        "SELECT 1 FROM event_attachment WHERE event_pk = ? AND NOT inline LIMIT 1", (_owner(event).pk,)
    ).fetchone()
    return row is not None


def add_attachment(connection: sqlite3.Connection, event: Event, attachment: Attachment) -> int:
    """Add an attachment, give the event a new change key, and return the attachment's ordinal."""
    with transaction(connection):
        pk = events.update(connection, event, {}) if event.pk is None else event.pk
        event = events.by_pk(connection, pk)
        ordinal = 1 + max((other.ordinal for other in attachments_of(connection, event)), default=-1)
        _insert(connection, pk, replace(attachment, ordinal=ordinal))
        events.touch(connection, pk)
    return ordinal


def delete_attachment(connection: sqlite3.Connection, event: Event, attachment: Attachment) -> None:
    """Take one attachment off an event."""
    with transaction(connection):
        pk = events.update(connection, event, {}) if event.pk is None else event.pk
        connection.execute("DELETE FROM event_attachment WHERE event_pk = ? AND ordinal = ?", (pk, attachment.ordinal))
        events.touch(connection, pk)


def _owner(event: Event) -> Event:
    return event.master if event.pk is None and event.master is not None else event


def _insert(connection: sqlite3.Connection, event_pk: int, attachment: Attachment) -> None:
    connection.execute(
        "INSERT INTO event_attachment VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            event_pk,
            attachment.ordinal,
            attachment.kind.value,
            attachment.name,
            attachment.content_type,
            attachment.inline,
            attachment.content_id,
            attachment.content,
        ),
    )
