"""Put mail into mailboxes, with a manifest written from the input before anything is stored."""

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TextIO

from graph_simulator import folders, messages
from graph_simulator.database import transaction
from graph_simulator.directory import Tenant, create_user
from graph_simulator.folders import DELETIONS
from graph_simulator.seed.event import SeedEvent, create_usual_calendars, store
from graph_simulator.seed.mail import SeedMail
from graph_simulator.seed.texts import DEPARTMENTS, PEOPLE

BATCH_MESSAGES = 100
BATCH_BYTES = 8 * 1024 * 1024
RESTORE_TARGET = "restore-target"


@dataclass(slots=True)
class Mailboxes:
    """The mailboxes of one tenant, made when first named."""

    connection: sqlite3.Connection
    tenant: Tenant
    display_names: dict[str, str] = field(default_factory=dict)
    _users: dict[str, int] = field(default_factory=dict)
    _folders: dict[tuple[str, ...], tuple[int, list[str]]] = field(default_factory=dict)

    def user(self, mailbox: str) -> int:
        if mailbox not in self._users:
            name = self.display_names.get(mailbox, mailbox.replace(".", " ").replace("-", " ").title())
            given, _, surname = name.rpartition(" ")
            department = DEPARTMENTS[len(self._users) % len(DEPARTMENTS)]
            pk = create_user(
                self.connection,
                self.tenant,
                mailbox,
                displayName=name,
                givenName=given or None,
                surname=surname,
                department=department,
                officeLocation="Hauptgebäude",
            )
            folders.create_mailbox(self.connection, pk)
            self._users[mailbox] = pk
        return self._users[mailbox]

    def folder(self, mailbox: str, path: tuple[str, ...], *, hidden: bool = False) -> tuple[int, list[str]]:
        """Return key and displayed path of a folder, creating what is missing."""
        key = (mailbox, *path)
        if key not in self._folders:
            pk = folders.folder_at(self.connection, self.user(mailbox), path, hidden=hidden)
            self._folders[key] = pk, folders.folder_path(self.connection, pk)
        return self._folders[key]

    def upn(self, mailbox: str) -> str:
        return f"{mailbox}@{self.tenant.domain}"

    def store(self, mail: SeedMail) -> dict[str, object]:
        """Store one mail and return its line of the manifest, made from the input."""
        pk, path = self.folder(mail.mailbox, mail.folder, hidden=mail.hidden_folder)
        sha256 = hashlib.sha256(mail.raw).hexdigest()
        new = messages.from_mime(mail.raw, mail.arrival, sha256=sha256)
        line = manifest_line(self.upn(mail.mailbox), path, new)
        messages.insert(self.connection, self.user(mail.mailbox), pk, new)
        return line


@dataclass(frozen=True, slots=True)
class Loaded:
    """How much was stored."""

    messages: int
    bytes: int


@contextmanager
def batched(connection: sqlite3.Connection) -> Iterator[Callable[[int], None]]:
    """Group writes into transactions that are short enough not to hold up a serving simulator.

    Call the yielded function with the bytes of each message written.
    """
    written = size = 0
    connection.execute("BEGIN IMMEDIATE")

    def wrote(count: int) -> None:
        nonlocal written, size
        written, size = written + 1, size + count
        if written >= BATCH_MESSAGES or size >= BATCH_BYTES:
            connection.execute("COMMIT")
            connection.execute("BEGIN IMMEDIATE")
            written = size = 0

    try:
        yield wrote
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def load(
    mailboxes: Mailboxes, mails: Iterable[SeedMail], manifest: TextIO | None, progress: Callable[[int], None]
) -> Loaded:
    """Store mails until the source ends; `progress` is told the bytes of each."""
    count = total = 0
    with batched(mailboxes.connection) as wrote:
        for mail in mails:
            line = mailboxes.store(mail)
            if manifest is not None:
                manifest.write(json.dumps(line, ensure_ascii=False) + "\n")
            wrote(len(mail.raw))
            progress(len(mail.raw))
            count, total = count + 1, total + len(mail.raw)
    return Loaded(count, total)


def load_events(mailboxes: Mailboxes, events: Iterable[SeedEvent]) -> int:
    """Store events until the source ends, in calendars as people have them; return how many. Nobody is invited."""
    count = 0
    begun: set[str] = set()
    with batched(mailboxes.connection) as wrote:
        for seeded in events:
            user_pk = mailboxes.user(seeded.mailbox)
            if seeded.mailbox not in begun:
                name, local = next(person for person in PEOPLE if person[1] != seeded.mailbox)
                create_usual_calendars(mailboxes.connection, user_pk, (name, f"{local}@{mailboxes.tenant.domain}"))
                begun.add(seeded.mailbox)
            store(mailboxes.connection, user_pk, seeded)
            wrote(sum(len(attachment.content) for attachment in seeded.attachments))
            count += 1
    return count


def limited(mails: Iterable[SeedMail], max_messages: int | None, max_bytes: int | None) -> Iterator[SeedMail]:
    """Stop before the source exceeds a number of messages or of bytes."""
    count = total = 0
    for mail in mails:
        count, total = count + 1, total + len(mail.raw)
        if (max_messages is not None and count > max_messages) or (max_bytes is not None and total > max_bytes):
            return
        yield mail


def create_restore_target(mailboxes: Mailboxes) -> None:
    """Create the user with an empty mailbox that restores can go to."""
    with transaction(mailboxes.connection):
        mailboxes.user(RESTORE_TARGET)


def manifest_line(upn: str, path: list[str], message: messages.NewMessage) -> dict[str, object]:
    """Describe one message; `folder` joins the names of `folder_path`, which may contain slashes themselves."""
    return {
        "user": upn,
        "folder": "/".join(path),
        "folder_path": path,
        "sha256": message.sha256,
        "size": message.size,
        "received": message.received,
        "subject": message.summary["subject"],
        "is_read": message.is_read,
        "is_draft": message.is_draft,
        "categories": message.summary["categories"],
        "flag": message.summary["flag"],
        "importance": message.summary["importance"],
    }


def write_manifest(connection: sqlite3.Connection, tenant: Tenant, stream: TextIO) -> int:
    """Write the manifest of all seeded mail as it is now, with the hashes taken from the input; return its lines.

    What was deleted and is still recoverable has `recoverable`, and the name of that folder.
    """
    rows = connection.execute(
        "SELECT message.*, upn, coalesce(well_known, '') = ? AS recoverable FROM message"
        " JOIN user ON user.pk = message.user_pk JOIN folder ON folder.pk = message.folder_pk"
        " WHERE tenant_id = ? AND sha256 IS NOT NULL ORDER BY message.pk",
        (DELETIONS, tenant.id),
    )
    paths: dict[int, list[str]] = {}
    count = 0
    for row in rows:
        count += 1
        path = paths.setdefault(row["folder_pk"], folders.folder_path(connection, row["folder_pk"]))
        stored = messages.NewMessage(
            received=row["received"],
            sent=row["sent"],
            is_read=bool(row["is_read"]),
            is_draft=bool(row["is_draft"]),
            internet_id=row["internet_id"],
            summary=json.loads(row["summary"]),
            sha256=row["sha256"],
            size=row["size"],
        )
        line = manifest_line(row["upn"], path, stored) | ({"recoverable": True} if row["recoverable"] else {})
        stream.write(json.dumps(line, ensure_ascii=False) + "\n")
    return count
