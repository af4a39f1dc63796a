"""Messages of a mailbox, as stored: properties as JSON made once at arrival, the bytes beside them.

Every change takes a new number (`seq`); the change key, the etag and the delta feed all follow from it.
"""

import json
import sqlite3
from dataclasses import dataclass, field
from datetime import datetime

from graph_simulator import mime_properties
from graph_simulator.database import next_seq, state_secret, transaction
from graph_simulator.folders import DELETIONS, children, find_folder, touch
from graph_simulator.identifiers import immutable_id, regular_id
from graph_simulator.times import iso, now

Json = dict[str, object]


class MessageNotFoundError(LookupError):
    """No such message in this mailbox (any more); Graph answers ErrorItemNotFound."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """What a mailbox knows of a message beyond its bytes."""

    received: datetime
    is_read: bool = False
    is_draft: bool = False
    categories: tuple[str, ...] = ()
    flag: str = "notFlagged"
    importance: str | None = None


@dataclass(frozen=True, slots=True)
class NewMessage:
    """One message ready to be stored: either with its bytes, or with a body from which MIME is generated on demand."""

    received: str
    sent: str
    is_read: bool
    is_draft: bool
    internet_id: str
    summary: Json
    body: Json | None = None
    mime: bytes | None = None
    sha256: str | None = None
    size: int = 0
    extended: dict[str, str] = field(default_factory=dict)


def from_mime(raw: bytes, arrival: Arrival, *, sha256: str | None = None) -> NewMessage:
    """Prepare a message from exact bytes, which `$value` will return unchanged."""
    properties = mime_properties.read(raw)
    summary = properties.summary | {
        "categories": list(arrival.categories),
        "flag": {"flagStatus": arrival.flag},
        "inferenceClassification": "focused",
    }
    if arrival.importance is not None:
        summary["importance"] = arrival.importance
    received = iso(arrival.received)
    return NewMessage(
        received=received,
        sent=properties.sent or received,
        is_read=arrival.is_read,
        is_draft=arrival.is_draft,
        internet_id=properties.internet_id,
        summary=summary,
        mime=raw,
        sha256=sha256,
        size=len(raw),
    )


def insert(connection: sqlite3.Connection, user_pk: int, folder_pk: int, message: NewMessage) -> int:
    """Store a message and return its key."""
    stamp = iso(now())
    with transaction(connection):
        secret = state_secret(connection)
        seq = next_seq(connection)
        internet_id = message.internet_id or f"<{seq:016X}@simulator.prod.outlook.com>"
        cursor = connection.execute(
            "INSERT INTO message (user_pk, folder_pk, id, immutable_id, seq, is_read, is_draft, received, sent,"
            " created, modified, internet_id, summary, size, sha256)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                user_pk,
                folder_pk,
                regular_id(secret, "message", seq),
                immutable_id(secret, "message", seq),
                seq,
                message.is_read,
                message.is_draft,
                message.received,
                message.sent,
                stamp,
                stamp,
                internet_id,
                json.dumps(message.summary, ensure_ascii=False),
                message.size,
                message.sha256,
            ),
        )
        assert cursor.lastrowid is not None
        body = None if message.body is None else json.dumps(message.body, ensure_ascii=False)
        connection.execute("INSERT INTO content VALUES (?, ?, ?)", (cursor.lastrowid, body, message.mime))
        for property_id, value in message.extended.items():
            set_extended(connection, cursor.lastrowid, property_id, value)
    return cursor.lastrowid


def find_message(connection: sqlite3.Connection, user_pk: int, key: str) -> sqlite3.Row:
    """Find a message of the mailbox by either of its ids. Raises MessageNotFoundError."""
    column = "immutable_id" if key.startswith("AAkALg") else "id"
    row: sqlite3.Row | None = connection.execute(
        f"SELECT * FROM message WHERE {column} = ? AND user_pk = ?",  # noqa: S608 - one of two constants
        (key, user_pk),
    ).fetchone()
    if row is None:
        raise MessageNotFoundError(key)
    return row


def by_pk(connection: sqlite3.Connection, pk: int) -> sqlite3.Row:
    row: sqlite3.Row = connection.execute("SELECT * FROM message WHERE pk = ?", (pk,)).fetchone()
    return row


def body_of(connection: sqlite3.Connection, pk: int) -> Json:
    """Return the `itemBody`, read out of the stored bytes if there are any."""
    row = connection.execute("SELECT body, mime FROM content WHERE message_pk = ?", (pk,)).fetchone()
    if row["mime"] is not None:
        return mime_properties.read(row["mime"]).body
    body: Json = json.loads(row["body"])
    return body


def mime_of(connection: sqlite3.Connection, pk: int) -> bytes | None:
    """Return the stored bytes, or None for a message that was created as JSON."""
    mime: bytes | None = connection.execute("SELECT mime FROM content WHERE message_pk = ?", (pk,)).fetchone()["mime"]
    return mime


def update(
    connection: sqlite3.Connection,
    row: sqlite3.Row,
    changes: Json,
    *,
    is_read: bool | None = None,
    body: Json | None = None,
) -> None:
    """Merge changed properties into the message and give it a new change key.

    The read state alone changes neither the change key nor the time of modification, as Exchange keeps it apart.
    """
    stamp, key = iso(now()), None
    if not changes and body is None:
        stamp, key = row["modified"], row["key_seq"] or row["seq"]
    with transaction(connection):
        summary = json.loads(by_pk(connection, row["pk"])["summary"]) | changes
        connection.execute(
            "UPDATE message SET summary = ?, is_read = ?, seq = ?, key_seq = ?, modified = ? WHERE pk = ?",
            (
                json.dumps(summary, ensure_ascii=False),
                row["is_read"] if is_read is None else is_read,
                next_seq(connection),
                key,
                stamp,
                row["pk"],
            ),
        )
        if body is not None:
            text = json.dumps(body, ensure_ascii=False)
            connection.execute("UPDATE content SET body = ? WHERE message_pk = ?", (text, row["pk"]))


def move(connection: sqlite3.Connection, row: sqlite3.Row, folder_pk: int) -> None:
    """Move a message: its regular id changes, its immutable id stays, the old folder reports it removed.

    https://learn.microsoft.com/graph/outlook-immutable-id
    """
    with transaction(connection):
        _bury(connection, row)
        moves = row["moves"] + 1
        seq = next_seq(connection)
        new_id = regular_id(state_secret(connection), "moved", row["pk"], moves)
        connection.execute(
            "UPDATE message SET folder_pk = ?, id = ?, moves = ?, seq = ?, key_seq = NULL, modified = ? WHERE pk = ?",
            (folder_pk, new_id, moves, seq, iso(now()), row["pk"]),
        )


def delete(connection: sqlite3.Connection, row: sqlite3.Row) -> None:
    """Delete a message as Graph does: into the hidden deletions folder, and from there for good."""
    with transaction(connection):
        deletions = find_folder(connection, row["user_pk"], DELETIONS)["pk"]
        if row["folder_pk"] != deletions:
            move(connection, row, deletions)
            return
        _bury(connection, row)
        for table in ("content", "attachment", "extended_property", "upload"):
            connection.execute(
                f"DELETE FROM {table} WHERE message_pk = ?",  # noqa: S608 - table names from the line above
                (row["pk"],),
            )
        connection.execute("DELETE FROM message WHERE pk = ?", (row["pk"],))


def delete_folder(connection: sqlite3.Connection, folder: sqlite3.Row) -> None:
    """Delete a folder with all it contains."""
    with transaction(connection):
        for child in children(connection, folder["pk"]):
            delete_folder(connection, child)
        for row in connection.execute("SELECT * FROM message WHERE folder_pk = ?", (folder["pk"],)).fetchall():
            delete(connection, row)
        scope, seq = f"u{folder['user_pk']}", next_seq(connection)
        connection.execute("INSERT INTO tombstone VALUES (?, ?, ?, ?)", (scope, seq, folder["id"], folder["id"]))
        connection.execute("DELETE FROM folder WHERE pk = ?", (folder["pk"],))
        touch(connection, folder["parent_pk"])


def normalized_property(property_id: str) -> str:
    """Bring an extended property's id into one spelling, so that 0x0E07 and 0xe07 are the same property."""
    words = property_id.strip().lower().split(" ")
    return " ".join(hex(int(word, 16)) if word.startswith("0x") else word for word in words)


def set_extended(connection: sqlite3.Connection, pk: int, property_id: str, value: str) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO extended_property VALUES (?, ?, ?, ?)",
        (pk, property_id, normalized_property(property_id), value),
    )


def _bury(connection: sqlite3.Connection, row: sqlite3.Row) -> None:
    connection.execute(
        "INSERT INTO tombstone VALUES (?, ?, ?, ?)",
        (f"m{row['folder_pk']}", next_seq(connection), row["id"], row["immutable_id"]),
    )
