"""Who is in a group, and in which groups somebody is.

https://learn.microsoft.com/graph/api/group-list-transitivemembers
"""

import sqlite3

from starlette.responses import Response

from graph_simulator import directory_objects
from graph_simulator.directory_objects import Kind
from graph_simulator.identifiers import derived_guid
from graph_simulator.web.call import Call, Json
from graph_simulator.web.directory_view import advanced, found, paged, typed
from graph_simulator.web.problems import bad_request

_ADMINISTRATOR = {"displayName": "User Administrator", "roleTemplateId": "fe930be7-5e62-47db-91af-98c3a49a38b1"}


async def list_members(call: Call) -> Response:
    return _members(call, directory_objects.members(call.connection, _group(call)["id"]))


async def list_transitive_members(call: Call) -> Response:
    return _members(call, directory_objects.transitive_members(call.connection, _group(call)["id"]))


async def list_member_of(call: Call) -> Response:
    return _member_of(call, transitive=False)


async def list_transitive_member_of(call: Call) -> Response:
    return _member_of(call, transitive=True)


def _group(call: Call) -> sqlite3.Row:
    return found(call, Kind.GROUP, call.path["group"])


def _members(call: Call, rows: list[tuple[Kind, sqlite3.Row]]) -> Response:
    return _answer(call, [(kind, typed(call, kind, row)) for kind, row in rows])


def _member_of(call: Call, *, transitive: bool) -> Response:
    user = call.user()
    rows = directory_objects.groups_of(call.connection, user["id"], transitive=transitive)
    views = [("group", typed(call, Kind.GROUP, row)) for row in rows]
    if user["is_admin"]:
        role: Json = {"id": derived_guid(call.caller.tenant_id.encode(), "role"), **_ADMINISTRATOR}
        views.append(("directoryRole", {"@odata.type": "#microsoft.graph.directoryRole", **role}))
    return _answer(call, views)


def _answer(call: Call, views: list[tuple[str, Json]] | list[tuple[Kind, Json]]) -> Response:
    # Microsoft's own SDK leaves the first word of the namespace out.
    cast = call.path.get("cast", "").lower().removeprefix("graph.")
    if cast and not advanced(call):
        text = "The specified cast is an advanced query: it needs ConsistencyLevel: eventual and $count=true."
        raise bad_request(text, "Request_UnsupportedQuery")
    wanted = [view for kind, view in views if not cast or kind.lower() == cast]
    return paged(call, f"{call.graph_url}/$metadata#directoryObjects", wanted)
