"""From stored MIME and sidecar to the JSON that Graph's create call takes, so that the result is no draft.

MIME posted to Graph always becomes a draft; JSON does not when the MAPI property PidTagMessageFlags is set in the
create call. Dates are honoured only as MAPI properties as well.
Facts: learn.microsoft.com/graph/api/user-post-messages, learn.microsoft.com/openspecs (MS-OXPROPS).
"""

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from backup_service.domain.mime import Attachment, ParsedMail

_OURS = "String {b6f5c5a4-2f0e-4f0c-9a37-2d3a3b6d7c10} Name"
RESTORE_TAG = f"{_OURS} TenantkeepRestore"
ITEM_TAG = f"{_OURS} TenantkeepItem"
REPLACES_TAG = f"{_OURS} TenantkeepReplaces"
"""Named properties on restored messages: of which restore they are, which item, and which message they stand for.

They make a repeated restore harmless: what an earlier attempt has created is found by them, and so is what it was
about to delete.
"""

_MESSAGE_FLAGS = "Integer 0x0E07"
_SENT_AT = "SystemTime 0x0039"
_RECEIVED_AT = "SystemTime 0x0E06"
_TRANSPORT_HEADERS = "String 0x007D"
_READ, _UNSENT = 0x1, 0x8
_INLINE_LIMIT = 2 << 20
"""Bytes of attachments in one create call: Graph limits the request to 4 MB and base64 adds a third."""
_HEADERS_LIMIT = 64 << 10


@dataclass(frozen=True)
class Tags:
    """What a restored message says about itself; `replaces` is the id of the message that is to go for it."""

    restore: str
    item: str
    replaces: str = ""

    def properties(self) -> Iterable[dict[str, str]]:
        named = {RESTORE_TAG: self.restore, ITEM_TAG: self.item, REPLACES_TAG: self.replaces}
        return [{"id": name, "value": value} for name, value in named.items() if value]


@dataclass(frozen=True)
class NewMessage:
    """The create call's body, and the attachments that must follow through an upload session."""

    body: dict[str, Any]
    uploads: tuple[Attachment, ...]


def new_message(mail: ParsedMail, sidecar: Mapping[str, Any], tags: Tags) -> NewMessage:
    """Everything the create call can carry: addresses, body, dates, flags, categories, small attachments."""
    inline, uploads = _split(mail.attachments)
    body: dict[str, Any] = {
        "subject": mail.subject,
        "body": {"contentType": "html" if mail.is_html else "text", "content": mail.body},
        "toRecipients": _recipients(mail.to),
        "ccRecipients": _recipients(mail.cc),
        "bccRecipients": _recipients(mail.bcc),
        "replyTo": _recipients(mail.reply_to),
        "categories": sidecar.get("categories") or [],
        "importance": sidecar.get("importance") or "normal",
        "isRead": bool(sidecar.get("isRead")),
        "flag": sidecar.get("flag") or {"flagStatus": "notFlagged"},
        "attachments": [_file(attachment) for attachment in inline],
        "singleValueExtendedProperties": [*tags.properties(), *_properties(mail, sidecar)],
    }
    for field, people in (("from", mail.sender), ("sender", mail.sender)):
        if people:
            body[field] = _recipients(people)[0]
    if mail.message_id:
        body["internetMessageId"] = mail.message_id
    return NewMessage(body, uploads)


def upload_item(attachment: Attachment) -> dict[str, Any]:
    """What an upload session wants to know beyond name and size."""
    item: dict[str, Any] = {"contentType": attachment.content_type, "isInline": attachment.inline}
    return item | ({"contentId": attachment.content_id} if attachment.content_id else {})


def _properties(mail: ParsedMail, sidecar: Mapping[str, Any]) -> Iterable[dict[str, str]]:
    flags = (_READ if sidecar.get("isRead") else 0) | (_UNSENT if sidecar.get("isDraft") else 0)
    yield {"id": _MESSAGE_FLAGS, "value": str(flags)}
    for name, field in ((_SENT_AT, "sentDateTime"), (_RECEIVED_AT, "receivedDateTime")):
        if sidecar.get(field):
            yield {"id": name, "value": str(sidecar[field])}
    if mail.headers and len(mail.headers) <= _HEADERS_LIMIT:
        yield {"id": _TRANSPORT_HEADERS, "value": mail.headers}


def _split(attachments: tuple[Attachment, ...]) -> tuple[list[Attachment], tuple[Attachment, ...]]:
    """Attachments that fit into the create call together, and the others."""
    inline: list[Attachment] = []
    uploads: list[Attachment] = []
    used = 0
    for attachment in attachments:
        if used + len(attachment.content) <= _INLINE_LIMIT:
            used += len(attachment.content)
            inline.append(attachment)
        else:
            uploads.append(attachment)
    return inline, tuple(uploads)


def _file(attachment: Attachment) -> dict[str, Any]:
    return {
        "@odata.type": "#microsoft.graph.fileAttachment",
        "name": attachment.name,
        "contentBytes": base64.b64encode(attachment.content).decode(),
        **upload_item(attachment),
    }


def _recipients(people: Iterable[tuple[str, str]]) -> list[dict[str, Any]]:
    return [{"emailAddress": {"name": name or address, "address": address}} for name, address in people if address]
