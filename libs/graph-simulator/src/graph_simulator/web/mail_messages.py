"""Message requests: list, read, change, move, delete.

https://learn.microsoft.com/graph/api/resources/message
"""

import sqlite3
from collections.abc import AsyncIterator, Sequence

from anyio import to_thread
from starlette.responses import Response, StreamingResponse

from graph_simulator import messages, mime_writer
from graph_simulator.attachments import forget_mime
from graph_simulator.database import FILE_NAME, connect, transaction
from graph_simulator.fault_rules import FaultKind
from graph_simulator.folders import DELETIONS
from graph_simulator.times import iso, parse_iso
from graph_simulator.web.call import Call, Json
from graph_simulator.web.message_view import render, render_page, selected
from graph_simulator.web.problems import GraphProblem, bad_request, json_response
from graph_simulator.web.selection import Condition, ExtendedCondition, parse_expand, parse_filter

DEFAULT_PAGE = 10
LARGEST_PAGE = 1000
MIME_TYPE = "text/plain"
# Larger bodies are read by a thread in pieces, so that one of them never holds up the other requests.
STREAM_ABOVE = 1024 * 1024
PIECE = 256 * 1024

UPDATABLE = frozenset({"categories", "flag", "importance", "inferenceClassification"})
DRAFT_ONLY = frozenset(
    {"subject", "body", "toRecipients", "ccRecipients", "bccRecipients", "replyTo", "from", "sender"}
)
_COLUMNS = {
    "receivedDateTime": "received",
    "sentDateTime": "sent",
    "lastModifiedDateTime": "modified",
    "createdDateTime": "created",
    "internetMessageId": "internet_id",
    "isRead": "is_read",
    "isDraft": "is_draft",
}
_OPERATORS = {"eq": "=", "ne": "<>", "ge": ">=", "gt": ">", "le": "<=", "lt": "<"}
_ORDERS = {
    "": "received DESC, pk DESC",
    "receiveddatetime desc": "received DESC, pk DESC",
    "receiveddatetime": "received, pk",
    "receiveddatetime asc": "received, pk",
}


async def list_messages(call: Call) -> Response:
    """GET …/messages of the mailbox or of one folder, newest first."""
    user = call.user()
    deletions = call.folder(user["pk"], DELETIONS)["pk"]
    where, values = "user_pk = ? AND folder_pk <> ?", [user["pk"], deletions]
    if "folder" in call.path:
        where, values = "folder_pk = ?", [call.folder(user["pk"])["pk"]]
    conditions = parse_filter(call.options.get("filter", ""))
    for condition in conditions:
        clause, value = _sql(condition)
        where, values = f"{where} AND {clause}", values + value
    order = _ORDERS.get(call.options.get("orderby", "").lower().strip())
    if order is None:
        raise bad_request("Only receivedDateTime is supported in $orderby.", "ErrorInvalidUrlQuery")
    _refuse_inefficient(call, conditions)
    top, skip = call.integer("top", DEFAULT_PAGE, LARGEST_PAGE), call.integer("skip", 0, 2**31)
    query = f"SELECT * FROM message WHERE {where} ORDER BY {order} LIMIT ? OFFSET ?"  # noqa: S608 - built from constants
    rows = call.connection.execute(query, (*values, top + 1, skip)).fetchall()
    content: Json = {"@odata.context": f"{call.graph_url}/$metadata#users('{user['id']}')/messages"}
    if call.options.get("count", "").lower() == "true":
        total = call.connection.execute(f"SELECT count(*) FROM message WHERE {where}", values)  # noqa: S608 - as above
        content["@odata.count"] = total.fetchone()[0]
    content["value"] = render_page(call, rows[:top])
    if len(rows) > top:
        kept = {name: call.options[name] for name in ("select", "filter", "expand", "orderby") if name in call.options}
        content["@odata.nextLink"] = call.next_link(**kept, top=str(top), skip=str(skip + top))
    return json_response(content)


async def get_message(call: Call) -> Response:
    row = call.message()
    _refuse_unreadable(call, row)
    return message_response(call, row)


def message_response(call: Call, row: sqlite3.Row, status: int = 200) -> Response:
    context = f"{call.graph_url}/$metadata#users('{call.user()['id']}')/messages/$entity"
    view = render(call, row, selected(call), parse_expand(call.options.get("expand")))
    return json_response({"@odata.context": context} | view, status, {"ETag": str(view["@odata.etag"])})


async def get_mime(call: Call) -> Response:
    """GET /users/{user}/messages/{message}/$value: the stored bytes, or MIME generated for JSON-made messages.

    https://learn.microsoft.com/graph/outlook-get-mime-message
    """
    row = call.message()
    _refuse_unreadable(call, row)
    if row["size"] > STREAM_ABOVE:
        stored = call.connection.execute(
            "SELECT length(mime) AS size FROM content WHERE message_pk = ?", (row["pk"],)
        ).fetchone()["size"]
        if stored is not None:
            pieces = _pieces(call, row["pk"], stored)
            return StreamingResponse(pieces, media_type=MIME_TYPE, headers={"Content-Length": str(stored)})
    mime = messages.mime_of(call.connection, row["pk"])
    return Response(mime_writer.generate(call.connection, row) if mime is None else mime, media_type=MIME_TYPE)


async def get_mime_in_folder(call: Call) -> Response:
    """GET …/mailFolders/{folder}/messages/{message}/$value: recoverable items only; others have the short path."""
    if call.folder(call.user()["pk"])["well_known"] == DELETIONS:
        return await get_mime(call)
    raise GraphProblem(405, "ErrorInvalidRequest", "The OData request is not supported.")


async def update_message(call: Call) -> Response:
    """PATCH …/messages/{message}: state always, content only while it is a draft."""
    row = call.message()
    body = await call.json()
    allowed = UPDATABLE | {"isRead"} | (DRAFT_ONLY if row["is_draft"] else frozenset())
    if refused := {name for name in body if "@" not in name} - allowed:
        raise bad_request(f"The property '{min(refused)}' cannot be changed.", "ErrorInvalidPropertySet")
    is_read = body.get("isRead")
    if is_read is not None and not isinstance(is_read, bool):
        raise bad_request("isRead must be true or false.", "ErrorInvalidRequest")
    content = body.get("body")
    changes = {name: value for name, value in body.items() if name in allowed - {"isRead", "body"}}
    with transaction(call.connection):
        if body.keys() & DRAFT_ONLY:
            forget_mime(call.connection, row["pk"])
        new_body = content if isinstance(content, dict) else None
        messages.update(call.connection, row, changes, is_read=is_read, body=new_body)
    return message_response(call, messages.by_pk(call.connection, row["pk"]))


async def delete_message(call: Call) -> Response:
    messages.delete(call.connection, call.message())
    return Response(status_code=204)


async def move_message(call: Call) -> Response:
    """POST …/messages/{message}/move {"destinationId": folder}."""
    row = call.message()
    destination = (await call.json()).get("destinationId")
    if not isinstance(destination, str):
        raise bad_request("destinationId is missing.", "ErrorInvalidRequest")
    folder = call.folder(row["user_pk"], destination)
    messages.move(call.connection, row, folder["pk"])
    return message_response(call, messages.by_pk(call.connection, row["pk"]), 201)


def _refuse_unreadable(call: Call, row: sqlite3.Row) -> None:
    kinds = (FaultKind.UNREADABLE_ITEM, FaultKind.UNLISTABLE_ITEM)
    rule = next(filter(None, (call.faults.take(kind, "GET", "", item=f"message/{row['pk']}") for kind in kinds)), None)
    if rule is not None:
        raise GraphProblem(500, str(rule.spec.get("code", "ErrorCorruptData")), "The item cannot be read.")


def _refuse_inefficient(call: Call, conditions: Sequence[Condition | ExtendedCondition]) -> None:
    """What is in $orderby must be filtered by, before anything else: graph/api/user-list-messages."""
    if not call.options.get("orderby") or not conditions:
        return
    first = conditions[0]
    if isinstance(first, ExtendedCondition) or first.name != "receivedDateTime":
        text = "The restriction or sort order is too complex for this operation."
        raise bad_request(text, "InefficientFilter")


def _sql(condition: Condition | ExtendedCondition) -> tuple[str, list[object]]:
    if isinstance(condition, ExtendedCondition):
        clause = "pk IN (SELECT message_pk FROM extended_property WHERE match = ? AND value = ?)"
        return clause, [messages.normalized_property(condition.property_id), condition.value]
    if condition.name == "hasAttachments":
        return f"json_extract(summary, '$.hasAttachments') {_OPERATORS[condition.operator]} ?", [condition.value]
    if condition.name not in _COLUMNS:
        raise bad_request(f"Filtering by {condition.name} is not supported.", "ErrorInvalidUrlQueryFilter")
    value = condition.value
    if condition.name.endswith("DateTime"):
        try:
            value = iso(parse_iso(str(value)))
        except ValueError as error:
            raise bad_request(f"'{value}' is not an instant.", "ErrorInvalidUrlQueryFilter") from error
    return f"{_COLUMNS[condition.name]} {_OPERATORS[condition.operator]} ?", [value]


async def _pieces(call: Call, pk: int, size: int) -> AsyncIterator[bytes]:
    reader = await to_thread.run_sync(connect, call.state / FILE_NAME)
    try:
        with reader.blobopen("content", "mime", pk, readonly=True) as blob:
            for _ in range(0, size, PIECE):
                yield await to_thread.run_sync(blob.read, PIECE)
    finally:
        reader.close()
