"""The page on which an administrator grants an application its permissions, and the redirects it ends in.

https://learn.microsoft.com/entra/identity-platform/v2-admin-consent
"""

import html
from collections.abc import Mapping
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.responses import HTMLResponse, RedirectResponse, Response

from graph_simulator import directory
from graph_simulator.directory import App, Tenant, UnknownNameError
from graph_simulator.permissions import GRAPH_APP_ID, PROFILES
from graph_simulator.web.login import LoginCall

DEFAULT_SCOPES = ("https://graph.microsoft.com/.default", f"{GRAPH_APP_ID}/.default")
SHARED_TENANTS = ("common", "organizations")
LOOPBACK = ("127.0.0.1", "localhost", "::1")
DECLINED = "AADSTS65004: The resource owner or authorization server denied the request."


async def ask(call: LoginCall) -> Response:
    """GET the page: a plain form with accept and decline."""
    asked = dict(call.request.query_params)
    found = _checked(call, asked)
    if isinstance(found, Response):
        return found
    tenant, app = found
    hidden = "".join(
        f'<input type="hidden" name="{html.escape(name)}" value="{html.escape(value)}">'
        for name, value in asked.items()
    )
    permissions = "".join(f"<li>{html.escape(name)}</li>" for name in PROFILES[app.profile])
    return HTMLResponse(
        f"<!doctype html><title>Permissions requested</title><h1>Permissions requested</h1>"
        f"<p>{html.escape(app.profile)} ({app.app_id}) asks {html.escape(tenant.domain)} for:</p><ul>{permissions}</ul>"
        f'<form method="post">{hidden}<button name="decision" value="accept">Accept</button> '
        f'<button name="decision" value="decline">Cancel</button></form>'
    )


async def decide(call: LoginCall) -> Response:
    """POST of the form: grant everything the app asks for, or nothing; then redirect."""
    form = dict(parse_qsl((await call.request.body()).decode("utf-8", "replace"), keep_blank_values=True))
    found = _checked(call, form)
    if isinstance(found, Response):
        return found
    tenant, app = found
    if form.get("decision") == "accept":
        directory.grant_consent(call.connection, app)
        return _redirect(form, _granted(tenant, app, v2=_is_v2(call)))
    return _redirect(form, _declined(v2=_is_v2(call)))


def _checked(call: LoginCall, asked: Mapping[str, str]) -> tuple[Tenant, App] | Response:
    """Return tenant and app, or the page or redirect that says what is wrong with the request."""
    try:
        tenant, app = _find(call, asked.get("client_id", ""))
    except UnknownNameError:
        return _refused_page("AADSTS700016: Application was not found in the directory.")
    if not _may_redirect(directory.redirect_uris(call.connection, app), asked.get("redirect_uri", "")):
        return _refused_page("AADSTS50011: The redirect URI specified in the request does not match those configured.")
    if _is_v2(call) and asked.get("scope") not in DEFAULT_SCOPES:
        text = "AADSTS70011: The provided value for the input parameter 'scope' is not valid."
        return _redirect(asked, {"error": "invalid_scope", "error_description": text})
    return tenant, app


def _find(call: LoginCall, client_id: str) -> tuple[Tenant, App]:
    name = call.path["tenant"]
    if name.lower() in SHARED_TENANTS:
        row = call.connection.execute("SELECT tenant_id FROM app WHERE app_id = ?", (client_id,)).fetchone()
        name = "" if row is None else row["tenant_id"]
    tenant = directory.find_tenant(call.connection, name)
    return tenant, directory.find_app(call.connection, tenant.id, client_id)


def _may_redirect(registered: list[str], uri: str) -> bool:
    """Compare exactly with what is registered; an app without any may lead back to this machine."""
    if registered:
        return uri in registered
    return urlsplit(uri).scheme in {"http", "https"} and urlsplit(uri).hostname in LOOPBACK


def _is_v2(call: LoginCall) -> bool:
    return "/v2.0/" in call.request.url.path.lower()


def _granted(tenant: Tenant, app: App, *, v2: bool) -> dict[str, str]:
    answer = {"admin_consent": "True", "tenant": tenant.id}
    if v2:
        answer["scope"] = " ".join(f"https://graph.microsoft.com/{name}" for name in PROFILES[app.profile])
    return answer


def _declined(*, v2: bool) -> dict[str, str]:
    """A refusal says `admin_consent=True` as well: a client must look at `error` first."""
    if v2:
        return {"admin_consent": "True", "error": "consent_required", "error_description": DECLINED}
    return {"error": "permission_denied", "error_description": "The admin canceled the request"}


def _redirect(asked: Mapping[str, str], answer: dict[str, str]) -> Response:
    query = answer | ({"state": asked["state"]} if "state" in asked else {})
    uri = asked["redirect_uri"]
    return RedirectResponse(f"{uri}{'&' if urlsplit(uri).query else '?'}{urlencode(query)}", 302)


def _refused_page(text: str) -> Response:
    """Without a trustworthy redirect URI the error stays on the page."""
    return HTMLResponse(f"<!doctype html><title>Sign in</title><h1>Sorry, we cannot sign you in</h1><p>{text}</p>", 400)
