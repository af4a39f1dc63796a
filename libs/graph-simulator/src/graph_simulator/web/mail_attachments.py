"""Attachment requests.

https://learn.microsoft.com/graph/api/attachment-get · https://learn.microsoft.com/graph/api/message-post-attachments
"""

import base64
import binascii
import json
import sqlite3
from collections.abc import Callable

from starlette.responses import Response

from graph_simulator import messages
from graph_simulator.attachments import Attachment, AttachmentKind, add_attachment, attachments_of, delete_attachment
from graph_simulator.identifiers import attachment_id
from graph_simulator.mime_writer import nested_mime
from graph_simulator.web import attachment_view
from graph_simulator.web.attachment_view import Owner
from graph_simulator.web.call import Call, Json
from graph_simulator.web.problems import GraphProblem, bad_request, item_not_found, json_response
from graph_simulator.web.selection import parse_expand, parse_select

LARGEST_POST = 3 * 1024 * 1024
# Of the type that all kinds have in common: a list takes no others, not even those of its own entries
# (microsoft-graph-explorer-v4#3916).
PROPERTIES = frozenset({"id", "lastModifiedDateTime", "name", "contentType", "size", "isInline"})
_ITEM_EXPANSIONS = {"microsoft.graph.itemattachment/item", "item"}


def render(call: Call, row: sqlite3.Row, attachment: Attachment, *, with_item: bool = False) -> Json:
    owner = Owner(row["immutable_id" if call.immutable else "id"], row["modified"])
    return attachment_view.render(owner, attachment, with_item=with_item)


def attachment_list(call: Call, row: sqlite3.Row, select: str | None = None) -> list[Json]:
    """Return the attachments of a message, of each what `select` names."""
    wanted = parse_select(select, PROPERTIES, "microsoft.graph.attachment")
    entries = [render(call, row, attachment) for attachment in attachments_of(call.connection, row["pk"])]
    if wanted is None:
        return entries
    return [
        {name: value for name, value in entry.items() if "@" in name or name in wanted | {"id"}} for entry in entries
    ]


async def list_attachments(call: Call) -> Response:
    """GET …/messages/{message}/attachments: always the whole list, Exchange does not page it."""
    entries = attachment_list(call, call.message(), call.options.get("select"))
    return json_response({"@odata.context": f"{call.graph_url}/$metadata#attachments", "value": entries})


async def get_attachment(call: Call) -> Response:
    row, attachment = _find(call)
    with_item = any(name.lower() in _ITEM_EXPANSIONS for name in parse_expand(call.options.get("expand")))
    context = {"@odata.context": f"{call.graph_url}/$metadata#attachments/$entity"}
    return json_response(context | render(call, row, attachment, with_item=with_item))


async def get_attachment_content(call: Call) -> Response:
    """GET …/attachments/{attachment}/$value: the file, or the MIME of an attached message."""
    _, attachment = _find(call)
    if attachment.kind is AttachmentKind.REFERENCE:
        raise GraphProblem(405, "ErrorInvalidRequest", "A link has no content.")
    if attachment.kind is AttachmentKind.ITEM:
        return Response(nested_mime(attachment), media_type="text/plain")
    return Response(attachment.content, media_type=attachment.content_type or "application/octet-stream")


async def post_attachment(call: Call) -> Response:
    """POST …/messages/{message}/attachments: below 3 MB; larger ones need an upload session."""
    row = call.message()
    attachment = parse_attachment(await call.json())
    if len(attachment.content) >= LARGEST_POST:
        raise GraphProblem(413, "ErrorMessageSizeExceeded", "The attachment needs an upload session.")
    ordinal = add_attachment(call.connection, row["pk"], attachment)
    return created(call, row["pk"], ordinal)


async def remove_attachment(call: Call) -> Response:
    row, attachment = _find(call)
    delete_attachment(call.connection, row["pk"], attachment)
    return Response(status_code=204)


def created(call: Call, message_pk: int, ordinal: int) -> Response:
    """Answer 201 with the new attachment."""
    row = messages.by_pk(call.connection, message_pk)
    attachment = next(other for other in attachments_of(call.connection, message_pk) if other.ordinal == ordinal)
    view = render(call, row, attachment)
    user = call.connection.execute("SELECT id FROM user WHERE pk = ?", (row["user_pk"],)).fetchone()
    location = f"{call.graph_url}/users('{user['id']}')/messages('{row['id']}')/attachments('{view['id']}')"
    context = f"{call.graph_url}/$metadata#users('{user['id']}')/messages/attachments/$entity"
    return json_response({"@odata.context": context} | view, 201, {"Location": location})


def parse_attachment(body: object) -> Attachment:
    """Read an attachment as clients send it; anything else is a 400."""
    if not isinstance(body, dict) or not isinstance(body.get("name"), str):
        raise bad_request("An attachment needs a name.", "ErrorRequiredPropertyMissing")
    try:
        kind = AttachmentKind(str(body.get("@odata.type")))
    except ValueError as error:
        raise bad_request("No such type of attachment.", "ErrorInvalidRequest") from error
    content_id = body.get("contentId")
    return Attachment(
        ordinal=0,
        kind=kind,
        name=body["name"],
        content_type=body.get("contentType") or ("application/octet-stream" if kind is AttachmentKind.FILE else None),
        inline=body.get("isInline") is True,
        content_id=str(content_id) if content_id else None,
        content=_CONTENT[kind](body),
    )


def _file_content(body: Json) -> bytes:
    try:
        return base64.b64decode(str(body["contentBytes"]), validate=True)
    except (KeyError, binascii.Error) as error:
        raise bad_request("contentBytes must be base64.", "ErrorInvalidRequest") from error


def _item_content(body: Json) -> bytes:
    item = body.get("item")
    if not isinstance(item, dict):
        raise bad_request("An itemAttachment needs an item.", "ErrorRequiredPropertyMissing")
    nested = item.get("attachments", [])
    for attachment in nested if isinstance(nested, list) else [nested]:
        parse_attachment(attachment)
    return json.dumps(item, ensure_ascii=False).encode()


_CONTENT: dict[AttachmentKind, Callable[[Json], bytes]] = {
    AttachmentKind.FILE: _file_content,
    AttachmentKind.ITEM: _item_content,
    # v1.0 tells and takes nothing but the name of a link: where it leads to is in beta only.
    AttachmentKind.REFERENCE: lambda _body: b"",
}


def _find(call: Call) -> tuple[sqlite3.Row, Attachment]:
    row = call.message()
    for attachment in attachments_of(call.connection, row["pk"]):
        ids = {attachment_id(row[column], attachment.ordinal) for column in ("id", "immutable_id")}
        if call.path["attachment"] in ids:
            return row, attachment
    raise item_not_found()
