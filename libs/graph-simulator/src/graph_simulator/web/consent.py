"""The page on which an administrator grants an application its permissions, and the redirects it ends in.

https://learn.microsoft.com/entra/identity-platform/v2-admin-consent
"""

import html
from collections.abc import Mapping
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.responses import HTMLResponse, RedirectResponse, Response

from graph_simulator import consents, directory, persons
from graph_simulator.directory import App, Tenant, UnknownNameError
from graph_simulator.permissions import APPLICATION_CONSENT, DELEGATED, DELEGATED_CONSENT, GRAPH_APP_ID, PROFILES
from graph_simulator.persons import Person
from graph_simulator.web.login import LoginCall

DEFAULT_SCOPES = ("https://graph.microsoft.com/.default", f"{GRAPH_APP_ID}/.default")
SHARED_TENANTS = ("common", "organizations")
LOOPBACK = ("127.0.0.1", "localhost", "::1")
DECLINED = "AADSTS65004: The resource owner or authorization server denied the request."
RETURNED = {"error": "access_denied", "error_description": "AADSTS90094: The grant requires admin permission."}
"""What those bring back who leave the page because they may not grant; undocumented, as clients report it."""

NOT_AUTHORISED = (
    "AADSTS90093: {app} is requesting one or more permissions that you are not authorized to grant."
    " Contact an administrator, who can consent to this application on your behalf."
)


async def ask(call: LoginCall) -> Response:
    """GET the page: a plain form with accept and decline, signed in as the tenant's administrator."""
    asked = dict(call.request.query_params)
    found = _checked(call, asked)
    if isinstance(found, Response):
        return found
    tenant, app = found
    hidden = hidden_fields(asked)
    permissions = "".join(f"<li>{html.escape(name)}</li>" for name in _asked_for(app))
    person = html.escape(persons.administrator(call.connection, tenant).upn)
    return HTMLResponse(
        f"<!doctype html><title>Permissions requested</title><h1>Permissions requested</h1>"
        f"<p>{html.escape(app.profile)} ({app.app_id}) asks {html.escape(tenant.domain)} for:</p><ul>{permissions}</ul>"
        f'<form method="post">{hidden}<label>Signed in as <input name="login" value="{person}"></label> '
        f'<button name="decision" value="accept">Accept</button> '
        f'<button name="decision" value="decline">Cancel</button></form>'
    )


async def decide(call: LoginCall) -> Response:
    """POST of the form: grant everything the app asks for, or nothing; then redirect.

    Who may not grant all of it is told so on the page, and leads back nobody until leaving it.
    """
    form = dict(parse_qsl((await call.request.body()).decode("utf-8", "replace"), keep_blank_values=True))
    found = _checked(call, form)
    if isinstance(found, Response):
        return found
    tenant, app = found
    if form.get("decision") == "return":
        return redirect(form, RETURNED)
    if form.get("decision") != "accept":
        return redirect(form, _declined(v2=_is_v2(call)))
    person = who(call, tenant, form.get("login", ""))
    if person is None:
        return refused_page("AADSTS50034: The user account does not exist in the directory.")
    if not may_consent(app, person):
        return lacks_role(app, form)
    consents.grant(call.connection, app, person)
    return redirect(form, _granted(tenant, app, v2=_is_v2(call)))


def who(call: LoginCall, tenant: Tenant, login: str) -> Person | None:
    """Find the person who sits in front of the page; nobody named means the tenant's administrator."""
    if not login:
        return persons.administrator(call.connection, tenant)
    try:
        return persons.find(call.connection, tenant, login)
    except UnknownNameError:
        return None


def may_consent(app: App, person: Person) -> bool:
    """Application permissions of Graph need a more privileged role than delegated ones."""
    return bool(person.roles & (APPLICATION_CONSENT if PROFILES[app.profile] else DELEGATED_CONSENT))


def lacks_role(app: App, asked: Mapping[str, str]) -> Response:
    """The page for a person without the role, with the way back to the application."""
    text = html.escape(NOT_AUTHORISED.format(app=app.profile))
    return HTMLResponse(
        f"<!doctype html><title>Need admin approval</title><h1>Need admin approval</h1><p>{text}</p>"
        f'<form method="post">{hidden_fields(asked)}<button name="decision" value="return">'
        f"Return to the application without granting consent</button></form>",
        403,
    )


def hidden_fields(asked: Mapping[str, str]) -> str:
    """The query as hidden fields of a form."""
    return "".join(
        f'<input type="hidden" name="{html.escape(name)}" value="{html.escape(value)}">'
        for name, value in asked.items()
        if name not in ("decision", "login")
    )


def may_redirect(registered: list[str], uri: str) -> bool:
    """Compare exactly with what is registered; an app without any may lead back to this machine."""
    if registered:
        return uri in registered
    return urlsplit(uri).scheme in {"http", "https"} and urlsplit(uri).hostname in LOOPBACK


def find_app(call: LoginCall, client_id: str) -> tuple[Tenant, App]:
    """Find tenant and app of the address. Raises UnknownNameError."""
    name = call.path["tenant"]
    if name.lower() in SHARED_TENANTS:
        row = call.connection.execute("SELECT tenant_id FROM app WHERE app_id = ?", (client_id,)).fetchone()
        name = "" if row is None else row["tenant_id"]
    tenant = directory.find_tenant(call.connection, name)
    return tenant, directory.find_app(call.connection, tenant.id, client_id)


def redirect(asked: Mapping[str, str], answer: Mapping[str, str]) -> Response:
    """Lead back to the application, its state included: in the URL, or posted by the browser if that was asked for."""
    told = {**answer, **({"state": asked["state"]} if "state" in asked else {})}
    uri = asked["redirect_uri"]
    if asked.get("response_mode") == "form_post":
        return HTMLResponse(
            f'<!doctype html><title>Working…</title><form method="post" action="{html.escape(uri)}">'
            f"{hidden_fields(told)}<button>Continue</button></form><script>document.forms[0].submit()</script>"
        )
    return RedirectResponse(f"{uri}{'&' if urlsplit(uri).query else '?'}{urlencode(told)}", 302)


def refused_page(text: str) -> Response:
    """Without a trustworthy redirect URI the error stays on the page."""
    return HTMLResponse(f"<!doctype html><title>Sign in</title><h1>Sorry, we cannot sign you in</h1><p>{text}</p>", 400)


def _asked_for(app: App) -> tuple[str, ...]:
    return PROFILES[app.profile] + DELEGATED.get(app.profile, ())


def _checked(call: LoginCall, asked: Mapping[str, str]) -> tuple[Tenant, App] | Response:
    """Return tenant and app, or the page or redirect that says what is wrong with the request."""
    try:
        tenant, app = find_app(call, asked.get("client_id", ""))
    except UnknownNameError:
        return refused_page("AADSTS700016: Application was not found in the directory.")
    if not may_redirect(directory.redirect_uris(call.connection, app), asked.get("redirect_uri", "")):
        return refused_page("AADSTS50011: The redirect URI specified in the request does not match those configured.")
    if _is_v2(call) and asked.get("scope") not in DEFAULT_SCOPES:
        text = "AADSTS70011: The provided value for the input parameter 'scope' is not valid."
        return redirect(asked, {"error": "invalid_scope", "error_description": text})
    return tenant, app


def _is_v2(call: LoginCall) -> bool:
    return "/v2.0/" in call.request.url.path.lower()


def _granted(tenant: Tenant, app: App, *, v2: bool) -> dict[str, str]:
    answer = {"admin_consent": "True", "tenant": tenant.id}
    if v2:
        answer["scope"] = " ".join(f"https://graph.microsoft.com/{name}" for name in _asked_for(app))
    return answer


def _declined(*, v2: bool) -> dict[str, str]:
    """A refusal says `admin_consent=True` as well: a client must look at `error` first."""
    if v2:
        return {"admin_consent": "True", "error": "consent_required", "error_description": DECLINED}
    return {"error": "permission_denied", "error_description": "The admin canceled the request"}
