"""The sign-in of a person: the authorize page, codes with PKCE, id_tokens and refresh tokens.

https://learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow
"""

import base64
import hashlib
import html
import json
import secrets
import sqlite3
from collections.abc import Mapping
from datetime import timedelta
from urllib.parse import parse_qsl

from starlette.responses import HTMLResponse, Response

from graph_simulator import consents, directory, persons
from graph_simulator.database import transaction
from graph_simulator.directory import App, Tenant, UnknownNameError
from graph_simulator.permissions import SIGN_IN_SCOPES
from graph_simulator.persons import Person
from graph_simulator.times import iso, now
from graph_simulator.web import consent
from graph_simulator.web.login import LoginCall
from graph_simulator.web.problems import LoginProblem

CODE_LIFE = timedelta(minutes=10)
GRAPH = "https://graph.microsoft.com/"


async def ask(call: LoginCall) -> Response:
    """GET the page on which a person signs in; there are no passwords here, the name is enough."""
    asked = dict(call.request.query_params)
    found = _checked(call, asked)
    if isinstance(found, Response):
        return found
    tenant, _ = found
    if asked.get("prompt") == "none":
        text = "AADSTS50058: A silent sign-in request was sent but no user is signed in."
        return consent.redirect(asked, {"error": "login_required", "error_description": text})
    name = html.escape(asked.get("login_hint") or persons.administrator(call.connection, tenant).upn)
    return HTMLResponse(
        f"<!doctype html><title>Sign in to your account</title><h1>Sign in</h1>"
        f'<form method="post">{consent.hidden_fields(asked)}<input name="login" value="{name}"> '
        f'<button name="decision" value="accept">Sign in</button> '
        f'<button name="decision" value="decline">Cancel</button></form>'
    )


async def decide(call: LoginCall) -> Response:
    """POST of the form: lead back with a code, if everything asked for was consented to."""
    form = dict(parse_qsl((await call.request.body()).decode("utf-8", "replace"), keep_blank_values=True))
    found = _checked(call, form)
    if isinstance(found, Response):
        return found
    tenant, app = found
    if form.get("decision") == "return":
        return consent.redirect(form, consent.RETURNED)
    if form.get("decision") != "accept":
        text = "AADSTS65004: User declined to consent to access the app."
        return consent.redirect(form, {"error": "access_denied", "error_description": text, "error_subcode": "cancel"})
    person = consent.who(call, tenant, form.get("login", ""))
    if person is None:
        return consent.refused_page("AADSTS50034: The user account does not exist in the directory.")
    scopes = _names(form["scope"])
    if not scopes - SIGN_IN_SCOPES <= set(consents.granted_scopes(call.connection, app)):
        return consent.lacks_role(app, form)
    code = secrets.token_urlsafe(64)
    call.connection.execute(
        "INSERT INTO authorization_code VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            _hashed(code),
            app.pk,
            person.id,
            form["redirect_uri"],
            form.get("code_challenge", ""),
            form.get("nonce", ""),
            json.dumps(sorted(scopes)),
            iso(now() + CODE_LIFE),
        ),
    )
    return consent.redirect(form, {"code": code, "session_state": secrets.token_hex(16)})


def redeem_code(call: LoginCall, app: App, form: Mapping[str, str], credential: str) -> dict[str, object]:
    """Exchange a code, once, for the tokens of the person. Raises LoginProblem."""
    code = _hashed(form.get("code", ""))
    with transaction(call.connection):
        row = call.connection.execute(
            "SELECT * FROM authorization_code WHERE hash = ? AND app_pk = ?", (code, app.pk)
        ).fetchone()
        call.connection.execute("DELETE FROM authorization_code WHERE hash = ?", (code,))
    if row is None:
        raise _invalid(54005, "OAuth2 Authorization code was already redeemed, please retry with a new valid code.")
    if row["expires"] <= iso(now()):
        raise _invalid(70008, "The provided authorization code has expired. Send a new interactive request.")
    if row["redirect_uri"] != form.get("redirect_uri", ""):
        raise _invalid(50011, "The redirect URI differs from the one of the authorization request.")
    if row["challenge"] and row["challenge"] != _challenge(form.get("code_verifier", "")):
        raise _invalid(501481, "The Code_Verifier does not match the code_challenge of the authorization request.")
    scopes = frozenset(json.loads(row["scopes"]))
    return _tokens(call, app, row["person_id"], scopes, credential, nonce=row["nonce"])


def redeem_refresh_token(call: LoginCall, app: App, form: Mapping[str, str], credential: str) -> dict[str, object]:
    """Exchange a refresh token for new tokens. Raises LoginProblem."""
    row = call.connection.execute(
        "SELECT * FROM refresh_token WHERE hash = ? AND app_pk = ?", (_hashed(form.get("refresh_token", "")), app.pk)
    ).fetchone()
    if row is None:
        raise _invalid(70000, "The provided value for the input parameter 'refresh_token' is not valid.")
    scopes = frozenset(json.loads(row["scopes"]))
    return _tokens(call, app, row["person_id"], scopes, credential, nonce="")


def _tokens(
    call: LoginCall, app: App, person_id: str, scopes: frozenset[str], credential: str, *, nonce: str
) -> dict[str, object]:
    tenant = call.tenant()
    try:
        person = persons.find(call.connection, tenant, person_id)
    except UnknownNameError as error:
        raise _invalid(50034, "The user account does not exist in the directory.") from error
    granted = frozenset(consents.granted_scopes(call.connection, app))
    missing = scopes - SIGN_IN_SCOPES - granted
    if missing:
        text = f"The user or administrator has not consented to use the application with ID '{app.app_id}'."
        raise LoginProblem(400, "invalid_grant", 65001, text)
    named = scopes & granted
    lifetime = int(call.tokens.lifetime.total_seconds())
    answer: dict[str, object] = {
        "token_type": "Bearer",
        "scope": " ".join(sorted(f"{GRAPH}{name}" for name in named)),
        "expires_in": lifetime,
        "ext_expires_in": lifetime,
        "access_token": call.tokens.issue_for(person, app, sorted(named), credential),
        "client_info": _encoded({"uid": person.id, "utid": tenant.id}),
    }
    if "openid" in scopes:
        answer["id_token"] = call.tokens.identify(person, app, f"{call.base_url}/{tenant.id}/v2.0", nonce)
    if "offline_access" in scopes:
        answer["refresh_token"] = _new_refresh_token(call.connection, app, person, scopes)
    return answer


def _new_refresh_token(connection: sqlite3.Connection, app: App, person: Person, scopes: frozenset[str]) -> str:
    token = f"0.A{secrets.token_urlsafe(96)}"
    connection.execute(
        "INSERT INTO refresh_token VALUES (?, ?, ?, ?)",
        (_hashed(token), app.pk, person.id, json.dumps(sorted(scopes))),
    )
    return token


def _checked(call: LoginCall, asked: Mapping[str, str]) -> tuple[Tenant, App] | Response:
    """Return tenant and app, or the page or redirect that says what is wrong with the request."""
    try:
        tenant, app = consent.find_app(call, asked.get("client_id", ""))
    except UnknownNameError:
        return consent.refused_page("AADSTS700016: Application was not found in the directory.")
    if not consent.may_redirect(directory.redirect_uris(call.connection, app), asked.get("redirect_uri", "")):
        return consent.refused_page("AADSTS50011: The redirect URI of the request does not match those configured.")
    wrong = ""
    if asked.get("response_type") != "code":
        wrong = "AADSTS700030: Invalid response_type; this application may ask for a code only."
    elif asked.get("code_challenge") and asked.get("code_challenge_method") != "S256":
        wrong = "AADSTS9002325: The code_challenge_method must be S256."
    elif not asked.get("scope", "").strip():
        wrong = "AADSTS900144: The request must contain the following parameter: 'scope'."
    if wrong:
        return consent.redirect(asked, {"error": "invalid_request", "error_description": wrong})
    return tenant, app


def _names(scope: str) -> frozenset[str]:
    """Return the names of the scopes; Graph is what a name without a resource means."""
    return frozenset(name.removeprefix(GRAPH) for name in scope.split())


def _challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def _encoded(content: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


def _hashed(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _invalid(number: int, text: str) -> LoginProblem:
    return LoginProblem(400, "invalid_grant", number, text)
