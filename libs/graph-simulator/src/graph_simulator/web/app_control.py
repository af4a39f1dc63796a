"""What an administrator, or the publisher, does to an app registration, by the control API."""

import json
import sqlite3
from collections.abc import Callable

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from starlette.responses import JSONResponse, Response

from graph_simulator import consents, directory
from graph_simulator.directory import App
from graph_simulator.permissions import APP_ROLES

Action = Callable[[sqlite3.Connection, App], dict[str, object]]


def answer(connection: sqlite3.Connection, app: App, method: str, what: list[str], body: bytes) -> Response:
    """Everything below `tenants/T/apps/PROFILE`."""
    match (method, *what):
        case ("POST", action) if action in _ACTIONS:
            return JSONResponse({"profile": app.profile, "action": action} | _ACTIONS[action](connection, app))
        case ("PUT" | "DELETE", "permissions", name) if name in APP_ROLES:
            consents.set_role(connection, app, name, granted=method == "PUT")
            return JSONResponse(_granted(connection, app))
        case ("POST", "certificates"):
            return _add_certificate(connection, app, body)
        case ("DELETE", "certificates"):
            return JSONResponse({"removed": directory.remove_certificates(connection, app)})
        case ("PUT", "redirect-uris"):
            directory.set_redirect_uris(connection, app, [str(uri) for uri in json.loads(body)["uris"]])
            return JSONResponse({"uris": directory.redirect_uris(connection, app)})
        case _:
            return JSONResponse({"error": "no such control operation"}, 404)


def _granted(connection: sqlite3.Connection, app: App) -> dict[str, object]:
    return {"roles": [role for role, _ in consents.granted_roles(connection, app)]}


def _revoke_consent(connection: sqlite3.Connection, app: App) -> dict[str, object]:
    consents.revoke(connection, app)
    return _granted(connection, app)


def _grant_consent(connection: sqlite3.Connection, app: App) -> dict[str, object]:
    consents.grant(connection, app)
    return _granted(connection, app)


def _remove_principal(connection: sqlite3.Connection, app: App) -> dict[str, object]:
    consents.remove_principal(connection, app)
    return _granted(connection, app)


def _expire_secret(connection: sqlite3.Connection, app: App) -> dict[str, object]:
    directory.expire_secrets(connection, app)
    return {"expired": True}


def _rotate_secret(connection: sqlite3.Connection, app: App) -> dict[str, object]:
    directory.expire_secrets(connection, app)
    return {"client_id": app.app_id, "client_secret": directory.add_secret(connection, app.pk)}


def _set_enabled(*, enabled: bool) -> Action:
    def act(connection: sqlite3.Connection, app: App) -> dict[str, object]:
        connection.execute("UPDATE app SET enabled = ? WHERE pk = ?", (enabled, app.pk))
        return {"enabled": enabled}

    return act


_ACTIONS: dict[str, Action] = {
    "revoke-consent": _revoke_consent,
    "grant-consent": _grant_consent,
    "remove-principal": _remove_principal,
    "expire-secret": _expire_secret,
    "rotate-secret": _rotate_secret,
    "disable": _set_enabled(enabled=False),
    "enable": _set_enabled(enabled=True),
}


def _add_certificate(connection: sqlite3.Connection, app: App, body: bytes) -> Response:
    try:
        certificate = x509.load_pem_x509_certificate(str(json.loads(body).get("certificate", "")).encode())
    except ValueError as error:
        return JSONResponse({"error": f"no PEM certificate: {error}"}, 400)
    if not isinstance(certificate.public_key(), rsa.RSAPublicKey):
        return JSONResponse({"error": "the certificate's key must be RSA"}, 400)
    return JSONResponse(directory.add_certificate(connection, app, certificate), 201)
