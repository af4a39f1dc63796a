"""Users and the organization.

https://learn.microsoft.com/graph/api/user-list · https://learn.microsoft.com/graph/api/organization-get
"""

import json

from starlette.responses import Response

from graph_simulator.web.call import Call, Json
from graph_simulator.web.problems import bad_request, json_response
from graph_simulator.web.selection import Condition, parse_filter, parse_select

DEFAULT_PROPERTIES = frozenset(
    [
        "businessPhones",
        "displayName",
        "givenName",
        "id",
        "jobTitle",
        "mail",
        "mobilePhone",
        "officeLocation",
        "preferredLanguage",
        "surname",
        "userPrincipalName",
    ]
)
PROPERTIES = DEFAULT_PROPERTIES | frozenset(
    [
        "department",
        "streetAddress",
        "city",
        "postalCode",
        "state",
        "country",
        "accountEnabled",
        "userType",
        "proxyAddresses",
        "onPremisesSyncEnabled",
    ]
)
FILTERABLE = frozenset({"accountEnabled", "mail", "userPrincipalName", "displayName", "id", "userType"})
DEFAULT_PAGE = 100
LARGEST_PAGE = 999


def render(profile: Json, select: frozenset[str] | None) -> Json:
    names = DEFAULT_PROPERTIES if select is None else select
    return {name: profile.get(name) for name in sorted(names)}


async def list_users(call: Call) -> Response:
    select = parse_select(call.options.get("select"), PROPERTIES, "microsoft.graph.user")
    top = call.integer("top", DEFAULT_PAGE, LARGEST_PAGE) or DEFAULT_PAGE
    after = call.integer("skiptoken", 0, 2**62)
    rows = call.connection.execute(
        "SELECT pk, profile FROM user WHERE tenant_id = ? AND pk > ? ORDER BY pk", (call.caller.tenant_id, after)
    )
    conditions = [_checked(condition) for condition in parse_filter(call.options.get("filter", ""))]
    found = [(row["pk"], profile) for row in rows if _holds(profile := json.loads(row["profile"]), conditions)]
    content: Json = {
        "@odata.context": f"{call.graph_url}/$metadata#users",
        "value": [render(profile, select) for _, profile in found[:top]],
    }
    if len(found) > top:
        kept = {name: call.options[name] for name in ("top", "select", "filter") if name in call.options}
        content["@odata.nextLink"] = call.next_link(**kept, skiptoken=str(found[top - 1][0]))
    return json_response(content)


async def get_user(call: Call) -> Response:
    select = parse_select(call.options.get("select"), PROPERTIES, "microsoft.graph.user")
    profile = json.loads(call.user()["profile"])
    return json_response({"@odata.context": f"{call.graph_url}/$metadata#users/$entity"} | render(profile, select))


async def get_organization(call: Call) -> Response:
    tenant = call.connection.execute("SELECT * FROM tenant WHERE id = ?", (call.caller.tenant_id,)).fetchone()
    domain = {
        "capabilities": "Email, OfficeCommunicationsOnline",
        "isDefault": True,
        "isInitial": True,
        "name": tenant["domain"],
        "type": "Managed",
    }
    organization = {
        "id": tenant["id"],
        "displayName": tenant["name"].capitalize(),
        "createdDateTime": tenant["created"],
        "countryLetterCode": "DE",
        "preferredLanguage": "de",
        "tenantType": "AAD",
        "assignedPlans": [],
        "verifiedDomains": [domain],
    }
    context = f"{call.graph_url}/$metadata#organization"
    return json_response({"@odata.context": context, "value": [organization]})


def _checked(condition: object) -> Condition:
    if (
        not isinstance(condition, Condition)
        or condition.name not in FILTERABLE
        or condition.operator not in ("eq", "ne")
    ):
        raise bad_request("Unsupported or invalid query filter clause specified.", "Request_UnsupportedQuery")
    return condition


def _holds(profile: Json, conditions: list[Condition]) -> bool:
    return all((_same(profile.get(each.name), each.value)) == (each.operator == "eq") for each in conditions)


def _same(actual: object, wanted: object) -> bool:
    if isinstance(actual, str) and isinstance(wanted, str):
        return actual.lower() == wanted.lower()
    return actual == wanted
