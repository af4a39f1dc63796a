"""The frame that all sources share, with a source beside mail that is nothing but a notebook."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, ClassVar

import pytest
from backup_fakes.exchange import ANNA, Exchange

from backup_engine.model import NewItem
from backup_service.domain.mail import MAIL
from backup_service.ports import Workloads
from backup_service.usecases.reading.frame import Frame
from backup_service.usecases.reading.sources import READERS
from contracts.errors import ErrorClass
from contracts.names import JobState, Source
from graph_client.errors import ItemUnreadable, Unreachable

NOTE, SCAN, SHELF = "note", "scan", "shelf"


class Notebook:
    """Notes by key; `scans` come in pieces; `torn` ones cannot be read; the cursor counts the readings."""

    def __init__(self) -> None:
        self.notes: dict[str, tuple[str, bytes]] = {}
        self.scans: dict[str, list[bytes]] = {}
        self.torn: set[str] = set()
        self.breaks_off: set[str] = set()
        self.asked_again: list[str] = []

    def write(self, key: str, body: bytes, version: str = "1") -> None:
        self.notes[key] = (version, body)

    def reader(self) -> type[Any]:
        book = self

        class NotebookSource:
            kinds: ClassVar[frozenset[str]] = frozenset({NOTE, SCAN, SHELF})

            def __init__(self, workloads: Workloads, frame: Frame) -> None:
                self._frame = frame

            async def read(self) -> None:
                await book.read(self._frame)

        return NotebookSource

    async def read(self, frame: Frame) -> None:
        book = frame.cursor
        book["readings"] = book.get("readings", 0) + (not frame.progress)
        frame.progress["begun"] = 1
        self.asked_again += frame.again
        await frame.put_record("top", SHELF, "", {"name": "Top"})
        frame.expected = len(self.notes) + len(self.scans)
        for key, (version, body) in sorted(self.notes.items()):
            known = frame.known(key)
            if key in self.torn:
                frame.fail(key, ItemUnreadable("torn", code="ErrorTorn"))
            elif known is None or known.sha256 is None or known.size != len(body):
                await frame.put_page_item(NewItem(key, NOTE, version, "top"), body)
            elif known.version != version:
                await frame.update_meta(known, version=version, parent="top", meta={"again": True})
            await frame.mark_progress()
        for key, pieces in sorted(self.scans.items()):
            if frame.known(key) is None:
                await frame.put_stream(NewItem(key, SCAN, "1", "top"), partial(self._open, key, pieces))
                await frame.mark_progress()
        held = [row.key for kind in (NOTE, SCAN) for row in frame.keys(kind)]
        await frame.remove([key for key in held if key not in self.notes.keys() | self.scans.keys()])

    @asynccontextmanager
    async def _open(self, key: str, pieces: list[bytes]) -> AsyncIterator[AsyncIterator[bytes]]:
        yield self._arriving(key, pieces)

    async def _arriving(self, key: str, pieces: list[bytes]) -> AsyncIterator[bytes]:
        for number, piece in enumerate(pieces):
            if key in self.breaks_off and number == 1:
                raise Unreachable("the body broke off")
            yield piece


@pytest.fixture
def book() -> Notebook:
    made = Notebook()
    for number in range(20):
        made.write(f"n{number:02}", f"note {number}".encode())
    made.scans["s1"] = [b"page" * 1000] * 5
    return made


def reading(worker: Any, book: Notebook) -> Any:
    worker.readers = {**READERS, Source.CONTACTS: book.reader()}
    worker.jobs.sources = (Source.MAIL, Source.CONTACTS)
    return worker


async def notes(worker: Any) -> dict[str, bytes]:
    repository = await worker.repositories.open("contoso", "t1")
    rows = list(repository.items(f"c1/{ANNA}", (await worker.snapshot()).id))
    return {row.key: repository.read(row) for row in rows if row.kind in {NOTE, SCAN}}


def truth(book: Notebook) -> dict[str, bytes]:
    return {k: body for k, (_, body) in book.notes.items()} | {k: b"".join(p) for k, p in book.scans.items()}


@pytest.fixture
def mailbox() -> Exchange:
    made = Exchange()
    made.add_user(ANNA, "anna@contoso.example")
    inbox = made.add_folder(ANNA, "Inbox")
    for number in range(3):
        made.add(ANNA, inbox, f"Subject: {number}\r\n\r\nbody {number}\r\n".encode())
    return made


async def test_one_restore_point_holds_every_source(
    new_worker: Callable[[Exchange], Any], mailbox: Exchange, book: Notebook
) -> None:
    worker = reading(new_worker(mailbox), book)
    job = await worker.backup()
    assert (job.state, job.counts.listed, job.counts.stored, job.counts.verified) == (JobState.SUCCEEDED, 24, 24, 24)
    assert await worker.mirror() == mailbox.mirror(ANNA)
    assert await notes(worker) == truth(book)
    book.write("n00", b"note 0", version="2")
    book.write("n01", b"another note")
    del book.notes["n02"]
    job = await worker.backup()
    assert (job.counts.listed, job.counts.stored, job.counts.removed, job.counts.unchanged) == (23, 2, 1, 21)
    assert await notes(worker) == truth(book)
    repository = await worker.repositories.open("contoso", "t1")
    rows = {row.key: row for row in repository.items(f"c1/{ANNA}", job.restore_point)}
    assert (rows["n00"].version, dict(rows["n00"].meta)) == ("2", {"again": True})


async def test_an_unreadable_item_costs_neither_its_source_nor_the_others(
    new_worker: Callable[[Exchange], Any], mailbox: Exchange, book: Notebook
) -> None:
    worker = reading(new_worker(mailbox), book)
    book.torn = {"n03"}
    job = await worker.backup()
    problem = (job.item_errors[0].item, job.item_errors[0].error, job.item_errors[0].detail)
    assert (job.state, problem) == (JobState.PARTIAL, ("n03", ErrorClass.CORRUPT_SOURCE_ITEM, "ErrorTorn: torn"))
    assert (job.counts.listed, job.counts.failed) == (24, 1)
    assert {source: (one.listed, one.stored, one.failed) for source, one in job.counts.by_source.items()} == {
        "mail": (3, 3, 0),
        "contacts": (21, 20, 1),
    }
    assert worker.points.known[job.restore_point].by_source == job.counts.by_source
    await worker.backup()
    assert book.asked_again == ["n03"]
    book.torn.clear()
    assert (await worker.backup()).state is JobState.SUCCEEDED
    book.asked_again.clear()
    await worker.backup()
    assert book.asked_again == []


async def test_death_at_any_step_changes_nothing_in_the_end(
    new_worker: Callable[[Exchange], Any], mailbox: Exchange, book: Notebook
) -> None:
    worker = reading(new_worker(mailbox), book)
    await worker.backup()
    for step in range(0, worker.fuse.steps, 3):
        worker = reading(new_worker(mailbox), book)
        job = worker.queue()
        assert await worker.deliver_and_die(job, step), step
        done = await worker.deliver(job)
        assert (done.state, done.counts.listed, done.counts.stored) == (JobState.SUCCEEDED, 24, 24), step
        assert await worker.mirror() == mailbox.mirror(ANNA), step
        assert await notes(worker) == truth(book), step


async def test_a_stream_that_breaks_off_leaves_nothing_behind_and_is_read_again(
    new_worker: Callable[[Exchange], Any], mailbox: Exchange, book: Notebook
) -> None:
    worker = reading(new_worker(mailbox), book)
    book.breaks_off = {"s1"}
    job = worker.queue()
    assert (await worker.deliver(job)).state is JobState.WAITING
    book.breaks_off.clear()
    assert (await worker.deliver(job)).state is JobState.SUCCEEDED
    assert await notes(worker) == truth(book)


async def test_a_source_that_is_not_read_any_more_keeps_its_place(
    new_worker: Callable[[Exchange], Any], mailbox: Exchange, book: Notebook
) -> None:
    worker = reading(new_worker(mailbox), book)
    await worker.backup()
    worker.jobs.sources = (Source.MAIL,)
    job = await worker.backup()
    assert (job.state, job.counts.listed, job.counts.verified) == (JobState.SUCCEEDED, 24, 24)
    assert await notes(worker) == truth(book)
    worker.jobs.sources = (Source.MAIL, Source.CONTACTS)
    job = await worker.backup()
    assert (job.counts.stored, job.counts.unchanged) == (0, 24)
    repository = await worker.repositories.open("contoso", "t1")
    assert {row.kind for row in repository.items(f"c1/{ANNA}", job.restore_point)} >= {MAIL, NOTE, SCAN}
