"""The sign-in side: discovery, keys and the token endpoint.

https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow
"""

import base64
import binascii
import json
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote_plus, urlsplit

from starlette.requests import Request
from starlette.responses import Response

from graph_simulator import consents, directory
from graph_simulator.directory import App, Tenant, UnknownNameError
from graph_simulator.permissions import ROLE_NAMES
from graph_simulator.times import iso, now
from graph_simulator.tokens import CERTIFICATE_CREDENTIAL, SECRET_CREDENTIAL, Tokens, key_set
from graph_simulator.web import assertions
from graph_simulator.web.problems import LoginProblem
from graph_simulator.web.stats import Stats

SHARED_TENANTS = ("common", "organizations", "consumers")
SHARED_ISSUER = "{tenantid}"
RESOURCES = ("https://graph.microsoft.com", "00000003-0000-0000-c000-000000000000")


@dataclass(slots=True)
class LoginCall:
    """One request to the sign-in endpoints."""

    request: Request
    connection: sqlite3.Connection
    tokens: Tokens
    stats: Stats
    base_url: str
    path: dict[str, str]
    grants: "Mapping[str, Grant]"

    def tenant(self) -> Tenant:
        name = self.path["tenant"]
        try:
            return directory.find_tenant(self.connection, name)
        except UnknownNameError as error:
            text = f"Tenant '{name}' not found. Check to make sure you have the correct tenant ID."
            raise LoginProblem(400, "invalid_request", 90002, text) from error


Grant = Callable[[LoginCall, App, Mapping[str, str], str], dict[str, object]]
"""What the token endpoint answers to one grant type: call, app, form and how the app authenticated."""


async def discovery(call: LoginCall) -> Response:
    """GET /{tenant}/v2.0/.well-known/openid-configuration: addresses carry the tenant's id even if asked by name."""
    shared = call.path["tenant"].lower() in SHARED_TENANTS
    tenant = call.path["tenant"].lower() if shared else call.tenant().id
    base = f"{call.base_url}/{tenant}"
    issuer = f"{call.base_url}/{SHARED_ISSUER if shared else tenant}/v2.0"
    return _json(
        {
            "token_endpoint": f"{base}/oauth2/v2.0/token",
            "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
            "jwks_uri": f"{base}/discovery/v2.0/keys",
            "response_modes_supported": ["query", "fragment", "form_post"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
            "issuer": issuer,
            "request_uri_parameter_supported": False,
            "userinfo_endpoint": f"{call.base_url}/oidc/userinfo",
            "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
            "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
            "end_session_endpoint": f"{base}/oauth2/v2.0/logout",
            "tenant_region_scope": None if shared else "EU",
            "cloud_instance_name": "microsoftonline.com",
            "msgraph_host": call.base_url.removeprefix("https://"),
        }
    )


async def keys(call: LoginCall) -> Response:
    shared = call.path["tenant"].lower() in SHARED_TENANTS
    tenant = SHARED_ISSUER if shared else call.tenant().id
    return _json(key_set(call.connection, f"{call.base_url}/{tenant}/v2.0"))


async def instance_discovery(call: LoginCall) -> Response:
    """GET /common/discovery/instance, by which msal learns which hosts are one cloud."""
    host = call.base_url.removeprefix("https://")
    asked = urlsplit(call.request.query_params.get("authorization_endpoint", "")).path.split("/")
    tenant = asked[1] if len(asked) > 1 and asked[1] else "common"
    aliases = {"preferred_network": host, "preferred_cache": host, "aliases": [host]}
    return _json(
        {
            "tenant_discovery_endpoint": f"{call.base_url}/{tenant}/v2.0/.well-known/openid-configuration",
            "api-version": "1.1",
            "metadata": [aliases],
        }
    )


async def token(call: LoginCall) -> Response:
    """POST /{tenant}/oauth2/v2.0/token, with a client secret or a signed assertion."""
    tenant = call.tenant()
    form = dict(parse_qsl((await call.request.body()).decode("utf-8", "replace"), keep_blank_values=True))
    grant = call.grants.get(form.get("grant_type", ""))
    if grant is None:
        text = "The grant type is not supported over this endpoint by this tenant."
        raise LoginProblem(400, "unsupported_grant_type", 70003, text)
    app, credential = _authenticated(call, tenant, form)
    answer = grant(call, app, form, credential)
    call.stats.tokens_issued[app.app_id] += 1
    return _json(answer)


def app_only(call: LoginCall, app: App, form: Mapping[str, str], credential: str) -> dict[str, object]:
    """Grant client_credentials: a token with what is consented right now. Raises LoginProblem."""
    _check_scope(form.get("scope", ""))
    roles = sorted(ROLE_NAMES[role_id] for role_id in consents.effective_roles(call.connection, app))
    lifetime = int(call.tokens.lifetime.total_seconds())
    return {
        "token_type": "Bearer",
        "expires_in": lifetime,
        "ext_expires_in": lifetime,
        "access_token": call.tokens.issue(app, roles, credential),
    }


def _authenticated(call: LoginCall, tenant: Tenant, form: dict[str, str]) -> tuple[App, str]:
    assertion = form.get("client_assertion", "")
    if assertion:
        app = _find_app(call, tenant, form.get("client_id", "") or assertions.claimed_client(assertion))
        token_url = f"{call.base_url}/{call.path['tenant']}/oauth2/v2.0/token"
        assertions.check(call.connection, app, assertion, form.get("client_assertion_type", ""), token_url)
        credential = CERTIFICATE_CREDENTIAL
    else:
        client_id, secret = _client(call.request, form)
        app = _find_app(call, tenant, client_id)
        _check_secret(call, app, secret)
        credential = SECRET_CREDENTIAL
    if not app.enabled:
        text = f"Application '{app.app_id}'({app.profile}) is disabled."
        raise LoginProblem(400, "unauthorized_client", 7000112, text)
    return app, credential


def _client(request: Request, form: dict[str, str]) -> tuple[str, str]:
    client_id, secret = form.get("client_id", ""), form.get("client_secret", "")
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            decoded = base64.b64decode(credentials, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError) as error:
            raise LoginProblem(401, "invalid_client", 7000215, "Invalid client secret provided.") from error
        client_id, _, secret = (unquote_plus(part) for part in decoded.partition(":"))
    if not client_id:
        text = "The request body must contain the following parameter: 'client_id'."
        raise LoginProblem(400, "invalid_request", 900144, text)
    if not secret:
        text = "The request body must contain the following parameter: 'client_assertion' or 'client_secret'."
        raise LoginProblem(401, "invalid_client", 7000218, text)
    return client_id, secret


def _find_app(call: LoginCall, tenant: Tenant, client_id: str) -> App:
    text = f"Application with identifier '{client_id}' was not found in the directory '{tenant.name}'."
    try:
        app = directory.find_app(call.connection, tenant.id, client_id)
    except UnknownNameError as error:
        raise LoginProblem(400, "unauthorized_client", 700016, text) from error
    if app.removed:
        raise LoginProblem(400, "unauthorized_client", 700016, text)
    return app


def _check_secret(call: LoginCall, app: App, secret: str) -> None:
    row = call.connection.execute(
        "SELECT ends FROM client_secret WHERE app_pk = ? AND text = ?", (app.pk, secret)
    ).fetchone()
    if row is None:
        text = (
            "Invalid client secret provided. Ensure the secret being sent in the request is the client secret"
            f" value, not the client secret ID, for a secret added to app '{app.app_id}'."
        )
        raise LoginProblem(401, "invalid_client", 7000215, text)
    if row["ends"] <= iso(now()):
        text = f"The provided client secret keys for app '{app.app_id}' are expired."
        raise LoginProblem(401, "invalid_client", 7000222, text)


def _check_scope(scope: str) -> None:
    resource, slash, name = scope.strip().rpartition("/")
    if not slash or name != ".default" or " " in resource:
        text = f"The provided request must include a 'scope' ending in /.default; '{scope}' is not valid."
        raise LoginProblem(400, "invalid_scope", 1002012, text)
    if resource.rstrip("/") not in RESOURCES:
        text = f"The resource principal named {resource} was not found in the tenant."
        raise LoginProblem(400, "invalid_resource", 500011, text)


def _json(content: object) -> Response:
    return Response(json.dumps(content), media_type="application/json; charset=utf-8")
