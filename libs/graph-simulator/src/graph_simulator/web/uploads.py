"""Upload sessions for attachments of 3 MB and more: a pre-authenticated address that takes the file in ranges.

https://learn.microsoft.com/graph/api/attachment-createuploadsession
"""

import json
import re
import secrets
import sqlite3
from datetime import timedelta
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from graph_simulator import event_attachments, events, messages
from graph_simulator.attachments import Attachment, AttachmentKind, add_attachment
from graph_simulator.identifiers import attachment_id
from graph_simulator.times import iso, now
from graph_simulator.web.call import Call, Json
from graph_simulator.web.limits import Consumer
from graph_simulator.web.problems import GraphProblem, bad_request, json_response

LIFE = timedelta(hours=2)
LARGEST_FILE = 150 * 1024 * 1024
LARGEST_RANGE = 4 * 1024 * 1024
APP = "@simulator.app"
"""Where a session notes whose upload limit its ranges count against: the upload address carries no token."""
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")


async def create_upload_session(call: Call) -> Response:
    """POST …/messages/{message}/attachments/createUploadSession {"AttachmentItem": {…}}."""
    return await open_session(call, message_pk=call.message()["pk"])


async def open_session(call: Call, *, message_pk: int | None = None, event_pk: int | None = None) -> Response:
    """Open a session for the item with this key, and answer 201 with its address."""
    body = await call.json()
    item = body.get("AttachmentItem", body.get("attachmentItem"))
    if not isinstance(item, dict) or item.get("attachmentType") != "file" or not isinstance(item.get("name"), str):
        raise bad_request("AttachmentItem needs attachmentType file and a name.", "ErrorInvalidRequest")
    size = item.get("size")
    if not isinstance(size, int) or not 0 < size <= LARGEST_FILE:
        raise bad_request(
            "The size must be between 1 byte and 150 MB.", "ErrorAttachmentSizeShouldNotBeLessThanMinimumSize"
        )
    token, expires = secrets.token_urlsafe(32), iso(now() + LIFE)
    call.connection.execute(
        "INSERT INTO upload (token, message_pk, event_pk, item, size, expires) VALUES (?, ?, ?, ?, ?, ?)",
        (token, message_pk, event_pk, json.dumps({**item, APP: call.caller.app_id}), size, expires),
    )
    answer = {
        "@odata.context": f"{call.graph_url}/$metadata#microsoft.graph.uploadSession",
        "uploadUrl": f"{call.base_url}/_upload/{token}",
        "expirationDateTime": expires,
        "nextExpectedRanges": ["0-"],
    }
    return json_response(answer, 201)


async def put_range(
    connection: sqlite3.Connection, state: Path, token: str, request: Request, base_url: str
) -> Response:
    """PUT one range to the upload address; the last one adds the attachment and answers 201 with its Location."""
    if "authorization" in request.headers:
        raise GraphProblem(401, "InvalidAuthenticationToken", "The upload address is authenticated already.")
    upload = _session(connection, token)
    content = await request.body()
    first = _first_byte(request.headers.get("content-range", ""), len(content), upload)
    file = state / "uploads" / token
    file.parent.mkdir(mode=0o700, exist_ok=True)
    with file.open("ab") as stream:
        stream.truncate(first)  # what a killed process wrote without noting it is sent again
        stream.write(content)
    received = first + len(content)
    connection.execute("UPDATE upload SET received = ? WHERE token = ?", (received, token))
    if received < upload["size"]:
        answer: Json = {"expirationDateTime": upload["expires"], "nextExpectedRanges": [f"{received}-"]}
        return json_response(answer)
    location = _finish(connection, upload, file.read_bytes(), base_url)
    file.unlink()
    return Response(status_code=201, headers={"Location": location})


def get_status(connection: sqlite3.Connection, token: str) -> Response:
    """GET the upload address: which range is expected next."""
    upload = _session(connection, token)
    return json_response({"expirationDateTime": upload["expires"], "nextExpectedRanges": [f"{upload['received']}-"]})


def cancel(connection: sqlite3.Connection, state: Path, token: str) -> Response:
    """DELETE the upload address: give the session up."""
    _session(connection, token)
    connection.execute("DELETE FROM upload WHERE token = ?", (token,))
    (state / "uploads" / token).unlink(missing_ok=True)
    return Response(status_code=204)


def consumer(connection: sqlite3.Connection, token: str) -> Consumer | None:
    """Return the app and mailbox an upload counts against, None for an unknown address."""
    row = connection.execute(
        "SELECT upload.item, user.id FROM upload LEFT JOIN message ON message.pk = message_pk"
        " LEFT JOIN event ON event.pk = event_pk"
        " JOIN user ON user.pk = coalesce(message.user_pk, event.user_pk) WHERE token = ?",
        (token,),
    ).fetchone()
    return None if row is None else Consumer(json.loads(row["item"]).get(APP, ""), row["id"])


def _session(connection: sqlite3.Connection, token: str) -> sqlite3.Row:
    row: sqlite3.Row | None = connection.execute("SELECT * FROM upload WHERE token = ?", (token,)).fetchone()
    if row is None or row["expires"] <= iso(now()):
        raise GraphProblem(404, "ErrorItemNotFound", "The upload session was not found or has expired.")
    return row


def _first_byte(header: str, length: int, upload: sqlite3.Row) -> int:
    found = _RANGE.fullmatch(header.strip())
    if found is None:
        raise bad_request("Content-Range is missing or malformed.", "ErrorInvalidRequest")
    first, last, total = (int(number) for number in found.groups())
    if total != upload["size"] or last - first + 1 != length or length > LARGEST_RANGE:
        raise bad_request("Content-Range does not fit the session or the body.", "ErrorInvalidRequest")
    if first != upload["received"]:
        raise GraphProblem(416, "ErrorInvalidRange", f"Expected bytes from {upload['received']}.")
    return first


def _finish(connection: sqlite3.Connection, upload: sqlite3.Row, content: bytes, base_url: str) -> str:
    item = json.loads(upload["item"])
    attachment = Attachment(
        ordinal=0,
        kind=AttachmentKind.FILE,
        name=item["name"],
        content_type=item.get("contentType") or "application/octet-stream",
        inline=item.get("isInline") is True,
        content_id=item.get("contentId"),
        content=content,
    )
    connection.execute("DELETE FROM upload WHERE token = ?", (upload["token"],))
    if upload["event_pk"] is not None:
        event = events.by_pk(connection, upload["event_pk"])
        ordinal = event_attachments.add_attachment(connection, event, attachment)
        return _location(connection, base_url, event.user_pk, ("Events", event.id), ordinal)
    ordinal = add_attachment(connection, upload["message_pk"], attachment)
    row = messages.by_pk(connection, upload["message_pk"])
    return _location(connection, base_url, row["user_pk"], ("Messages", row["id"]), ordinal)


def _location(connection: sqlite3.Connection, base_url: str, user_pk: int, item: tuple[str, str], ordinal: int) -> str:
    user = connection.execute("SELECT id FROM user WHERE pk = ?", (user_pk,)).fetchone()
    attached = attachment_id(item[1], ordinal)
    return f"{base_url}/api/v2.0/Users('{user['id']}')/{item[0]}('{item[1]}')/Attachments('{attached}')"
