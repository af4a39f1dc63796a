"""Whatever happens to a job becomes its state; only a lost session and a leaving process end otherwise."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from backup_fakes.fuse import Fuse
from backup_fakes.jobs import MemoryJobs

from backup_engine.errors import SessionFenced, StorageUnreachable
from backup_service.adapters.error_classes import Judgement
from backup_service.domain.jobs import Claim, Finished
from backup_service.ports import SessionLost
from backup_service.usecases.execute_job import ExecuteJob
from chassis.delivered import Delivered
from chassis.testing.clock import ManualClock
from contracts.errors import ErrorClass
from contracts.events import Counts
from contracts.names import HoldReason, JobKind, JobState
from graph_client.errors import Throttled, TokenUnavailable

Execute = Callable[[Claim], Awaitable[Finished]]


class Desk:
    """One job and an ExecuteJob whose kind does what the test says."""

    def __init__(self, clock: ManualClock) -> None:
        self.jobs = MemoryJobs(clock, Fuse())
        self.jobs.add("j1", "anna-id")
        self.stopping = asyncio.Event()
        self.settled: list[str] = []
        self._deliveries: dict[str, int] = {}

    async def run(self, execute: Execute) -> Any:
        wake = self.jobs.wake("j1")
        delivery = self._deliveries[wake.message] = self._deliveries.get(wake.message, 0) + 1
        use_case = ExecuteJob(
            self.jobs,
            {JobKind.BACKUP: execute},
            judge=Judgement(10.0),
            settle=self._settle,
            stopping=self.stopping,
        )
        await use_case(Delivered(wake, "m365.job", "", "", delivery))
        return self.jobs.rows["j1"].view

    async def _settle(self, tenant: str, run: str) -> bool:
        self.settled.append(f"{tenant}/{run}")
        return True


@pytest.fixture
def desk(clock: ManualClock) -> Desk:
    return Desk(clock)


def raises(error: BaseException) -> Execute:
    async def execute(_claim: Claim) -> Finished:
        raise error

    return execute


async def succeeds(_claim: Claim) -> Finished:
    return Finished(JobState.SUCCEEDED, Counts(listed=1), "point")


async def test_finished_job_is_concluded_and_its_run_settled(desk: Desk) -> None:
    view = await desk.run(succeeds)
    assert (view.state, view.restore_point, view.counts.listed) == (JobState.SUCCEEDED, "point", 1)
    assert desk.settled == ["contoso/run-of-j1"]


async def test_stale_wake_up_executes_nothing(desk: Desk) -> None:
    await desk.run(succeeds)
    view = await desk.run(raises(AssertionError("executed")))
    assert view.state is JobState.SUCCEEDED


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (TokenUnavailable("expired"), HoldReason.NO_VALID_TOKEN),
        (StorageUnreachable("away"), HoldReason.STORAGE_UNREACHABLE),
        (ExceptionGroup("mails", [Throttled(5.0)]), HoldReason.TENANT_THROTTLED),
        (ExceptionGroup("a", [ExceptionGroup("b", [TokenUnavailable("x")])]), HoldReason.NO_VALID_TOKEN),
    ],
)
async def test_what_is_missing_outside_holds_and_spends_no_attempt(
    desk: Desk, error: Exception, reason: HoldReason
) -> None:
    for _ in range(20):
        view = await desk.run(raises(error))
    assert (view.state, view.attempt, view.hold.reason) == (JobState.WAITING, 0, reason)
    assert desk.settled == []
    assert (await desk.run(succeeds)).state is JobState.SUCCEEDED


async def test_defect_is_tried_again_and_fails_in_the_end(desk: Desk) -> None:
    states = [(await desk.run(raises(ZeroDivisionError("by zero")))).state for _ in range(3)]
    assert states == [JobState.WAITING, JobState.WAITING, JobState.FAILED]
    view = desk.jobs.rows["j1"].view
    assert (view.fatal.error, view.fatal.detail) == (ErrorClass.INTERNAL, "ZeroDivisionError: by zero")
    assert desk.settled[-1:] == ["contoso/run-of-j1"]


@pytest.mark.parametrize(
    "error",
    [
        SessionLost("j1"),
        SessionFenced("s1", fenced_by="s2"),
        ExceptionGroup("mails", [Throttled(5.0), SessionLost("j1")]),
    ],
)
async def test_lost_session_changes_nothing_more(desk: Desk, error: Exception) -> None:
    view = await desk.run(raises(error))
    assert (view.state, desk.settled) == (JobState.RUNNING, [])
    assert [event for event, _ in desk.jobs.rows["j1"].events] == ["queued", "started"]


async def test_session_that_was_taken_over_cannot_conclude(desk: Desk) -> None:
    async def overtaken(_claim: Claim) -> Finished:
        desk.jobs.rows["j1"].session = "another"
        return Finished(JobState.SUCCEEDED, Counts())

    view = await desk.run(overtaken)
    assert (view.state, desk.settled) == (JobState.RUNNING, [])


async def test_leaving_process_hands_the_job_back_unspent(desk: Desk) -> None:
    cancelled: list[str] = []

    async def works(claim: Claim) -> Finished:
        desk.stopping.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(claim.job)
            raise
        raise AssertionError

    view = await desk.run(works)
    assert (cancelled, view.state, view.attempt, view.hold) == (["j1"], JobState.WAITING, 0, None)
    desk.stopping.clear()
    assert (await desk.run(succeeds)).state is JobState.SUCCEEDED


async def test_job_that_ends_while_the_process_leaves_is_concluded(desk: Desk) -> None:
    async def ends(_claim: Claim) -> Finished:
        desk.stopping.set()
        return Finished(JobState.PARTIAL, Counts())

    assert (await desk.run(ends)).state is JobState.PARTIAL


async def test_cancelled_handler_cancels_its_work_and_concludes_nothing(desk: Desk) -> None:
    started, cancelled = asyncio.Event(), asyncio.Event()

    async def works(_claim: Claim) -> Finished:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        raise AssertionError

    task = asyncio.ensure_future(desk.run(works))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert cancelled.is_set()
    assert desk.jobs.rows["j1"].view.state is JobState.RUNNING
