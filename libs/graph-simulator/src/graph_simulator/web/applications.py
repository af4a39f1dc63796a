"""App registrations, service principals and what they were granted.

https://learn.microsoft.com/graph/api/serviceprincipal-list-approleassignments
"""

import base64

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from starlette.responses import Response

from graph_simulator import consents, directory
from graph_simulator.database import state_secret
from graph_simulator.directory import App, UnknownNameError
from graph_simulator.identifiers import derived_guid
from graph_simulator.permissions import APP_ROLES, GRAPH_APP_ID
from graph_simulator.times import iso
from graph_simulator.web.call import Call, Json
from graph_simulator.web.problems import bad_request, json_response, user_not_found
from graph_simulator.web.selection import Condition, parse_filter, parse_select

_PRINCIPAL = frozenset(
    [
        "id",
        "appId",
        "displayName",
        "appDisplayName",
        "accountEnabled",
        "servicePrincipalType",
        "appOwnerOrganizationId",
        "appRoles",
    ]
)
_APPLICATION = frozenset(["id", "appId", "displayName", "createdDateTime", "passwordCredentials", "keyCredentials"])


async def get_service_principal(call: Call) -> Response:
    view = _principal(call, call.path["principal"])
    return _entity(call, "servicePrincipals", view, _PRINCIPAL)


async def update_service_principal(call: Call) -> Response:
    """PATCH /servicePrincipals/{id}: `accountEnabled` lets an app sign in or not; nothing else can be changed."""
    app = _app(call, call.path["principal"])
    change = await call.json()
    if set(change) != {"accountEnabled"} or not isinstance(change["accountEnabled"], bool):
        raise bad_request("Only 'accountEnabled' can be updated.", "Request_BadRequest")
    call.connection.execute("UPDATE app SET enabled = ? WHERE pk = ?", (change["accountEnabled"], app.pk))
    return Response(status_code=204)


async def list_service_principals(call: Call) -> Response:
    """GET /servicePrincipals, also with `$filter=appId eq '…'`."""
    rows = call.connection.execute(
        "SELECT app_id FROM app WHERE tenant_id = ? AND NOT removed ORDER BY pk", (call.caller.tenant_id,)
    )
    views = [_principal(call, key) for key in [*(row["app_id"] for row in rows), GRAPH_APP_ID]]
    for condition in parse_filter(call.options.get("filter", "")):
        if not isinstance(condition, Condition) or (condition.name, condition.operator) != ("appId", "eq"):
            raise bad_request("Unsupported or invalid query filter clause specified.", "Request_UnsupportedQuery")
        views = [view for view in views if view["appId"] == condition.value]
    select = parse_select(call.options.get("select"), _PRINCIPAL, "microsoft.graph.servicePrincipal") or _PRINCIPAL
    value = [{name: view[name] for name in view if name in select | {"id"}} for view in views]
    return json_response({"@odata.context": f"{call.graph_url}/$metadata#servicePrincipals", "value": value})


async def list_app_role_assignments(call: Call) -> Response:
    """GET /servicePrincipals/{id}/appRoleAssignments: the application permissions an administrator consented to."""
    context = f"{call.graph_url}/$metadata#appRoleAssignments"
    if call.path["principal"] in (_graph_principal_id(call), GRAPH_APP_ID):
        return json_response({"@odata.context": context, "value": []})
    app = _present(call, call.path["principal"])
    secret = state_secret(call.connection)
    value = [
        {
            "id": derived_guid(secret, "assignment", app.principal_id, role_id),
            "appRoleId": role_id,
            "createdDateTime": created,
            "deletedDateTime": None,
            "principalDisplayName": app.profile,
            "principalId": app.principal_id,
            "principalType": "ServicePrincipal",
            "resourceDisplayName": "Microsoft Graph",
            "resourceId": _graph_principal_id(call),
        }
        for role_id, created in consents.granted_roles(call.connection, app)
    ]
    return json_response({"@odata.context": context, "value": value})


async def list_delegated_grants(call: Call) -> Response:
    """GET /oauth2PermissionGrants, also with `$filter=clientId eq '…'`: one grant per app, for everybody."""
    rows = call.connection.execute(
        "SELECT app_id FROM app WHERE tenant_id = ? AND NOT removed", (call.caller.tenant_id,)
    )
    apps = [_app(call, row["app_id"]) for row in rows]
    for condition in parse_filter(call.options.get("filter", "")):
        if not isinstance(condition, Condition) or (condition.name, condition.operator) != ("clientId", "eq"):
            raise bad_request("Unsupported or invalid query filter clause specified.", "Request_UnsupportedQuery")
        apps = [app for app in apps if app.principal_id == condition.value]
    secret = state_secret(call.connection)
    value = [
        {
            "id": derived_guid(secret, "delegated-grant", app.principal_id),
            "clientId": app.principal_id,
            "consentType": "AllPrincipals",
            "principalId": None,
            "resourceId": _graph_principal_id(call),
            "scope": " ".join(scopes),
        }
        for app in apps
        if (scopes := consents.granted_scopes(call.connection, app))
    ]
    return json_response({"@odata.context": f"{call.graph_url}/$metadata#oauth2PermissionGrants", "value": value})


async def get_application(call: Call) -> Response:
    """GET /applications/{id} or /applications(appId='…'): with the dates, never the text, of its secrets."""
    selected = "keyCredentials" in call.options.get("select", "")
    app = _app(call, call.path["application"])
    rows = call.connection.execute("SELECT * FROM client_secret WHERE app_pk = ? ORDER BY rowid", (app.pk,))
    secrets = [
        {
            "keyId": row["key_id"],
            "displayName": "simulator",
            "hint": row["text"][:3],
            "secretText": None,
            "startDateTime": row["starts"],
            "endDateTime": row["ends"],
            "customKeyIdentifier": None,
        }
        for row in rows
    ]
    view: Json = {
        "id": app.object_id,
        "appId": app.app_id,
        "displayName": app.profile,
        "createdDateTime": app.created,
        "passwordCredentials": secrets,
        "keyCredentials": [
            _key_credential(call, app, each, whole=selected) for each in directory.certificates(call.connection, app)
        ],
    }
    return _entity(call, "applications", view, _APPLICATION)


def _key_credential(call: Call, app: App, certificate: x509.Certificate, *, whole: bool) -> Json:
    """As the admin center makes it; `key` is told to who selects it (graph/api/resources/keycredential)."""
    thumbprint = certificate.fingerprint(hashes.SHA1()).hex().upper()  # noqa: S303 - a name, nothing is protected by it
    return {
        "customKeyIdentifier": thumbprint,
        "displayName": certificate.subject.rfc4514_string(),
        "endDateTime": iso(certificate.not_valid_after_utc),
        "key": base64.b64encode(certificate.public_bytes(serialization.Encoding.DER)).decode() if whole else None,
        "keyId": derived_guid(state_secret(call.connection), "key", app.app_id, thumbprint),
        "startDateTime": iso(certificate.not_valid_before_utc),
        "type": "AsymmetricX509Cert",
        "usage": "Verify",
    }


def _principal(call: Call, key: str) -> Json:
    if key in (GRAPH_APP_ID, _graph_principal_id(call)):
        return _principal_view(call, _graph_principal_id(call), GRAPH_APP_ID, "Microsoft Graph") | {
            "appRoles": [
                {
                    "allowedMemberTypes": ["Application"],
                    "description": f"Allows the app to use {name} without a signed-in user.",
                    "displayName": name,
                    "id": role_id,
                    "isEnabled": True,
                    "origin": "Application",
                    "value": name,
                }
                for name, role_id in APP_ROLES.items()
            ]
        }
    app = _present(call, key)
    view = _principal_view(call, app.principal_id, app.app_id, app.profile)
    return view | {"accountEnabled": app.enabled}


def _principal_view(call: Call, principal_id: str, app_id: str, name: str) -> Json:
    return {
        "id": principal_id,
        "appId": app_id,
        "displayName": name,
        "appDisplayName": name,
        "accountEnabled": True,
        "servicePrincipalType": "Application",
        "appOwnerOrganizationId": call.caller.tenant_id,
        "appRoles": [],
    }


def _app(call: Call, key: str) -> App:
    try:
        return directory.find_app(call.connection, call.caller.tenant_id, key)
    except UnknownNameError as error:
        raise user_not_found(key) from error


def _present(call: Call, key: str) -> App:
    """Find an app that has a service principal in the tenant."""
    app = _app(call, key)
    if app.removed:
        raise user_not_found(key)
    return app


def _graph_principal_id(call: Call) -> str:
    return derived_guid(state_secret(call.connection), "graph-principal", call.caller.tenant_id)


def _entity(call: Call, collection: str, view: Json, known: frozenset[str]) -> Response:
    type_name = f"microsoft.graph.{collection.removesuffix('s')}"
    select = parse_select(call.options.get("select"), known, type_name)
    kept = {name: value for name, value in view.items() if select is None or name in select | {"id"}}
    return json_response({"@odata.context": f"{call.graph_url}/$metadata#{collection}/$entity"} | kept)
