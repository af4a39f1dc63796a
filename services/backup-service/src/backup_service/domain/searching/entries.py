"""Every kind of stored item as one entry of the search file: one row of the table `KINDS` per kind."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from backup_service.domain import mime
from backup_service.domain.searching.html_text import text_of

CONTAINERS = frozenset({"folder", "calendar", "contact-folder"})
"""Kinds other items lie in; their entries have a name and nothing else."""

LONGEST = 262_144
"""Characters of text of one item that are searchable."""

Meta = Mapping[str, Any]
People = tuple[tuple[str, str], ...]
"""(display name, address) pairs."""


@dataclass(frozen=True)
class File:
    """An attachment as a list shows it; `size` in bytes of its content, None when nothing says it."""

    name: str
    content_type: str = ""
    size: int | None = None
    inline: bool = False


@dataclass(frozen=True)
class Entry:
    """What people look for in an item. `sender` is who it comes from: sender of a mail, organizer of an event."""

    subject: str = ""
    sender: People = ()
    to: People = ()
    others: People = ()  # Cc, Bcc
    files: tuple[File, ...] = ()
    text: str = ""
    date: datetime | None = None


def entry_of(kind: str, meta: Meta, body: bytes | None) -> Entry:
    """Never fails: what cannot be read as its kind is an entry without text."""
    return KINDS.get(kind, _named)(meta, b"" if body is None else body)


def flags_of(meta: Meta) -> dict[str, Any]:
    """What may change while the item stays the same: read state, flag, categories and the like."""
    flag = meta.get("flag")
    found = {
        "read": meta.get("isRead"),
        "draft": meta.get("isDraft"),
        "flagged": isinstance(flag, Mapping) and flag.get("flagStatus") == "flagged",
        "importance": meta.get("importance"),
        "categories": [str(one) for one in _list(meta.get("categories"))],
    }
    return {name: value for name, value in found.items() if value}


def moment(text: object) -> datetime | None:
    """A date as Graph writes it; without a zone it counts as UTC. None for what is none."""
    try:
        found = datetime.fromisoformat(_seconds(str(text)))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _seconds(text: str) -> str:
    """Without fractions longer than Python 3.11 reads: Graph gives seven digits."""
    head, dot, tail = text.partition(".")
    zone = "Z" if tail.endswith("Z") else ""
    return f"{head}{zone}" if dot else text


def _mail(meta: Meta, body: bytes) -> Entry:
    mail = mime.parse(body)
    links = [File(str(_map(one).get("name") or ""), "reference") for one in _list(meta.get("references"))]
    files = [File(one.name, one.content_type, len(one.content), one.inline) for one in mail.attachments]
    return Entry(
        subject=mail.subject,
        sender=mail.sender,
        to=mail.to,
        others=mail.cc + mail.bcc,
        files=(*files, *links),
        text=(text_of(mail.body) if mail.is_html else mail.body)[:LONGEST],
        date=moment(meta.get("receivedDateTime")) or moment(meta.get("sentDateTime")),
    )


def _event(_: Meta, body: bytes) -> Entry:
    stored = _json(body)
    event = _map(stored.get("event"))
    every = [event, *(_map(one) for one in _list(stored.get("exceptions")))]
    texts = [
        part for one in every for part in (_body_text(one), str(_map(one.get("location")).get("displayName") or ""))
    ]
    texts += [str(one.get("subject") or "") for one in every[1:]]
    attendees = [_map(attendee) for one in every for attendee in _list(one.get("attendees"))]
    return Entry(
        subject=str(event.get("subject") or ""),
        sender=_people([event.get("organizer")]),
        to=_people(attendees),
        text=_joined(texts),
        date=moment(_map(event.get("start")).get("dateTime")),
    )


def _body_text(event: Meta) -> str:
    body = _map(event.get("body"))
    content = str(body.get("content") or "")
    return text_of(content) if str(body.get("contentType")).lower() == "html" else content


_CONTACT_TEXT = (
    "companyName", "department", "jobTitle", "officeLocation", "profession", "nickName", "mobilePhone", "homePhones",
    "businessPhones", "personalNotes", "spouseName", "children", "assistantName", "manager", "businessHomePage",
    "homeAddress", "businessAddress", "otherAddress", "imAddresses",
)  # fmt: skip
_PERSON_TEXT = (
    "companyName", "department", "jobTitle", "officeLocation", "mobilePhone", "businessPhones", "phones", "addresses",
    "description", "givenName", "surname",
)  # fmt: skip


def _contact(_: Meta, body: bytes) -> Entry:
    contact = _json(body)
    whole = " ".join(str(contact.get(name) or "") for name in ("givenName", "surname")).strip()
    addresses = [_map(one) for one in _list(contact.get("emailAddresses"))]
    people = tuple((str(one.get("name") or ""), str(one.get("address") or "")) for one in addresses)
    return Entry(
        subject=str(contact.get("displayName") or whole or contact.get("companyName") or ""),
        sender=people[:1],
        to=people[1:],
        text=_joined([*_texts(contact, _CONTACT_TEXT), whole]),
        date=moment(contact.get("lastModifiedDateTime")),
    )


def _directory(_: Meta, body: bytes) -> Entry:
    """A user, group or contact of the organisation."""
    found = _json(body)
    addresses = dict.fromkeys(str(found[name]) for name in ("mail", "userPrincipalName") if found.get(name))
    name = str(found.get("displayName") or "")
    return Entry(
        subject=name,
        sender=tuple((name, address) for address in list(addresses)[:1]),
        to=tuple((name, address) for address in list(addresses)[1:]),
        text=_joined(_texts(found, _PERSON_TEXT)),
    )


def _attachment(meta: Meta, body: bytes) -> Entry:
    """Of an event, stored beside it."""
    name = str(meta.get("name") or "")
    file = File(name, str(meta.get("content_type") or ""), len(body) or None, bool(meta.get("inline")))
    return Entry(subject=name, files=(file,))


def _named(meta: Meta, _: bytes) -> Entry:
    return Entry(subject=str(meta.get("name") or ""))


KINDS: Mapping[str, Callable[[Meta, bytes], Entry]] = {
    "mail": _mail,
    "event": _event,
    "event-attachment": _attachment,
    "contact": _contact,
    "user": _directory,
    "group": _directory,
    "org-contact": _directory,
}
"""Kinds that are not listed, containers among them, are found by their name alone, and their bodies are not read."""

WITHOUT_BODY = frozenset({"event-attachment"})
"""Kinds whose row says everything: their bodies are not read."""


def reads_body(kind: str) -> bool:
    return kind in KINDS and kind not in WITHOUT_BODY


def _people(found: Iterable[object]) -> People:
    addresses = [_map(_map(one).get("emailAddress")) for one in found]
    pairs = ((str(one.get("name") or ""), str(one.get("address") or "")) for one in addresses if one)
    return tuple(dict.fromkeys(pairs))


def _texts(found: Meta, names: Iterable[str]) -> Iterable[str]:
    return (text for name in names for text in _leaves(found.get(name)))


def _leaves(value: object) -> Iterable[str]:
    if isinstance(value, Mapping):
        return [text for inner in value.values() for text in _leaves(inner)]
    if isinstance(value, list):
        return [text for inner in value for text in _leaves(inner)]
    return [str(value)] if value else []


def _joined(texts: Iterable[str]) -> str:
    return "\n".join(dict.fromkeys(text for text in texts if text))[:LONGEST]


def _json(body: bytes) -> Meta:
    try:
        return _map(json.loads(body))
    except (ValueError, RecursionError):
        return {}


def _map(value: object) -> Meta:
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
