"""A worker that is told to leave, at whatever step, leaves a job that the next one finishes without a loss."""

import asyncio
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from backup_fakes.exchange import ANNA, BERT, Exchange

from backup_engine.storage import MemoryStorage
from contracts.names import JobState


@pytest.fixture
def mailbox() -> Callable[[], Exchange]:
    def make() -> Exchange:
        made = Exchange()
        made.add_user(ANNA, "anna@contoso.example")
        made.add_user(BERT, "bert@contoso.example")
        inbox = made.add_folder(ANNA, "Inbox")
        archive = made.add_folder(ANNA, "Archive")
        for number in range(4):
            made.add(ANNA, archive if number % 2 else inbox, f"Subject: {number}\r\n\r\n{number}\r\n".encode())
        return made

    return make


async def steps_of_a_backup(worker: Any) -> int:
    worker.restart()
    await worker.backup()
    return worker.fuse.steps


async def test_backup_goes_on_where_the_leaving_worker_stopped(
    new_worker: Callable[[Exchange], Any], mailbox: Callable[[], Exchange]
) -> None:
    steps = await steps_of_a_backup(new_worker(mailbox()))
    left = 0
    for step in range(steps):
        worker = new_worker(mailbox())
        job = worker.queue()
        view = await worker.deliver_and_leave(job, step)
        left += view.state is JobState.WAITING
        done = view if view.state.finished else await worker.deliver(job)
        assert (done.state, done.attempt, done.counts.listed) == (JobState.SUCCEEDED, 0, 4), step
        assert await worker.mirror() == worker.exchange.mirror(ANNA), step
        # At most the page that was being read is read again.
        assert len(worker.exchange.fetched) <= 4 + worker.exchange.page_size, step
    assert left > steps / 2


async def test_changes_and_removals_survive_a_leaving_worker(
    new_worker: Callable[[Exchange], Any], mailbox: Callable[[], Exchange]
) -> None:
    for step in range(80):
        worker = new_worker(mailbox())
        await worker.backup()
        exchange = worker.exchange
        first, second, third, _ = exchange.letters[ANNA]
        inbox, archive = exchange.folders[ANNA]
        exchange.delete(ANNA, first)
        exchange.move(ANNA, second, inbox)
        exchange.touch(ANNA, third, isRead=True)
        exchange.delete_folder(ANNA, archive)
        exchange.expire()
        job = worker.queue()
        view = await worker.deliver_and_leave(job, step)
        done = view if view.state.finished else await worker.deliver(job)
        assert done.state is JobState.SUCCEEDED, step
        assert await worker.mirror() == exchange.mirror(ANNA), step


async def test_restore_goes_on_without_a_second_copy(
    new_worker: Callable[[Exchange], Any], mailbox: Callable[[], Exchange]
) -> None:
    worker = new_worker(mailbox())
    await worker.backup()
    point = (await worker.snapshot()).id
    for step in range(60):
        worker.exchange.letters[BERT], worker.exchange.folders[BERT] = {}, {}
        job = worker.queue_restore(point, BERT)
        view = await worker.deliver_and_leave(job, step)
        done = view if view.state.finished else await worker.deliver(job)
        assert (done.state, done.counts.verified) == (JobState.SUCCEEDED, 4), step
        assert len(worker.exchange.letters[BERT]) == 4, step


async def test_a_job_is_handed_back_when_its_session_is_opened_and_not_before(
    new_worker: Callable[[Exchange], Any], mailbox: Callable[[], Exchange]
) -> None:
    """Opening takes over from others: a thread that still does so would end the worker that has the job now."""
    worker = new_worker(mailbox())
    told, go_on = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    class SlowOpening(MemoryStorage):
        def put(self, key: str, body: bytes, *, retain_until: datetime | None = None) -> None:
            if key.endswith("/open"):
                loop.call_soon_threadsafe(worker.stopping.set)
                loop.call_soon_threadsafe(told.set)
                assert go_on.wait(10)
            super().put(key, body, retain_until=retain_until)

    worker.repositories.storage = SlowOpening()
    delivery = asyncio.ensure_future(worker.deliver(worker.queue()))
    await told.wait()
    for _ in range(30):
        await asyncio.sleep(0)
    assert not delivery.done()
    go_on.set()
    assert (await delivery).state is JobState.WAITING
