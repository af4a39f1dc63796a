"""Client assertions: an app signs in with the key of a certificate that was uploaded for it.

https://learn.microsoft.com/entra/identity-platform/certificate-credentials
"""

import sqlite3
from typing import Any

import jwt
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from graph_simulator import directory
from graph_simulator.directory import App
from graph_simulator.times import now
from graph_simulator.web.problems import LoginProblem

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ALGORITHMS = ("PS256", "RS256")
LEEWAY_SECONDS = 300


def check(connection: sqlite3.Connection, app: App, assertion: str, kind: str, token_url: str) -> None:
    """Accept the assertion or raise LoginProblem.

    msal sends PS256 with `x5t#S256` or RS256 with `x5t`, both base64url with padding, and instants as floats.
    """
    if kind != TYPE:
        text = "The request body must contain the following parameter: 'client_assertion_type'."
        raise LoginProblem(400, "invalid_request", 900144, text)
    certificate = _certificate(connection, app, _header(app, assertion))
    claims = _claims(app, assertion, certificate)
    _check_claims(app, claims, token_url)


def claimed_client(assertion: str) -> str:
    """Return the client an assertion speaks for, unproven; empty when it cannot be read."""
    try:
        return str(jwt.decode(assertion, options={"verify_signature": False}).get("sub", ""))
    except jwt.InvalidTokenError:
        return ""


def _header(app: App, assertion: str) -> dict[str, Any]:
    try:
        header = jwt.get_unverified_header(assertion)
    except jwt.InvalidTokenError as error:
        raise _unsigned(app, "The assertion is not a well-formed JWT.") from error
    if header.get("alg") not in ALGORITHMS:
        raise _unsigned(app, "The algorithm of the assertion is not supported.")
    return header


def _certificate(connection: sqlite3.Connection, app: App, header: dict[str, Any]) -> x509.Certificate:
    sha1, sha256 = (str(header.get(name, "")).rstrip("=") for name in ("x5t", "x5t#S256"))
    certificate = directory.find_certificate(connection, app, sha1, sha256)
    if certificate is None:
        raise _unsigned(app, f"The key was not found. Thumbprint of key used by client: '{sha256 or sha1}'.")
    if not certificate.not_valid_before_utc <= now() <= certificate.not_valid_after_utc:
        raise _unsigned(app, "The key is expired or not valid yet.")
    return certificate


def _claims(app: App, assertion: str, certificate: x509.Certificate) -> dict[str, Any]:
    key = certificate.public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    # Time is judged below, by the one clock of the simulator.
    by_clock = dict.fromkeys(("verify_exp", "verify_nbf", "verify_iat"), False)
    options: Any = {"verify_aud": False, "require": ["aud", "iss", "sub", "exp"], **by_clock}
    try:
        claims: dict[str, Any] = jwt.decode(assertion, key, algorithms=list(ALGORITHMS), options=options)
        starts, ends = float(claims.get("nbf", 0)) - LEEWAY_SECONDS, float(claims["exp"]) + LEEWAY_SECONDS
    except (jwt.InvalidTokenError, TypeError, ValueError) as error:
        raise _unsigned(app, "The signature or a required claim is not valid.") from error
    if not starts <= now().timestamp() <= ends:
        text = "Client assertion is not within its valid time range."
        raise LoginProblem(401, "invalid_client", 700024, text)
    return claims


def _check_claims(app: App, claims: dict[str, Any], token_url: str) -> None:
    if {claims["iss"], claims["sub"]} != {app.app_id}:
        text = "Client assertion application identifier doesn't match 'client_id' parameter."
        raise LoginProblem(401, "invalid_client", 700021, text)
    audiences = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
    if token_url not in audiences:
        text = "Client assertion audience claim does not match Realm issuer."
        raise LoginProblem(401, "invalid_client", 700023, text)


def _unsigned(app: App, reason: str) -> LoginProblem:
    text = f"A configuration issue is preventing authentication: client assertion of '{app.app_id}' failed. {reason}"
    return LoginProblem(401, "invalid_client", 700027, text)
