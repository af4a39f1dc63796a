"""The tables of a search file (services/backup-service/README.md, "How search works")."""

import sqlite3

VERSION = 1
"""A file of another version is computed again."""

OPEN = 1 << 60
"""`last` of an item that is still there in the newest restore point of the file."""

_TABLES = """
CREATE TABLE points (n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, taken_at TEXT NOT NULL);
CREATE TABLE items (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL, kind TEXT NOT NULL, folder TEXT NOT NULL, container INTEGER NOT NULL,
    date INTEGER NOT NULL, size INTEGER NOT NULL, mark BLOB NOT NULL, flags TEXT NOT NULL, text INTEGER NOT NULL,
    first INTEGER NOT NULL, last INTEGER NOT NULL
);
CREATE INDEX items_by_folder ON items (folder, date, id) WHERE container = 0;
CREATE INDEX items_by_date ON items (date, id) WHERE container = 0;
CREATE INDEX items_by_key ON items (key, last);
CREATE INDEX items_by_text ON items (text);
CREATE INDEX items_of_places ON items (container) WHERE container = 1;
CREATE TABLE texts (
    id INTEGER PRIMARY KEY, source BLOB NOT NULL, date INTEGER NOT NULL, subject TEXT NOT NULL, sender TEXT NOT NULL,
    people TEXT NOT NULL, others TEXT NOT NULL, files TEXT NOT NULL, body BLOB NOT NULL
);
CREATE VIRTUAL TABLE words USING fts5 (
    subject, sender, people, files, body, content = '', tokenize = 'unicode61 remove_diacritics 0'
);
"""


class SearchUnsupported(Exception):
    """This Python's SQLite cannot search text."""


def require_full_text() -> None:
    """Raises SearchUnsupported when SQLite was built without FTS5: then no worker should start."""
    with sqlite3.connect(":memory:") as probe:
        try:
            probe.execute("CREATE VIRTUAL TABLE probe USING fts5 (text)")
        except sqlite3.OperationalError as error:
            raise SearchUnsupported(
                f"SQLite {sqlite3.sqlite_version} of this Python has no FTS5, which search needs: "
                "use a Python whose SQLite was built with it (Debian's and the official images are)"
            ) from error
    probe.close()


def create(connection: sqlite3.Connection) -> None:
    connection.executescript(_TABLES)
    connection.execute(f"PRAGMA user_version = {VERSION}")


def is_current(connection: sqlite3.Connection) -> bool:
    """Whether this release reads the file. A file that is none is of no version."""
    try:
        found = connection.execute("PRAGMA user_version").fetchone()
    except sqlite3.DatabaseError:
        return False
    return bool(found == (VERSION,))
