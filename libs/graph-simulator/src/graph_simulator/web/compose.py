"""Create messages: as JSON with MAPI properties, or as MIME, which always becomes a draft.

https://learn.microsoft.com/graph/api/user-post-messages
"""

import base64
import binascii
from datetime import UTC, datetime

from starlette.responses import Response

from graph_simulator import messages
from graph_simulator.attachments import Attachment, add_attachment
from graph_simulator.database import transaction
from graph_simulator.identifiers import conversation_id
from graph_simulator.messages import Arrival, Json, NewMessage, normalized_property
from graph_simulator.mime_properties import PREVIEW_LENGTH, plain_text
from graph_simulator.times import iso, now, parse_iso
from graph_simulator.web.call import Call
from graph_simulator.web.mail_attachments import parse_attachment
from graph_simulator.web.mail_messages import message_response
from graph_simulator.web.message_view import (
    FLAG_READ,
    FLAG_UNSENT,
    MESSAGE_FLAGS,
    PROPERTIES,
    RECEIVED_TIME,
    SENT_TIME,
)
from graph_simulator.web.problems import GraphProblem, bad_request

RECIPIENT_LISTS = ("toRecipients", "ccRecipients", "bccRecipients", "replyTo")
LARGEST_REQUEST = 4 * 1024 * 1024
_WRITABLE = PROPERTIES | {"attachments", "singleValueExtendedProperties"}


async def create_message(call: Call) -> Response:
    """POST …/messages into a folder, or into Drafts when the path names none."""
    user_pk = call.user()["pk"]
    folder = call.folder(user_pk, call.path.get("folder", "drafts"))
    if len(await call.request.body()) > LARGEST_REQUEST:
        raise GraphProblem(413, "RequestEntityTooLarge", "The request exceeds the maximum size of 4 MB.")
    if call.request.headers.get("content-type", "").lower().startswith("text/plain"):
        message, attachments = _from_mime(await call.request.body()), []
    else:
        body = await call.json()
        message, attachments = _from_json(body), _attachments(body)
    with transaction(call.connection):
        pk = messages.insert(call.connection, user_pk, folder["pk"], message)
        for attachment in attachments:
            add_attachment(call.connection, pk, attachment)
    return message_response(call, messages.by_pk(call.connection, pk), 201)


def _from_mime(encoded: bytes) -> NewMessage:
    try:
        raw = base64.b64decode(b"".join(encoded.split()), validate=True)
    except binascii.Error as error:
        raise bad_request("Invalid base64 string for MIME content.", "ErrorMimeContentInvalidBase64String") from error
    return messages.from_mime(raw, Arrival(now(), is_read=True, is_draft=True))


def _from_json(body: Json) -> NewMessage:
    if unknown := {name for name in body if "@" not in name} - _WRITABLE:
        text = f"The property '{min(unknown)}' does not exist on type 'microsoft.graph.message'."
        raise bad_request(text, "RequestBodyRead")
    extended = extended_properties(body.get("singleValueExtendedProperties", []))
    by_match = {normalized_property(name): value for name, value in extended.items()}
    # Without message flags at creation Exchange keeps what it gets as a draft, whatever else is said.
    flags = _integer(by_match.get(MESSAGE_FLAGS, str(FLAG_UNSENT)))
    received = _instant(by_match.get(RECEIVED_TIME), now())
    computed = {MESSAGE_FLAGS, RECEIVED_TIME, SENT_TIME}
    is_read = body.get("isRead")
    content = _body(body.get("body"))
    return NewMessage(
        received=iso(received),
        sent=iso(_instant(by_match.get(SENT_TIME), received)),
        # What one writes oneself counts as read.
        is_read=is_read if isinstance(is_read, bool) else bool(flags & (FLAG_READ | FLAG_UNSENT)),
        is_draft=bool(flags & FLAG_UNSENT),
        internet_id=str(body.get("internetMessageId") or ""),
        summary=_summary(body, content),
        body=content,
        size=len(str(content["content"])),
        extended={name: value for name, value in extended.items() if normalized_property(name) not in computed},
    )


def _summary(body: Json, content: Json) -> Json:
    subject = str(body.get("subject") or "")
    text = str(content["content"])
    preview = plain_text(text) if content["contentType"] == "html" else " ".join(text.split())
    sender = body.get("from") or body.get("sender")
    return {
        "subject": subject,
        "bodyPreview": preview[:PREVIEW_LENGTH],
        "importance": _one_of(body, "importance", ("normal", "low", "high")),
        "hasAttachments": False,
        "conversationId": conversation_id(subject),
        "isReadReceiptRequested": body.get("isReadReceiptRequested") is True,
        "isDeliveryReceiptRequested": body.get("isDeliveryReceiptRequested") is True,
        "from": sender,
        "sender": body.get("sender") or sender,
        **{name: _recipients(body, name) for name in RECIPIENT_LISTS},
        "categories": body.get("categories") or [],
        "flag": body.get("flag") or {"flagStatus": "notFlagged"},
        "inferenceClassification": _one_of(body, "inferenceClassification", ("focused", "other")),
    }


def _recipients(body: Json, name: str) -> list[Json]:
    value = body.get(name) or []
    if not isinstance(value, list) or not all(isinstance(each, dict) and "emailAddress" in each for each in value):
        raise bad_request(f"{name} must be a list of recipients.", "RequestBodyRead")
    return value


def _one_of(body: Json, name: str, allowed: tuple[str, ...]) -> str:
    value = str(body.get(name) or allowed[0])
    if value.lower() not in allowed:
        raise bad_request(f"Cannot convert the literal '{value}' to the expected type of {name}.", "RequestBodyRead")
    return value.lower()


def _body(value: object) -> Json:
    if value is None:
        return {"contentType": "text", "content": ""}
    if not isinstance(value, dict):
        raise bad_request("body must be an object.", "RequestBodyRead")
    kind = _one_of(value, "contentType", ("text", "html"))
    return {"contentType": kind, "content": str(value.get("content") or "")}


def _attachments(body: Json) -> list[Attachment]:
    value = body.get("attachments") or []
    if not isinstance(value, list):
        raise bad_request("attachments must be a list.", "RequestBodyRead")
    return [parse_attachment(each) for each in value]


def extended_properties(value: object) -> dict[str, str]:
    try:
        entries = {str(each["id"]): str(each["value"]) for each in value} if isinstance(value, list) else None
        if entries is not None:
            for name in entries:
                normalized_property(name)
            return entries
    except (KeyError, TypeError, ValueError) as error:
        raise bad_request("An extended property needs id and value.", "ErrorInvalidExtendedProperty") from error
    raise bad_request("singleValueExtendedProperties must be a list.", "RequestBodyRead")


def _instant(text: str | None, default: datetime) -> datetime:
    try:
        return default if text is None else parse_iso(text).astimezone(UTC)
    except ValueError as error:
        raise bad_request(f"'{text}' is not an instant.", "ErrorInvalidExtendedPropertyValue") from error


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise bad_request(f"'{text}' is not an integer.", "ErrorInvalidExtendedPropertyValue") from error
