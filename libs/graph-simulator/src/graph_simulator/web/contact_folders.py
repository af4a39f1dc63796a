"""Contact folder requests. The default folder is in no list; its contacts are `/users/{user}/contacts`.

https://learn.microsoft.com/graph/api/resources/contactfolder
"""

import sqlite3

from starlette.responses import Response

from graph_simulator import contacts
from graph_simulator.folders import FolderExistsError
from graph_simulator.web import delta
from graph_simulator.web.call import Call, Json
from graph_simulator.web.contact_view import render_folder
from graph_simulator.web.problems import GraphProblem, bad_request, json_response
from graph_simulator.web.selection import Condition, parse_filter

DEFAULT_PAGE = 10
LARGEST_PAGE = 1000


async def list_folders(call: Call) -> Response:
    """GET /users/{user}/contactFolders: what lies directly below the default folder."""
    user_pk = call.user()["pk"]
    return _page(call, contacts.default_folder(call.connection, user_pk))


async def list_child_folders(call: Call) -> Response:
    return _page(call, call.contact_folder())


async def get_folder(call: Call) -> Response:
    return _answer(call, call.contact_folder())


async def create_top_folder(call: Call) -> Response:
    return await _create(call, contacts.default_folder(call.connection, call.user()["pk"]))


async def create_child_folder(call: Call) -> Response:
    return await _create(call, call.contact_folder())


async def update_folder(call: Call) -> Response:
    """PATCH …/contactFolders/{contactFolder}: the display name is all that can change."""
    folder = call.contact_folder()
    name = _display_name(await call.json())
    _refuse_default(folder)
    try:
        contacts.rename_folder(call.connection, folder, name)
    except FolderExistsError as error:
        raise _exists() from error
    return _answer(call, contacts.folder_by_pk(call.connection, folder["pk"]))


async def delete_folder(call: Call) -> Response:
    folder = call.contact_folder()
    _refuse_default(folder)
    contacts.delete_folder(call.connection, folder)
    return Response(status_code=204)


async def folder_delta(call: Call) -> Response:
    """GET /users/{user}/contactFolders/delta: flat over the whole tree, without the default folder."""
    user_pk = call.user()["pk"]

    def live(after: int, limit: int) -> list[sqlite3.Row]:
        return call.connection.execute(
            "SELECT * FROM contact_folder WHERE user_pk = ? AND seq > ? AND parent_pk IS NOT NULL ORDER BY seq LIMIT ?",
            (user_pk, after, limit),
        ).fetchall()

    return delta.answer(
        call, contacts.folder_scope(user_pk), live, lambda row: render_folder(call, row), "contactFolder"
    )


def _page(call: Call, parent: sqlite3.Row) -> Response:
    rows = contacts.child_folders(call.connection, parent["pk"])
    for condition in parse_filter(call.options.get("filter", "")):
        if not isinstance(condition, Condition) or (condition.name, condition.operator) != ("displayName", "eq"):
            raise bad_request("Only displayName eq is supported here.", "ErrorInvalidUrlQueryFilter")
        rows = [row for row in rows if row["name"].lower() == str(condition.value).lower()]
    top, skip = call.integer("top", DEFAULT_PAGE, LARGEST_PAGE), call.integer("skip", 0, 2**31)
    content: Json = {
        "@odata.context": f"{call.graph_url}/$metadata#users('{call.user()['id']}')/contactFolders",
        "value": [render_folder(call, row) for row in rows[skip : skip + top]],
    }
    if len(rows) > skip + top:
        kept = {name: call.options[name] for name in ("top", "select", "filter") if name in call.options}
        content["@odata.nextLink"] = call.next_link(**kept, skip=str(skip + top))
    return json_response(content)


def _answer(call: Call, row: sqlite3.Row, status: int = 200) -> Response:
    context = f"{call.graph_url}/$metadata#users('{call.user()['id']}')/contactFolders/$entity"
    return json_response({"@odata.context": context} | render_folder(call, row), status)


async def _create(call: Call, parent: sqlite3.Row) -> Response:
    name = _display_name(await call.json())
    try:
        pk = contacts.create_folder(call.connection, parent["user_pk"], parent["pk"], name)
    except FolderExistsError as error:
        raise _exists() from error
    return _answer(call, contacts.folder_by_pk(call.connection, pk), 201)


def _display_name(body: Json) -> str:
    name = body.get("displayName")
    if not isinstance(name, str) or not name.strip():
        raise bad_request("The display name of a folder must not be empty.", "ErrorInvalidRequest")
    return name


def _refuse_default(folder: sqlite3.Row) -> None:
    if folder["parent_pk"] is None:
        raise GraphProblem(400, "ErrorDeleteDistinguishedFolder", "Distinguished folders cannot be changed.")


def _exists() -> GraphProblem:
    return GraphProblem(409, "ErrorFolderExists", "A folder with the specified name already exists.")
