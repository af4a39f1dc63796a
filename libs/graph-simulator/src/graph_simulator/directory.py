"""Tenants, app registrations and users: what Entra ID keeps."""

import base64
import hashlib
import json
import secrets
import sqlite3
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from graph_simulator.database import next_seq, state_secret, transaction
from graph_simulator.identifiers import derived_guid
from graph_simulator.permissions import APP_ROLES, CONSENTED, DELEGATED, PROFILES
from graph_simulator.times import iso, now

SECRET_LIFE = timedelta(days=730)


class UnknownNameError(LookupError):
    """No tenant, app or user of that name in this state folder."""


@dataclass(frozen=True, slots=True)
class Tenant:
    id: str
    name: str
    domain: str


@dataclass(frozen=True, slots=True)
class App:
    pk: int
    tenant_id: str
    profile: str
    app_id: str
    object_id: str
    principal_id: str
    enabled: bool
    created: str
    removed: bool
    """The tenant's administrator deleted the enterprise application; the registration is the publisher's."""


def create_tenant(connection: sqlite3.Connection, name: str, consented: Collection[str] = CONSENTED) -> Tenant:
    """Return the tenant of that name, creating it and its app registrations, some of them consented, on first use."""
    with transaction(connection):
        secret = state_secret(connection)
        tenant = Tenant(derived_guid(secret, "tenant", name), name, f"{name}.onmicrosoft.com")
        connection.execute(
            "INSERT OR IGNORE INTO tenant (id, name, domain, created) VALUES (?, ?, ?, ?)",
            (tenant.id, tenant.name, tenant.domain, iso(now())),
        )
        for profile, permissions in PROFILES.items():
            _create_app(connection, secret, tenant, profile, permissions if profile in consented else ())
    return tenant


def find_tenant(connection: sqlite3.Connection, name: str) -> Tenant:
    """Find a tenant by name, id or domain. Raises UnknownNameError."""
    row = connection.execute(
        "SELECT id, name, domain FROM tenant WHERE ? IN (id, name, domain)", (name.lower(),)
    ).fetchone()
    if row is None:
        raise UnknownNameError(f"no tenant {name}")
    return Tenant(**row)


def find_app(connection: sqlite3.Connection, tenant_id: str, key: str) -> App:
    """Find an app of the tenant by client id, object id, service principal id or profile name."""
    row = connection.execute(
        "SELECT * FROM app WHERE tenant_id = ? AND ? IN (app_id, object_id, principal_id, profile)",
        (tenant_id, key.lower()),
    ).fetchone()
    if row is None:
        raise UnknownNameError(f"no app {key} in tenant {tenant_id}")
    return App(**{**row, "enabled": bool(row["enabled"]), "removed": bool(row["removed"])})


def add_secret(connection: sqlite3.Connection, app_pk: int) -> str:
    """Give the app one more client secret and return its text."""
    text = f"{secrets.token_urlsafe(2)[:3]}8Q~{secrets.token_urlsafe(26)[:34]}"
    starts = now()
    connection.execute(
        "INSERT INTO client_secret VALUES (?, ?, ?, ?, ?)",
        (derived_guid(text.encode(), "key"), app_pk, text, iso(starts), iso(starts + SECRET_LIFE)),
    )
    return text


def add_certificate(connection: sqlite3.Connection, app: App, certificate: x509.Certificate) -> dict[str, object]:
    """Let the app sign in with the key of this certificate; return its thumbprints (base64url without padding)."""
    der = certificate.public_bytes(serialization.Encoding.DER)
    sha1 = _thumbprint(hashlib.sha1(der, usedforsecurity=False).digest())
    sha256 = _thumbprint(hashlib.sha256(der).digest())
    connection.execute(
        "INSERT OR IGNORE INTO client_certificate VALUES (?, ?, ?, ?)",
        (app.pk, sha1, sha256, certificate.public_bytes(serialization.Encoding.PEM)),
    )
    return {"x5t": sha1, "x5t#S256": sha256}


def find_certificate(connection: sqlite3.Connection, app: App, sha1: str, sha256: str) -> x509.Certificate | None:
    """Find an uploaded certificate of the app by either thumbprint (empty: not given)."""
    row = connection.execute(
        "SELECT pem FROM client_certificate WHERE app_pk = ? AND (sha256 = ? OR sha1 = ?)", (app.pk, sha256, sha1)
    ).fetchone()
    return None if row is None else x509.load_pem_x509_certificate(row["pem"])


def certificates(connection: sqlite3.Connection, app: App) -> list[x509.Certificate]:
    """List what was uploaded for the app, in that order."""
    rows = connection.execute("SELECT pem FROM client_certificate WHERE app_pk = ? ORDER BY rowid", (app.pk,))
    return [x509.load_pem_x509_certificate(row["pem"]) for row in rows]


def remove_certificates(connection: sqlite3.Connection, app: App) -> int:
    return connection.execute("DELETE FROM client_certificate WHERE app_pk = ?", (app.pk,)).rowcount


def redirect_uris(connection: sqlite3.Connection, app: App) -> list[str]:
    rows = connection.execute("SELECT uri FROM redirect_uri WHERE app_pk = ? ORDER BY uri", (app.pk,))
    return [row["uri"] for row in rows]


def set_redirect_uris(connection: sqlite3.Connection, app: App, uris: list[str]) -> None:
    with transaction(connection):
        connection.execute("DELETE FROM redirect_uri WHERE app_pk = ?", (app.pk,))
        connection.executemany("INSERT OR IGNORE INTO redirect_uri VALUES (?, ?)", [(app.pk, uri) for uri in uris])


def expire_secrets(connection: sqlite3.Connection, app: App) -> None:
    """Let every client secret of the app end one second ago."""
    ended = iso(now() - timedelta(seconds=1))
    connection.execute("UPDATE client_secret SET ends = ? WHERE app_pk = ? AND ends > ?", (ended, app.pk, ended))


def credentials(
    connection: sqlite3.Connection, tenant: Tenant, profiles: Collection[str] = CONSENTED
) -> dict[str, object]:
    """Return what an administrator would note down: tenant id, and id and newest secret of each of these apps."""
    rows = connection.execute(
        "SELECT profile, app_id, (SELECT text FROM client_secret s WHERE s.app_pk = app.pk"
        " ORDER BY s.rowid DESC LIMIT 1) AS text FROM app WHERE tenant_id = ? ORDER BY profile",
        (tenant.id,),
    )
    apps = {
        row["profile"]: {"client_id": row["app_id"], "client_secret": row["text"]}
        for row in rows
        if row["profile"] in profiles
    }
    return {"tenant": tenant.name, "tenant_id": tenant.id, "apps": apps}


def create_user(connection: sqlite3.Connection, tenant: Tenant, mailbox: str, **properties: object) -> int:
    """Return the key of the user `mailbox@domain`, created with these Graph properties if it is new."""
    upn = f"{mailbox}@{tenant.domain}".lower()
    with transaction(connection):
        known = connection.execute("SELECT pk FROM user WHERE upn = ?", (upn,)).fetchone()
        pk: int = _insert_user(connection, tenant, mailbox, upn, properties) if known is None else known["pk"]
    return pk


def _insert_user(
    connection: sqlite3.Connection, tenant: Tenant, mailbox: str, upn: str, properties: dict[str, object]
) -> int:
    seq = next_seq(connection)
    user_id = derived_guid(state_secret(connection), "user", upn)
    if connection.execute("SELECT 1 FROM user WHERE id = ?", (user_id,)).fetchone():
        user_id = derived_guid(state_secret(connection), "user", upn, str(seq))  # of that name there was another one
    profile = {
        "displayName": mailbox,
        "givenName": None,
        "surname": None,
        "mail": upn,
        "jobTitle": None,
        "department": None,
        "mobilePhone": None,
        "businessPhones": [],
        "officeLocation": None,
        "preferredLanguage": "de-DE",
        "city": None,
        "country": "DE",
        "accountEnabled": True,
        "userType": "Member",
        "onPremisesSyncEnabled": None,
        "proxyAddresses": [f"SMTP:{upn}"],
        **properties,
        "id": user_id,
        "userPrincipalName": upn,
    }
    cursor = connection.execute(
        "INSERT INTO user (id, tenant_id, upn, profile, seq) VALUES (?, ?, ?, ?, ?)",
        (user_id, tenant.id, upn, json.dumps(profile, ensure_ascii=False), seq),
    )
    connection.execute("INSERT INTO directory_change VALUES (?, ?, '@created')", (seq, user_id))
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def find_user(connection: sqlite3.Connection, tenant_id: str, key: str) -> sqlite3.Row:
    """Find a user of the tenant who is not deleted by id or user principal name. Raises UnknownNameError."""
    row: sqlite3.Row | None = connection.execute(
        "SELECT * FROM user WHERE tenant_id = ? AND ? IN (id, upn) AND state = 'live'", (tenant_id, key.lower())
    ).fetchone()
    if row is None:
        raise UnknownNameError(key)
    return row


def _thumbprint(digest: bytes) -> str:
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _create_app(
    connection: sqlite3.Connection, secret: bytes, tenant: Tenant, profile: str, permissions: tuple[str, ...]
) -> None:
    ids = [derived_guid(secret, kind, tenant.name, profile) for kind in ("app", "object", "principal")]
    cursor = connection.execute(
        "INSERT OR IGNORE INTO app (tenant_id, profile, app_id, object_id, principal_id, created)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (tenant.id, profile, *ids, iso(now())),
    )
    if cursor.rowcount == 0:
        return
    app_pk = cursor.lastrowid
    assert app_pk is not None
    add_secret(connection, app_pk)
    if permissions:
        roles = [(app_pk, APP_ROLES[permission], iso(now())) for permission in permissions]
        connection.executemany("INSERT INTO consent (app_pk, role_id, created) VALUES (?, ?, ?)", roles)
        scopes = [(app_pk, scope) for scope in DELEGATED.get(profile, ())]
        connection.executemany("INSERT INTO delegated_consent VALUES (?, ?)", scopes)
