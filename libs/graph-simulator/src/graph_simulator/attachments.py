"""Attachments of a message: cut out of the stored MIME on demand, or rows of their own for JSON-made messages.

https://learn.microsoft.com/graph/api/resources/attachment
"""

import json
import sqlite3
from dataclasses import dataclass, replace
from enum import StrEnum

from graph_simulator import messages, mime_parts, mime_properties
from graph_simulator.database import transaction

Json = dict[str, object]


class AttachmentKind(StrEnum):
    """Graph's types of attachments; the value is the `@odata.type`."""

    FILE = "#microsoft.graph.fileAttachment"
    ITEM = "#microsoft.graph.itemAttachment"
    REFERENCE = "#microsoft.graph.referenceAttachment"


@dataclass(frozen=True, slots=True)
class Attachment:
    """One attachment. `content` is the file, a nested message's MIME, or a nested message's JSON."""

    ordinal: int
    kind: AttachmentKind
    name: str
    content_type: str | None
    inline: bool
    content_id: str | None
    content: bytes

    def item(self) -> Json:
        """Return the attached message as JSON; only for itemAttachments."""
        if self.content.startswith(b"{"):
            item: Json = json.loads(self.content)
            return item
        properties = mime_properties.read(self.content)
        stamp = properties.sent
        return {
            "@odata.type": "#microsoft.graph.message",
            "internetMessageId": properties.internet_id,
            "sentDateTime": stamp,
            "receivedDateTime": stamp,
            "body": properties.body,
            **properties.summary,
        }


def attachments_of(connection: sqlite3.Connection, message_pk: int) -> list[Attachment]:
    """Return the attachments of a message in order."""
    raw = messages.mime_of(connection, message_pk)
    if raw is not None:
        return _in_mime(raw)
    rows = connection.execute("SELECT * FROM attachment WHERE message_pk = ? ORDER BY ordinal", (message_pk,))
    return [
        Attachment(
            row["ordinal"],
            AttachmentKind(row["kind"]),
            row["name"],
            row["content_type"],
            bool(row["inline"]),
            row["content_id"],
            row["content"],
        )
        for row in rows
    ]


def add_attachment(connection: sqlite3.Connection, message_pk: int, attachment: Attachment) -> int:
    """Add an attachment to a message, give the message a new change key, and return the attachment's ordinal."""
    with transaction(connection):
        forget_mime(connection, message_pk)
        existing = attachments_of(connection, message_pk)
        ordinal = 1 + max((other.ordinal for other in existing), default=-1)
        _insert(connection, message_pk, replace(attachment, ordinal=ordinal))
        has_attachments = any(not other.inline for other in [*existing, attachment])
        row = messages.by_pk(connection, message_pk)
        messages.update(connection, row, {"hasAttachments": has_attachments})
        connection.execute("UPDATE message SET size = size + ? WHERE pk = ?", (len(attachment.content), message_pk))
    return ordinal


def delete_attachment(connection: sqlite3.Connection, message_pk: int, attachment: Attachment) -> None:
    """Take one attachment off a message."""
    with transaction(connection):
        forget_mime(connection, message_pk)
        connection.execute(
            "DELETE FROM attachment WHERE message_pk = ? AND ordinal = ?", (message_pk, attachment.ordinal)
        )
        rest = attachments_of(connection, message_pk)
        has_attachments = any(not other.inline for other in rest)
        messages.update(connection, messages.by_pk(connection, message_pk), {"hasAttachments": has_attachments})


def forget_mime(connection: sqlite3.Connection, message_pk: int) -> None:
    """Turn a message with stored bytes into one whose MIME is generated, before its parts are changed."""
    if messages.mime_of(connection, message_pk) is None:
        return
    for attachment in attachments_of(connection, message_pk):
        _insert(connection, message_pk, attachment)
    body = json.dumps(messages.body_of(connection, message_pk), ensure_ascii=False)
    connection.execute("UPDATE content SET mime = NULL, body = ? WHERE message_pk = ?", (body, message_pk))
    connection.execute("UPDATE message SET sha256 = NULL WHERE pk = ?", (message_pk,))


def _insert(connection: sqlite3.Connection, message_pk: int, attachment: Attachment) -> None:
    connection.execute(
        "INSERT INTO attachment VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            message_pk,
            attachment.ordinal,
            attachment.kind.value,
            attachment.name,
            attachment.content_type,
            attachment.inline,
            attachment.content_id,
            attachment.content,
        ),
    )


def _in_mime(raw: bytes) -> list[Attachment]:
    leaves = [leaf for leaf in mime_parts.parse(raw).leaves() if leaf.is_attachment]
    return [_from_part(raw, leaf, ordinal) for ordinal, leaf in enumerate(leaves)]


def _from_part(raw: bytes, part: mime_parts.Part, ordinal: int) -> Attachment:
    content = part.decode(raw)
    content_id = part.headers["content-id"]
    kind = AttachmentKind.FILE
    name = part.filename or f"ATT{ordinal + 1:05d}"
    if part.content_type == "message/rfc822":
        kind = AttachmentKind.ITEM
        name = part.filename or str(mime_properties.read(content).summary["subject"]) or name
    return Attachment(
        ordinal=ordinal,
        kind=kind,
        name=name,
        content_type=part.content_type if kind is AttachmentKind.FILE else None,
        inline=part.is_inline,
        content_id=str(content_id).strip().strip("<>") if content_id else None,
        content=content,
    )
