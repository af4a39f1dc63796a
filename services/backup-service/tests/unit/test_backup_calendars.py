"""Calendars in a restore point: everything people have, and no more requests than that takes."""

from collections.abc import Callable
from typing import Any

import pytest
from backup_fakes.calendars import Planner
from backup_fakes.exchange import ANNA, Exchange

from backup_service.domain.calendar import CALENDAR, EVENT, EVENT_ATTACHMENT, WholeEvent
from contracts.errors import ErrorClass
from contracts.names import JobState, Source
from contracts.views import Job
from graph_client.errors import BodyTooLarge, Forbidden, ItemUnreadable, Unreachable

DAY = "2026-03-30"


@pytest.fixture
def office() -> Exchange:
    made = Exchange()
    made.add_user(ANNA, "anna@contoso.example")
    return made


@pytest.fixture
def planner(office: Exchange) -> Planner:
    """Two calendars of one name with eight events, a series among them, and somebody else's calendar."""
    planner = office.planner
    first, second = planner.add_calendar("Kalender"), planner.add_calendar("Kalender")
    planner.add(planner.add_calendar("Kollege", own=False))
    for number in range(5):
        planner.add(first, f"Termin {number}")
    series = planner.add(first, "Serie", series=True)
    planner.change_day(series, DAY, "verschoben")
    planner.change_day(series, "2026-04-06", None)
    planner.attach(series, b"whole series" * 500)
    planner.attach(series, b"one day", day=DAY)
    planner.attach(planner.add(second, "Anhang"), b"message", "item")
    planner.attach(planner.add(second, "Verweis"), b"", "reference")
    return planner


@pytest.fixture
def worker(new_worker: Callable[[Exchange], Any], office: Exchange) -> Any:
    made = new_worker(office)
    made.jobs.sources = (Source.CALENDAR,)
    return made


async def rows(worker: Any, kind: str) -> dict[str, Any]:
    repository = await worker.repositories.open("contoso", "t1")
    return {row.key: row for row in repository.items(f"c1/{ANNA}", (await worker.snapshot()).id, kind)}


async def mirror(worker: Any) -> dict[str, tuple[str, str, bytes]]:
    repository = await worker.repositories.open("contoso", "t1")
    found = {**await rows(worker, EVENT), **await rows(worker, EVENT_ATTACHMENT)}
    return {row.key: (row.parent, row.version, repository.read(row)) for row in found.values() if row.has_body}


def named(planner: Planner, subject: str) -> str:
    return next(entry.id for entry in planner.entries.values() if entry.subject == subject)


async def test_everything_a_mailbox_has_is_in_the_restore_point(worker: Any, planner: Planner) -> None:
    job: Job = await worker.backup()
    assert job.state is JobState.SUCCEEDED
    assert await mirror(worker) == planner.mirror()
    assert sorted(row.meta["name"] for row in (await rows(worker, CALENDAR)).values()) == ["Kalender", "Kalender"]
    attached = (await rows(worker, EVENT_ATTACHMENT)).values()
    assert sorted(row.meta["attachment_type"] for row in attached) == ["file", "file", "item", "reference"]
    series = named(planner, "Serie")
    assert {row.parent for row in attached if row.meta["event"] == series} == {series, f"{series}.{DAY}"}
    assert [problem.error for problem in job.skipped] == [ErrorClass.UNSUPPORTED_ITEM]
    assert job.counts.listed == len(planner.mirror()) + 1


def test_a_picture_inside_the_text_is_an_attachment_that_graph_does_not_count() -> None:
    event = {"id": "e1", "hasAttachments": False, "body": {"content": '<img src="cid:logo@x">'}}
    day = {"id": "d1", "hasAttachments": False, "body": {"content": "no picture"}}
    assert WholeEvent(event, (day, {"id": "d2", "hasAttachments": True})).attachment_owners() == ["e1", "d2"]


async def test_what_did_not_change_costs_a_list_of_ids(worker: Any, planner: Planner) -> None:
    await worker.backup()
    planner.fetched.clear()
    job = await worker.backup()
    assert planner.fetched == []
    assert (job.counts.stored, job.counts.unchanged) == (0, len(planner.mirror()))
    planner.rename(named(planner, "Termin 3"), "Termin 3 neu")
    planner.change_day(named(planner, "Serie"), "2026-04-13", "auch verschoben")
    await worker.backup()
    assert len(planner.fetched) == 2
    assert await mirror(worker) == planner.mirror()


async def test_moves_deletions_and_calendars_that_come_and_go(worker: Any, planner: Planner) -> None:
    first, second = (key for key, calendar in planner.calendars.items() if calendar.own)
    await worker.backup()
    planner.move(named(planner, "Termin 0"), second)
    planner.move(named(planner, "Anhang"), first)
    planner.delete(named(planner, "Termin 1"))
    planner.rename_calendar(second, "Umbenannt")
    job = await worker.backup()
    assert (job.state, job.counts.removed) == (JobState.SUCCEEDED, 1)
    assert await mirror(worker) == planner.mirror()
    planner.detach(named(planner, "Serie"))
    planner.delete_calendar(second)
    await worker.backup()
    assert await mirror(worker) == planner.mirror()
    assert (await rows(worker, EVENT_ATTACHMENT)).keys() == {
        facts.id for entry in planner.entries.values() for each in entry.attached.values() for facts, _ in each
    }
    assert (await rows(worker, CALENDAR)).keys() == {first}


async def test_what_one_list_misses_because_others_delete_is_not_taken_for_deleted(
    worker: Any, planner: Planner
) -> None:
    await worker.backup()
    late = named(planner, "Termin 0")
    planner.between_pages = [lambda: planner.delete(late)]
    job = await worker.backup()
    assert (job.state, job.counts.removed) == (JobState.SUCCEEDED, 0)
    assert (await mirror(worker)).keys() == planner.mirror().keys() | {late}
    job = await worker.backup()
    assert (job.state, job.counts.removed) == (JobState.SUCCEEDED, 1)
    assert await mirror(worker) == planner.mirror()


@pytest.mark.parametrize("error", [ItemUnreadable("damaged"), Forbidden("no"), BodyTooLarge("large")])
async def test_a_bad_attachment_costs_itself_and_is_asked_for_again(
    worker: Any, planner: Planner, error: Exception
) -> None:
    series = planner.entries[named(planner, "Serie")]
    bad = series.attached[series.id][0][0].id
    planner.unreadable[bad] = error
    job = await worker.backup()
    assert (job.state, [problem.item for problem in job.item_errors]) == (JobState.PARTIAL, [series.id])
    assert (await mirror(worker)).keys() == planner.mirror().keys() - {bad}
    job = await worker.backup()
    assert job.state is JobState.PARTIAL
    planner.unreadable.clear()
    job = await worker.backup()
    assert job.state is JobState.SUCCEEDED
    assert await mirror(worker) == planner.mirror()


async def test_a_bad_event_costs_itself(worker: Any, planner: Planner) -> None:
    series = named(planner, "Serie")
    planner.unreadable[series] = ItemUnreadable("damaged")
    job = await worker.backup()
    assert (job.state, [problem.error for problem in job.item_errors]) == (
        JobState.PARTIAL,
        [ErrorClass.CORRUPT_SOURCE_ITEM],
    )
    planner.unreadable.clear()
    assert (await worker.backup()).state is JobState.SUCCEEDED
    assert await mirror(worker) == planner.mirror()


async def test_an_event_that_cannot_be_listed_costs_itself(worker: Any, planner: Planner) -> None:
    planner.unlistable.add(named(planner, "Termin 2"))
    job = await worker.backup()
    assert (job.state, len(job.item_errors)) == (JobState.PARTIAL, 1)
    held = planner.mirror()
    assert (await mirror(worker)).keys() == held.keys() - {named(planner, "Termin 2")}
    planner.unlistable.clear()
    assert (await worker.backup()).state is JobState.SUCCEEDED
    planner.unlistable.add(named(planner, "Termin 2"))
    planner.delete(named(planner, "Termin 3"))
    job = await worker.backup()
    assert (job.state, len(job.item_errors)) == (JobState.PARTIAL, 1)
    assert await mirror(worker) == planner.mirror()


async def test_a_bad_calendar_costs_itself_and_keeps_what_is_stored(worker: Any, planner: Planner) -> None:
    await worker.backup()
    before = await mirror(worker)
    first = next(iter(planner.calendars))
    planner.closed[first] = Forbidden("no", code="ErrorAccessDenied")
    planner.rename(named(planner, "Anhang"), "Anhang neu")
    job = await worker.backup()
    assert (job.state, [problem.item for problem in job.item_errors]) == (JobState.PARTIAL, [first])
    after = await mirror(worker)
    assert after.keys() == before.keys()
    assert after != before


async def test_exchange_being_away_is_no_bad_calendar(worker: Any, planner: Planner) -> None:
    planner.closed[next(iter(planner.calendars))] = Unreachable("away", status=503)
    job = await worker.backup()
    assert job.state is JobState.WAITING


async def test_killed_at_any_step_the_next_worker_ends_with_the_same(
    new_worker: Callable[[Exchange], Any], worker: Any, office: Exchange, planner: Planner
) -> None:
    step = 0
    while True:
        other = new_worker(office)
        other.jobs.sources = (Source.CALENDAR,)
        job = other.queue()
        if not await other.deliver_and_die(job, step):
            break
        while not other.jobs.rows[job].view.state.finished:
            await other.deliver(job)
        assert await mirror(other) == planner.mirror(), step
        step += 4
    assert step > 20
