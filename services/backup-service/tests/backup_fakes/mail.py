"""The mail ports on an Exchange in memory."""

import base64
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
from backup_fakes.exchange import DELETIONS, Exchange, Letter
from backup_fakes.fuse import Fuse
from backup_service.domain.address_book import Entry
from backup_service.domain.change_page import ChangePage
from backup_service.domain.contacts import Contact, ContactFolder
from backup_service.domain.discovery import MailboxFinding, User
from backup_service.domain.graph_message import ITEM_TAG, REPLACES_TAG, RESTORE_TAG
from backup_service.domain.mail import Folder, Mailbox, MailReferences, Message, ReferencesPage
from backup_service.domain.restored_mail import CreatedMail, PresentMail
from backup_service.ports import Workloads
from graph_client.errors import BodyTooLarge, ItemUnreadable, NotFound, Refused, ResyncRequired, Unreachable

T = TypeVar("T")
_DRAFT = 0x8


def _nothing() -> None:
    return


def _partial(message: Message) -> Message:
    return Message(message.id, "", message.folder, {"isRead": message.sidecar["isRead"]})


class MemoryMail:
    """Implements ports.Directory, Mail, MailTarget and RestoreTarget on one Exchange, as one connection of one process.

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

    @property
    def calendars(self) -> MemoryCalendars:
        return MemoryCalendars(self._exchange.planner, self._fuse)

    @property
    def contacts(self) -> "NoContacts":
        return NoContacts()

    def _call(self) -> None:
        self.requests += 1
        self._fuse.step()
        if self._exchange.error is not None:
            raise self._exchange.error

    async def users(self) -> list[User]:
        self._call()
        return [User(user, address, user in self._exchange.guests) for user, address in self._exchange.users.items()]

    async def mailbox_of(self, user: str) -> MailboxFinding:
        self._call()
        self._exchange.asked.append(user)
        return self._exchange.without_mailbox.get(user, MailboxFinding.THERE)

    async def resolve(self, user: str) -> Mailbox:
        self._call()
        for identity, address in self._exchange.users.items():
            if user in {identity, address}:
                return Mailbox(identity, address)
        raise NotFound("no such user")

    async def folders(self, mailbox: str, *, parents: Collection[str] = (), full: bool = True) -> list[Folder]:
        self._call()
        folders = self._box(self._exchange.folders, mailbox)
        apart = {self._exchange.well_known.get((mailbox, DELETIONS)), *self._exchange.forgotten}
        found: list[Folder] = []
        level = [""]
        while level:
            children = [f for f in folders.values() if f.parent in level and f.id not in apart]
            found += children
            counting = {f.parent for f in folders.values() if not f.hidden}
            level = [f.id for f in children if full or f.id in counting or f.id in parents]
        return [self._counted(mailbox, folder) for folder in found]

    def _counted(self, mailbox: str, folder: Folder) -> Folder:
        letters = self._exchange.letters[mailbox].values()
        return replace(folder, total=sum(letter.folder == folder.id for letter in letters))

    async def folder_by_id(self, mailbox: str, folder: str) -> Folder | None:
        self._call()
        found = self._box(self._exchange.folders, mailbox).get(folder)
        return None if found is None else self._counted(mailbox, found)

    async def well_known(self, mailbox: str) -> dict[str, str]:
        self._call()
        known = self._exchange.well_known.items()
        return {folder: name for (user, name), folder in known if user == mailbox and name != DELETIONS}

    async def deletions(self, mailbox: str) -> Folder | None:
        self._call()
        folder = self._exchange.well_known.get((mailbox, DELETIONS))
        if folder is None:
            return None
        return replace(self._counted(mailbox, self._exchange.folders[mailbox][folder]), recoverable=True)

    async def has_archive(self, mailbox: str) -> bool:
        self._call()
        return mailbox in self._exchange.archives

    async def changes(self, mailbox: str, folder: str, link: str | None) -> AsyncIterator[ChangePage[Message]]:
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

    def _page(self, mailbox: str, folder: str, position: int, *, inside: bool) -> tuple[ChangePage[Message], int]:
        log = self._exchange.logs[folder]
        end = min(position + self._exchange.page_size, len(log))
        start = max(0, position - 1) if inside else position
        letters = self._exchange.letters[mailbox]
        entries = dict.fromkeys(log[start:end])
        entries = {x: None for x in entries if x not in self._exchange.forgotten}
        here = [letters[x].message() for x in entries if x in letters and letters[x].folder == folder]
        here = [_partial(x) if self._flipped(folder, x.id, start, end) else x for x in here]
        if self._exchange.unlistable & {message.id for message in here}:
            raise Unreachable("no usable answer", status=500)
        gone = set(entries) - {message.id for message in here}
        over = end == len(log)
        link = f"{'delta' if over else 'next'}|{folder}|{end}|{self._exchange.epoch}"
        return ChangePage(tuple(here), tuple(sorted(gone)), *((None, link) if over else (link, None))), end

    def _flipped(self, folder: str, letter: str, start: int, end: int) -> bool:
        places = (place for place in range(start, end) if self._exchange.logs[folder][place] == letter)
        return all((folder, place) in self._exchange.flips for place in places)

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
        if len(found.mime) > self._exchange.largest_in_memory:
            raise BodyTooLarge("too much for the memory")
        return found.mime

    @asynccontextmanager
    async def mime_stream(self, mailbox: str, message: str) -> AsyncIterator[AsyncIterator[bytes]]:
        self._call()
        yield self._pieces(self._letter(mailbox, message).mime)

    async def _pieces(self, body: bytes) -> AsyncIterator[bytes]:
        half = len(body) // 2
        yield body[:half]
        self._fuse.step()
        if self._exchange.breaks_off:
            self._exchange.breaks_off -= 1
            raise Unreachable("the body broke off")
        yield body[half:]

    async def change_keys(self, mailbox: str, folder: str) -> AsyncIterator[dict[str, str]]:
        self._call()
        self._exchange.compared += 1
        before, self._exchange.before_comparison = self._exchange.before_comparison, _nothing
        before()
        found = [x.message() for x in self._box(self._exchange.letters, mailbox).values() if x.folder == folder]
        if self._exchange.unlistable & {message.id for message in found}:
            raise Unreachable("no usable answer", status=500)
        for start in range(0, len(found), self._exchange.page_size):
            yield {message.id: message.change_key for message in found[start : start + self._exchange.page_size]}

    async def references(self, mailbox: str, message: str) -> list[dict[str, Any]]:
        self._call()
        self._exchange.asked_for_links.append(message)
        self._letter(mailbox, message)
        return self._exchange.references.get(message, [])

    async def folder_references(self, mailbox: str, folder: str, link: str | None) -> ReferencesPage:
        self._call()
        self._exchange.links_listed += 1
        before, self._exchange.before_list = self._exchange.before_list, _nothing
        before()
        if self._exchange.no_list is not None:
            raise self._exchange.no_list
        letters = self._box(self._exchange.letters, mailbox).values()
        found = [x for x in letters if x.folder == folder and x.sidecar.get("hasAttachments")][::-1]
        start = int(link or 0)
        end = start + self._exchange.page_size
        if self._exchange.unlistable & {letter.id for letter in found[start:end]}:
            raise Unreachable("no usable answer", status=500)
        mails = [
            MailReferences(x.id, x.message().change_key, self._exchange.references.get(x.id, []))
            for x in found[start:end]
        ]
        return ReferencesPage(tuple(mails), str(end) if end < len(found) else None)

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
        "hasAttachments": bool(body["attachments"]),
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


class NoAddressBook:
    """Implements ports.AddressBook for an empty directory: it is tested on the simulated tenant."""

    async def changes(self, kind: str, link: str | None) -> AsyncIterator[ChangePage[Entry]]:
        yield ChangePage((), delta_link="nothing")

    async def entry(self, kind: str, identity: str) -> Entry:
        raise NotFound("no such object")

    async def members(self, group: str) -> list[str]:
        raise NotFound("no such group")


class NoContacts:
    """Implements ports.Contacts for mailboxes without any: contacts are tested on the simulated tenant."""

    async def folders(self, mailbox: str) -> list[ContactFolder]:
        return []

    async def default_folder(self, mailbox: str, folder: str) -> ContactFolder:
        raise NotFound("no such folder")

    async def changes(self, mailbox: str, folder: str, link: str | None) -> AsyncIterator[ChangePage[Contact]]:
        yield ChangePage((), delta_link="nothing")

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
            directory=mail,
            mail=mail,
            calendars=calendars,
            contacts=NoContacts(),
            address_book=NoAddressBook(),
            requests=lambda: mail.requests + calendars.requests,
        )

    @asynccontextmanager
    async def restore(self, tenant: str) -> AsyncIterator[MemoryMail]:
        yield MemoryMail(self._exchange, self._fuse)
