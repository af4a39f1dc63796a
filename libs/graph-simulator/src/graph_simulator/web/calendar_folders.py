"""Calendar and calendar group requests.

https://learn.microsoft.com/graph/api/user-list-calendars · https://learn.microsoft.com/graph/api/user-list-calendargroups
"""

import sqlite3

from starlette.responses import Response

from graph_simulator import calendars
from graph_simulator.calendars import CalendarExistsError, CalendarFixedError, CalendarNotFoundError, NewCalendar
from graph_simulator.identifiers import change_key
from graph_simulator.web import calendar_call
from graph_simulator.web.call import Call, Json
from graph_simulator.web.problems import GraphProblem, bad_request, item_not_found, json_response
from graph_simulator.web.selection import parse_select

DEFAULT_PAGE, LARGEST_PAGE = 10, 1000
COLORS = {
    "auto": "",
    "lightBlue": "#a6d1f5",
    "lightGreen": "#87d28e",
    "lightOrange": "#fcab73",
    "lightGray": "#c0c0c0",
    "lightYellow": "#f0e68c",
    "lightTeal": "#4adacc",
    "lightPink": "#f08cc0",
    "lightBrown": "#cba287",
    "lightRed": "#f88c9b",
    "maxColor": "",
}
PROPERTIES = frozenset(
    [
        "id",
        "name",
        "color",
        "hexColor",
        "isDefaultCalendar",
        "changeKey",
        "canShare",
        "canViewPrivateItems",
        "canEdit",
        "allowedOnlineMeetingProviders",
        "defaultOnlineMeetingProvider",
        "isTallyingResponses",
        "isRemovable",
        "owner",
    ]
)


async def list_calendars(call: Call) -> Response:
    """GET …/calendars of the mailbox or of one group."""
    user = call.user()
    group_pk = _group(call, user["pk"])["pk"] if "group" in call.path else None
    rows = calendars.calendars(call.connection, user["pk"], group_pk)
    select = parse_select(call.options.get("select"), PROPERTIES, "microsoft.graph.calendar")
    return _page(call, f"users('{user['id']}')/calendars", [_view(call, user, row, select) for row in rows])


async def get_calendar(call: Call) -> Response:
    return calendar_response(call, calendar_call.calendar(call))


async def create_calendar(call: Call) -> Response:
    """POST …/calendars of the mailbox or of one group: a name is needed, a colour is welcome."""
    user, body = call.user(), await call.json()
    group = _group(call, user["pk"]) if "group" in call.path else calendars.groups(call.connection, user["pk"])[0]
    new = NewCalendar(_name(body), _color(body, "auto"))
    try:
        pk = calendars.create_calendar(call.connection, user["pk"], group["pk"], new)
    except CalendarExistsError as error:
        raise GraphProblem(409, "ErrorFolderExists", "A folder with the specified name already exists.") from error
    row = call.connection.execute("SELECT * FROM calendar WHERE pk = ?", (pk,)).fetchone()
    return calendar_response(call, row, 201)


async def update_calendar(call: Call) -> Response:
    row, body = calendar_call.calendar(call), await call.json()
    name = _name(body) if "name" in body else row["name"]
    try:
        calendars.rename_calendar(call.connection, row, name, _color(body, row["color"]))
    except CalendarExistsError as error:
        raise GraphProblem(409, "ErrorFolderExists", "A folder with the specified name already exists.") from error
    return calendar_response(call, calendar_call.calendar(call))


async def delete_calendar(call: Call) -> Response:
    try:
        calendars.delete_calendar(call.connection, calendar_call.calendar(call))
    except CalendarFixedError as error:
        raise GraphProblem(400, "ErrorDeleteDistinguishedFolder", "Distinguished folders cannot be deleted.") from error
    return Response(status_code=204)


async def list_groups(call: Call) -> Response:
    user = call.user()
    rows = calendars.groups(call.connection, user["pk"])
    return _page(call, f"users('{user['id']}')/calendarGroups", [_group_view(row) for row in rows])


async def get_group(call: Call) -> Response:
    user = call.user()
    context = f"{call.graph_url}/$metadata#users('{user['id']}')/calendarGroups/$entity"
    return json_response({"@odata.context": context} | _group_view(_group(call, user["pk"])))


async def create_group(call: Call) -> Response:
    user, body = call.user(), await call.json()
    if any(row["name"].lower() == _name(body).lower() for row in calendars.groups(call.connection, user["pk"])):
        raise GraphProblem(409, "ErrorFolderExists", "A folder with the specified name already exists.")
    pk = calendars.create_group(call.connection, user["pk"], _name(body))
    row = call.connection.execute("SELECT * FROM calendar_group WHERE pk = ?", (pk,)).fetchone()
    context = f"{call.graph_url}/$metadata#users('{user['id']}')/calendarGroups/$entity"
    return json_response({"@odata.context": context} | _group_view(row), 201)


def calendar_response(call: Call, row: sqlite3.Row, status: int = 200) -> Response:
    user = call.user()
    select = parse_select(call.options.get("select"), PROPERTIES, "microsoft.graph.calendar")
    context = f"{call.graph_url}/$metadata#users('{user['id']}')/calendars/$entity"
    return json_response({"@odata.context": context} | _view(call, user, row, select), status)


def _page(call: Call, context: str, entries: list[Json]) -> Response:
    top, skip = call.integer("top", DEFAULT_PAGE, LARGEST_PAGE), call.integer("skip", 0, 2**31)
    content: Json = {"@odata.context": f"{call.graph_url}/$metadata#{context}", "value": entries[skip : skip + top]}
    if len(entries) > skip + top:
        kept = {name: call.options[name] for name in ("select",) if name in call.options}
        content["@odata.nextLink"] = call.next_link(**kept, top=str(top), skip=str(skip + top))
    return json_response(content)


def _view(call: Call, user: sqlite3.Row, row: sqlite3.Row, select: frozenset[str] | None) -> Json:
    own = row["owner_address"] is None
    everything: Json = {
        "id": row["id"],
        "name": row["name"],
        "color": row["color"],
        "hexColor": COLORS[row["color"]],
        "isDefaultCalendar": bool(row["is_default"]),
        "changeKey": change_key(row["seq"]),
        "canShare": own,
        "canViewPrivateItems": own,
        "canEdit": bool(row["can_edit"]),
        "allowedOnlineMeetingProviders": ["teamsForBusiness"],
        "defaultOnlineMeetingProvider": "teamsForBusiness",
        "isTallyingResponses": bool(row["is_default"]),
        "isRemovable": not row["is_default"],
        "owner": _owner(call, user, row),
    }
    return {name: value for name, value in everything.items() if select is None or name in select | {"id"}}


def _owner(call: Call, user: sqlite3.Row, row: sqlite3.Row) -> Json:
    if row["owner_address"] is not None:
        return {"name": row["owner_name"], "address": row["owner_address"]}
    found = call.connection.execute("SELECT profile ->> 'displayName' AS name FROM user WHERE pk = ?", (user["pk"],))
    return {"name": found.fetchone()["name"], "address": user["upn"]}


def _group(call: Call, user_pk: int) -> sqlite3.Row:
    try:
        return calendars.find_group(call.connection, user_pk, call.path["group"])
    except CalendarNotFoundError as error:
        raise item_not_found() from error


def _group_view(row: sqlite3.Row) -> Json:
    return {
        "id": row["id"],
        "name": row["name"],
        "classId": "0006f0b7-0000-0000-c000-000000000046",
        "changeKey": change_key(row["seq"]),
    }


def _name(body: Json) -> str:
    name = body.get("name")
    if not isinstance(name, str) or not name.strip():
        raise bad_request("A name is needed.", "ErrorInvalidRequest")
    return name


def _color(body: Json, default: str) -> str:
    color = str(body.get("color", default))
    if color not in COLORS:
        raise bad_request(f"Cannot convert the literal '{color}' to the expected type of color.", "RequestBodyRead")
    return color
