"""The worker may die at any step; whoever takes over ends with the same restore point and reads nothing twice."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from backup_fakes.exchange import ANNA, Exchange

from backup_engine.testing.faulty import SimulatedCrash
from contracts.names import JobState

_VARYING = 32


def mailbox() -> Exchange:
    made = Exchange()
    made.add_user(ANNA, "anna@contoso.example")
    inbox = made.add_folder(ANNA, "Inbox")
    archive = made.add_folder(ANNA, "Archive", inbox)
    for number in range(3):
        made.add(ANNA, inbox, f"Subject: {number}\r\n\r\nbody {number}\r\n".encode())
    made.add(ANNA, archive, b"Subject: kept\r\n\r\nkept\r\n")
    return made


def change(exchange: Exchange) -> None:
    inbox, archive = exchange.folders[ANNA]
    first, second, third, _ = exchange.letters[ANNA]
    exchange.touch(ANNA, first, isRead=True)
    exchange.move(ANNA, second, archive)
    exchange.delete(ANNA, third)
    exchange.add(ANNA, inbox, b"Subject: new\r\n\r\nnew\r\n")


def change_and_expire(exchange: Exchange) -> None:
    change(exchange)
    exchange.expire()


async def finish(worker: Any, job: str) -> Any:
    """Wake workers until the job has ended, as the bus and the sweep do."""
    for _ in range(5):
        if worker.jobs.rows[job].view.state.finished:
            return worker.jobs.rows[job].view
        await worker.deliver(job)
    pytest.fail("the job does not end")


async def undisturbed(new_worker: Callable[[Exchange], Any], then: Callable[[Exchange], None]) -> tuple[int, Any, int]:
    """Steps of the second backup, its final job, and the bytes in storage."""
    worker = new_worker(mailbox())
    await worker.backup()
    then(worker.exchange)
    worker.restart()
    job = await worker.backup()
    return worker.fuse.steps, job, packs_size(worker)


def packs_size(worker: Any) -> int:
    """Bytes of all packs; a compressed directory is a few bytes shorter or longer with other ids."""
    return sum(len(body) for key, body in worker.repositories.storage.objects.items() if key.startswith("data/"))


def untold(worker: Any) -> set[str]:
    """Packs in storage that no BackupChunkStored has told of."""
    stored = {key for key in worker.repositories.storage.objects if key.startswith("data/")}
    return stored - {pack for row in worker.jobs.rows.values() for pack in row.packs}


def _figures(job: Any) -> dict[str, int]:
    """All but the requests, which a dead worker's successor repeats in part."""
    return job.counts.model_dump(exclude={"requests"})


@pytest.mark.parametrize("then", [change, change_and_expire])
async def test_death_at_any_step_changes_nothing_in_the_end(
    new_worker: Callable[[Exchange], Any], then: Callable[[Exchange], None]
) -> None:
    steps, expected, size = await undisturbed(new_worker, then)
    assert steps > 50
    for step in range(steps):
        worker = new_worker(mailbox())
        await worker.backup()
        then(worker.exchange)
        worker.exchange.fetched.clear()
        job = worker.queue()
        assert await worker.deliver_and_die(job, step), step
        done = await finish(worker, job)
        assert done.state is JobState.SUCCEEDED, step
        assert await worker.mirror() == worker.exchange.mirror(ANNA), step
        assert _figures(done) == _figures(expected), step
        assert packs_size(worker) == pytest.approx(size, abs=_VARYING), step
        assert untold(worker) == set(), step
        assert len((await worker.repositories.open("contoso", "t1")).snapshots()) == 2, step
        # What a checkpoint covers is not read again; what was in memory only may be, once.
        assert len(worker.exchange.fetched) <= expected.counts.stored + worker.exchange.page_size, step


async def test_first_backup_survives_death_at_any_step(new_worker: Callable[[Exchange], Any]) -> None:
    worker = new_worker(mailbox())
    await worker.backup()
    steps, size = worker.fuse.steps, packs_size(worker)
    for step in range(steps):
        worker = new_worker(mailbox())
        job = worker.queue()
        assert await worker.deliver_and_die(job, step), step
        done = await finish(worker, job)
        assert done.state is JobState.SUCCEEDED, step
        assert await worker.mirror() == worker.exchange.mirror(ANNA), step
        assert packs_size(worker) == pytest.approx(size, abs=_VARYING), step
        assert untold(worker) == set(), step


async def test_committed_restore_point_is_adopted_as_success(new_worker: Callable[[Exchange], Any]) -> None:
    worker = new_worker(mailbox())
    job = worker.queue()
    commits: list[int] = []
    storage = worker.repositories.storage
    put = storage.put

    def watch(key: str, body: bytes, **options: datetime | None) -> None:
        put(key, body, **options)
        if key.startswith("snapshots/"):
            commits.append(worker.fuse.steps)
            raise SimulatedCrash

    storage.put = watch
    with pytest.raises(SimulatedCrash):
        await worker.deliver(job)
    storage.put = put
    worker.restart()
    fetched = len(worker.exchange.fetched)
    done = await worker.deliver(job)
    assert (done.state, done.counts.listed, done.counts.verified) == (JobState.SUCCEEDED, 4, 4)
    assert len(worker.exchange.fetched) == fetched
    assert done.restore_point in worker.points.known
    assert len(commits) == 1


async def test_worker_that_dies_again_and_again_fails_the_job_in_the_end(
    new_worker: Callable[[Exchange], Any],
) -> None:
    worker = new_worker(mailbox())
    job = worker.queue()
    for _ in range(6):
        assert await worker.deliver_and_die(job, step=3)
    ended = await worker.deliver(job)
    assert (ended.state, ended.fatal.detail) == (JobState.FAILED, "the worker died 6 times")


async def test_fenced_worker_stops_and_leaves_the_job_to_the_other(new_worker: Callable[[Exchange], Any]) -> None:
    worker = new_worker(mailbox())
    job = worker.queue()
    row = worker.jobs.rows[job]

    def taken_over() -> None:
        row.session = "01KJPRZB00HX6XV8A99HSWZZZZ"

    worker.fuse.meanwhile[25] = taken_over
    view = await worker.deliver(job)
    assert (view.state, worker.settled) == (JobState.RUNNING, [])
    assert [event for event, _ in row.events] == ["queued", "started"]
