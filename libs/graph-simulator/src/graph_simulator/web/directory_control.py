"""What an administrator, or somebody on premises, does to the directory, by the control API.

Nothing here is restricted as Graph restricts apps: whole profiles may be set, whoever is their master.
"""

import json
import sqlite3
from typing import Any

from starlette.responses import JSONResponse, Response

from graph_simulator import consents, directory, directory_objects, folders, persons
from graph_simulator.directory import Tenant
from graph_simulator.directory_objects import Kind, State

_UNKNOWN = 404
_ACTIONS = {"delete": State.DELETED, "restore": State.LIVE, "purge": State.PURGED}
_KINDS = {"groups": Kind.GROUP, "org-contacts": Kind.ORG_CONTACT}


def answer(connection: sqlite3.Connection, tenant: Tenant, method: str, rest: list[str], body: bytes) -> Response:
    """`users`, `groups`, `org-contacts`, `roles` and `consent-delay` of one tenant. Raises UnknownNameError."""
    content: dict[str, Any] = json.loads(body) if body else {}
    match (method, *rest):
        case (_, "users", *what):
            return _users(connection, tenant, [method, *what], content)
        case ("PUT", "roles", person):
            persons.set_roles(connection, tenant, person, list(content["roles"]))
        case ("PUT", "consent-delay"):
            consents.set_delay(connection, tenant, float(content["seconds"]))
        case ("POST", collection) if collection in _KINDS:
            return _row(directory_objects.create(connection, tenant, _KINDS[collection], content), 201)
        case ("PATCH" | "DELETE", collection, key) if collection in _KINDS:
            found = directory_objects.find(connection, tenant.id, _KINDS[collection], key)
            if method == "DELETE":
                directory_objects.set_state(connection, _KINDS[collection], found, State.PURGED)
            else:
                directory_objects.update(connection, _KINDS[collection], found, content)
        case ("PUT" | "DELETE", "groups", key, "members", member):
            group = directory_objects.find(connection, tenant.id, Kind.GROUP, key)
            directory_objects.set_member(connection, group, member, member=method == "PUT")
        case _:
            return _unknown()
    return Response(status_code=204)


def _users(connection: sqlite3.Connection, tenant: Tenant, what: list[str], content: dict[str, Any]) -> Response:
    match what:
        case ["POST"]:
            return _row(create_user(connection, tenant, content), 201)
        case ["PATCH", key]:
            user = directory.find_user(connection, tenant.id, key)
            directory_objects.update(connection, Kind.USER, user, content)
            return _row(_user(connection, user["id"]))
        case ["POST", key, action] if action in _ACTIONS:
            directory_objects.set_state(connection, Kind.USER, _user(connection, key), _ACTIONS[action])
            return _row(_user(connection, key))
        case _:
            return _unknown()


def _unknown() -> Response:
    return JSONResponse({"error": "no such control operation"}, _UNKNOWN)


def create_user(connection: sqlite3.Connection, tenant: Tenant, content: dict[str, Any]) -> sqlite3.Row:
    """Create a user from `{"name": …, "mailbox": true, "admin": false, "properties": {…}}`."""
    properties = dict(content.get("properties", {}))
    pk = directory.create_user(connection, tenant, str(content["name"]), **properties)
    connection.execute("UPDATE user SET is_admin = ? WHERE pk = ?", (bool(content.get("admin")), pk))
    if content.get("mailbox", True):
        folders.create_mailbox(connection, pk)
    row: sqlite3.Row = connection.execute("SELECT * FROM user WHERE pk = ?", (pk,)).fetchone()
    return row


def _user(connection: sqlite3.Connection, user_id: str) -> sqlite3.Row:
    """Find a user in whatever state."""
    row: sqlite3.Row | None = connection.execute("SELECT * FROM user WHERE id = ?", (user_id,)).fetchone()
    if row is None:
        raise directory.UnknownNameError(user_id)
    return row


def _row(row: sqlite3.Row, status: int = 200) -> Response:
    return JSONResponse({"id": row["id"], "state": row["state"], "properties": json.loads(row["profile"])}, status)
