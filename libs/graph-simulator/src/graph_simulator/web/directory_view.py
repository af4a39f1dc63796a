"""How users, groups and organisational contacts look as Graph JSON, and the lists of them.

https://learn.microsoft.com/graph/api/resources/user · /group · /orgcontact
"""

import json
import sqlite3
from collections.abc import Sequence

from starlette.responses import Response

from graph_simulator import directory_objects, published
from graph_simulator.directory import UnknownNameError
from graph_simulator.directory_objects import Kind
from graph_simulator.web.call import Call, Json
from graph_simulator.web.problems import GraphProblem, bad_request, json_response, user_not_found
from graph_simulator.web.selection import Condition, parse_alternatives, parse_select

DEFAULT_PAGE = 100
LARGEST_PAGE = 999
_USER = """businessPhones displayName givenName id jobTitle mail mobilePhone officeLocation preferredLanguage surname
    userPrincipalName"""
_GROUP = """id deletedDateTime classification createdDateTime description displayName expirationDateTime groupTypes
    isAssignableToRole mail mailEnabled mailNickname membershipRule membershipRuleProcessingState onPremisesSyncEnabled
    preferredDataLocation preferredLanguage proxyAddresses renewedDateTime resourceBehaviorOptions
    resourceProvisioningOptions securityEnabled securityIdentifier theme uniqueName visibility"""
_ORG_CONTACT = """id deletedDateTime addresses companyName department displayName givenName jobTitle mail mailNickname
    onPremisesLastSyncDateTime onPremisesSyncEnabled phones proxyAddresses surname"""
DEFAULTS = {
    Kind.USER: frozenset(_USER.split()),
    Kind.GROUP: frozenset(_GROUP.split()),
    Kind.ORG_CONTACT: frozenset(_ORG_CONTACT.split()),
}
_LISTS = {"businessPhones", "groupTypes", "proxyAddresses", "addresses", "phones", "otherMails", "assignedLicenses"}
_LISTS |= {"resourceBehaviorOptions", "resourceProvisioningOptions", "imAddresses", "assignedPlans", "identities"}
_FILTERABLE = frozenset(
    [
        "accountEnabled",
        "mail",
        "userPrincipalName",
        "displayName",
        "id",
        "userType",
        "department",
        "jobTitle",
        "country",
        "mailEnabled",
        "securityEnabled",
        "mailNickname",
        "onPremisesSyncEnabled",
        "surname",
        "givenName",
        "groupTypes",
        "companyName",
    ]
)
_SHAREPOINT = frozenset(
    [
        "aboutMe",
        "birthday",
        "hireDate",
        "interests",
        "mySite",
        "pastProjects",
        "preferredName",
        "responsibilities",
        "schools",
        "skills",
    ]
)
_COLLECTIONS = {Kind.USER: "users", Kind.GROUP: "groups", Kind.ORG_CONTACT: "contacts"}


def selected(call: Call, kind: Kind) -> frozenset[str] | None:
    """Return the wanted properties. SharePoint keeps some of a user's, which no list can show: 501."""
    names = {name.strip() for name in call.options.get("select", "").split(",")}
    if kind is Kind.USER and names & _SHAREPOINT:
        raise GraphProblem(501, "NotImplemented", "The property is kept by SharePoint and cannot be listed.")
    return parse_select(call.options.get("select"), frozenset(published.properties(kind)), f"microsoft.graph.{kind}")


def render(kind: Kind, profile: Json, select: frozenset[str] | None) -> Json:
    names = DEFAULTS[kind] if select is None else select
    return {name: profile.get(name, [] if name in _LISTS else None) for name in sorted(names)}


def typed(call: Call, kind: Kind, row: sqlite3.Row) -> Json:
    """Return a member of a mixed list: it says of which type it is."""
    known = frozenset(published.properties(kind))
    names = call.options.get("select", "")
    select = frozenset(name.strip() for name in names.split(",")) & known if names else None
    return {"@odata.type": f"#microsoft.graph.{kind}"} | render(kind, json.loads(row["profile"]), select)


def found(call: Call, kind: Kind, key: str) -> sqlite3.Row:
    try:
        return directory_objects.find(call.connection, call.caller.tenant_id, kind, key)
    except UnknownNameError as error:
        raise user_not_found(key) from error


def entity(call: Call, kind: Kind, row: sqlite3.Row) -> Response:
    context = f"{call.graph_url}/$metadata#{_COLLECTIONS[kind]}/$entity"
    return json_response({"@odata.context": context} | render(kind, json.loads(row["profile"]), selected(call, kind)))


async def list_users(call: Call) -> Response:
    return _list(call, Kind.USER)


async def list_groups(call: Call) -> Response:
    return _list(call, Kind.GROUP)


async def list_org_contacts(call: Call) -> Response:
    """GET /contacts of the tenant; those of a person are below /users."""
    return _list(call, Kind.ORG_CONTACT)


async def get_group(call: Call) -> Response:
    return entity(call, Kind.GROUP, found(call, Kind.GROUP, call.path["group"]))


async def get_org_contact(call: Call) -> Response:
    return entity(call, Kind.ORG_CONTACT, found(call, Kind.ORG_CONTACT, call.path["orgContact"]))


def _list(call: Call, kind: Kind) -> Response:
    select = selected(call, kind)
    wanted = parse_alternatives(call.options.get("filter", ""))
    groups = [[_checked(condition) for condition in group] for group in wanted]
    rows = directory_objects.live(call.connection, call.caller.tenant_id, kind)
    profiles = [profile for row in rows if _holds(profile := json.loads(row["profile"]), groups)]
    views = [render(kind, profile, select) for profile in profiles]
    return paged(call, f"{call.graph_url}/$metadata#{_COLLECTIONS[kind]}", views)


def paged(call: Call, context: str, views: Sequence[Json]) -> Response:
    """Answer one page of a list; `$count=true` counts only for who asks for eventual consistency."""
    top = call.integer("top", DEFAULT_PAGE, LARGEST_PAGE) or DEFAULT_PAGE
    skip = call.integer("skiptoken", 0, 2**31)
    content: Json = {"@odata.context": context}
    if skip == 0 and advanced(call):
        content["@odata.count"] = len(views)
    content["value"] = list(views[skip : skip + top])
    if len(views) > skip + top:
        kept = {name: call.options[name] for name in ("top", "select", "filter", "count") if name in call.options}
        content["@odata.nextLink"] = call.next_link(**kept, skiptoken=str(skip + top))
    return json_response(content)


def advanced(call: Call) -> bool:
    """Whether this is an advanced query: https://learn.microsoft.com/graph/aad-advanced-queries."""
    eventual = call.request.headers.get("consistencylevel", "").lower() == "eventual"
    return eventual and call.options.get("count", "").lower() == "true"


def _checked(condition: object) -> Condition:
    if (
        not isinstance(condition, Condition)
        or condition.name not in _FILTERABLE
        or condition.operator not in ("eq", "ne", "startswith", "any")
    ):
        raise bad_request("Unsupported or invalid query filter clause specified.", "Request_UnsupportedQuery")
    return condition


def _holds(profile: Json, groups: list[list[Condition]]) -> bool:
    return any(all(_meets(profile.get(each.name), each) for each in group) for group in groups)


def _meets(actual: object, condition: Condition) -> bool:
    wanted = condition.value
    if condition.operator == "any":
        return isinstance(actual, list) and wanted in actual
    if condition.operator == "startswith":
        return str(actual or "").lower().startswith(str(wanted).lower())
    same = actual == wanted
    if isinstance(actual, str) and isinstance(wanted, str):
        same = actual.lower() == wanted.lower()
    return same == (condition.operator == "eq")
