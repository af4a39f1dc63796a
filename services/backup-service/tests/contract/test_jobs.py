"""What ports.Jobs promises, kept by the documents in MongoDB and by the fake."""

import asyncio
from typing import Any

import pytest

from backup_service.domain.jobs import Finished, HandedBack, Held, Retried, failed
from backup_service.ports import SessionLost
from chassis.testing.clock import ManualClock
from contracts.errors import ErrorClass
from contracts.events import Counts
from contracts.names import HoldReason, JobState
from contracts.views import ItemProblem

LEASE, ATTEMPTS = 150.0, 3
DONE = Finished(JobState.SUCCEEDED, Counts(listed=2, stored=2), "point-1")
HELD = Held(HoldReason.NO_VALID_TOKEN, "expired", 10.0)
ERROR = Retried(ErrorClass.CONNECTION_TIMEOUT, "reset")


async def claim(desk: Any, delivery: int = 1) -> Any:
    return await desk.jobs.claim(await desk.wake(), delivery)


async def test_claim_makes_the_job_running_under_a_new_session(desk: Any) -> None:
    taken = await claim(desk)
    assert (taken.tenant, taken.resource, taken.attempt, taken.previous) == ("contoso", "anna-id", 0, None)
    assert len(taken.session) == 26
    assert (await desk.view()).state is JobState.RUNNING
    assert await desk.due_in() == LEASE
    assert desk.events() == [("queued", 1), ("started", 2)]


async def test_one_of_many_concurrent_claims_wins(desk: Any) -> None:
    wake = await desk.wake()
    claims = await asyncio.gather(*(desk.jobs.claim(wake, 1) for _ in range(20)))
    assert sum(one is not None for one in claims) == 1
    assert desk.events() == [("queued", 1), ("started", 2)]


async def test_the_same_delivery_is_stale_and_a_later_one_takes_over(desk: Any) -> None:
    first = await claim(desk, 2)
    assert await claim(desk, 1) is None
    assert await claim(desk, 2) is None
    second = await claim(desk, 3)
    assert second.previous == first.session
    assert second.session > first.session
    assert second.first_started_at == first.first_started_at


async def test_wake_up_of_an_unknown_job_is_dropped(desk: Any) -> None:
    wake = (await desk.wake()).model_copy(update={"job": "unknown"})
    assert await desk.jobs.claim(wake, 1) is None


async def test_wake_up_of_another_tenant_is_dropped(desk: Any) -> None:
    wake = (await desk.wake()).model_copy(update={"tenant": "fabrikam", "job": "j-of-contoso"})
    assert await desk.jobs.claim(wake, 1) is None


@pytest.mark.parametrize("outcome", [HELD, ERROR, HandedBack()])
async def test_old_message_of_a_job_that_was_put_back_is_stale(desk: Any, outcome: Any) -> None:
    old = await desk.wake()
    await desk.jobs.conclude(await claim(desk), outcome)
    assert (await desk.wake()).message != old.message
    assert await desk.jobs.claim(old, 2) is None
    assert await claim(desk) is not None


async def test_fenced_session_changes_nothing(desk: Any) -> None:
    old = await claim(desk, 1)
    await claim(desk, 2)
    before, events = await desk.view(), list(desk.events())
    for attempt in (
        desk.jobs.progress(old, Counts(stored=9), "reading"),
        desk.jobs.checkpointed(old, 1, [("data/p", 1, "00")], Counts(stored=9)),
        desk.jobs.conclude(old, DONE),
        desk.jobs.conclude(old, HELD),
        desk.jobs.conclude(old, ERROR),
        desk.jobs.conclude(old, HandedBack()),
    ):
        with pytest.raises(SessionLost):
            await attempt
    assert await desk.view() == before
    assert (desk.events(), desk.chunks()) == (events, [])


async def test_session_that_has_concluded_changes_nothing_more(desk: Any) -> None:
    taken = await claim(desk)
    await desk.jobs.conclude(taken, DONE)
    events = list(desk.events())
    for attempt in (
        desk.jobs.progress(taken, Counts(), "reading"),
        desk.jobs.checkpointed(taken, 1, [], Counts()),
        desk.jobs.conclude(taken, failed(ErrorClass.INTERNAL, "late")),
    ):
        with pytest.raises(SessionLost):
            await attempt
    assert (await desk.view()).state is JobState.SUCCEEDED
    assert desk.events() == events


async def test_progress_shows_counts_and_prolongs_the_claim(desk: Any, clock: ManualClock) -> None:
    taken = await claim(desk)
    await clock.advance(100)
    await desk.jobs.progress(taken, Counts(listed=5, stored=3), "reading")
    assert (await desk.view()).counts == Counts(listed=5, stored=3)
    assert await desk.due_in() == LEASE
    assert desk.events()[-1] == ("progressed", 2)


async def test_checkpoint_announces_each_pack_once(desk: Any) -> None:
    taken = await claim(desk)
    await desk.jobs.checkpointed(taken, 0, [("data/a", 1, "00"), ("data/b", 2, "11")], Counts(stored=1))
    await desk.jobs.checkpointed(taken, 1, [("data/c", 3, "22")], Counts(stored=2))
    assert desk.chunks() == ["data/a", "data/b", "data/c"]
    assert (await desk.view()).counts == Counts(stored=2)


async def test_finished_job_tells_all_three_lists(desk: Any) -> None:
    problem = ItemProblem(item="m1", error=ErrorClass.CORRUPT_SOURCE_ITEM, detail="unreadable")
    skipped = ItemProblem(item="m2", error=ErrorClass.UNSUPPORTED_ITEM)
    end = Finished(JobState.PARTIAL, Counts(listed=3, failed=1), "p", item_errors=(problem,), skipped=(skipped,))
    await desk.jobs.conclude(await claim(desk), end)
    view = await desk.view()
    assert (view.state, view.restore_point, view.fatal) == (JobState.PARTIAL, "p", None)
    assert (view.item_errors, view.skipped) == ((problem,), (skipped,))
    assert view.finished_at is not None
    assert await desk.due_in() is None
    assert desk.events() == [("queued", 1), ("started", 2), ("partial", 3)]
    assert await claim(desk, 9) is None


async def test_failure_keeps_class_and_detail(desk: Any) -> None:
    await desk.jobs.conclude(await claim(desk), failed(ErrorClass.STORAGE_DENIED, "key revoked"))
    view = await desk.view()
    assert (view.state, view.fatal.error, view.fatal.detail) == (
        JobState.FAILED,
        ErrorClass.STORAGE_DENIED,
        "key revoked",
    )


async def test_hold_spends_nothing_and_remembers_since_when(desk: Any, clock: ManualClock) -> None:
    start = clock.now()
    for _ in range(8):
        await desk.jobs.conclude(await claim(desk), HELD)
        view = await desk.view()
        assert (view.state, view.attempt) == (JobState.WAITING, 0)
        assert (view.hold.reason, view.hold.since) == (HoldReason.NO_VALID_TOKEN, start)
        assert await desk.due_in() == 10.0
        await clock.advance(10)
    other = Held(HoldReason.STORAGE_UNREACHABLE, "away", 10.0)
    await desk.jobs.conclude(await claim(desk), other)
    assert (await desk.view()).hold.since == clock.now()
    await desk.jobs.conclude(await claim(desk), DONE)
    assert (await desk.view()).hold is None


async def test_error_climbs_the_ladder_and_fails_with_its_class(desk: Any) -> None:
    for attempt, pause in ((1, 5.0), (2, 30.0)):
        await desk.jobs.conclude(await claim(desk), ERROR)
        view = await desk.view()
        assert (view.state, view.attempt, await desk.due_in()) == (JobState.WAITING, attempt, pause)
    await desk.jobs.conclude(await claim(desk), ERROR)
    view = await desk.view()
    assert (view.state, view.fatal.error) == (JobState.FAILED, ErrorClass.CONNECTION_TIMEOUT)


async def test_job_handed_back_is_due_at_once_and_unspent(desk: Any) -> None:
    first = await claim(desk)
    await desk.jobs.conclude(first, HandedBack())
    view = await desk.view()
    assert (view.state, view.attempt, await desk.due_in()) == (JobState.WAITING, 0, 0.0)
    assert (await claim(desk)).previous == first.session


async def test_workers_that_only_die_end_the_job(desk: Any) -> None:
    for delivery in range(1, 2 * ATTEMPTS + 1):
        assert await claim(desk, delivery) is not None
    assert await claim(desk, 2 * ATTEMPTS + 1) is None
    view = await desk.view()
    assert (view.state, view.fatal.error) == (JobState.FAILED, ErrorClass.INTERNAL)


async def test_checkpoint_forgives_the_deaths_before_it(desk: Any) -> None:
    for delivery in range(1, 2 * ATTEMPTS + 1):
        taken = await claim(desk, delivery)
    await desk.jobs.checkpointed(taken, 0, [], Counts())
    assert await claim(desk, 2 * ATTEMPTS + 1) is not None


async def test_versions_of_announced_events_grow_and_each_comes_once(desk: Any) -> None:
    for outcome in (HELD, ERROR, HandedBack(), ERROR):
        await desk.jobs.conclude(await claim(desk), outcome)
    taken = await claim(desk)
    await desk.jobs.conclude(taken, DONE)
    versions = [version for _, version in desk.events()]
    assert versions == list(range(1, len(versions) + 1))
    assert [name for name, _ in desk.events()] == [
        *("queued", "started", "held", "started", "queued", "started", "queued", "started", "queued"),
        *("started", "succeeded"),
    ]
