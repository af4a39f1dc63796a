"""PATCH /users/{user}, with the restrictions of Entra ID; 204 without a body.

https://learn.microsoft.com/graph/api/user-update
"""

import json
import sqlite3

from starlette.responses import Response

from graph_simulator import directory_objects, published
from graph_simulator.directory_objects import Kind
from graph_simulator.web.call import Call, Json, forbidden
from graph_simulator.web.problems import GraphProblem

WRITABLE = frozenset(
    [
        "accountEnabled",
        "ageGroup",
        "businessPhones",
        "city",
        "companyName",
        "country",
        "department",
        "displayName",
        "employeeId",
        "employeeType",
        "faxNumber",
        "givenName",
        "jobTitle",
        "mail",
        "mailNickname",
        "mobilePhone",
        "officeLocation",
        "otherMails",
        "postalCode",
        "preferredLanguage",
        "showInAddressList",
        "state",
        "streetAddress",
        "surname",
        "usageLocation",
        "userPrincipalName",
        "userType",
    ]
)
SENSITIVE = frozenset({"accountEnabled", "businessPhones", "mobilePhone", "otherMails"})
"""Of who holds an administrator's role only somebody with a higher role may change these."""
_LOCAL = frozenset({"usageLocation", "showInAddressList"})
"""What stays writable in the cloud for a user whose master is on premises."""
_NEVER_EMPTY = frozenset({"displayName", "usageLocation", "userPrincipalName", "accountEnabled", "mailNickname"})
_NARROW = {
    "User.EnableDisableAccount.All": frozenset({"accountEnabled"}),
    "User-Phone.ReadWrite.All": frozenset({"businessPhones", "mobilePhone"}),
}


async def update_user(call: Call) -> Response:
    user, body = call.user(), await call.json()
    changes = {name: value for name, value in body.items() if "@" not in name}
    _check_permission(call, changes)
    _check_properties(changes)
    _check_user(user, changes)
    _check_name(call, user, changes)
    if "mail" in changes:
        changes["proxyAddresses"] = _addresses(user, changes["mail"])
    directory_objects.update(call.connection, Kind.USER, user, changes)
    return Response(status_code=204)


def _check_permission(call: Call, changes: Json) -> None:
    if "User.ReadWrite.All" in call.caller.roles:
        return
    allowed = frozenset[str]().union(*(names for role, names in _NARROW.items() if role in call.caller.roles))
    if changes.keys() - allowed:
        raise forbidden(exchange=False)


def _check_properties(changes: Json) -> None:
    known = published.properties("user")
    for name, value in changes.items():
        if name not in known:
            raise _bad(f"Invalid property '{name}'.")
        if name not in WRITABLE:
            raise _bad(f"Property '{name}' is read-only and cannot be set.")
        if next(published.problems(value, known[name]), None) or (name in _NEVER_EMPTY and value in (None, "")):
            raise _bad(f"Invalid value specified for property '{name}' of resource 'User'.")
    phones = changes.get("businessPhones")
    if isinstance(phones, list) and len(phones) > 1:
        raise _bad("Invalid value specified for property 'businessPhones' of resource 'User'.")


def _check_user(user: sqlite3.Row, changes: Json) -> None:
    if json.loads(user["profile"]).get("onPremisesSyncEnabled") and changes.keys() - _LOCAL:
        raise _bad(
            "Unable to update the specified properties for on-premises mastered Directory Sync objects or objects"
            " currently undergoing migration."
        )
    if user["is_admin"] and changes.keys() & SENSITIVE:
        raise forbidden(exchange=False)


def _check_name(call: Call, user: sqlite3.Row, changes: Json) -> None:
    if "userPrincipalName" not in changes:
        return
    name = str(changes["userPrincipalName"]).lower()
    tenant = call.connection.execute("SELECT domain FROM tenant WHERE id = ?", (call.caller.tenant_id,)).fetchone()
    if name.partition("@")[2] != tenant["domain"]:
        raise _bad("The domain portion of the userPrincipalName property is invalid. Use one of the verified domains.")
    taken = call.connection.execute("SELECT 1 FROM user WHERE upn = ? AND pk <> ?", (name, user["pk"])).fetchone()
    if taken:
        raise _bad("Another object with the same value for property userPrincipalName already exists.")


def _addresses(user: sqlite3.Row, mail: object) -> list[str]:
    """Return the proxy addresses after a change of the primary one, which stays as a secondary one."""
    before = [str(each) for each in json.loads(user["profile"]).get("proxyAddresses") or []]
    others = [f"smtp:{each[5:]}" for each in before if each[5:].lower() != str(mail).lower()]
    return [*([f"SMTP:{mail}"] if mail else []), *others]


def _bad(text: str) -> GraphProblem:
    return GraphProblem(400, "Request_BadRequest", text)
