"""Signing keys and access tokens of the simulated Entra ID.

https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference
"""

import base64
import hashlib
import json
import secrets
import sqlite3
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from graph_simulator import directory, persons
from graph_simulator.database import transaction
from graph_simulator.directory import App, UnknownNameError
from graph_simulator.persons import Person
from graph_simulator.times import iso, now

AUDIENCE = "https://graph.microsoft.com"
SECRET_CREDENTIAL = "1"  # noqa: S105 - the documented value of the claim appidacr
CERTIFICATE_CREDENTIAL = "2"
CACHE_LIMIT = 10_000


class TokenInvalidError(Exception):
    """The access token is unknown, forged, expired or revoked; the text is what Graph says."""


@dataclass(frozen=True, slots=True)
class Caller:
    """The application behind an access token, and the person it acts for, if any.

    `roles` is what the call may do: application permissions, or what the person's own rights leave of delegated ones.
    """

    tenant_id: str
    app_id: str
    roles: frozenset[str]
    person_id: str | None = None


@dataclass(slots=True)
class Tokens:
    """Issues and checks access tokens; every issued token is a row, so that it can be revoked."""

    connection: sqlite3.Connection
    lifetime: timedelta
    opaque: bool = False
    sign_in_ahead: timedelta = timedelta()
    """How far the clock of the sign-in is ahead of Graph's: a token is not valid before Graph's clock has caught up."""
    _early: dict[str, datetime] = field(default_factory=dict)
    _checked: dict[str, str] = field(default_factory=dict)

    def issue(self, app: App, roles: list[str], credential: str = SECRET_CREDENTIAL) -> str:
        """Issue a token with the roles consented right now; later consent shows only in the next token.

        `credential` says how the app signed in (claim appidacr).
        """
        issued, identifier, expires = self._record(app, roles, None)
        named = {"roles": roles} if roles else {}
        subject = {"app_displayname": app.profile, "appidacr": credential, "idtyp": "app", "oid": app.principal_id}
        return self._access_token(app, issued, identifier, expires, {**subject, "sub": app.principal_id, **named})

    def issue_for(self, person: Person, app: App, scopes: list[str], credential: str) -> str:
        """Issue a token with which the app acts for a person; it names what was consented, not the person's rights."""
        issued, identifier, expires = self._record(app, scopes, person.id)
        subject = {"appidacr": credential, "idtyp": "user", "oid": person.id, "sub": person.id, "upn": person.upn}
        return self._access_token(app, issued, identifier, expires, {**subject, "scp": " ".join(scopes)})

    def identify(self, person: Person, app: App, issuer: str, nonce: str) -> str:
        """Issue an id_token (entra/identity-platform/id-token-claims-reference)."""
        issued = now() + self.sign_in_ahead
        claims = {
            "aud": app.app_id,
            "iss": issuer,
            "iat": int(issued.timestamp()),
            "nbf": int(issued.timestamp()),
            "exp": int((issued + self.lifetime).timestamp()),
            "name": person.name,
            "oid": person.id,
            "preferred_username": person.upn,
            "sub": _base64url(hashlib.sha256(f"{app.app_id}/{person.id}".encode()).digest()),
            "tid": app.tenant_id,
            "uti": secrets.token_urlsafe(16),
            "ver": "2.0",
        } | ({"nonce": nonce} if nonce else {})
        return self._signed(claims)

    def _record(self, app: App, permissions: list[str], person_id: str | None) -> tuple[datetime, str, int]:
        identifier = secrets.token_urlsafe(16)
        issued = now() + self.sign_in_ahead
        if issued > now():
            self._early[identifier] = issued
        expires = int((issued + self.lifetime).timestamp())
        self.connection.execute(
            "INSERT INTO token (id, app_pk, roles, expires, person_id) VALUES (?, ?, ?, ?, ?)",
            (identifier, app.pk, json.dumps(permissions), expires, person_id),
        )
        return issued, identifier, expires

    def _access_token(self, app: App, issued: datetime, identifier: str, expires: int, more: dict[str, object]) -> str:
        if self.opaque:
            return f"EwB{identifier}{secrets.token_urlsafe(120)}"[:160]
        claims = {
            "aud": AUDIENCE,
            "iss": f"https://sts.windows.net/{app.tenant_id}/",
            "iat": int(issued.timestamp()),
            "nbf": int(issued.timestamp()),
            "exp": expires,
            "appid": app.app_id,
            "idp": f"https://sts.windows.net/{app.tenant_id}/",
            "tid": app.tenant_id,
            "uti": identifier,
            "ver": "1.0",
            **more,
        }
        return self._signed(claims)

    def _signed(self, claims: dict[str, object]) -> str:
        kid, key = signing_key(self.connection)
        return jwt.encode(claims, key, algorithm="RS256", headers={"kid": kid, "x5t": kid})

    def check(self, token: str) -> Caller:
        """Return the caller behind a valid token. Raises TokenInvalidError."""
        row = self.connection.execute(
            "SELECT token.*, app.tenant_id, app.app_id FROM token JOIN app ON app.pk = token.app_pk WHERE token.id = ?",
            (self._identifier(token),),
        ).fetchone()
        if row is None or row["revoked"]:
            raise TokenInvalidError("Access token validation failure. The token is unknown or was revoked.")
        early = self._early.get(row["id"])
        if early is not None and now() < early:
            raise TokenInvalidError("Lifetime validation failed, the token is not yet valid.")
        if row["expires"] <= now().timestamp():
            raise TokenInvalidError("Lifetime validation failed, the token is expired.")
        granted = frozenset(json.loads(row["roles"]))
        if row["person_id"] is None:
            return Caller(row["tenant_id"], row["app_id"], granted)
        tenant = directory.find_tenant(self.connection, row["tenant_id"])
        try:
            person = persons.find(self.connection, tenant, row["person_id"])
        except UnknownNameError as error:
            raise TokenInvalidError("The user of the token does not exist.") from error
        return Caller(row["tenant_id"], row["app_id"], person.may(granted), person.id)

    def revoke_all(self, tenant_id: str) -> int:
        """Make Graph refuse every token issued so far for the tenant; return how many."""
        return self.connection.execute(
            "UPDATE token SET revoked = 1 WHERE revoked = 0 AND app_pk IN (SELECT pk FROM app WHERE tenant_id = ?)",
            (tenant_id,),
        ).rowcount

    def _identifier(self, token: str) -> str:
        if token.startswith("EwB"):
            return token[3:25]
        if token not in self._checked:
            if len(self._checked) >= CACHE_LIMIT:
                self._checked.clear()
            self._checked[token] = self._verify(token)
        return self._checked[token]

    def _verify(self, token: str) -> str:
        try:
            kid = jwt.get_unverified_header(token).get("kid")
            row = self.connection.execute("SELECT certificate FROM signing_key WHERE kid = ?", (kid,)).fetchone()
            if row is None:
                raise TokenInvalidError("Signing key is invalid.")
            key = x509.load_pem_x509_certificate(row["certificate"]).public_key()
            assert isinstance(key, rsa.RSAPublicKey)
            # Time is judged by check(), against the row: one clock, one rule for both token forms.
            claims = jwt.decode(
                token,
                key,
                algorithms=["RS256"],
                audience=AUDIENCE,
                options={"verify_exp": False, "verify_nbf": False, "verify_iat": False},
            )
        except jwt.InvalidTokenError as error:
            raise TokenInvalidError("IDX14100: JWT is not well formed or its signature is invalid.") from error
        return str(claims["uti"])


def signing_key(connection: sqlite3.Connection) -> tuple[str, bytes]:
    """Return key id and private key (PEM) that signs now; the first call creates it."""
    row = connection.execute("SELECT kid, pem FROM signing_key ORDER BY rowid DESC LIMIT 1").fetchone()
    return (row["kid"], row["pem"]) if row else rotate_signing_key(connection)


def rotate_signing_key(connection: sqlite3.Connection) -> tuple[str, bytes]:
    """Start signing with a new key; older ones stay published, as their tokens are still around."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "accounts.accesscontrol.windows.net")])
    start = now()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start - timedelta(days=1))
        .not_valid_after(start + timedelta(days=1825))
        .sign(key, hashes.SHA256())
    )
    der = certificate.public_bytes(serialization.Encoding.DER)
    kid = _base64url(hashlib.sha1(der, usedforsecurity=False).digest())
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    with transaction(connection):
        connection.execute(
            "INSERT INTO signing_key VALUES (?, ?, ?, ?)",
            (kid, pem, certificate.public_bytes(serialization.Encoding.PEM), iso(start)),
        )
    return kid, pem


def key_set(connection: sqlite3.Connection, issuer: str) -> dict[str, object]:
    """Return the published keys (JWKS), newest first."""
    signing_key(connection)
    rows = connection.execute("SELECT kid, certificate FROM signing_key ORDER BY rowid DESC")
    return {"keys": [_json_web_key(row["kid"], row["certificate"], issuer) for row in rows]}


def _json_web_key(kid: str, pem: bytes, issuer: str) -> dict[str, object]:
    certificate = x509.load_pem_x509_certificate(pem)
    key = certificate.public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    numbers = key.public_numbers()
    return {
        "kty": "RSA",
        "use": "sig",
        "kid": kid,
        "x5t": kid,
        "n": _base64url(numbers.n.to_bytes(key.key_size // 8)),
        "e": _base64url(numbers.e.to_bytes(3)),
        "x5c": [base64.b64encode(certificate.public_bytes(serialization.Encoding.DER)).decode()],
        "issuer": issuer,
    }


def _base64url(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()
