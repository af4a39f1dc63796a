"""Mail folder requests.

https://learn.microsoft.com/graph/api/resources/mailfolder
"""

import sqlite3

from starlette.responses import Response

from graph_simulator import folders, messages
from graph_simulator.web import delta
from graph_simulator.web.call import Call, Json
from graph_simulator.web.message_view import folder_id
from graph_simulator.web.problems import GraphProblem, bad_request, json_response
from graph_simulator.web.selection import Condition, parse_expand, parse_filter, parse_select

PROPERTIES = frozenset(
    ["id", "displayName", "parentFolderId", "childFolderCount", "unreadItemCount", "totalItemCount", "isHidden"]
)
DEFAULT_PAGE = 10
LARGEST_PAGE = 1000


def render(call: Call, row: sqlite3.Row) -> Json:
    total, unread, child_folders = folders.counts(call.connection, row["pk"])
    view: Json = {
        "id": row["id"],
        "displayName": row["name"],
        "parentFolderId": folder_id(call.connection, row["parent_pk"] or row["pk"]),
        "childFolderCount": child_folders,
        "unreadItemCount": unread,
        "totalItemCount": total,
        "isHidden": bool(row["hidden"]),
    }
    select = parse_select(call.options.get("select"), PROPERTIES, "microsoft.graph.mailFolder")
    if select is not None:
        view = {name: value for name, value in view.items() if name in select | {"id"}}
    if "childFolders" in parse_expand(call.options.get("expand")):
        view["childFolders"] = [render_plain(call, child) for child in folders.children(call.connection, row["pk"])]
    return view


def render_plain(call: Call, row: sqlite3.Row) -> Json:
    """Render a folder without following $expand any deeper."""
    options, call.options = call.options, {}
    try:
        return render(call, row)
    finally:
        call.options = options


async def list_folders(call: Call) -> Response:
    """GET /users/{user}/mailFolders: the top level only."""
    user = call.user()
    return _page(call, user, call.folder(user["pk"], folders.ROOT))


async def list_child_folders(call: Call) -> Response:
    user = call.user()
    return _page(call, user, call.folder(user["pk"]))


async def get_folder(call: Call) -> Response:
    user = call.user()
    context = f"{call.graph_url}/$metadata#users('{user['id']}')/mailFolders/$entity"
    return json_response({"@odata.context": context} | render(call, call.folder(user["pk"])))


async def create_top_folder(call: Call) -> Response:
    user = call.user()
    return await _create(call, user, call.folder(user["pk"], folders.ROOT))


async def create_child_folder(call: Call) -> Response:
    user = call.user()
    return await _create(call, user, call.folder(user["pk"]))


async def update_folder(call: Call) -> Response:
    """PATCH …/mailFolders/{folder}: the display name is all that can change."""
    folder = call.folder(call.user()["pk"])
    name = _display_name(await call.json())
    try:
        folders.rename_folder(call.connection, folder, name)
    except folders.FolderExistsError as error:
        raise _exists() from error
    return await get_folder(call)


async def delete_folder(call: Call) -> Response:
    """DELETE …/mailFolders/{folder}: the folder goes with all it contains; well-known folders cannot be deleted."""
    folder = call.folder(call.user()["pk"])
    if folder["well_known"] is not None:
        raise GraphProblem(400, "ErrorDeleteDistinguishedFolder", "Distinguished folders cannot be deleted.")
    messages.delete_folder(call.connection, folder)
    return Response(status_code=204)


async def folder_delta(call: Call) -> Response:
    """GET /users/{user}/mailFolders/delta: flat over the whole tree, without the root."""
    user_pk = call.user()["pk"]

    def live(after: int, limit: int) -> list[sqlite3.Row]:
        return call.connection.execute(
            "SELECT * FROM folder WHERE user_pk = ? AND seq > ? AND parent_pk IS NOT NULL ORDER BY seq LIMIT ?",
            (user_pk, after, limit),
        ).fetchall()

    return delta.answer(call, f"u{user_pk}", live, lambda row: render(call, row), "mailFolder")


def _page(call: Call, user: sqlite3.Row, parent: sqlite3.Row) -> Response:
    with_hidden = call.options.get("includehiddenfolders", "").lower() == "true"
    rows = [row for row in folders.children(call.connection, parent["pk"]) if with_hidden or not row["hidden"]]
    for condition in parse_filter(call.options.get("filter", "")):
        if not isinstance(condition, Condition) or (condition.name, condition.operator) != ("displayName", "eq"):
            raise bad_request("Only displayName eq is supported here.", "ErrorInvalidUrlQueryFilter")
        rows = [row for row in rows if row["name"].lower() == str(condition.value).lower()]
    top, skip = call.integer("top", DEFAULT_PAGE, LARGEST_PAGE), call.integer("skip", 0, 2**31)
    content: Json = {
        "@odata.context": f"{call.graph_url}/$metadata#users('{user['id']}')/mailFolders",
        "value": [render(call, row) for row in rows[skip : skip + top]],
    }
    if len(rows) > skip + top:
        content["@odata.nextLink"] = _next_link(call, skip + top)
    return json_response(content)


def _next_link(call: Call, skip: int) -> str:
    kept = {name: call.options[name] for name in ("top", "select", "expand", "filter") if name in call.options}
    link = call.next_link(**kept, skip=str(skip))
    hidden = call.options.get("includehiddenfolders")
    return f"{link}&includeHiddenFolders={hidden}" if hidden else link


async def _create(call: Call, user: sqlite3.Row, parent: sqlite3.Row) -> Response:
    body = await call.json()
    name = _display_name(body)
    try:
        pk = folders.create_folder(call.connection, user["pk"], parent["pk"], name, hidden=body.get("isHidden") is True)
    except folders.FolderExistsError as error:
        raise _exists() from error
    row = call.connection.execute("SELECT * FROM folder WHERE pk = ?", (pk,)).fetchone()
    context = f"{call.graph_url}/$metadata#users('{user['id']}')/mailFolders/$entity"
    return json_response({"@odata.context": context} | render_plain(call, row), 201)


def _display_name(body: Json) -> str:
    name = body.get("displayName")
    if not isinstance(name, str) or not name.strip():
        raise bad_request("The display name of a folder must not be empty.", "ErrorInvalidRequest")
    return name


def _exists() -> GraphProblem:
    return GraphProblem(409, "ErrorFolderExists", "A folder with the specified name already exists.")
