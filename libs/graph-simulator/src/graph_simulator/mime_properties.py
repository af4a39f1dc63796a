"""Read from a MIME message what Graph shows of it as JSON.

https://learn.microsoft.com/graph/api/resources/message
"""

import email.message
import html
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import getaddresses, parsedate_to_datetime

from graph_simulator import mime_parts
from graph_simulator.identifiers import conversation_id
from graph_simulator.times import iso

PREVIEW_LENGTH = 255
_PREVIEW_SOURCE = 20_000
_INVISIBLE = re.compile(r"<(style|script|head|title)\b.*?(</\1>|\Z)|<!--.*?-->", re.DOTALL | re.IGNORECASE)
_REPLY_PREFIX = re.compile(r"^((re|aw|fwd?|wg)\s*:\s*)+", re.IGNORECASE)
_IMPORTANCE = {"high": "high", "low": "low", "1": "high", "2": "high", "4": "low", "5": "low"}

Json = dict[str, object]


@dataclass(frozen=True, slots=True)
class MessageProperties:
    """Everything Graph says about a message that does not change with its state or place."""

    internet_id: str
    sent: str | None
    body: Json
    summary: Json = field(default_factory=dict)


def read(raw: bytes) -> MessageProperties:
    """Read the properties of one message; malformed mail gives what can be understood of it."""
    root = mime_parts.parse(raw)
    headers = root.headers
    body, plain = _body(root, raw)
    subject = mime_parts.decode_words(headers.get("subject", ""))
    sent = date_of(headers)
    sender = recipients(headers, "from")
    summary: Json = {
        "subject": subject,
        "bodyPreview": plain[:PREVIEW_LENGTH],
        "importance": _importance(headers),
        "hasAttachments": any(leaf.is_attachment and not leaf.is_inline for leaf in root.leaves()),
        "conversationId": conversation_id(_REPLY_PREFIX.sub("", subject)),
        "isReadReceiptRequested": headers["disposition-notification-to"] is not None,
        "isDeliveryReceiptRequested": headers["return-receipt-to"] is not None,
        "from": next(iter(sender), None),
        "sender": next(iter(recipients(headers, "sender") or sender), None),
        "toRecipients": recipients(headers, "to"),
        "ccRecipients": recipients(headers, "cc"),
        "bccRecipients": recipients(headers, "bcc"),
        "replyTo": recipients(headers, "reply-to"),
    }
    internet_id = mime_parts.decode_words(headers.get("message-id", ""))
    return MessageProperties(internet_id, iso(sent) if sent else None, body, summary)


def date_of(headers: email.message.Message) -> datetime | None:
    """Return the instant of the Date header, or None when it is missing or unreadable."""
    value = headers["date"]
    if value is None:
        return None
    try:
        moment = parsedate_to_datetime(str(value))
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def recipients(headers: email.message.Message, name: str) -> list[Json]:
    """Return the addresses of a header as Graph recipients; a nameless one is named by its address."""
    values = [str(value) for value in headers.get_all(name, [])]
    return [
        {"emailAddress": {"name": mime_parts.decode_words(label) or address, "address": address}}
        for label, address in getaddresses(values)
        if address
    ]


def internet_headers(raw: bytes) -> list[Json]:
    """Return all header fields in order, as `internetMessageHeaders` shows them."""
    headers = mime_parts.parse(raw).headers
    return [{"name": name, "value": mime_parts.decode_words(value)} for name, value in headers.items()]


def plain_text(markup: str) -> str:
    """Reduce HTML to its visible words."""
    visible = re.sub(r"<[^>]*>", " ", _INVISIBLE.sub(" ", markup))
    return re.sub(r"\s+", " ", html.unescape(visible)).strip()


def _body(root: mime_parts.Part, raw: bytes) -> tuple[Json, str]:
    texts: dict[str, mime_parts.Part] = {}
    for leaf in root.leaves():
        if leaf.content_type.startswith("text/") and not leaf.is_attachment:
            texts.setdefault("html" if leaf.content_type == "text/html" else "text", leaf)
    if (part := texts.get("html")) is not None:
        content = part.text(raw)
        return {"contentType": "html", "content": content}, plain_text(content[:_PREVIEW_SOURCE])
    part = texts.get("text")
    content = part.text(raw) if part else ""
    plain = re.sub(r"\s+", " ", content[:_PREVIEW_SOURCE]).strip()
    return {"contentType": "text", "content": content}, plain


def _importance(headers: email.message.Message) -> str:
    value = str(headers.get("importance") or headers.get("x-priority") or "")
    return _IMPORTANCE.get(value.strip().lower()[:4].split(" ")[0], "normal")
