"""Generate the MIME of a message that exists only as JSON, as Exchange does for every read.

The result means the same as what was put in, but shares no byte layout with any original: new boundaries,
other header order, other transfer encodings.
"""

import base64
import email
import email.policy
import hashlib
import json
import re
import sqlite3
from email.header import Header
from email.message import Message
from email.utils import format_datetime, formataddr

from graph_simulator import messages
from graph_simulator.attachments import Attachment, AttachmentKind, attachments_of
from graph_simulator.times import parse_iso

Json = dict[str, object]

_POLICY = email.policy.compat32.clone(linesep="\r\n")
_FIELD_NAME = re.compile(r"[!-9;-~]+")
_SENT_TIME = "systemtime 0x39"
_REFERENCES, _IN_REPLY_TO, _TRANSPORT_HEADERS = "string 0x1039", "string 0x1042", "string 0x7d"
_ADDRESS_HEADERS = (
    ("From", "from"),
    ("Sender", "sender"),
    ("To", "toRecipients"),
    ("Cc", "ccRecipients"),
    ("Bcc", "bccRecipients"),
    ("Reply-To", "replyTo"),
)
_GENERATED = {name.lower() for name, _ in _ADDRESS_HEADERS} | {
    "subject",
    "date",
    "message-id",
    "mime-version",
    "importance",
    "references",
    "in-reply-to",
}


def generate(connection: sqlite3.Connection, row: sqlite3.Row) -> bytes:
    """Return the MIME of a stored JSON-made message; the same bytes until the message changes."""
    summary: Json = json.loads(row["summary"])
    properties = {
        found["match"]: found["value"]
        for found in connection.execute("SELECT match, value FROM extended_property WHERE message_pk = ?", (row["pk"],))
    }
    message = Message()
    _transport_headers(message, properties.get(_TRANSPORT_HEADERS, ""))
    _headers(message, summary, row["internet_id"], row["sent"])
    for header, key in (("References", _REFERENCES), ("In-Reply-To", _IN_REPLY_TO)):
        if key in properties:
            message[header] = _one_line(properties[key])
    body = messages.body_of(connection, row["pk"])
    _content(message, body, attachments_of(connection, row["pk"]))
    return _serialized(message, f"{row['immutable_id']}/{row['seq']}")


def nested_mime(attachment: Attachment) -> bytes:
    """Return the MIME of an attached message, given as MIME or as JSON."""
    if not attachment.content.startswith(b"{"):
        return attachment.content
    return _serialized(_nested(attachment), hashlib.sha256(attachment.content).hexdigest())


def _nested(attachment: Attachment) -> Message:
    item = attachment.item()
    message = Message()
    sent = _sent_by_property(item) or item.get("sentDateTime") or item.get("receivedDateTime")
    _headers(message, item, str(item.get("internetMessageId") or ""), str(sent) if sent else None)
    body = item.get("body")
    inner = item.get("attachments")
    nested = [_nested_attachment(entry) for entry in inner] if isinstance(inner, list) else []
    _content(message, body if isinstance(body, dict) else {"contentType": "text", "content": ""}, nested)
    return message


def _sent_by_property(item: Json) -> str | None:
    """As for a message, the date of an attached one is what the MAPI property says."""
    given = item.get("singleValueExtendedProperties")
    entries: list[dict[str, str]] = given if isinstance(given, list) else []
    return next((each["value"] for each in entries if messages.normalized_property(each["id"]) == _SENT_TIME), None)


def _nested_attachment(entry: Json) -> Attachment:
    kind = AttachmentKind(str(entry["@odata.type"]))
    content = (
        base64.b64decode(str(entry["contentBytes"]))
        if kind is AttachmentKind.FILE
        else json.dumps(entry["item"], ensure_ascii=False).encode()
    )
    content_type, content_id = entry.get("contentType"), entry.get("contentId")
    return Attachment(
        0,
        kind,
        str(entry["name"]),
        str(content_type) if content_type else None,
        entry.get("isInline") is True,
        str(content_id) if content_id else None,
        content,
    )


def _headers(message: Message, summary: Json, internet_id: str, sent: str | None) -> None:
    for header, name in _ADDRESS_HEADERS:
        addresses = _addresses(summary.get(name))
        if addresses and not (header == "Sender" and summary.get("sender") == summary.get("from")):
            message[header] = addresses
    message["Subject"] = _encoded(str(summary.get("subject") or ""))
    if sent:
        message["Date"] = format_datetime(parse_iso(sent))
    if internet_id:
        message["Message-ID"] = _one_line(internet_id)
    if summary.get("importance") in ("high", "low"):
        message["Importance"] = str(summary["importance"])
    message["MIME-Version"] = "1.0"


def _addresses(value: object) -> str:
    entries: list[dict[str, dict[str, object]]] = value if isinstance(value, list) else []
    if isinstance(value, dict):
        entries = [value]
    found: list[str] = []
    for entry in entries:
        mail = entry.get("emailAddress", {})
        address, name = _one_line(str(mail.get("address") or "")), _one_line(str(mail.get("name") or ""))
        if not address.isascii():
            found.append(_encoded(f"{name} <{address}>"))
        elif address:
            found.append(formataddr((name if name != address else "", address)))
    return ", ".join(found)


def _content(message: Message, body: Json, attachments: list[Attachment]) -> None:
    """Fill the message: the body, related to its inline parts, mixed with the attachments; links are left out."""
    attachments = [attachment for attachment in attachments if attachment.kind is not AttachmentKind.REFERENCE]
    root = _text_part(body)
    inline = [other for other in attachments if other.inline]
    others = [other for other in attachments if not other.inline]
    for subtype, wrapped in (("related", inline), ("mixed", others)):
        if wrapped:
            container = Message()
            container["Content-Type"] = f"multipart/{subtype}"
            container.attach(root)
            for attachment in wrapped:
                container.attach(_attachment_part(attachment))
            root = container
    for name, value in root.items():
        message[name] = value
    message.set_payload(root.get_payload())


def _text_part(body: Json) -> Message:
    subtype = "html" if str(body.get("contentType")).lower() == "html" else "plain"
    part = Message()
    part["Content-Type"] = f'text/{subtype}; charset="utf-8"'
    _set_base64(part, str(body.get("content") or "").encode("utf-8", "replace"))
    return part


def _attachment_part(attachment: Attachment) -> Message:
    part = Message()
    if attachment.kind is AttachmentKind.ITEM:
        part["Content-Type"] = "message/rfc822"
        nested = attachment.content
        part.set_payload([email.message_from_bytes(nested)] if nested[:1] != b"{" else [_nested(attachment)])
    else:
        content_type = _one_line(attachment.content_type or "application/octet-stream")
        # A file of a composite type is opaque here: its base64 would be taken for the parts of this message.
        composite = content_type.lower().startswith(("multipart/", "message/"))
        part["Content-Type"] = "application/octet-stream" if composite else content_type
        _set_base64(part, attachment.content)
    disposition = "inline" if attachment.inline else "attachment"
    part.add_header("Content-Disposition", disposition, filename=("utf-8", "", _one_line(attachment.name)))
    if attachment.content_id:
        part["Content-ID"] = f"<{_one_line(attachment.content_id)}>"
    return part


def _set_base64(part: Message, content: bytes) -> None:
    part["Content-Transfer-Encoding"] = "base64"
    part.set_payload(base64.encodebytes(content).decode())


def _transport_headers(message: Message, text: str) -> None:
    """Put back the trace headers of a restored message, except those that are generated from properties."""
    unfolded = text.replace("\r\n", "\n").replace("\n ", " ").replace("\n\t", " ")
    for line in unfolded.split("\n"):
        name, colon, value = line.partition(":")
        generated = name.lower() in _GENERATED or name.lower().startswith("content-")
        if colon and _FIELD_NAME.fullmatch(name) and not generated:
            message[name] = _encoded(value)


def _encoded(text: str) -> str:
    line = _one_line(text)
    return line if line.isascii() else Header(line, "utf-8").encode()


def _one_line(text: str) -> str:
    return " ".join(text.encode("utf-8", "replace").decode().split())


def _serialized(message: Message, seed: str) -> bytes:
    for number, part in enumerate(message.walk()):
        if part.is_multipart() and part.get_content_maintype() == "multipart" and not part.get_boundary():
            digest = hashlib.sha256(f"{seed}/{number}".encode()).hexdigest()[:32].upper()
            part.set_boundary(f"_{number:03d}_{digest}_")
    return message.as_bytes(policy=_POLICY)
