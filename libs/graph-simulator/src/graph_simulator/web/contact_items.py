"""Contact requests: list, delta, read, write, delete, and the photo.

https://learn.microsoft.com/graph/api/resources/contact · https://learn.microsoft.com/graph/api/profilephoto-get
"""

import sqlite3

from starlette.responses import Response

from graph_simulator import contacts
from graph_simulator.database import transaction
from graph_simulator.messages import normalized_property
from graph_simulator.times import iso, parse_iso
from graph_simulator.web import delta
from graph_simulator.web.call import Call, Json
from graph_simulator.web.compose import extended_properties
from graph_simulator.web.contact_view import listed, refuse_unreadable, render, written
from graph_simulator.web.problems import GraphProblem, bad_request, item_not_found, json_response
from graph_simulator.web.selection import Condition, ExtendedCondition, parse_filter

DEFAULT_PAGE = 10
LARGEST_PAGE = 1000
LARGEST_PHOTO = 4 * 1024 * 1024
_SIDE = 96
_COLUMNS = {"createdDateTime": "created", "lastModifiedDateTime": "modified"}
_NAMES = frozenset({"displayName", "givenName", "surname", "companyName", "fileAs", "jobTitle"})
_OPERATORS = {"eq": "=", "ne": "<>", "ge": ">=", "gt": ">", "le": "<=", "lt": "<"}
_ORDERS = {
    "": "pk",
    "displayname": "json_extract(properties, '$.displayName'), pk",
    "displayname asc": "json_extract(properties, '$.displayName'), pk",
    "createddatetime": "created, pk",
    "displayname desc": "json_extract(properties, '$.displayName') DESC, pk",
}


async def list_contacts(call: Call) -> Response:
    """GET …/contacts of the default folder, or of the folder the path names."""
    folder = call.contact_folder()
    where, values = "folder_pk = ?", [folder["pk"]]
    for condition in parse_filter(call.options.get("filter", "")):
        clause, value = _sql(condition)
        where, values = f"{where} AND {clause}", values + value
    order = _ORDERS.get(call.options.get("orderby", "").lower().strip())
    if order is None:
        raise bad_request("Only displayName and createdDateTime are supported in $orderby.", "ErrorInvalidUrlQuery")
    top, skip = call.integer("top", DEFAULT_PAGE, LARGEST_PAGE), call.integer("skip", 0, 2**31)
    query = f"SELECT * FROM contact WHERE {where} ORDER BY {order} LIMIT ? OFFSET ?"  # noqa: S608 - from constants
    rows = call.connection.execute(query, (*values, top + 1, skip)).fetchall()
    content: Json = {"@odata.context": f"{call.graph_url}/$metadata#users('{call.user()['id']}')/contacts"}
    if call.options.get("count", "").lower() == "true":
        total = call.connection.execute(f"SELECT count(*) FROM contact WHERE {where}", values)  # noqa: S608 - as above
        content["@odata.count"] = total.fetchone()[0]
    content["value"] = [listed(call, row) for row in rows[:top]]
    if len(rows) > top:
        kept = {name: call.options[name] for name in ("select", "filter", "expand", "orderby") if name in call.options}
        content["@odata.nextLink"] = call.next_link(**kept, top=str(top), skip=str(skip + top))
    return json_response(content)


async def contact_delta(call: Call) -> Response:
    """GET …/contacts/delta of the default folder, or of the folder the path names."""
    folder = call.contact_folder()

    def live(after: int, limit: int) -> list[sqlite3.Row]:
        return call.connection.execute(
            "SELECT * FROM contact WHERE folder_pk = ? AND seq > ? ORDER BY seq LIMIT ?", (folder["pk"], after, limit)
        ).fetchall()

    return delta.answer(call, contacts.contact_scope(folder["pk"]), live, lambda row: listed(call, row), "contact")


async def get_contact(call: Call) -> Response:
    row = _found(call)
    refuse_unreadable(call, row)
    return _answer(call, row)


async def create_contact(call: Call) -> Response:
    folder = call.contact_folder()
    body = await call.json()
    properties, extended = contacts.with_names(written(body)), _extended(body)
    pk = contacts.insert(call.connection, folder["user_pk"], folder["pk"], properties, extended)
    return _answer(call, contacts.by_pk(call.connection, pk), 201)


async def update_contact(call: Call) -> Response:
    row = _found(call)
    body = await call.json()
    with transaction(call.connection):
        contacts.update(call.connection, row, written(body), _extended(body))
    return _answer(call, contacts.by_pk(call.connection, row["pk"]))


async def delete_contact(call: Call) -> Response:
    contacts.delete(call.connection, _found(call))
    return Response(status_code=204)


async def get_photo(call: Call) -> Response:
    """GET …/contacts/{contact}/photo: that there is one, and its size in pixels."""
    row = _pictured(call)
    context = f"{call.graph_url}/$metadata#users('{call.user()['id']}')/contacts('{row['id']}')/photo/$entity"
    entity = {"@odata.context": context, "@odata.mediaContentType": row["photo_type"], "id": f"{_SIDE}X{_SIDE}"}
    return json_response(entity | {"width": _SIDE, "height": _SIDE})


async def get_photo_content(call: Call) -> Response:
    row = _pictured(call)
    return Response(row["photo"], media_type=row["photo_type"])


async def put_photo(call: Call) -> Response:
    """PUT (or PATCH) …/photo/$value with an image of at most 4 MB."""
    row = _found(call)
    content, kind = await call.request.body(), call.request.headers.get("content-type", "")
    if not content or not kind.startswith("image/"):
        raise bad_request("The photo must be an image.", "ErrorInvalidImage")
    if len(content) > LARGEST_PHOTO:
        raise GraphProblem(413, "RequestEntityTooLarge", "The request exceeds the maximum size of 4 MB.")
    contacts.set_photo(call.connection, row, content, kind)
    return Response(status_code=200)


def _found(call: Call) -> sqlite3.Row:
    """Find the contact of the path, also checking the folder when the path names one."""
    try:
        row = contacts.find_contact(call.connection, call.user()["pk"], call.path["contact"])
    except contacts.ContactNotFoundError as error:
        raise item_not_found() from error
    if "contactFolder" in call.path and call.contact_folder()["pk"] != row["folder_pk"]:
        raise item_not_found()
    return row


def _pictured(call: Call) -> sqlite3.Row:
    row = _found(call)
    refuse_unreadable(call, row)
    if row["photo"] is None:
        raise GraphProblem(404, "ErrorItemNotFound", "The photo wasn't found.")
    return row


def _answer(call: Call, row: sqlite3.Row, status: int = 200) -> Response:
    context = f"{call.graph_url}/$metadata#users('{call.user()['id']}')/contacts/$entity"
    view = render(call, row)
    return json_response({"@odata.context": context} | view, status, {"ETag": str(view["@odata.etag"])})


def _extended(body: Json) -> dict[str, str]:
    return extended_properties(body.get("singleValueExtendedProperties", []))


def _sql(condition: Condition | ExtendedCondition) -> tuple[str, list[object]]:
    if isinstance(condition, ExtendedCondition):
        clause = "pk IN (SELECT contact_pk FROM contact_property WHERE match = ? AND value = ?)"
        return clause, [normalized_property(condition.property_id), condition.value]
    operator = _OPERATORS[condition.operator]
    if condition.name in _NAMES:
        return f"json_extract(properties, '$.{condition.name}') {operator} ?", [condition.value]
    if condition.name not in _COLUMNS:
        raise bad_request(f"Filtering by {condition.name} is not supported.", "ErrorInvalidUrlQueryFilter")
    try:
        return f"{_COLUMNS[condition.name]} {operator} ?", [iso(parse_iso(str(condition.value)))]
    except ValueError as error:
        raise bad_request(f"'{condition.value}' is not an instant.", "ErrorInvalidUrlQueryFilter") from error
