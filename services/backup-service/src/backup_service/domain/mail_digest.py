"""The semantic digest of a mail: equal for two mails a person would call the same.

Exchange rebuilds MIME from properties, so bytes cannot be compared after a restore. Compared are folder, dates,
flags, categories, addresses, subject, place in the thread, decoded body and attachments.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from backup_service.domain.mime import Attachment, ParsedMail, People, parse

_NESTED = "message/rfc822"
_DEEPEST = 5


def facts(raw: bytes, sidecar: Mapping[str, Any], folder: tuple[str, ...]) -> dict[str, Any]:
    """What is compared, by name, so that a difference can be named."""
    mail = parse(raw)
    return {
        **_mail_facts(mail, 0),
        **_thread(mail, sidecar),
        "folder": list(folder),
        "sent": _second(sidecar.get("sentDateTime")),
        "received": _second(sidecar.get("receivedDateTime")),
        "read": bool(sidecar.get("isRead")),
        "draft": bool(sidecar.get("isDraft")),
        "flag": (sidecar.get("flag") or {}).get("flagStatus", "notFlagged"),
        "categories": sorted(sidecar.get("categories") or []),
        "importance": sidecar.get("importance") or "normal",
    }


def content(raw: bytes) -> dict[str, Any]:
    """The part of it that its author wrote; what a mailbox knows about it (read, flagged, …) is left out."""
    return _mail_facts(parse(raw), 0)


def digest(found: Mapping[str, Any]) -> str:
    """SHA-256 in hex over the facts."""
    return hashlib.sha256(json.dumps(found, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def differences(expected: Mapping[str, Any], actual: Mapping[str, Any]) -> list[str]:
    """Names of the expected facts that are different; what the expected mail does not say may be anything."""
    return sorted(name for name, value in expected.items() if value != actual.get(name))


def _thread(mail: ParsedMail, sidecar: Mapping[str, Any]) -> dict[str, str]:
    """Its id and those it follows, as far as it names them: Exchange gives an id to every mail that has none."""
    named = {
        "message id": mail.message_id or str(sidecar.get("internetMessageId") or ""),
        "in reply to": mail.in_reply_to,
        "references": mail.references,
    }
    return {name: value for name, value in named.items() if value}


def _mail_facts(mail: ParsedMail, depth: int) -> dict[str, Any]:
    return {
        "subject": " ".join(mail.subject.split()),
        "from": _addresses(mail.sender),
        "to": _addresses(mail.to),
        "cc": _addresses(mail.cc),
        "bcc": _addresses(mail.bcc),
        "body": hashlib.sha256(_normal(mail.body).encode("utf-8", "surrogatepass")).hexdigest(),
        "html": mail.is_html,
        "attachments": sorted(_attachment_facts(attachment, depth) for attachment in mail.attachments),
    }


def _attachment_facts(attachment: Attachment, depth: int) -> list[str]:
    nested = attachment.content_type == _NESTED or attachment.name.lower().endswith(".eml")
    if nested and depth < _DEEPEST:
        inner = json.dumps(_mail_facts(parse(attachment.content), depth + 1), sort_keys=True)
        content = hashlib.sha256(inner.encode()).hexdigest()
    else:
        content = hashlib.sha256(attachment.content).hexdigest()
    # An attached mail is known by what it says: as an item it has a title, as a file a name.
    return ["" if nested else attachment.name, content]


def _addresses(people: People) -> list[str]:
    return sorted(address.lower() for _, address in people)


def _normal(text: str) -> str:
    """Line ends and trailing blanks are the transport's, not the author's."""
    lines = re.split(r"\r\n|\r|\n", text)
    return "\n".join(line.rstrip() for line in lines).strip("\n")


def _second(value: Any) -> str:
    """A Graph time to the second, in UTC; empty when absent."""
    if not value:
        return ""
    moment = datetime.fromisoformat(str(value))
    return moment.astimezone(UTC).replace(microsecond=0).isoformat()
