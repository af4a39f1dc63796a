"""What administrators granted to apps, when it takes effect, and the entries this leaves in the directory audit."""

import json
import sqlite3
from datetime import timedelta

from graph_simulator.database import state_secret, transaction
from graph_simulator.directory import App, Tenant
from graph_simulator.identifiers import derived_guid
from graph_simulator.permissions import APP_ROLES, DELEGATED, PROFILES
from graph_simulator.persons import Person
from graph_simulator.times import iso, now

GRANTED = "Consent to application"


def granted_roles(connection: sqlite3.Connection, app: App) -> list[tuple[str, str]]:
    """Return (app role id, instant of consent) of everything an administrator has granted to the app."""
    rows = connection.execute("SELECT role_id, created FROM consent WHERE app_pk = ? ORDER BY role_id", (app.pk,))
    return [(row["role_id"], row["created"]) for row in rows]


def effective_roles(connection: sqlite3.Connection, app: App) -> list[str]:
    """Return the ids of the app roles that a token of this moment carries: a new grant spreads with some delay."""
    rows = connection.execute(
        "SELECT role_id FROM consent WHERE app_pk = ? AND (effective IS NULL OR effective <= ?)", (app.pk, iso(now()))
    )
    return [row["role_id"] for row in rows]


def granted_scopes(connection: sqlite3.Connection, app: App) -> list[str]:
    """Return the delegated permissions that were granted for everybody."""
    rows = connection.execute("SELECT scope FROM delegated_consent WHERE app_pk = ? ORDER BY scope", (app.pk,))
    return [row["scope"] for row in rows]


def grant(connection: sqlite3.Connection, app: App, person: Person | None = None) -> None:
    """Grant everything the app asks for; with a `person` the directory audit says who did."""
    with transaction(connection):
        delay = connection.execute("SELECT consent_delay FROM tenant WHERE id = ?", (app.tenant_id,)).fetchone()[0]
        effective = iso(now() + timedelta(seconds=delay)) if delay else None
        connection.execute("UPDATE app SET removed = 0 WHERE pk = ?", (app.pk,))
        for permission in PROFILES[app.profile]:
            _insert(connection, app, permission, effective)
        for scope in DELEGATED.get(app.profile, ()):
            connection.execute("INSERT OR IGNORE INTO delegated_consent VALUES (?, ?)", (app.pk, scope))
        if person is not None:
            _record(connection, app, person, (*PROFILES[app.profile], *DELEGATED.get(app.profile, ())))


def revoke(connection: sqlite3.Connection, app: App) -> None:
    """Take back everything that was granted to the app."""
    with transaction(connection):
        connection.execute("DELETE FROM consent WHERE app_pk = ?", (app.pk,))
        connection.execute("DELETE FROM delegated_consent WHERE app_pk = ?", (app.pk,))


def set_role(connection: sqlite3.Connection, app: App, permission: str, *, granted: bool) -> None:
    """Grant or take back one application permission, also one the app does not ask for."""
    if granted:
        _insert(connection, app, permission, None)
    else:
        connection.execute("DELETE FROM consent WHERE app_pk = ? AND role_id = ?", (app.pk, APP_ROLES[permission]))


def set_delay(connection: sqlite3.Connection, tenant: Tenant, seconds: float) -> None:
    """Let every consent of the tenant take effect so many seconds after it was given."""
    connection.execute("UPDATE tenant SET consent_delay = ? WHERE id = ?", (seconds, tenant.id))


def remove_principal(connection: sqlite3.Connection, app: App) -> None:
    """Delete the enterprise application, as a customer does in the portal; the next consent makes it anew."""
    with transaction(connection):
        connection.execute("UPDATE app SET removed = 1 WHERE pk = ?", (app.pk,))
        revoke(connection, app)


def entries(connection: sqlite3.Connection, tenant: Tenant) -> list[sqlite3.Row]:
    """Return the rows of the tenant's directory audit, newest first."""
    return connection.execute(
        "SELECT audit.*, app.principal_id, app.profile FROM audit JOIN app ON app.pk = audit.app_pk"
        " WHERE app.tenant_id = ? ORDER BY audit.pk DESC",
        (tenant.id,),
    ).fetchall()


def _insert(connection: sqlite3.Connection, app: App, permission: str, effective: str | None) -> None:
    connection.execute(
        "INSERT OR IGNORE INTO consent (app_pk, role_id, created, effective) VALUES (?, ?, ?, ?)",
        (app.pk, APP_ROLES[permission], iso(now()), effective),
    )


def _record(connection: sqlite3.Connection, app: App, person: Person, permissions: tuple[str, ...]) -> None:
    at = iso(now())
    count = connection.execute("SELECT count(*) FROM audit").fetchone()[0]
    entry_id = derived_guid(state_secret(connection), "audit", app.app_id, at, str(count))
    connection.execute(
        "INSERT INTO audit (id, at, activity, app_pk, person_id, person_upn, permissions) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (entry_id, at, GRANTED, app.pk, person.id, person.upn, json.dumps(permissions)),
    )
