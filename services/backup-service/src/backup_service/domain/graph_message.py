"""From stored MIME and sidecar to the JSON that Graph's create call takes, so that the result is no draft.

MIME posted to Graph always becomes a draft; JSON does not when the MAPI property PidTagMessageFlags is set in the
create call. Dates are honoured only as MAPI properties as well.
Facts: learn.microsoft.com/graph/api/user-post-messages, learn.microsoft.com/openspecs (MS-OXPROPS).
"""

import base64
import binascii
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from backup_service.domain.mime import Attachment, ParsedMail, parse

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
_IN_REPLY_TO = "String 0x1042"
_REFERENCES = "String 0x1039"
_CONVERSATION_INDEX = "Binary 0x0071"
_READ, _UNSENT = 0x1, 0x8
_INLINE_LIMIT = 2 << 20
"""Bytes of attachments in one create call: Graph limits the request to 4 MB and base64 adds a third."""
_HEADERS_LIMIT = 64 << 10
_INDEX_HEADER, _INDEX_STEP = 22, 5


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
    """The create call's body, and the attachments that must follow through an upload session.

    `has_items`: mails attached to it are items in the body, not files.
    """

    body: dict[str, Any]
    uploads: tuple[Attachment, ...]
    has_items: bool


def new_message(mail: ParsedMail, sidecar: Mapping[str, Any], tags: Tags, *, items: bool = True) -> NewMessage:
    """Everything the create call can carry: addresses, body, dates, flags, categories, thread, small attachments.

    An attached mail becomes an item attachment if it is one that Graph's create call can say whole, and if `items`;
    else a file with its bytes, which every mail program opens.
    """
    inline, uploads = _split(mail.attachments)
    attached = [_item(each) if items else None for each in inline]
    files = [made or _file(each) for each, made in zip(inline, attached, strict=True)]
    body = {
        **_content(mail),
        "categories": sidecar.get("categories") or [],
        "importance": sidecar.get("importance") or "normal",
        "isRead": bool(sidecar.get("isRead")),
        "flag": sidecar.get("flag") or {"flagStatus": "notFlagged"},
        "attachments": files,
        "singleValueExtendedProperties": [*tags.properties(), *_properties(mail, sidecar)],
    }
    if sidecar.get("inferenceClassification"):
        body["inferenceClassification"] = sidecar["inferenceClassification"]
    if not mail.message_id and sidecar.get("internetMessageId"):
        body["internetMessageId"] = sidecar["internetMessageId"]
    return NewMessage(body, uploads, any(made is not None for made in attached))


def _content(mail: ParsedMail) -> dict[str, Any]:
    """What its author wrote."""
    body: dict[str, Any] = {
        "subject": mail.subject,
        "body": {"contentType": "html" if mail.is_html else "text", "content": mail.body},
        "toRecipients": _recipients(mail.to),
        "ccRecipients": _recipients(mail.cc),
        "bccRecipients": _recipients(mail.bcc),
        "replyTo": _recipients(mail.reply_to),
    }
    if mail.sender:
        body["from"] = body["sender"] = _recipients(mail.sender)[0]
    if mail.message_id:
        body["internetMessageId"] = mail.message_id
    return body


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
    yield from _thread(mail)
    if mail.headers and len(mail.headers) <= _HEADERS_LIMIT:
        yield {"id": _TRANSPORT_HEADERS, "value": mail.headers}


def _thread(mail: ParsedMail) -> Iterable[dict[str, str]]:
    named = {_IN_REPLY_TO: mail.in_reply_to, _REFERENCES: mail.references}
    if _is_conversation_index(mail.thread_index):
        named[_CONVERSATION_INDEX] = mail.thread_index
    return [{"id": name, "value": value} for name, value in named.items() if 0 < len(value) <= _HEADERS_LIMIT]


def _is_conversation_index(text: str) -> bool:
    """MS-OXOMSG 2.2.1.3: a header of 22 bytes, and 5 for each answer."""
    try:
        length = len(base64.b64decode(text, validate=True))
    except binascii.Error:
        return False
    return length >= _INDEX_HEADER and (length - _INDEX_HEADER) % _INDEX_STEP == 0


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


def _item(attachment: Attachment) -> dict[str, Any] | None:
    """An attached mail as an item (graph/api/message-post-attachments); None when that would lose something of it.

    What has attachments itself, and so everything signed or encrypted, keeps its bytes as a file.
    """
    if attachment.content_type != "message/rfc822":
        return None
    mail = parse(attachment.content)
    if mail.attachments:
        return None
    return {
        "@odata.type": "#microsoft.graph.itemAttachment",
        "name": mail.subject or attachment.name,
        "isInline": attachment.inline,
        "item": {
            "@odata.type": "#microsoft.graph.message",
            **_content(mail),
            "singleValueExtendedProperties": list(_properties(mail, {"isRead": True, **_sent(mail)})),
        },
    }


def _sent(mail: ParsedMail) -> dict[str, str]:
    if mail.date is None:
        return {}
    return dict.fromkeys(("sentDateTime", "receivedDateTime"), mail.date.strftime("%Y-%m-%dT%H:%M:%SZ"))


def _file(attachment: Attachment) -> dict[str, Any]:
    return {
        "@odata.type": "#microsoft.graph.fileAttachment",
        "name": attachment.name,
        "contentBytes": base64.b64encode(attachment.content).decode(),
        **upload_item(attachment),
    }


def _recipients(people: Iterable[tuple[str, str]]) -> list[dict[str, Any]]:
    return [{"emailAddress": {"name": name or address, "address": address}} for name, address in people if address]
