"""A Microsoft 365 whose mailboxes are folders on disk: ports.Mail over a tree of EML files.

Identities and sidecars are as long as Graph's, so that a manifest costs what it costs in production. What has changed
is found out here, by scanning the folder against the listing of the round before, inside the measured time: restic
scans, too.
"""

import base64
import hashlib
import json
import os
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import asynccontextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

from backup_service.domain.change_page import ChangePage
from backup_service.domain.mail import Folder, Message, ReferencesPage
from backup_service.ports import Workloads

PAGE = 200
LISTED = 1000
EVERYTHING = "tree"
"""The mailbox that holds every mail of the tree; `mbox-NNN` is one of its top folders as a mailbox of its own."""

Listing = dict[str, str]  # file name: change key


def identity(path: str) -> str:
    """As long as an immutable id of Exchange: 152 characters, of which most vary."""
    digest = hashlib.sha512(path.encode()).digest() * 2
    return "AAkALgAA" + base64.urlsafe_b64encode(digest[:108]).decode()


class FolderMail:
    """`state` remembers, as Exchange does, what each folder held when its delta link was given out."""

    def __init__(self, tree: Path, state: Path) -> None:
        self._tree = tree
        self._state = state
        self._top = str(tree)
        self._folders: dict[str, str] = {}
        self._files: dict[str, str] = {}
        self.requests = 0

    async def folders(self, mailbox: str, *, parents: Collection[str] = (), full: bool = True) -> list[Folder]:
        self.requests += 1
        below = "" if mailbox == EVERYTHING else mailbox
        totals = dict(sorted(self._totals(below)))
        self._folders = {identity(path): path for path in totals}
        return [_folder(path, below, total) for path, total in totals.items()]

    def _totals(self, below: str) -> Iterator[tuple[str, int]]:
        """Every folder with the number of its mails; one walk, restic makes no more."""
        for folder, folders, files in os.walk(self._tree / below):
            folders[:] = [name for name in folders if name != "drive"]
            path = Path(folder).relative_to(self._tree).as_posix()
            if path not in {".", below}:
                yield path, len(files)

    async def changes(self, mailbox: str, folder: str, link: str | None) -> AsyncIterator[ChangePage[Message]]:
        path = self._folders[folder]
        before: Listing = json.loads((self._state / link).read_text()) if link else {}
        now = self._listing(path)
        removed = tuple(identity(f"{path}/{name}") for name in before if name not in now)
        changed = [name for name, key in now.items() if before.get(name) != key]
        pages = [changed[start : start + PAGE] for start in range(0, len(changed), PAGE)] or [[]]
        for number, names in enumerate(pages, start=1):
            self.requests += 1
            messages = tuple(self._message(f"{path}/{name}", folder, now[name]) for name in names)
            if number == len(pages):
                yield ChangePage(messages, removed, None, self._remember(path, now))
            else:
                yield ChangePage(messages, (), f"page-{number}", None)

    def _listing(self, path: str) -> Listing:
        with os.scandir(self._tree / path) as entries:
            return {entry.name: _change_key(entry.stat()) for entry in entries if entry.is_file()}

    def _remember(self, path: str, listing: Listing) -> str:
        text = json.dumps(listing)
        name = hashlib.sha256(f"{path}\0{text}".encode()).hexdigest()
        (self._state / name).write_text(text)
        return name

    def _message(self, path: str, folder: str, change_key: str) -> Message:
        message = identity(path)
        self._files[message] = path
        return Message(message, change_key, folder, _sidecar(path))

    async def listing(self, mailbox: str, folder: str, skip: int, top: int) -> list[Message]:
        raise AssertionError("every folder of the tree can be listed: nothing is listed around")

    async def message(self, mailbox: str, message: str) -> Message:
        raise AssertionError("every file of the tree can be read: nothing is asked for again")

    async def mime(self, mailbox: str, message: str) -> bytes:
        self.requests += 1
        return _contents(f"{self._top}/{self._files[message]}")

    def mime_stream(self, mailbox: str, message: str) -> Any:
        raise AssertionError("every file of the tree is read into memory")

    async def references(self, mailbox: str, message: str) -> list[dict[str, Any]]:
        return []

    async def folder_references(self, mailbox: str, folder: str, link: str | None) -> ReferencesPage:
        return ReferencesPage((), None)

    async def folder_by_id(self, mailbox: str, folder: str) -> Folder | None:
        return None

    async def well_known(self, mailbox: str) -> dict[str, str]:
        return {}

    async def deletions(self, mailbox: str) -> Folder | None:
        return None

    async def has_archive(self, mailbox: str) -> bool:
        return False

    async def change_keys(self, mailbox: str, folder: str) -> AsyncIterator[dict[str, str]]:
        path = self._folders[folder]
        listed = list(self._listing(path).items())
        for start in range(0, len(listed), LISTED):
            self.requests += 1
            yield {identity(f"{path}/{name}"): key for name, key in listed[start : start + LISTED]}


class _Unread:
    """A workload the benchmark has none of."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name}: the jobs of the benchmark read mail")


class FolderTenants:
    """ports.Tenants for one tree."""

    def __init__(self, tree: Path, state: Path) -> None:
        self._mail = (tree, state)

    @asynccontextmanager
    async def backup(self, tenant: str) -> AsyncIterator[Workloads]:
        mail = FolderMail(*self._mail)
        others: dict[str, Any] = {one.name: _Unread() for one in fields(Workloads)}
        yield Workloads(**{**others, "mail": mail, "requests": lambda: mail.requests})

    def restore(self, tenant: str) -> Any:
        raise AssertionError("nothing is restored into Microsoft 365 here")


def _folder(path: str, below: str, total: int) -> Folder:
    parent, _, name = path.rpartition("/")
    parent_id = identity(parent) if parent not in {"", below} else ""
    return Folder(identity(path), name, parent_id, hidden=False, total=total)


def _contents(path: str) -> bytes:
    """A third of the time of pathlib: what the source costs is on our bill."""
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - above
        return file.read()


def _change_key(stat: os.stat_result) -> str:
    return base64.b64encode(f"{stat.st_mtime_ns:x}/{stat.st_size:x}".encode()).decode()


def _sidecar(path: str) -> dict[str, Any]:
    """The twelve properties kept beside the MIME; deterministic per mail."""
    seed = hashlib.sha256(path.encode()).digest()
    second = int.from_bytes(seed[:4], "big") % 60
    received = f"2026-{1 + seed[4] % 12:02d}-{1 + seed[5] % 28:02d}T{seed[6] % 24:02d}:{seed[7] % 60:02d}:{second:02d}Z"
    return {
        "categories": [],
        "flag": {"flagStatus": "notFlagged"},
        "importance": "normal",
        "inferenceClassification": "focused",
        "isDraft": False,
        "isRead": bool(seed[8] & 1),
        "receivedDateTime": received,
        "sentDateTime": received,
        "createdDateTime": received,
        "internetMessageId": f"<{seed.hex()}@corp.example>",
        "conversationId": "AAQkAG" + base64.urlsafe_b64encode(seed * 2).decode(),
        "hasAttachments": bool(seed[9] & 1),
    }
