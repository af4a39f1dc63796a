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
from graph_simulator.web import attachment_view
from graph_simulator.web.attachment_view import Owner
from graph_simulator.web.call import Call, Json
from graph_simulator.web.problems import GraphProblem, bad_request, item_not_found, json_response

LARGEST_POST = 3 * 1024 * 1024


def attachment_list(call: Call, row: sqlite3.Row, select: str | None = None) -> list[Json]:
    """Return the attachments of a message, of each what `select` names."""
    owner = _owner(call, row)
    found = attachments_of(call.connection, row["pk"])
    return attachment_view.selected([attachment_view.render(owner, attachment) for attachment in found], select)


async def list_attachments(call: Call) -> Response:
    """GET …/messages/{message}/attachments."""
    return attachment_view.list_response(call, attachment_list(call, call.message()))


async def get_attachment(call: Call) -> Response:
    row, attachment = _find(call)
    return attachment_view.response(call, _owner(call, row), attachment)


async def get_attachment_content(call: Call) -> Response:
    """GET …/attachments/{attachment}/$value."""
    return attachment_view.content_response(_find(call)[1])


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
    view = attachment_view.render(_owner(call, row), attachment)
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


def _owner(call: Call, row: sqlite3.Row) -> Owner:
    return Owner(row["immutable_id" if call.immutable else "id"], row["modified"])


def _find(call: Call) -> tuple[sqlite3.Row, Attachment]:
    row = call.message()
    for attachment in attachments_of(call.connection, row["pk"]):
        ids = {attachment_id(row[column], attachment.ordinal) for column in ("id", "immutable_id")}
        if call.path["attachment"] in ids:
            return row, attachment
    raise item_not_found()
