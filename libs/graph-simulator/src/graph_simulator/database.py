"""The simulator's state: one SQLite database in WAL mode, safe against kill -9 of any process that uses it.

Serving and seeding may happen at the same time from two processes. Every change of a mailbox takes a number
from one counter inside its write transaction, so a reader who has seen number N has seen everything up to N.
"""

import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FILE_NAME = "simulator.db"
SCHEMA_VERSION = 7
BUSY_TIMEOUT_SECONDS = 30.0

SCHEMA = """
CREATE TABLE counter (value INTEGER NOT NULL);
INSERT INTO counter VALUES (0);
CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL);

CREATE TABLE tenant (
    id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, domain TEXT NOT NULL UNIQUE, created TEXT NOT NULL);
CREATE TABLE app (
    pk INTEGER PRIMARY KEY, tenant_id TEXT NOT NULL REFERENCES tenant, profile TEXT NOT NULL,
    app_id TEXT NOT NULL UNIQUE, object_id TEXT NOT NULL, principal_id TEXT NOT NULL UNIQUE,
    enabled INTEGER NOT NULL DEFAULT 1, created TEXT NOT NULL, UNIQUE (tenant_id, profile));
CREATE TABLE client_secret (
    key_id TEXT PRIMARY KEY, app_pk INTEGER NOT NULL REFERENCES app, text TEXT NOT NULL,
    starts TEXT NOT NULL, ends TEXT NOT NULL);
CREATE TABLE consent (
    app_pk INTEGER NOT NULL REFERENCES app, role_id TEXT NOT NULL, created TEXT NOT NULL,
    PRIMARY KEY (app_pk, role_id));
CREATE TABLE signing_key (kid TEXT PRIMARY KEY, pem BLOB NOT NULL, certificate BLOB NOT NULL, created TEXT NOT NULL);
CREATE TABLE token (
    id TEXT PRIMARY KEY, app_pk INTEGER NOT NULL REFERENCES app, roles TEXT NOT NULL,
    expires INTEGER NOT NULL, revoked INTEGER NOT NULL DEFAULT 0);

CREATE TABLE user (
    pk INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, tenant_id TEXT NOT NULL REFERENCES tenant,
    upn TEXT NOT NULL UNIQUE, profile TEXT NOT NULL);
CREATE TABLE folder (
    pk INTEGER PRIMARY KEY, user_pk INTEGER NOT NULL REFERENCES user, parent_pk INTEGER REFERENCES folder,
    id TEXT NOT NULL UNIQUE, name TEXT NOT NULL, well_known TEXT, hidden INTEGER NOT NULL DEFAULT 0,
    seq INTEGER NOT NULL);
CREATE INDEX folder_parent ON folder (parent_pk);
CREATE INDEX folder_user ON folder (user_pk, seq);
CREATE TABLE message (
    pk INTEGER PRIMARY KEY, user_pk INTEGER NOT NULL REFERENCES user, folder_pk INTEGER NOT NULL REFERENCES folder,
    id TEXT NOT NULL UNIQUE, immutable_id TEXT NOT NULL UNIQUE, moves INTEGER NOT NULL DEFAULT 0,
    seq INTEGER NOT NULL, is_read INTEGER NOT NULL, is_draft INTEGER NOT NULL,
    received TEXT NOT NULL, sent TEXT NOT NULL, created TEXT NOT NULL, modified TEXT NOT NULL,
    internet_id TEXT NOT NULL, summary TEXT NOT NULL, size INTEGER NOT NULL, sha256 TEXT);
CREATE INDEX message_delta ON message (folder_pk, seq);
CREATE INDEX message_received ON message (folder_pk, received);
CREATE INDEX message_user ON message (user_pk, received);
CREATE INDEX message_unread ON message (folder_pk, is_read);
CREATE TABLE content (message_pk INTEGER PRIMARY KEY REFERENCES message, body TEXT, mime BLOB);
CREATE TABLE attachment (
    message_pk INTEGER NOT NULL REFERENCES message, ordinal INTEGER NOT NULL, kind TEXT NOT NULL,
    name TEXT NOT NULL, content_type TEXT, inline INTEGER NOT NULL, content_id TEXT, content BLOB NOT NULL,
    PRIMARY KEY (message_pk, ordinal));
CREATE TABLE extended_property (
    message_pk INTEGER NOT NULL REFERENCES message, id TEXT NOT NULL, match TEXT NOT NULL, value TEXT NOT NULL,
    PRIMARY KEY (message_pk, match));
CREATE INDEX extended_property_value ON extended_property (match, value);
CREATE TABLE tombstone (
    scope TEXT NOT NULL, seq INTEGER NOT NULL, id TEXT NOT NULL, immutable_id TEXT NOT NULL,
    PRIMARY KEY (scope, seq, id)) WITHOUT ROWID;
CREATE TABLE upload (
    token TEXT PRIMARY KEY, message_pk INTEGER NOT NULL REFERENCES message, item TEXT NOT NULL,
    size INTEGER NOT NULL, received INTEGER NOT NULL DEFAULT 0, expires TEXT NOT NULL);
CREATE TABLE fault (
    pk INTEGER PRIMARY KEY, spec TEXT NOT NULL, remaining INTEGER, skip INTEGER NOT NULL DEFAULT 0,
    fired INTEGER NOT NULL DEFAULT 0);
"""

UPGRADES = {
    2: """
CREATE TABLE client_certificate (
    app_pk INTEGER NOT NULL REFERENCES app, sha1 TEXT NOT NULL, sha256 TEXT NOT NULL, pem BLOB NOT NULL,
    PRIMARY KEY (app_pk, sha256));
CREATE TABLE redirect_uri (app_pk INTEGER NOT NULL REFERENCES app, uri TEXT NOT NULL, PRIMARY KEY (app_pk, uri));
""",
    3: """
CREATE TABLE contact_folder (
    pk INTEGER PRIMARY KEY, user_pk INTEGER NOT NULL REFERENCES user, parent_pk INTEGER REFERENCES contact_folder,
    id TEXT NOT NULL UNIQUE, name TEXT NOT NULL, seq INTEGER NOT NULL);
CREATE INDEX contact_folder_user ON contact_folder (user_pk, seq);
CREATE INDEX contact_folder_parent ON contact_folder (parent_pk);
CREATE TABLE contact (
    pk INTEGER PRIMARY KEY, user_pk INTEGER NOT NULL REFERENCES user,
    folder_pk INTEGER NOT NULL REFERENCES contact_folder, id TEXT NOT NULL UNIQUE,
    immutable_id TEXT NOT NULL UNIQUE, seq INTEGER NOT NULL, created TEXT NOT NULL, modified TEXT NOT NULL,
    properties TEXT NOT NULL, photo_type TEXT, photo BLOB);
CREATE INDEX contact_delta ON contact (folder_pk, seq);
CREATE INDEX contact_user ON contact (user_pk);
CREATE TABLE contact_property (
    contact_pk INTEGER NOT NULL REFERENCES contact, id TEXT NOT NULL, match TEXT NOT NULL, value TEXT NOT NULL,
    PRIMARY KEY (contact_pk, match));
CREATE INDEX contact_property_value ON contact_property (match, value);
""",
    4: """
CREATE TABLE calendar_group (
    pk INTEGER PRIMARY KEY, user_pk INTEGER NOT NULL REFERENCES user, id TEXT NOT NULL UNIQUE, name TEXT NOT NULL,
    seq INTEGER NOT NULL);
CREATE TABLE calendar (
    pk INTEGER PRIMARY KEY, user_pk INTEGER NOT NULL REFERENCES user,
    group_pk INTEGER NOT NULL REFERENCES calendar_group, id TEXT NOT NULL UNIQUE, name TEXT NOT NULL,
    color TEXT NOT NULL, is_default INTEGER NOT NULL, owner_name TEXT, owner_address TEXT,
    can_edit INTEGER NOT NULL, seq INTEGER NOT NULL);
CREATE INDEX calendar_user ON calendar (user_pk);
CREATE TABLE event (
    pk INTEGER PRIMARY KEY, user_pk INTEGER NOT NULL REFERENCES user,
    calendar_pk INTEGER NOT NULL REFERENCES calendar, id TEXT NOT NULL UNIQUE, immutable_id TEXT NOT NULL UNIQUE,
    moves INTEGER NOT NULL DEFAULT 0, seq INTEGER NOT NULL, created TEXT NOT NULL, modified TEXT NOT NULL,
    master_pk INTEGER REFERENCES event, original_day TEXT, zone TEXT NOT NULL, all_day INTEGER NOT NULL,
    starts TEXT NOT NULL, ends TEXT NOT NULL, starts_utc TEXT NOT NULL, ends_utc TEXT NOT NULL,
    recurrence TEXT, transaction_id TEXT, properties TEXT NOT NULL, UNIQUE (master_pk, original_day));
CREATE INDEX event_delta ON event (calendar_pk, seq);
CREATE INDEX event_user ON event (user_pk);
CREATE INDEX event_transaction ON event (user_pk, transaction_id);
CREATE TABLE cancelled_occurrence (
    master_pk INTEGER NOT NULL REFERENCES event, day TEXT NOT NULL, PRIMARY KEY (master_pk, day)) WITHOUT ROWID;
CREATE TABLE event_attachment (
    event_pk INTEGER NOT NULL REFERENCES event, ordinal INTEGER NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL,
    content_type TEXT, inline INTEGER NOT NULL, content_id TEXT, content BLOB NOT NULL,
    PRIMARY KEY (event_pk, ordinal));
CREATE TABLE event_property (
    event_pk INTEGER NOT NULL REFERENCES event, id TEXT NOT NULL, match TEXT NOT NULL, value TEXT NOT NULL,
    PRIMARY KEY (event_pk, match));
CREATE INDEX event_property_value ON event_property (match, value);
CREATE TABLE invitation (
    pk INTEGER PRIMARY KEY, user_pk INTEGER NOT NULL REFERENCES user, event_id TEXT NOT NULL, kind TEXT NOT NULL,
    recipient TEXT NOT NULL);
DROP TABLE upload;
CREATE TABLE upload (
    token TEXT PRIMARY KEY, message_pk INTEGER REFERENCES message, event_pk INTEGER REFERENCES event,
    item TEXT NOT NULL, size INTEGER NOT NULL, received INTEGER NOT NULL DEFAULT 0, expires TEXT NOT NULL);
""",
    5: """
-- The change number that the change key shows, while the read state alone has changed since.
ALTER TABLE message ADD COLUMN key_seq INTEGER;
""",
    6: """
ALTER TABLE user ADD COLUMN seq INTEGER NOT NULL DEFAULT 0;
ALTER TABLE user ADD COLUMN state TEXT NOT NULL DEFAULT 'live';
ALTER TABLE user ADD COLUMN previous TEXT;
ALTER TABLE user ADD COLUMN is_admin INTEGER NOT NULL DEFAULT 0;
UPDATE user SET seq = pk;
CREATE INDEX user_seq ON user (tenant_id, seq);
CREATE TABLE directory_object (
    pk INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, tenant_id TEXT NOT NULL REFERENCES tenant, kind TEXT NOT NULL,
    profile TEXT NOT NULL, previous TEXT, seq INTEGER NOT NULL, state TEXT NOT NULL DEFAULT 'live');
CREATE INDEX directory_object_seq ON directory_object (tenant_id, kind, seq);
CREATE TABLE group_member (
    group_pk INTEGER NOT NULL REFERENCES directory_object, member_id TEXT NOT NULL, PRIMARY KEY (group_pk, member_id));
CREATE INDEX group_member_of ON group_member (member_id);
CREATE TABLE directory_change (seq INTEGER NOT NULL, object_id TEXT NOT NULL, property TEXT NOT NULL);
CREATE INDEX directory_change_object ON directory_change (object_id, seq);
""",
    7: """
ALTER TABLE tenant ADD COLUMN consent_delay REAL NOT NULL DEFAULT 0;
ALTER TABLE app ADD COLUMN removed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE consent ADD COLUMN effective TEXT;
ALTER TABLE token ADD COLUMN person_id TEXT;
CREATE TABLE administrator (tenant_id TEXT PRIMARY KEY REFERENCES tenant, roles TEXT NOT NULL);
CREATE TABLE role_assignment (user_id TEXT NOT NULL, role TEXT NOT NULL, PRIMARY KEY (user_id, role)) WITHOUT ROWID;
CREATE TABLE delegated_consent (
    app_pk INTEGER NOT NULL REFERENCES app, scope TEXT NOT NULL, PRIMARY KEY (app_pk, scope)) WITHOUT ROWID;
CREATE TABLE audit (
    pk INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, at TEXT NOT NULL, activity TEXT NOT NULL,
    app_pk INTEGER NOT NULL REFERENCES app, person_id TEXT NOT NULL, person_upn TEXT NOT NULL,
    permissions TEXT NOT NULL);
CREATE TABLE authorization_code (
    hash TEXT PRIMARY KEY, app_pk INTEGER NOT NULL REFERENCES app, person_id TEXT NOT NULL, redirect_uri TEXT NOT NULL,
    challenge TEXT NOT NULL, nonce TEXT NOT NULL, scopes TEXT NOT NULL, expires TEXT NOT NULL);
CREATE TABLE refresh_token (
    hash TEXT PRIMARY KEY, app_pk INTEGER NOT NULL REFERENCES app, person_id TEXT NOT NULL, scopes TEXT NOT NULL);
""",
}
"""What each schema version adds to the one before it."""


class StateTooNewError(Exception):
    """The database was written by a newer simulator; start that one, or use another state folder."""


def open_database(state: Path) -> sqlite3.Connection:
    """Open DIR/simulator.db, creating it on first use. The connection is in autocommit mode."""
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = state / FILE_NAME
    path.touch(mode=0o600)
    connection = connect(path)
    with transaction(connection):
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            _create(connection)
        for number in range(max(version, 1) + 1, SCHEMA_VERSION + 1):
            _run(connection, UPGRADES[number])
        if version < SCHEMA_VERSION:
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    if version > SCHEMA_VERSION:
        raise StateTooNewError(f"{path} has schema {version}, this simulator reads {SCHEMA_VERSION}")
    return connection


def connect(path: Path) -> sqlite3.Connection:
    """Open an existing database file; the connection may be handed from thread to thread."""
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_SECONDS, isolation_level=None, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA journal_mode = WAL")
    # A commit survives the death of the process; only a power cut could undo the last ones.
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA cache_size = -32000")
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All or nothing; joins a transaction that is already open."""
    if connection.in_transaction:
        yield
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def next_seq(connection: sqlite3.Connection) -> int:
    """Take the next change number; call it inside a transaction."""
    value: int = connection.execute("UPDATE counter SET value = value + 1 RETURNING value").fetchone()[0]
    return value


def last_seq(connection: sqlite3.Connection) -> int:
    """Return the number of the newest committed change."""
    value: int = connection.execute("SELECT value FROM counter").fetchone()[0]
    return value


def state_secret(connection: sqlite3.Connection) -> bytes:
    """Return the random 32 bytes of this state folder, from which ids and opaque tokens are derived."""
    value: bytes = connection.execute("SELECT value FROM meta WHERE key = 'secret'").fetchone()[0]
    return value


def _create(connection: sqlite3.Connection) -> None:
    _run(connection, SCHEMA)
    connection.execute("INSERT INTO meta VALUES ('secret', ?)", (secrets.token_bytes(32),))


def _run(connection: sqlite3.Connection, statements: str) -> None:
    for statement in statements.split(";"):
        if statement.strip():
            connection.execute(statement)
