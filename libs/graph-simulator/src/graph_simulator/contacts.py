"""Contact folders and contacts of a mailbox, as stored: a contact is its Graph properties as JSON, and a photo.

Every change takes a new number (`seq`); the change key, the etag and the delta feeds all follow from it.
https://learn.microsoft.com/graph/api/resources/contact
"""

import json
import sqlite3

from graph_simulator.database import next_seq, state_secret, transaction
from graph_simulator.folders import FolderExistsError, FolderNotFoundError
from graph_simulator.identifiers import immutable_id, regular_id
from graph_simulator.messages import normalized_property
from graph_simulator.times import iso, now

Json = dict[str, object]

DEFAULT_FOLDER = "contacts"
DEFAULT_NAME = "Kontakte"
"""Exchange names the folder in the language of the mailbox's owner."""


class ContactNotFoundError(LookupError):
    """No such contact in this mailbox (any more); Graph answers ErrorItemNotFound."""


def folder_scope(user_pk: int) -> str:
    """Name the delta feed of a mailbox's contact folders."""
    return f"g{user_pk}"


def contact_scope(folder_pk: int) -> str:
    """Name the delta feed of the contacts of one folder."""
    return f"c{folder_pk}"


def default_folder(connection: sqlite3.Connection, user_pk: int) -> sqlite3.Row:
    """Return the mailbox's own contact folder, made when somebody first looks."""
    with transaction(connection):
        query = "SELECT * FROM contact_folder WHERE user_pk = ? AND parent_pk IS NULL"
        row: sqlite3.Row | None = connection.execute(query, (user_pk,)).fetchone()
        if row is None:
            _insert_folder(connection, user_pk, None, DEFAULT_NAME)
            row = connection.execute(query, (user_pk,)).fetchone()
        assert row is not None
        return row


def find_folder(connection: sqlite3.Connection, user_pk: int, key: str) -> sqlite3.Row:
    """Find a contact folder by id, or the default one by its well-known name. Raises FolderNotFoundError."""
    if key.lower() == DEFAULT_FOLDER:
        return default_folder(connection, user_pk)
    row: sqlite3.Row | None = connection.execute(
        "SELECT * FROM contact_folder WHERE user_pk = ? AND id = ?", (user_pk, key)
    ).fetchone()
    if row is None:
        raise FolderNotFoundError(key)
    return row


def folder_by_pk(connection: sqlite3.Connection, pk: int) -> sqlite3.Row:
    row: sqlite3.Row = connection.execute("SELECT * FROM contact_folder WHERE pk = ?", (pk,)).fetchone()
    return row


def child_folders(connection: sqlite3.Connection, parent_pk: int) -> list[sqlite3.Row]:
    return connection.execute("SELECT * FROM contact_folder WHERE parent_pk = ? ORDER BY pk", (parent_pk,)).fetchall()


def create_folder(
    connection: sqlite3.Connection, user_pk: int, parent_pk: int, name: str, *, twin: bool = False
) -> int:
    """Create a folder and return its key. Raises FolderExistsError, unless a `twin` of the same name is wanted.

    Graph refuses twins; mailboxes have them all the same, from synchronising telephones.
    """
    with transaction(connection):
        if not twin and _taken(connection, parent_pk, name):
            raise FolderExistsError(name)
        return _insert_folder(connection, user_pk, parent_pk, name)


def rename_folder(connection: sqlite3.Connection, folder: sqlite3.Row, name: str) -> None:
    """Give the folder another display name. Raises FolderExistsError."""
    with transaction(connection):
        if _taken(connection, folder["parent_pk"], name, but=folder["pk"]):
            raise FolderExistsError(name)
        connection.execute(
            "UPDATE contact_folder SET name = ?, seq = ? WHERE pk = ?", (name, next_seq(connection), folder["pk"])
        )


def delete_folder(connection: sqlite3.Connection, folder: sqlite3.Row) -> None:
    """Delete the folder with all it contains; each folder and contact is reported removed."""
    with transaction(connection):
        for child in child_folders(connection, folder["pk"]):
            delete_folder(connection, child)
        for row in connection.execute("SELECT * FROM contact WHERE folder_pk = ?", (folder["pk"],)).fetchall():
            delete(connection, row)
        scope = folder_scope(folder["user_pk"])
        seq = next_seq(connection)
        connection.execute("INSERT INTO tombstone VALUES (?, ?, ?, ?)", (scope, seq, folder["id"], folder["id"]))
        connection.execute("DELETE FROM contact_folder WHERE pk = ?", (folder["pk"],))


def with_names(properties: Json) -> Json:
    """Fill in what Exchange makes up for a new contact: the name shown, and the name it is filed under."""
    given, surname = str(properties.get("givenName") or ""), str(properties.get("surname") or "")
    shown = " ".join(filter(None, (given, surname))) or str(properties.get("companyName") or "")
    filed = ", ".join(filter(None, (surname, given))) or shown
    return {
        **properties,
        "displayName": properties.get("displayName") or shown,
        "fileAs": properties.get("fileAs") or filed,
    }


def insert(
    connection: sqlite3.Connection, user_pk: int, folder_pk: int, properties: Json, extended: dict[str, str]
) -> int:
    """Store a contact and return its key."""
    stamp = iso(now())
    with transaction(connection):
        secret, seq = state_secret(connection), next_seq(connection)
        cursor = connection.execute(
            "INSERT INTO contact (user_pk, folder_pk, id, immutable_id, seq, created, modified, properties)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                user_pk,
                folder_pk,
                regular_id(secret, "contact", seq),
                immutable_id(secret, "contact", seq),
                seq,
                stamp,
                stamp,
                json.dumps(properties, ensure_ascii=False),
            ),
        )
        assert cursor.lastrowid is not None
        set_extended(connection, cursor.lastrowid, extended)
    return cursor.lastrowid


def find_contact(connection: sqlite3.Connection, user_pk: int, key: str) -> sqlite3.Row:
    """Find a contact of the mailbox by either of its ids. Raises ContactNotFoundError."""
    row: sqlite3.Row | None = connection.execute(
        "SELECT * FROM contact WHERE user_pk = ? AND ? IN (id, immutable_id)", (user_pk, key)
    ).fetchone()
    if row is None:
        raise ContactNotFoundError(key)
    return row


def by_pk(connection: sqlite3.Connection, pk: int) -> sqlite3.Row:
    row: sqlite3.Row = connection.execute("SELECT * FROM contact WHERE pk = ?", (pk,)).fetchone()
    return row


def update(connection: sqlite3.Connection, row: sqlite3.Row, changes: Json, extended: dict[str, str]) -> None:
    """Merge changed properties into the contact and give it a new change key."""
    with transaction(connection):
        properties = json.loads(by_pk(connection, row["pk"])["properties"]) | changes
        connection.execute(
            "UPDATE contact SET properties = ?, seq = ?, modified = ? WHERE pk = ?",
            (json.dumps(properties, ensure_ascii=False), next_seq(connection), iso(now()), row["pk"]),
        )
        set_extended(connection, row["pk"], extended)


def set_photo(connection: sqlite3.Connection, row: sqlite3.Row, content: bytes, content_type: str) -> None:
    """Give the contact a picture; as an attachment of it, that changes the contact."""
    with transaction(connection):
        connection.execute(
            "UPDATE contact SET photo = ?, photo_type = ?, seq = ?, modified = ? WHERE pk = ?",
            (content, content_type, next_seq(connection), iso(now()), row["pk"]),
        )


def move(connection: sqlite3.Connection, row: sqlite3.Row, folder_pk: int) -> None:
    """Move a contact, as Outlook can and Graph cannot: only its immutable id stays."""
    with transaction(connection):
        _bury(connection, row)
        seq = next_seq(connection)
        connection.execute(
            "UPDATE contact SET folder_pk = ?, id = ?, seq = ?, modified = ? WHERE pk = ?",
            (folder_pk, regular_id(state_secret(connection), "contact", seq), seq, iso(now()), row["pk"]),
        )


def delete(connection: sqlite3.Connection, row: sqlite3.Row) -> None:
    """Delete a contact; no contact folder shows it any more."""
    with transaction(connection):
        _bury(connection, row)
        connection.execute("DELETE FROM contact_property WHERE contact_pk = ?", (row["pk"],))
        connection.execute("DELETE FROM contact WHERE pk = ?", (row["pk"],))


def set_extended(connection: sqlite3.Connection, pk: int, extended: dict[str, str]) -> None:
    for property_id, value in extended.items():
        connection.execute(
            "INSERT OR REPLACE INTO contact_property VALUES (?, ?, ?, ?)",
            (pk, property_id, normalized_property(property_id), value),
        )


def _taken(connection: sqlite3.Connection, parent_pk: int, name: str, but: int | None = None) -> bool:
    siblings = child_folders(connection, parent_pk)
    return any(row["name"].lower() == name.lower() and row["pk"] != but for row in siblings)


def _insert_folder(connection: sqlite3.Connection, user_pk: int, parent_pk: int | None, name: str) -> int:
    seq = next_seq(connection)
    folder_id = regular_id(state_secret(connection), "contactFolder", seq)
    cursor = connection.execute(
        "INSERT INTO contact_folder (user_pk, parent_pk, id, name, seq) VALUES (?, ?, ?, ?, ?)",
        (user_pk, parent_pk, folder_id, name, seq),
    )
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def _bury(connection: sqlite3.Connection, row: sqlite3.Row) -> None:
    connection.execute(
        "INSERT INTO tombstone VALUES (?, ?, ?, ?)",
        (contact_scope(row["folder_pk"]), next_seq(connection), row["id"], row["immutable_id"]),
    )
