"""Mailboxes in memory and what people do in them."""

import itertools
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from backup_fakes.calendars import Planner
from backup_service.domain.discovery import MailboxFinding
from backup_service.domain.mail import Folder, Message

ANNA, BERT = "anna-id", "bert-id"
DELETIONS = "recoverableitemsdeletions"


@dataclass
class Letter:
    """A message as Exchange keeps it."""

    id: str
    folder: str
    mime: bytes
    sidecar: dict[str, Any]
    change: int = 1
    tags: dict[str, str] = field(default_factory=dict)
    body: dict[str, Any] = field(default_factory=dict)

    def message(self) -> Message:
        return Message(self.id, f"ck-{self.change}", self.folder, dict(self.sidecar))


@dataclass
class Exchange:
    """Mailboxes, and what people do in them. Every folder keeps a log of the ids that were touched in it.

    `before_folder` and `after_page` happen once, when that folder's delta is asked for and when its first page has
    been read. `on_create` happens to every message that is created. `written` is what was written, in order.
    `takes_items` is False for one that refuses mails attached as items. `well_known` maps (user, well-known name) to
    the folder.
    """

    page_size: int = 2
    epoch: int = 0
    users: dict[str, str] = field(default_factory=dict)
    folders: dict[str, dict[str, Folder]] = field(default_factory=dict)
    letters: dict[str, dict[str, Letter]] = field(default_factory=dict)
    logs: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    flips: set[tuple[str, int]] = field(default_factory=set)
    """Entries of the logs, by folder and place, that are changes of the read state alone."""
    unreadable: dict[str, Exception] = field(default_factory=dict)
    unlistable: set[str] = field(default_factory=set)
    vanishing: set[str] = field(default_factory=set)
    fetched: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    takes_items: bool = True
    written: list[str] = field(default_factory=list)
    well_known: dict[tuple[str, str], str] = field(default_factory=dict)
    """The folder of each (user, well-known name)."""
    guests: set[str] = field(default_factory=set)
    without_mailbox: dict[str, MailboxFinding] = field(default_factory=dict)
    archives: set[str] = field(default_factory=set)
    references: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    asked_for_links: list[str] = field(default_factory=list)
    links_listed: int = 0
    """How many pages of links were asked for, and mails that were asked for theirs one by one."""
    before_list: Callable[[], object] = lambda: None
    no_list: Exception | None = None
    """Happens before links are listed next time; what a list of links ends in."""
    largest_in_memory: int = 1 << 30
    breaks_off: int = 0
    """How many streams break off."""
    forgotten: set[str] = field(default_factory=set)
    """Messages and folders that no listing names, though they exist."""
    compared: int = 0
    """How often a folder was listed with its change keys; `before_comparison` happens before the next time."""
    before_comparison: Callable[[], object] = lambda: None
    error: Exception | None = None
    before_folder: dict[str, Callable[[], object]] = field(default_factory=dict)
    after_page: dict[str, Callable[[], object]] = field(default_factory=dict)
    on_create: Callable[[Letter], object] = lambda _letter: None
    planner: Planner = field(default_factory=Planner)
    _number: Iterator[int] = field(default_factory=itertools.count)

    def add_user(self, user: str, address: str) -> None:
        self.users[user] = address
        self.folders[user], self.letters[user] = {}, {}

    def add_folder(self, user: str, name: str, parent: str = "", *, hidden: bool = False) -> str:
        identity = f"f{next(self._number)}"
        self.folders[user][identity] = Folder(identity, name, parent, hidden, 0)
        return identity

    def add_deletions(self, user: str) -> str:
        """The recoverable items of a mailbox; deleted mail does not go there by itself."""
        found = self.well_known[user, DELETIONS] = self.add_folder(user, "Deletions", hidden=True)
        return found

    def add(self, user: str, folder: str, mime: bytes = b"Subject: s\r\n\r\nb\r\n", **sidecar: Any) -> str:
        identity = f"m{next(self._number)}"
        facts = {"isRead": False, "receivedDateTime": "2026-03-02T08:00:00Z", "sentDateTime": "2026-03-02T07:59:00Z"}
        self.letters[user][identity] = Letter(identity, folder, mime, facts | sidecar)
        self.logs[folder].append(identity)
        return identity

    def touch(self, user: str, letter: str, mime: bytes | None = None, **sidecar: Any) -> None:
        found = self.letters[user][letter]
        found.sidecar |= sidecar
        found.change += 1
        if mime is not None:
            found.mime = mime
        self.logs[found.folder].append(letter)

    def read(self, user: str, letter: str, *, is_read: bool = True) -> None:
        """Change the read state alone: the change key stays, and a delta that goes on tells of nothing else."""
        found = self.letters[user][letter]
        found.sidecar = {**found.sidecar, "isRead": is_read}
        self.flips.add((found.folder, len(self.logs[found.folder])))
        self.logs[found.folder].append(letter)

    def move(self, user: str, letter: str, folder: str) -> None:
        found = self.letters[user][letter]
        self.logs[found.folder].append(letter)
        found.folder = folder
        found.change += 1
        self.logs[folder].append(letter)

    def delete(self, user: str, letter: str) -> None:
        self.logs[self.letters[user].pop(letter).folder].append(letter)

    def delete_folder(self, user: str, folder: str) -> None:
        gone = {folder}
        while more := {f.id for f in self.folders[user].values() if f.parent in gone} - gone:
            gone |= more
        for letter in [letter for letter in self.letters[user].values() if letter.folder in gone]:
            del self.letters[user][letter.id]
        for identity in gone:
            del self.folders[user][identity]

    def rename_folder(self, user: str, folder: str, name: str) -> None:
        self.folders[user][folder] = replace(self.folders[user][folder], name=name)

    def expire(self) -> None:
        """Every delta link becomes void, and what was deleted before is forgotten."""
        self.epoch += 1
        self.flips.clear()
        for folder in self.logs:
            self.logs[folder] = [x.id for box in self.letters.values() for x in box.values() if x.folder == folder]

    def mirror(self, user: str) -> dict[str, tuple[str, str, bytes, dict[str, Any]]]:
        """What a faultless backup of the mailbox holds."""
        return {x.id: (x.folder, f"ck-{x.change}", x.mime, self._meta(x)) for x in self.letters[user].values()}

    def _meta(self, letter: Letter) -> dict[str, Any]:
        links = self.references.get(letter.id)
        return {**letter.sidecar, "references": links} if links else letter.sidecar
