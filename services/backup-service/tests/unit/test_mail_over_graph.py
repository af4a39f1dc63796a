"""Mail of a simulated mailbox against the worker, adapters and client included: what is kept, and what it costs."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from backup_fakes.simulated import SimulatedTenant

from contracts.errors import ErrorClass
from contracts.names import JobState, Source
from graph_simulator import attachments, folders, messages
from graph_simulator.attachments import Attachment, AttachmentKind

WEEK = 7 * 86_400.0
ARRIVED = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
FILE = (
    "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\n{n}\r\n--b\r\n"
    "Content-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n"
    "Content-Disposition: attachment; filename=a.pdf\r\n\r\nJVBERi0=\r\n--b--\r\n"
)
NESTED = (
    "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\n{n}\r\n--b\r\n"
    "Content-Type: message/rfc822\r\nContent-Disposition: attachment\r\n\r\n"
    "From: c@x.example\r\nSubject: within\r\n\r\nwithin\r\n--b--\r\n"
)
PLAIN = "\r\n{n}\r\n"


class Mailbox:
    """Anna's mailbox in the simulated tenant, and the worker who backs it up."""

    def __init__(self, tenant: SimulatedTenant, worker: Any) -> None:
        self.tenant = tenant
        self.connection = tenant.connection
        self.worker = worker
        self.user, worker.resource = tenant.add_user("anna.gross")
        worker.tenants, worker.jobs.sources, worker.parallel = tenant, (Source.MAIL,), 4
        self.inbox = self.folder("inbox")
        self._number = 0

    def folder(self, name: str) -> int:
        return int(folders.find_folder(self.connection, self.user, name)["pk"])

    def arrive(self, content: str = PLAIN, folder: int = 0) -> int:
        self._number += 1
        raw = f"From: b@x.example\r\nTo: a@x.example\r\nSubject: mail {self._number}\r\n{content}"
        arrival = messages.Arrival(ARRIVED + timedelta(minutes=self._number))
        message = messages.from_mime(raw.replace("{n}", str(self._number)).encode(), arrival)
        return messages.insert(self.connection, self.user, folder or self.inbox, message)

    def row(self, message: int) -> Any:
        return messages.by_pk(self.connection, message)

    def read(self, message: int) -> None:
        messages.update(self.connection, self.row(message), {}, is_read=not self.row(message)["is_read"])

    def key(self, message: int) -> str:
        return str(self.row(message)["immutable_id"])

    async def backup(self) -> Any:
        self.tenant.asked.clear()
        return await self.worker.backup()

    async def stored(self) -> dict[str, Any]:
        """Rows of the newest restore point by key, with bytes."""
        repository = await self.worker.repositories.open("contoso", "t1")
        rows = repository.items(f"c1/{self.worker.resource}", (await self.worker.snapshot()).id)
        return {row.key: (row, repository.read(row) if row.has_body else None) for row in rows}

    def asked(self) -> Counter[str]:
        """Requests by what they are about."""
        kinds = {
            "/$value": "mail",
            "/attachments": "attachments",
            "/messages/delta": "delta",
            "/messages": "comparison",
        }
        paths = [one.split(" ", 1)[1] for one in self.tenant.asked]
        return Counter(
            next((kind for end, kind in kinds.items() if path.endswith(end)), "folder or message") for path in paths
        )


@pytest.fixture
def mailbox(worker: Any, tmp_path: Path) -> Iterator[Mailbox]:
    tenant = SimulatedTenant(tmp_path, worker.fuse)
    yield Mailbox(tenant, worker)
    tenant.close()


async def test_what_a_mailbox_costs(mailbox: Mailbox) -> None:
    mails = [mailbox.arrive(FILE if number % 5 == 0 else PLAIN) for number in range(50)]
    first = await mailbox.backup()
    asked = mailbox.asked()
    assert (first.state, first.counts.listed, first.counts.stored) == (JobState.SUCCEEDED, 50, 50)
    folders_of_it = 8
    # The links of the ten mails with attachments are in one page of a list; the other lists are the comparison.
    assert (asked["mail"], asked["attachments"], asked["comparison"]) == (50, 0, folders_of_it + 1)
    again = await mailbox.backup()
    assert mailbox.asked() == {"delta": folders_of_it, "folder or message": 2}
    assert (again.counts.stored, again.counts.unchanged) == (0, 50)
    for message in mails[:10]:
        mailbox.read(message)
    flipped = await mailbox.backup()
    assert mailbox.asked() == {"delta": folders_of_it, "folder or message": 2}
    assert (flipped.counts.stored, flipped.counts.bytes_read) == (10, 0)
    stored = await mailbox.stored()
    for message in mails:
        row, body = stored[mailbox.key(message)]
        assert row.meta["isRead"] == bool(mailbox.row(message)["is_read"])
        assert row.meta["receivedDateTime"] == mailbox.row(message)["received"]
        assert body == messages.mime_of(mailbox.connection, message)


async def test_attachments_of_every_kind_are_kept(mailbox: Mailbox) -> None:
    file, nested = mailbox.arrive(FILE), mailbox.arrive(NESTED)
    linking = mailbox.arrive(PLAIN)
    link = Attachment(0, AttachmentKind.REFERENCE, "Offer.docx", None, inline=False, content_id=None, content=b"")
    attachments.add_attachment(mailbox.connection, linking, link)
    await mailbox.backup()
    stored = await mailbox.stored()
    assert b"JVBERi0=" in stored[mailbox.key(file)][1]
    assert b"Subject: within" in stored[mailbox.key(nested)][1]
    assert [one["name"] for one in stored[mailbox.key(linking)][0].meta["references"]] == ["Offer.docx"]
    assert "references" not in stored[mailbox.key(file)][0].meta


async def test_folders_nobody_sees_and_what_was_deleted_for_good_are_kept(mailbox: Mailbox) -> None:
    hidden = folders.create_folder(mailbox.connection, mailbox.user, mailbox.inbox, "Verborgen", hidden=True)
    below = mailbox.arrive(folder=hidden)
    deleted = mailbox.arrive(FILE)
    messages.delete(mailbox.connection, mailbox.row(deleted))
    folders.give_archive(mailbox.connection, mailbox.user)
    job = await mailbox.backup()
    assert (job.state, job.counts.listed, job.counts.verified) == (JobState.SUCCEEDED, 3, 2)
    assert [(one.item, one.error) for one in job.skipped] == [("in-place-archive", ErrorClass.UNSUPPORTED_ITEM)]
    stored = await mailbox.stored()
    assert {mailbox.key(below), mailbox.key(deleted)} <= stored.keys()
    metas = {row.meta["name"]: dict(row.meta) for row, body in stored.values() if body is None}
    assert metas["Posteingang"]["well_known"] == "inbox"
    assert metas["Verborgen"]["hidden"]
    assert metas["Deletions"]["recoverable"]
    again = await mailbox.backup()
    assert (again.counts.removed, (await mailbox.stored()).keys()) == (0, stored.keys())


async def test_a_moved_mail_is_one_mail(mailbox: Mailbox) -> None:
    moved, kept = mailbox.arrive(), mailbox.arrive()
    await mailbox.backup()
    key = mailbox.key(moved)
    messages.move(mailbox.connection, mailbox.row(moved), mailbox.folder("archive"))
    job = await mailbox.backup()
    assert (job.counts.listed, job.counts.stored, job.counts.removed) == (2, 1, 0)
    stored = await mailbox.stored()
    archive = folders.find_folder(mailbox.connection, mailbox.user, "archive")["id"]
    assert (stored[key][0].parent, mailbox.key(kept) in stored) == (archive, True)


async def test_what_the_feed_never_told_is_found_within_a_week(mailbox: Mailbox) -> None:
    silent, vanished = mailbox.arrive(), mailbox.arrive()
    await mailbox.backup()
    connection = mailbox.connection
    connection.execute("UPDATE content SET mime = ? WHERE message_pk = ?", (b"Subject: other\r\n\r\nother", silent))
    connection.execute("UPDATE message SET key_seq = seq + 100000 WHERE pk = ?", (silent,))
    gone = mailbox.key(vanished)
    connection.execute("DELETE FROM message WHERE pk = ?", (vanished,))
    assert (await mailbox.backup()).counts.reconciled == 0
    await mailbox.worker.clock.advance(WEEK)
    job = await mailbox.backup()
    assert (job.state, job.counts.reconciled, job.counts.removed) == (JobState.SUCCEEDED, 2, 1)
    stored = await mailbox.stored()
    assert gone not in stored
    assert stored[mailbox.key(silent)][1] == b"Subject: other\r\n\r\nother"


@pytest.mark.soak
async def test_figures_of_a_thousand_mails(mailbox: Mailbox) -> None:
    """Requests of a mailbox with a thousand mails, a quarter with attachments: first, unchanged, 1 % changed."""
    mails = [mailbox.arrive(FILE if number % 4 == 0 else PLAIN) for number in range(1000)]
    figures = {"first": (await mailbox.backup()).counts.requests, "unchanged": (await mailbox.backup()).counts.requests}
    for message in mails[:5]:
        mailbox.read(message)
    for message in mails[5:7]:
        messages.move(mailbox.connection, mailbox.row(message), mailbox.folder("archive"))
    messages.delete(mailbox.connection, mailbox.row(mails[7]))
    mailbox.arrive(), mailbox.arrive(FILE)
    figures["changed"] = (await mailbox.backup()).counts.requests
    await mailbox.worker.clock.advance(WEEK)
    figures["full look"] = (await mailbox.backup()).counts.requests
    assert figures["first"] <= 1000 + 50
    assert figures["unchanged"] <= 12
    assert figures["changed"] <= 12 + 10
    assert figures["full look"] <= 50
