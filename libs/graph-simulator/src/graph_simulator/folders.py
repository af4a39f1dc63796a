"""Mail folders of a mailbox, as stored.

https://learn.microsoft.com/graph/api/resources/mailfolder
"""

import sqlite3
from collections.abc import Sequence

from graph_simulator.database import next_seq, state_secret, transaction
from graph_simulator.identifiers import regular_id

ROOT = "msgfolderroot"
DELETIONS = "recoverableitemsdeletions"
ARCHIVE_ROOT = "archivemsgfolderroot"
# Exchange names the folders of a new mailbox in the language of its owner; clients must go by the well-known name.
WELL_KNOWN = {
    "inbox": "Posteingang",
    "drafts": "Entwürfe",
    "sentitems": "Gesendete Elemente",
    "deleteditems": "Gelöschte Elemente",
    "junkemail": "Junk-E-Mail",
    "archive": "Archiv",
    "outbox": "Postausgang",
}


class FolderExistsError(Exception):
    """A folder of that name is already there; Graph answers ErrorFolderExists."""


class FolderNotFoundError(LookupError):
    """No such folder in this mailbox; Graph answers ErrorItemNotFound."""


def create_mailbox(connection: sqlite3.Connection, user_pk: int) -> None:
    """Give the user the folders of a fresh mailbox; a mailbox that exists stays as it is."""
    with transaction(connection):
        if connection.execute("SELECT 1 FROM folder WHERE user_pk = ? LIMIT 1", (user_pk,)).fetchone():
            return
        root = _insert(connection, user_pk, None, "Oberste Ebene des Informationsspeichers", well_known=ROOT)
        _insert(connection, user_pk, None, "Deletions", well_known=DELETIONS, hidden=True)
        for well_known, name in WELL_KNOWN.items():
            _insert(connection, user_pk, root, name, well_known=well_known)


def give_archive(connection: sqlite3.Connection, user_pk: int) -> None:
    """Switch the in-place archive on: its root answers, and nothing below it, as Graph v1.0 has it."""
    with transaction(connection):
        name = "Oberste Ebene des Informationsspeichers"
        _insert(connection, user_pk, None, name, well_known=ARCHIVE_ROOT, hidden=True)


def find_folder(connection: sqlite3.Connection, user_pk: int, key: str) -> sqlite3.Row:
    """Find a folder by id or well-known name. Raises FolderNotFoundError."""
    row: sqlite3.Row | None = connection.execute(
        "SELECT * FROM folder WHERE user_pk = ? AND (id = ? OR well_known = ?)", (user_pk, key, key.lower())
    ).fetchone()
    if row is None:
        raise FolderNotFoundError(key)
    return row


def create_folder(
    connection: sqlite3.Connection, user_pk: int, parent_pk: int, name: str, *, hidden: bool = False
) -> int:
    """Create a folder below the parent and return its key. Raises FolderExistsError."""
    with transaction(connection):
        if any(sibling["name"].lower() == name.lower() for sibling in children(connection, parent_pk)):
            raise FolderExistsError(name)
        pk = _insert(connection, user_pk, parent_pk, name, hidden=hidden)
        touch(connection, parent_pk)
    return pk


def folder_at(connection: sqlite3.Connection, user_pk: int, path: Sequence[str], *, hidden: bool = False) -> int:
    """Return the folder at the path of names below the root, creating what is missing.

    The first name may also be a well-known one such as `inbox`. `hidden` applies to a newly made last folder.
    """
    pk: int = find_folder(connection, user_pk, ROOT)["pk"]
    for depth, name in enumerate(path):
        match = [
            row
            for row in children(connection, pk)
            if row["name"].lower() == name.lower() or (depth == 0 and row["well_known"] == name.lower())
        ]
        last = depth == len(path) - 1
        pk = match[0]["pk"] if match else create_folder(connection, user_pk, pk, name, hidden=hidden and last)
    return pk


def children(connection: sqlite3.Connection, parent_pk: int) -> list[sqlite3.Row]:
    return connection.execute("SELECT * FROM folder WHERE parent_pk = ? ORDER BY pk", (parent_pk,)).fetchall()


def folder_path(connection: sqlite3.Connection, pk: int) -> list[str]:
    """Return the folder's names from the top level down, without the root; what is recoverable has a top of its own."""
    names: list[str] = []
    row = connection.execute("SELECT * FROM folder WHERE pk = ?", (pk,)).fetchone()
    while row is not None and row["well_known"] != ROOT:
        names.insert(0, row["name"])
        row = connection.execute("SELECT * FROM folder WHERE pk = ?", (row["parent_pk"],)).fetchone()
    return names


def rename_folder(connection: sqlite3.Connection, folder: sqlite3.Row, name: str) -> None:
    """Give the folder another display name. Raises FolderExistsError."""
    with transaction(connection):
        siblings = children(connection, folder["parent_pk"])
        if any(row["name"].lower() == name.lower() and row["pk"] != folder["pk"] for row in siblings):
            raise FolderExistsError(name)
        connection.execute("UPDATE folder SET name = ? WHERE pk = ?", (name, folder["pk"]))
        touch(connection, folder["pk"])


def touch(connection: sqlite3.Connection, pk: int) -> None:
    """Note that the folder changed, so that the folder delta shows it."""
    connection.execute("UPDATE folder SET seq = ? WHERE pk = ?", (next_seq(connection), pk))


def counts(connection: sqlite3.Connection, pk: int) -> tuple[int, int, int]:
    """Return the numbers of messages, unread messages and child folders."""
    row = connection.execute(
        "SELECT (SELECT count(*) FROM message WHERE folder_pk = :pk) AS total,"
        " (SELECT count(*) FROM message WHERE folder_pk = :pk AND is_read = 0) AS unread,"
        " (SELECT count(*) FROM folder WHERE parent_pk = :pk AND hidden = 0) AS folders",
        {"pk": pk},
    ).fetchone()
    return row["total"], row["unread"], row["folders"]


def _insert(
    connection: sqlite3.Connection,
    user_pk: int,
    parent_pk: int | None,
    name: str,
    *,
    well_known: str | None = None,
    hidden: bool = False,
) -> int:
    seq = next_seq(connection)
    folder_id = regular_id(state_secret(connection), "folder", seq)
    cursor = connection.execute(
        "INSERT INTO folder (user_pk, parent_pk, id, name, well_known, hidden, seq) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (user_pk, parent_pk, folder_id, name, well_known, hidden, seq),
    )
    assert cursor.lastrowid is not None
    return cursor.lastrowid
