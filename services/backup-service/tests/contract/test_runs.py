"""What ports.Runs promises: planned once, admitted by share, woken when due, settled from its jobs."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from backup_service.adapters.mongo_jobs import new_job
from backup_service.domain.jobs import Finished, Held, Retried, failed
from backup_service.ports import SessionLost
from chassis.pending import PendingEvents
from contracts.errors import ErrorClass
from contracts.events import Counts
from contracts.names import HoldReason, JobKind, JobState
from contracts.views import ItemProblem

DONE = Finished(JobState.SUCCEEDED, Counts(listed=3, stored=2), "p")
PARTIAL = Finished(JobState.PARTIAL, Counts(listed=3, failed=1), "p")
FAILED = failed(ErrorClass.STORAGE_DENIED, "key revoked")


async def conclude(planner: Any, job: Any, outcome: Any) -> None:
    document = await planner.store.jobs.find_one({"id": job.id})
    wake = next(w for w in reversed(planner.ledger.wakes()) if w.job == job.id) if planner.ledger.wakes() else None
    assert wake is not None
    assert wake.message == document["message"]
    await planner.jobs.conclude(await planner.jobs.claim(wake, document["delivery"] + 1), outcome)


async def test_request_that_comes_twice_makes_one_run(planner: Any) -> None:
    first = await planner.start()
    second = await planner.start()
    assert first == second
    assert planner.ledger.events("run") == [("queued", 1)]


async def test_two_planners_make_each_job_once(planner: Any) -> None:
    run = await planner.start()
    await asyncio.gather(*(planner.plan(run, "anna", "bert") for _ in range(5)))
    jobs = await planner.plan(run, "anna", "bert")
    assert [job.state for job in jobs] == [JobState.WAITING, JobState.WAITING]
    assert planner.ledger.events() == [("queued", 1), ("queued", 1)]
    assert planner.ledger.events("run") == [("queued", 1), ("started", 2)]


async def test_planning_that_died_after_the_jobs_goes_on(planner: Any) -> None:
    run = await planner.start()
    jobs = await planner.plan(run, "anna")
    before = {"planned": False, "state": JobState.WAITING.value, "version": run["version"]}
    await planner.store.runs.update_one({"_id": run["_id"]}, {"$set": before})
    assert await planner.plan(await planner.runs.get("contoso", "run-1"), "anna", "bert") != jobs
    assert len(await planner.jobs_of(run)) == 2


async def test_mailbox_with_an_outstanding_job_gets_no_second_one(planner: Any) -> None:
    first = await planner.start("run-1")
    (job,) = await planner.plan(first, "anna")
    second = await planner.start("run-2")
    assert await planner.plan(second, "anna") == []
    waiting = await planner.runs.get("contoso", "run-2")
    assert (waiting["planned"], waiting["state"]) == (False, JobState.WAITING.value)
    assert not await planner.runs.settle("contoso", "run-2")
    await planner.runs.admit(8)
    await conclude(planner, job, DONE)
    assert len(await planner.plan(await planner.runs.get("contoso", "run-2"), "anna")) == 1


async def test_same_mailbox_in_another_configuration_or_kind_or_tenant_is_free(planner: Any) -> None:
    await planner.plan(await planner.start("run-1"), "anna")
    for run in (
        await planner.start("run-2", configuration="c2"),
        await planner.start("run-3", kind=JobKind.RESTORE),
        await planner.start("run-4", tenant="fabrikam"),
    ):
        assert len(await planner.plan(run, "anna")) == 1


async def test_a_tenant_gets_its_share_of_workers_and_no_more(planner: Any) -> None:
    jobs = await planner.plan(await planner.start(), *(f"user-{n}" for n in range(5)))
    other = await planner.plan(await planner.start("run-2", tenant="fabrikam"), "anna")
    assert await planner.runs.admit(2) == 3
    assert await planner.runs.admit(2) == 0
    woken = {wake.job for wake in planner.ledger.wakes()}
    assert other[0].id in woken
    running = [job for job in jobs if job.id in woken]
    assert len(running) == 2
    await conclude(planner, running[0], DONE)
    assert await planner.runs.admit(2) == 1


async def test_held_job_keeps_its_place(planner: Any) -> None:
    (job,) = await planner.plan(await planner.start(), "anna")
    await planner.runs.admit(1)
    await conclude(planner, job, Held(HoldReason.NO_VALID_TOKEN, "expired", 10.0))
    assert await planner.runs.admit(1) == 0


async def test_lost_wake_up_is_sent_again_and_is_no_twin(planner: Any, clock: Any) -> None:
    (job,) = await planner.plan(await planner.start(), "anna")
    await planner.runs.admit(8)
    planner.broker.stored.clear()
    assert await planner.runs.requeue_due() == 0
    for _ in range(3):
        await clock.advance(151)
        assert await planner.runs.requeue_due() == 1
        assert await planner.runs.requeue_due() == 0
    wakes = planner.ledger.wakes()
    assert [wake.job for wake in wakes] == [job.id] * 3
    assert await planner.jobs.claim(wakes[-1], 1) is not None


async def test_silent_worker_is_taken_over_by_the_first_delivery_of_a_new_message(planner: Any, clock: Any) -> None:
    await planner.plan(await planner.start(), "anna")
    await planner.runs.admit(8)
    wake = planner.ledger.wakes()[-1]
    silent = await planner.jobs.claim(wake, 4)
    await clock.advance(100)
    await planner.jobs.progress(silent, Counts(), "reading")
    await clock.advance(100)
    assert await planner.runs.requeue_due() == 0
    await clock.advance(51)
    assert await planner.runs.requeue_due() == 1
    assert len(planner.ledger.wakes()) == 2
    taken = await planner.jobs.claim(planner.ledger.wakes()[-1], 1)
    assert taken.previous == silent.session


async def test_retry_is_woken_when_its_pause_is_over(planner: Any, clock: Any) -> None:
    (job,) = await planner.plan(await planner.start(), "anna")
    await planner.runs.admit(8)
    await conclude(planner, job, Retried(ErrorClass.CONNECTION_TIMEOUT, "reset"))
    await clock.advance(4)
    assert await planner.runs.requeue_due() == 0
    await clock.advance(1)
    assert await planner.runs.requeue_due() == 1
    assert await planner.jobs.claim(planner.ledger.wakes()[-1], 1) is not None


@pytest.mark.parametrize(
    ("outcomes", "state"),
    [
        ((DONE, DONE), JobState.SUCCEEDED),
        ((DONE, PARTIAL), JobState.PARTIAL),
        ((DONE, FAILED), JobState.PARTIAL),
        ((FAILED, FAILED), JobState.FAILED),
        ((PARTIAL, FAILED), JobState.PARTIAL),
    ],
)
async def test_run_ends_as_its_jobs_did(planner: Any, outcomes: tuple[Any, ...], state: JobState) -> None:
    jobs = await planner.plan(await planner.start(), "anna", "bert")
    await planner.runs.admit(8)
    for job, outcome in zip(jobs, outcomes, strict=True):
        assert not await planner.runs.settle("contoso", "run-1")
        await conclude(planner, job, outcome)
    assert await planner.runs.settle("contoso", "run-1")
    assert not await planner.runs.settle("contoso", "run-1")
    run = await planner.catalogue.run("contoso", "run-1")
    assert (run.state, run.jobs, run.counts) == (state, 2, outcomes[0].counts + outcomes[1].counts)
    assert planner.ledger.events("run") == [("queued", 1), ("started", 2), (state.value, 3)]
    assert await planner.runs.due() == []


async def test_failed_run_carries_the_error_of_its_jobs(planner: Any) -> None:
    (job,) = await planner.plan(await planner.start(), "anna")
    await planner.runs.admit(8)
    await conclude(planner, job, FAILED)
    await planner.runs.settle("contoso", "run-1")
    run = await planner.catalogue.run("contoso", "run-1")
    assert (run.fatal.error, run.fatal.detail) == (ErrorClass.STORAGE_DENIED, "key revoked")


async def test_new_token_wakes_what_waits_for_it_and_nothing_else(planner: Any) -> None:
    jobs = await planner.plan(await planner.start(), "anna", "bert")
    other = await planner.plan(await planner.start("run-2", tenant="fabrikam"), "anna")
    await planner.runs.admit(8)
    await conclude(planner, jobs[0], Held(HoldReason.NO_VALID_TOKEN, "expired", 600.0))
    await conclude(planner, jobs[1], Held(HoldReason.STORAGE_UNREACHABLE, "away", 600.0))
    await conclude(planner, other[0], Held(HoldReason.NO_VALID_TOKEN, "expired", 600.0))
    held_run = await planner.start("run-3", configuration="c3")
    await planner.runs.postpone(held_run, 600.0, (HoldReason.NO_VALID_TOKEN, "expired"))
    planner.broker.stored.clear()
    assert await planner.runs.resume_held("contoso", HoldReason.NO_VALID_TOKEN) == 2
    assert await planner.runs.requeue_due() == 1
    assert [wake.job for wake in planner.ledger.wakes()] == [jobs[0].id]
    assert [run["id"] for run in await planner.runs.due()] == ["run-3"]


async def test_held_run_says_why_once(planner: Any, clock: Any) -> None:
    run = await planner.start()
    for _ in range(3):
        await planner.runs.postpone(run, 10.0, (HoldReason.VAULT_UNREACHABLE, "sealed"))
        run = await planner.runs.get("contoso", "run-1")
        assert await planner.runs.due() == []
        await clock.advance(10)
        assert len(await planner.runs.due()) == 1
    assert planner.ledger.events("run") == [("queued", 1), ("held", 2)]


async def test_run_waits_for_an_earlier_one_of_its_configuration(planner: Any, clock: Any) -> None:
    first = await planner.start("run-1")
    await clock.advance(1)
    second = await planner.start("run-2")
    third = await planner.start("run-3", configuration="c2")
    assert not await planner.runs.earlier_unfinished(first)
    assert await planner.runs.earlier_unfinished(second)
    assert not await planner.runs.earlier_unfinished(third)
    await planner.runs.fail(first, ErrorClass.NOT_FOUND, "no such configuration")
    assert not await planner.runs.earlier_unfinished(second)


async def test_run_waits_for_one_that_goes_on_whatever_the_askers_clock_says(planner: Any, clock: Any) -> None:
    first = await planner.start("run-1")
    await planner.plan(first, "anna")
    early = clock.now() - timedelta(hours=1)
    await planner.runs.start("contoso", "run-2", JobKind.BACKUP, configuration="c1", requested_at=early, details={})
    assert await planner.runs.earlier_unfinished(await planner.runs.get("contoso", "run-2"))


async def test_events_that_a_crash_left_behind_are_published_once(planner: Any, clock: Any) -> None:
    await planner.plan(await planner.start(), "anna")
    await planner.runs.admit(8)
    wake = planner.ledger.wakes()[-1]
    planner.broker.reachable = False
    await clock.run(planner.jobs.claim(wake, 1))
    planner.broker.reachable = True
    pending = PendingEvents(planner.store.jobs, planner.broker.bus("backup-service", clock), clock)
    await clock.advance(6)
    assert await pending.sweep() == 1
    assert await pending.sweep() == 0
    assert planner.ledger.events() == [("queued", 1), ("started", 2)]


async def test_bus_that_is_away_costs_a_running_job_nothing(planner: Any, clock: Any) -> None:
    await planner.plan(await planner.start(), "anna")
    await planner.runs.admit(8)
    taken = await planner.jobs.claim(planner.ledger.wakes()[-1], 1)
    planner.broker.reachable = False
    await clock.run(planner.jobs.progress(taken, Counts(stored=1), "reading"))
    await clock.run(planner.jobs.checkpointed(taken, 0, [("data/a", 1, "00")], Counts(stored=1)))
    planner.broker.reachable = True
    await planner.jobs.checkpointed(taken, 1, [("data/b", 1, "00")], Counts(stored=2))
    assert planner.ledger.chunks() == ["data/a", "data/b"]


async def test_small_tenant_does_not_wait_behind_a_large_one(planner: Any, clock: Any) -> None:
    run = await planner.start()
    crowd = [new_job(run, f"user-{n}", "", {"target": "t1"}, clock.now()) for n in range(600)]
    await planner.store.jobs.insert_many(crowd)
    (job,) = await planner.plan(await planner.start("run-2", tenant="fabrikam"), "anna")
    assert await planner.runs.admit(1) == 2
    assert job.id in {wake.job for wake in planner.ledger.wakes()}


async def test_all_that_a_restore_could_not_bring_back_is_listed_for_its_tenant_alone(planner: Any) -> None:
    (job,) = await planner.plan(await planner.start(kind=JobKind.RESTORE), "anna")
    await planner.runs.admit(8)
    found = tuple(ItemProblem(item=f"i{n:04d}", error=ErrorClass.INTEGRITY, detail="differs") for n in range(701))
    await conclude(planner, job, Finished(JobState.PARTIAL, Counts(), "p", item_errors=found[:100], unrestored=found))
    listed: list[ItemProblem] = []
    cursor: str | None = None
    while page := await planner.catalogue.unrestored("contoso", job.id, cursor, 500):
        assert len(page.items) <= 200
        listed += page.items
        if (cursor := page.cursor) is None:
            break
    assert tuple(listed) == found
    assert (await planner.catalogue.unrestored("fabrikam", job.id, None, 500)).items == ()
    assert (await planner.catalogue.unrestored("contoso", "another", None, 500)).items == ()


async def test_what_a_fenced_worker_left_is_not_listed(planner: Any) -> None:
    (job,) = await planner.plan(await planner.start(kind=JobKind.RESTORE), "anna")
    await planner.runs.admit(8)
    (wake,) = planner.ledger.wakes()
    first = await planner.jobs.claim(wake, 1)
    second = await planner.jobs.claim(wake, 2)
    lost = ItemProblem(item="i", error=ErrorClass.INTEGRITY)
    with pytest.raises(SessionLost):
        await planner.jobs.conclude(first, Finished(JobState.PARTIAL, Counts(), "p", unrestored=(lost,)))
    await planner.jobs.conclude(second, DONE)
    assert (await planner.catalogue.unrestored("contoso", job.id, None, 500)).items == ()
