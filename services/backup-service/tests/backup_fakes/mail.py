"""The mail ports on an Exchange in memory."""

import base64
from collections import Counter
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from email.mime.base import MIMEBase
from email.mime.message import MIMEMessage
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.utils import format_datetime, formataddr
from typing import Any, TypeVar

from backup_fakes.calendars import MemoryCalendars
from backup_fakes.exchange import Exchange, Letter
from backup_fakes.fuse import Fuse
from backup_service.domain.contacts import Contact, ContactFolder, ContactPage
from backup_service.domain.graph_message import ITEM_TAG, REPLACES_TAG, RESTORE_TAG
from backup_service.domain.mail import ChangePage, Folder, Mailbox, Message
from backup_service.domain.restored_mail import CreatedMail, PresentMail
from backup_service.ports import Workloads
from graph_client.errors import ItemUnreadable, NotFound, Refused, ResyncRequired, Unreachable

T = TypeVar("T")
_DRAFT = 0x8


def _nothing() -> None:
    return


class MemoryMail:
    """Implements ports.Mail, MailTarget and RestoreTarget on one Exchange, as one connection of one process.

    Delta dialect: pages of `page_size` log entries in the items' current state, the last entry of a page repeated at
    the head of the next one, pages that are empty, removals of ids the reader never saw, links that expire.
    """

    def __init__(self, exchange: Exchange, fuse: Fuse) -> None:
        self._exchange = exchange
        self._fuse = fuse
        self.requests = 0

    @property
    def mail(self) -> "MemoryMail":
        return self

    def _call(self) -> None:
        self.requests += 1
        self._fuse.step()
        if self._exchange.error is not None:
            raise self._exchange.error

    async def mailboxes(self) -> list[Mailbox]:
        self._call()
        return [Mailbox(user, address) for user, address in self._exchange.users.items()]

    async def resolve(self, user: str) -> Mailbox:
        self._call()
        for identity, address in self._exchange.users.items():
            if user in {identity, address}:
                return Mailbox(identity, address)
        raise NotFound("no such user")

    async def folders(self, mailbox: str) -> list[Folder]:
        self._call()
        totals = Counter(letter.folder for letter in self._exchange.letters[mailbox].values())
        found: list[Folder] = []
        level = [""]
        while level:
            children = [f for f in self._box(self._exchange.folders, mailbox).values() if f.parent in level]
            found += children
            level = [folder.id for folder in children]
        return [replace(folder, total=totals[folder.id]) for folder in found]

    async def changes(self, mailbox: str, folder: str, link: str | None) -> AsyncIterator[ChangePage]:
        self._exchange.before_folder.pop(folder, _nothing)()
        position, inside = 0, False
        if link is not None:
            kind, _, place, epoch = link.split("|")
            position, inside = int(place), kind == "next"
            if int(epoch) != self._exchange.epoch:
                raise ResyncRequired("the link has expired")
        while True:
            self._call()
            if folder not in self._box(self._exchange.folders, mailbox):
                raise NotFound("no such folder")
            page, position = self._page(mailbox, folder, position, inside=inside)
            yield page
            self._exchange.after_page.pop(folder, _nothing)()
            inside = True
            if page.delta_link:
                return

    def _page(self, mailbox: str, folder: str, position: int, *, inside: bool) -> tuple[ChangePage, int]:
        log = self._exchange.logs[folder]
        end = min(position + self._exchange.page_size, len(log))
        start = max(0, position - 1) if inside else position
        letters = self._exchange.letters[mailbox]
        entries = dict.fromkeys(log[start:end])
        here = [letters[x].message() for x in entries if x in letters and letters[x].folder == folder]
        if self._exchange.unlistable & {message.id for message in here}:
            raise Unreachable("no usable answer", status=500)
        gone = set(entries) - {message.id for message in here}
        over = end == len(log)
        link = f"{'delta' if over else 'next'}|{folder}|{end}|{self._exchange.epoch}"
        return ChangePage(tuple(here), tuple(sorted(gone)), *((None, link) if over else (link, None))), end

    async def listing(self, mailbox: str, folder: str, skip: int, top: int) -> list[Message]:
        self._call()
        letters = self._box(self._exchange.letters, mailbox).values()
        found = [x.message() for x in letters if x.folder == folder][skip : skip + top]
        if self._exchange.unlistable & {message.id for message in found}:
            raise Unreachable("no usable answer", status=500)
        return found

    async def message(self, mailbox: str, message: str) -> Message:
        self._exchange.asked.append(message)
        self._call()
        found = self._letter(mailbox, message)
        if message in self._exchange.unreadable:
            raise self._exchange.unreadable[message]
        if message in self._exchange.unlistable:
            raise ItemUnreadable("the item cannot be read")
        return found.message()

    async def mime(self, mailbox: str, message: str) -> bytes:
        self._call()
        if message in self._exchange.vanishing:
            self._exchange.vanishing.discard(message)
            self._exchange.delete(mailbox, message)
        found = self._letter(mailbox, message)
        if message in self._exchange.unreadable:
            raise self._exchange.unreadable[message]
        if message in self._exchange.unlistable:
            raise ItemUnreadable("the item cannot be read")
        self._exchange.fetched.append(message)
        return found.mime

    async def folder(self, mailbox: str, name: str) -> str | None:
        self._call()
        folders = self._box(self._exchange.folders, mailbox)
        return self._exchange.well_known.get((mailbox, name)) or (name if name in folders else None)

    async def child(self, mailbox: str, parent: str, name: str) -> str | None:
        self._call()
        folders = self._box(self._exchange.folders, mailbox).values()
        same = [f.id for f in folders if f.parent == parent and f.name.casefold() == name.casefold()]
        return same[0] if same else None

    async def ensure_folder(self, mailbox: str, parent: str, name: str, *, hidden: bool = False) -> tuple[str, bool]:
        found = await self.child(mailbox, parent, name)
        if found is not None:
            return found, False
        made = self._exchange.add_folder(mailbox, name, parent, hidden=hidden)
        self._written("folder")
        return made, True

    async def created(self, mailbox: str, folder: str, restore: str) -> list[CreatedMail]:
        self._call()
        letters = [x for x in self._exchange.letters[mailbox].values() if x.folder == folder]
        mine = [x for x in letters if x.tags.get(RESTORE_TAG) == restore]
        return [CreatedMail(x.id, x.tags[ITEM_TAG], x.tags.get(REPLACES_TAG, "")) for x in mine]

    async def present(self, mailbox: str, folder: str, message_ids: Collection[str] | None) -> list[PresentMail]:
        self._call()
        found = [x for x in self._exchange.letters[mailbox].values() if x.folder == folder]
        named = [(x, str(x.sidecar.get("internetMessageId") or "")) for x in found]
        return [
            PresentMail(x.id, x.message().change_key, identity, dict(x.sidecar))
            for x, identity in named
            if message_ids is None or identity in message_ids
        ]

    async def create(self, mailbox: str, folder: str, message: Mapping[str, Any]) -> Message:
        self._call()
        if not self._exchange.takes_items and any("item" in attached for attached in message["attachments"]):
            raise Refused("no items here", status=400)
        identity = self._exchange.add(mailbox, folder)
        letter = self._exchange.letters[mailbox][identity]
        letter.body = {**message, "attachments": list(message["attachments"])}
        _render(letter)
        self._exchange.on_create(letter)
        self._written("message")
        return letter.message()

    async def attach(
        self, mailbox: str, message: str, name: str, attachment: Mapping[str, Any], content: bytes
    ) -> None:
        self._call()
        letter = self._letter(mailbox, message)
        letter.body["attachments"].append(
            {"name": name, "contentBytes": base64.b64encode(content).decode(), **attachment}
        )
        _render(letter)
        self._written("attachment")

    async def remove(self, mailbox: str, message: str) -> None:
        self._call()
        if message in self._exchange.letters[mailbox]:
            self._exchange.delete(mailbox, message)
        self._written("removal")

    def _written(self, what: str) -> None:
        self._exchange.written.append(what)
        self._fuse.step()

    def _letter(self, mailbox: str, message: str) -> Letter:
        found = self._box(self._exchange.letters, mailbox).get(message)
        if found is None:
            raise NotFound("no such message")
        return found

    @staticmethod
    def _box(part: dict[str, dict[str, T]], mailbox: str) -> dict[str, T]:
        if mailbox not in part:
            raise NotFound("no such mailbox")
        return part[mailbox]


def _render(letter: Letter) -> None:
    """Make MIME and properties from what was created, as Exchange does."""
    body = letter.body
    properties = {entry["id"]: entry["value"] for entry in body["singleValueExtendedProperties"]}
    mail = MIMEMultipart()
    mail["Subject"] = body["subject"]
    for header, name in (("To", "toRecipients"), ("Cc", "ccRecipients"), ("Bcc", "bccRecipients")):
        if body.get(name):
            mail[header] = _people(body[name])
    if body.get("from"):
        mail["From"] = _people([body["from"]])
    for header, text in (
        ("Message-ID", body.get("internetMessageId")),
        ("In-Reply-To", properties.get("String 0x1042")),
        ("References", properties.get("String 0x1039")),
        ("Thread-Index", properties.get("Binary 0x0071")),
    ):
        if text:
            mail[header] = text
    subtype = "html" if body["body"]["contentType"] == "html" else "plain"
    mail.attach(MIMEText(body["body"]["content"], subtype, "utf-8"))
    for attachment in body["attachments"]:
        if "item" in attachment:
            mail.attach(_attached(attachment["item"]))
            continue
        part = MIMEBase(*attachment["contentType"].split("/", 1))
        part.set_payload(attachment["contentBytes"])
        part["Content-Transfer-Encoding"] = "base64"
        part.add_header("Content-Disposition", "attachment", filename=attachment["name"])
        mail.attach(part)
    letter.mime = mail.as_bytes()
    letter.tags = {name: properties[name] for name in (RESTORE_TAG, ITEM_TAG, REPLACES_TAG) if name in properties}
    letter.sidecar = {
        "isRead": body["isRead"],
        "isDraft": bool(int(properties["Integer 0x0E07"]) & _DRAFT),
        "flag": body["flag"],
        "categories": body["categories"],
        "importance": body["importance"],
        "internetMessageId": body.get("internetMessageId", ""),
        "sentDateTime": properties.get("SystemTime 0x0039"),
        "receivedDateTime": properties.get("SystemTime 0x0E06"),
    }


def _attached(item: dict[str, Any]) -> MIMEMessage:
    kind = "html" if item["body"]["contentType"] == "html" else "plain"
    inner = MIMEText(item["body"]["content"], kind, "utf-8")
    inner["Subject"] = item["subject"]
    properties = {entry["id"]: entry["value"] for entry in item["singleValueExtendedProperties"]}
    if sent := properties.get("SystemTime 0x0039"):
        inner["Date"] = format_datetime(datetime.fromisoformat(sent))
    for header, people in (("From", [item["from"]] if "from" in item else []), ("To", item["toRecipients"])):
        if people:
            inner[header] = _people(people)
    return MIMEMessage(inner)


def _people(recipients: list[Any]) -> str:
    pairs = [(entry["emailAddress"]["name"], entry["emailAddress"]["address"]) for entry in recipients]
    return ", ".join(formataddr(pair, "utf-8") for pair in pairs)


class NoContacts:
    """Implements ports.Contacts for mailboxes without any: contacts are tested on the simulated tenant."""

    async def folders(self, mailbox: str) -> list[ContactFolder]:
        return []

    async def default_folder(self, mailbox: str, folder: str) -> ContactFolder:
        raise NotFound("no such folder")

    async def changes(self, mailbox: str, folder: str, link: str | None) -> AsyncIterator[ContactPage]:
        yield ContactPage((), (), None, "nothing")

    async def listing(self, mailbox: str, folder: str, skip: int, top: int) -> list[Contact]:
        return []

    async def contact(self, mailbox: str, contact: str) -> Contact:
        raise NotFound("no such contact")

    async def photo(self, mailbox: str, contact: str) -> bytes | None:
        raise NotFound("no such contact")


class MemoryTenants:
    """Implements ports.Tenants: a new connection for each use."""

    def __init__(self, exchange: Exchange, fuse: Fuse) -> None:
        self._exchange = exchange
        self._fuse = fuse

    @asynccontextmanager
    async def backup(self, tenant: str) -> AsyncIterator[Workloads]:
        mail = MemoryMail(self._exchange, self._fuse)
        calendars = MemoryCalendars(self._exchange.planner, self._fuse)
        yield Workloads(
            mail=mail,
            calendars=calendars,
            contacts=NoContacts(),
            requests=lambda: mail.requests + calendars.requests,
        )

    @asynccontextmanager
    async def restore(self, tenant: str) -> AsyncIterator[MemoryMail]:
        yield MemoryMail(self._exchange, self._fuse)
