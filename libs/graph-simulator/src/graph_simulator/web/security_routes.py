"""What the permission check and the sign-in of a person look at: audit, roles, policies, domains, `/me`.

Of drives and sites only what tells a permission apart: this tenant has none.
"""

import json
from datetime import UTC, datetime

from starlette.responses import Response

from graph_simulator import consents, directory, persons
from graph_simulator.directory import Tenant
from graph_simulator.permissions import (
    DIRECTORY_ROLES,
    READ_AUDIT,
    READ_DOMAINS,
    READ_FILES,
    READ_ME,
    READ_METHODS,
    READ_POLICIES,
    READ_ROLES,
    READ_SITES,
    WRITE_FILES,
)
from graph_simulator.persons import Person
from graph_simulator.web.call import Call, Json
from graph_simulator.web.paths import RouteTable
from graph_simulator.web.problems import GraphProblem, bad_request, json_response
from graph_simulator.web.selection import Condition, parse_filter

LARGEST_PAGE = 999


def add_security_routes(table: RouteTable) -> None:  # type: ignore[type-arg] # the handlers' type is routes' business
    table.add("GET", "/me", me, READ_ME)
    table.add("GET", "/me/transitiveMemberOf", my_roles, READ_ME)
    table.add("GET", "/me/transitiveMemberOf/{cast}", my_roles, READ_ME)
    table.add("GET", "/auditLogs/directoryAudits", list_directory_audits, READ_AUDIT)
    table.add("GET", "/roleManagement/directory/roleAssignments", list_role_assignments, READ_ROLES)
    table.add("GET", "/identity/conditionalAccess/policies", list_policies, READ_POLICIES)
    table.add("GET", "/domains", list_domains, READ_DOMAINS)
    table.add("GET", "/users/{user}/authentication/methods", list_methods, READ_METHODS)
    table.add("GET", "/users/{user}/drive", no_drive, READ_FILES)
    table.add("PATCH", "/drives/{drive}/items/{item}", no_item, WRITE_FILES)
    table.add("GET", "/sites/{site}", no_site, READ_SITES)
    table.add("PATCH", "/sites/{site}/lists/{list}/items/{item}", no_site, frozenset({"Sites.ReadWrite.All"}))


async def me(call: Call) -> Response:
    """GET /me: the person behind the token."""
    person = _person(call)
    view = {"id": person.id, "displayName": person.name, "userPrincipalName": person.upn}
    return json_response({"@odata.context": f"{call.graph_url}/$metadata#users/$entity", **view})


async def my_roles(call: Call) -> Response:
    """GET /me/transitiveMemberOf, also cast to microsoft.graph.directoryRole; groups are left out here."""
    value = [
        {
            "@odata.type": "#microsoft.graph.directoryRole",
            "id": template,
            "displayName": role.replace("-", " ").title(),
            "roleTemplateId": template,
        }
        for role, template in DIRECTORY_ROLES.items()
        if role in _person(call).roles
    ]
    return json_response({"@odata.context": f"{call.graph_url}/$metadata#directoryObjects", "value": value})


async def list_directory_audits(call: Call) -> Response:
    """GET /auditLogs/directoryAudits, filtered by activityDisplayName and the id of a target; newest first."""
    rows = consents.entries(call.connection, _tenant(call))
    for condition in _audit_conditions(call):
        rows = [row for row in rows if row[condition[0]] == condition[1]]
    top = call.integer("top", LARGEST_PAGE, LARGEST_PAGE) or LARGEST_PAGE
    value = [
        {
            "id": row["id"],
            "activityDateTime": row["at"],
            "activityDisplayName": row["activity"],
            "category": "ApplicationManagement",
            "loggedByService": "Core Directory",
            "operationType": "Assign",
            "result": "success",
            "resultReason": "",
            "initiatedBy": {
                "app": None,
                "user": {
                    "id": row["person_id"],
                    "displayName": None,
                    "ipAddress": "203.0.113.7",
                    "userPrincipalName": row["person_upn"],
                },
            },
            "targetResources": [
                {
                    "id": row["principal_id"],
                    "displayName": row["profile"],
                    "type": "ServicePrincipal",
                    "userPrincipalName": None,
                    "modifiedProperties": [
                        {
                            "displayName": "ConsentAction.Permissions",
                            "oldValue": "",
                            "newValue": " ".join(json.loads(row["permissions"])),
                        }
                    ],
                }
            ],
            "additionalDetails": [],
        }
        for row in rows[:top]
    ]
    return json_response({"@odata.context": f"{call.graph_url}/$metadata#auditLogs/directoryAudits", "value": value})


async def list_role_assignments(call: Call) -> Response:
    """GET /roleManagement/directory/roleAssignments: who has which directory role."""
    found = persons.assignments(call.connection, _tenant(call))
    value = [
        {
            "id": f"{DIRECTORY_ROLES[role]}-{person_id}",
            "principalId": person_id,
            "roleDefinitionId": DIRECTORY_ROLES[role],
            "directoryScopeId": "/",
        }
        for person_id, role in found
    ]
    context = f"{call.graph_url}/$metadata#roleManagement/directory/roleAssignments"
    return json_response({"@odata.context": context, "value": value})


async def list_policies(call: Call) -> Response:
    """GET /identity/conditionalAccess/policies: this tenant has none."""
    return json_response(
        {"@odata.context": f"{call.graph_url}/$metadata#identity/conditionalAccess/policies", "value": []}
    )


async def list_domains(call: Call) -> Response:
    tenant = _tenant(call)
    view = {
        "id": tenant.domain,
        "authenticationType": "Managed",
        "isAdminManaged": True,
        "isDefault": True,
        "isInitial": True,
        "isRoot": True,
        "isVerified": True,
        "supportedServices": ["Email"],
    }
    return json_response({"@odata.context": f"{call.graph_url}/$metadata#domains", "value": [view]})


async def list_methods(call: Call) -> Response:
    """GET /users/{id}/authentication/methods: every user has a password and nothing else."""
    method: Json = {
        "@odata.type": "#microsoft.graph.authenticationMethod",
        "id": "28c10230-6103-485e-b985-444c60001490",
        "createdDateTime": datetime(2026, 1, 1, tzinfo=UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    context = f"{call.graph_url}/$metadata#users('{call.user()['id']}')/authentication/methods"
    return json_response({"@odata.context": context, "value": [method]})


async def no_drive(call: Call) -> Response:
    call.user()
    raise GraphProblem(404, "ResourceNotFound", "User's mysite not found.")


async def no_item(_call: Call) -> Response:
    raise GraphProblem(404, "itemNotFound", "The resource could not be found.")


async def no_site(_call: Call) -> Response:
    raise GraphProblem(400, "BadRequest", "Tenant does not have a SPO license.")


def _audit_conditions(call: Call) -> list[tuple[str, object]]:
    columns = {"activityDisplayName": "activity", "targetResources/any": "principal_id"}
    text = call.options.get("filter", "").replace("targetResources/any(t:t/id eq ", "targetResources/any eq ")
    found: list[tuple[str, object]] = []
    for condition in parse_filter(text.replace("')", "'")):
        if not isinstance(condition, Condition) or condition.operator != "eq" or condition.name not in columns:
            raise bad_request("Unsupported or invalid query filter clause specified.", "Request_UnsupportedQuery")
        found.append((columns[condition.name], condition.value))
    return found


def _tenant(call: Call) -> Tenant:
    return directory.find_tenant(call.connection, call.caller.tenant_id)


def _person(call: Call) -> Person:
    assert call.caller.person_id is not None
    return persons.find(call.connection, _tenant(call), call.caller.person_id)
