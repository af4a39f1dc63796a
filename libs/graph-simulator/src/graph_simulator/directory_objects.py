"""Users, groups and organisational contacts as Entra ID keeps them, with the log that the directory's delta reads.

Every change takes a number (`seq`) and one line per changed property, so that a reader who tracks few properties hears
of few changes. https://learn.microsoft.com/graph/delta-query-overview
"""

import json
import sqlite3
from collections.abc import Iterable, Mapping
from enum import StrEnum

from graph_simulator.database import next_seq, state_secret, transaction
from graph_simulator.directory import Tenant, UnknownNameError, find_user
from graph_simulator.identifiers import derived_guid

Json = dict[str, object]

CREATED = "@created"
MEMBER_ADDED, MEMBER_REMOVED = "members+", "members-"


class Kind(StrEnum):
    """What the directory holds; the value is Graph's type name."""

    USER = "user"
    GROUP = "group"
    ORG_CONTACT = "orgContact"


class State(StrEnum):
    """Deleted objects can be restored, purged ones are gone."""

    LIVE = "live"
    DELETED = "deleted"
    PURGED = "purged"


def create(connection: sqlite3.Connection, tenant: Tenant, kind: Kind, profile: Mapping[str, object]) -> sqlite3.Row:
    """Create a group or an organisational contact with these Graph properties."""
    with transaction(connection):
        seq = next_seq(connection)
        object_id = derived_guid(state_secret(connection), kind, str(seq))
        text = json.dumps({**profile, "id": object_id}, ensure_ascii=False)
        connection.execute(
            "INSERT INTO directory_object (id, tenant_id, kind, profile, seq) VALUES (?, ?, ?, ?, ?)",
            (object_id, tenant.id, kind, text, seq),
        )
        _log(connection, seq, object_id, [CREATED])
    return find(connection, tenant.id, kind, object_id)


def find(connection: sqlite3.Connection, tenant_id: str, kind: Kind, key: str) -> sqlite3.Row:
    """Find a live object by id. Raises UnknownNameError."""
    if kind is Kind.USER:
        return find_user(connection, tenant_id, key)
    row: sqlite3.Row | None = connection.execute(
        "SELECT * FROM directory_object WHERE tenant_id = ? AND kind = ? AND id = ? AND state = 'live'",
        (tenant_id, kind, key.lower()),
    ).fetchone()
    if row is None:
        raise UnknownNameError(key)
    return row


def live(connection: sqlite3.Connection, tenant_id: str, kind: Kind) -> list[sqlite3.Row]:
    """Return all that can be seen, in the order of their creation."""
    return connection.execute(
        f"SELECT * FROM {table(kind)} WHERE tenant_id = ? AND {_of(kind)} AND state = 'live' ORDER BY pk",  # noqa: S608 - constants
        (tenant_id,),
    ).fetchall()


def changed_since(
    connection: sqlite3.Connection, tenant_id: str, kind: Kind, after: int, limit: int
) -> list[sqlite3.Row]:
    """Return objects in whatever state by the number of their last change."""
    return connection.execute(
        f"SELECT * FROM {table(kind)} WHERE tenant_id = ? AND {_of(kind)} AND seq > ? ORDER BY seq LIMIT ?",  # noqa: S608 - constants
        (tenant_id, after, limit),
    ).fetchall()


def changes_of(connection: sqlite3.Connection, object_id: str, after: int) -> list[str]:
    """Return the names of the properties that changed after a number, oldest first."""
    rows = connection.execute(
        "SELECT property FROM directory_change WHERE object_id = ? AND seq > ? ORDER BY seq, rowid", (object_id, after)
    )
    return [row["property"] for row in rows]


def update(connection: sqlite3.Connection, kind: Kind, row: sqlite3.Row, changes: Mapping[str, object]) -> None:
    """Merge changed properties into the object; what stays as it is is no change."""
    with transaction(connection):
        before = json.loads(row["profile"])
        changed = [name for name, value in changes.items() if before.get(name) != value]
        if not changed:
            return
        seq = next_seq(connection)
        after = json.dumps({**before, **changes}, ensure_ascii=False)
        connection.execute(
            f"UPDATE {table(kind)} SET profile = ?, previous = ?, seq = ? WHERE pk = ?",  # noqa: S608 - constants
            (after, row["profile"], seq, row["pk"]),
        )
        if kind is Kind.USER and "userPrincipalName" in changes:
            upn = str(changes["userPrincipalName"]).lower()
            connection.execute("UPDATE user SET upn = ? WHERE pk = ?", (upn, row["pk"]))
        _log(connection, seq, row["id"], changed)


def set_state(connection: sqlite3.Connection, kind: Kind, row: sqlite3.Row, state: State) -> None:
    """Delete, restore or purge; a deleted user's name is free for somebody else."""
    with transaction(connection):
        seq = next_seq(connection)
        connection.execute(
            f"UPDATE {table(kind)} SET state = ?, seq = ? WHERE pk = ?",  # noqa: S608 - constants
            (state, seq, row["pk"]),
        )
        if kind is Kind.USER:
            upn = json.loads(row["profile"])["userPrincipalName"].lower()
            shown = upn if state is State.LIVE else f"{row['id'].replace('-', '')}{upn}"
            connection.execute("UPDATE user SET upn = ? WHERE pk = ?", (shown, row["pk"]))
        _log(connection, seq, row["id"], [f"@{state}"])
        for group in groups_of(connection, row["id"], transitive=False):
            _note_member(connection, group, row["id"], member=state is State.LIVE)


def set_member(connection: sqlite3.Connection, group: sqlite3.Row, member_id: str, *, member: bool) -> None:
    """Put an object into a group, or take it out."""
    with transaction(connection):
        sql = (
            "INSERT OR IGNORE INTO group_member VALUES (?, ?)"
            if member
            else ("DELETE FROM group_member WHERE group_pk = ? AND member_id = ?")
        )
        if connection.execute(sql, (group["pk"], member_id)).rowcount:
            _note_member(connection, group, member_id, member=member)


def members(connection: sqlite3.Connection, group_id: str) -> list[tuple[Kind, sqlite3.Row]]:
    """Return the direct members that are there, in the order in which they came."""
    rows = connection.execute(
        "SELECT member_id FROM group_member JOIN directory_object ON group_pk = pk WHERE id = ?"
        " ORDER BY group_member.rowid",
        (group_id,),
    )
    found = (_object(connection, row["member_id"]) for row in rows.fetchall())
    return [each for each in found if each is not None]


def transitive_members(connection: sqlite3.Connection, group_id: str) -> list[tuple[Kind, sqlite3.Row]]:
    """Return the members and the members of groups among them, each once; rings of groups end."""
    found: dict[str, tuple[Kind, sqlite3.Row]] = {}
    todo = [group_id]
    while todo:
        for kind, row in members(connection, todo.pop(0)):
            if row["id"] not in found and row["id"] != group_id:
                found[row["id"]] = (kind, row)
                todo += [row["id"]] if kind is Kind.GROUP else []
    return list(found.values())


def groups_of(connection: sqlite3.Connection, object_id: str, *, transitive: bool) -> list[sqlite3.Row]:
    """Return the groups an object is a member of, also through other groups when `transitive`."""
    found: dict[str, sqlite3.Row] = {}
    todo = [object_id]
    while todo:
        rows = connection.execute(
            "SELECT directory_object.* FROM group_member JOIN directory_object ON group_pk = pk"
            " WHERE member_id = ? AND state = 'live' ORDER BY pk",
            (todo.pop(0),),
        ).fetchall()
        new = [row for row in rows if row["id"] not in found and row["id"] != object_id]
        found |= {row["id"]: row for row in new}
        todo += [row["id"] for row in new] if transitive else []
    return list(found.values())


def table(kind: Kind) -> str:
    return "user" if kind is Kind.USER else "directory_object"


def _of(kind: Kind) -> str:
    return "1" if kind is Kind.USER else f"kind = '{kind}'"


def _object(connection: sqlite3.Connection, object_id: str) -> tuple[Kind, sqlite3.Row] | None:
    user = connection.execute("SELECT * FROM user WHERE id = ? AND state = 'live'", (object_id,)).fetchone()
    if user is not None:
        return Kind.USER, user
    other = connection.execute(
        "SELECT * FROM directory_object WHERE id = ? AND state = 'live'", (object_id,)
    ).fetchone()
    return None if other is None else (Kind(other["kind"]), other)


def _note_member(connection: sqlite3.Connection, group: sqlite3.Row, member_id: str, *, member: bool) -> None:
    seq = next_seq(connection)
    connection.execute("UPDATE directory_object SET seq = ? WHERE pk = ?", (seq, group["pk"]))
    _log(connection, seq, group["id"], [(MEMBER_ADDED if member else MEMBER_REMOVED) + member_id])


def _log(connection: sqlite3.Connection, seq: int, object_id: str, properties: Iterable[str]) -> None:
    rows = [(seq, object_id, name) for name in properties]
    connection.executemany("INSERT INTO directory_change VALUES (?, ?, ?)", rows)
