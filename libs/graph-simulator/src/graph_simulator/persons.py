"""People who sign in: users of the tenant and its administrator, with their directory roles.

The administrator is nobody of the directory's lists, so that a seeded tenant has the users its seed says. What the
simulated person may do follows from the roles of the moment, as in Entra.
"""

import json
import sqlite3
from dataclasses import dataclass

from graph_simulator import directory
from graph_simulator.database import state_secret, transaction
from graph_simulator.directory import Tenant, UnknownNameError
from graph_simulator.identifiers import derived_guid
from graph_simulator.permissions import DIRECTORY_ROLES, ROLES_FOR_SCOPE

DEFAULT_ROLE = "privileged-role-administrator"


@dataclass(frozen=True, slots=True)
class Person:
    id: str
    tenant_id: str
    upn: str
    name: str
    roles: frozenset[str]

    def may(self, scopes: frozenset[str]) -> frozenset[str]:
        """Return what of the delegated permissions the person's own rights leave."""
        return frozenset(name for name in scopes if not (needed := ROLES_FOR_SCOPE.get(name)) or needed & self.roles)


def administrator(connection: sqlite3.Connection, tenant: Tenant) -> Person:
    """Return the person who consents when nobody else is named."""
    row = connection.execute("SELECT roles FROM administrator WHERE tenant_id = ?", (tenant.id,)).fetchone()
    roles = [DEFAULT_ROLE] if row is None else json.loads(row["roles"])
    person_id = derived_guid(state_secret(connection), "administrator", tenant.id)
    return Person(person_id, tenant.id, f"admin@{tenant.domain}", "Tenant Administrator", frozenset(roles))


def find(connection: sqlite3.Connection, tenant: Tenant, key: str) -> Person:
    """Find a person by id or user principal name. Raises UnknownNameError."""
    admin = administrator(connection, tenant)
    if key.lower() in (admin.id, admin.upn):
        return admin
    user = directory.find_user(connection, tenant.id, key)
    rows = connection.execute("SELECT role FROM role_assignment WHERE user_id = ?", (user["id"],))
    name = str(json.loads(user["profile"])["displayName"])
    return Person(user["id"], tenant.id, user["upn"], name, frozenset(row["role"] for row in rows))


def set_roles(connection: sqlite3.Connection, tenant: Tenant, key: str, roles: list[str]) -> Person:
    """Give the person these directory roles and no other. Raises UnknownNameError, also for an unknown role."""
    for role in roles:
        if role not in DIRECTORY_ROLES:
            raise UnknownNameError(f"no directory role {role}")
    person = find(connection, tenant, key)
    with transaction(connection):
        if person.id == administrator(connection, tenant).id:
            connection.execute("INSERT OR REPLACE INTO administrator VALUES (?, ?)", (tenant.id, json.dumps(roles)))
        else:
            connection.execute("DELETE FROM role_assignment WHERE user_id = ?", (person.id,))
            connection.executemany(
                "INSERT OR IGNORE INTO role_assignment VALUES (?, ?)", [(person.id, role) for role in roles]
            )
    return find(connection, tenant, key)


def assignments(connection: sqlite3.Connection, tenant: Tenant) -> list[tuple[str, str]]:
    """Return (person id, role) of everybody who has a directory role."""
    admin = administrator(connection, tenant)
    rows = connection.execute(
        "SELECT user_id, role FROM role_assignment JOIN user ON user.id = user_id WHERE tenant_id = ?"
        " ORDER BY user_id, role",
        (tenant.id,),
    )
    return [*((admin.id, role) for role in sorted(admin.roles)), *((row["user_id"], row["role"]) for row in rows)]
