"""Following a run: state first, then news, then the end; whatever is lost, late or repeated."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from contracts.bus_users import GATEWAY
from contracts.envelope import event_id
from contracts.events import Counts, JobEvent, JobProgressed, JobQueued, JobStarted, JobSucceeded
from contracts.names import JobKind, JobState, Role
from contracts.problem import ProblemError, not_found
from gateway.domain import Asking, Caller
from gateway.usecases import follow_run
from gateway.usecases.follow_run import FollowRun, Pace, Sign

ASKING = Asking(Caller("anna", frozenset({Role.OPERATOR}), frozenset({"*"})), "request-1")
PATIENT = Pace(heartbeat=60, longest=600, backlog=16)
RESTLESS = replace(PATIENT, heartbeat=0.01)


def listeners(world: Any) -> list[str]:
    """Subjects of the runs that somebody follows now."""
    return [one.subject for one in world.broker.subscriptions if ".job." in one.subject]


class Followed:
    """A run that goes on, its bus, and one client."""

    def __init__(self, gateway: Any, pace: Pace) -> None:
        self.world, self.clock, self.stopping = gateway.world, gateway.clock, asyncio.Event()
        self.bus = self.world.broker.bus("backup-service")
        self._change(state=JobState.RUNNING, finished_at=None, version=2)
        self.world.jobs = (self.world.jobs[0].model_copy(update={"state": JobState.RUNNING, "version": 2}),)
        self.job = self.world.jobs[0].id
        self._follow = FollowRun(gateway.around.services, self.clock, self.stopping, pace)
        self.signs = self._open()

    def _open(self) -> AsyncIterator[Sign]:
        return self._follow("contoso", self.world.run.id, ASKING)

    def open_another(self) -> AsyncIterator[Sign]:
        return self._open()

    def _change(self, **changes: Any) -> None:
        self.world.run = self.world.run.model_copy(update=changes)

    async def publish(self, model: type[JobEvent], version: int, scope: str = "job", **more: Any) -> JobEvent:
        one = self.world.run.id if scope == "run" else self.job
        facts = {"tenant": "contoso", "at": self.clock.now(), "scope": scope, "id": one, "run": self.world.run.id}
        event = model(**{**facts, "kind": JobKind.BACKUP, "version": version, **more})
        await self.bus.publish(event)
        return event

    async def finish(self) -> JobEvent:
        self._change(state=JobState.SUCCEEDED, version=3)
        return await self.publish(JobSucceeded, 3, "run")

    def change_quietly(self, **changes: Any) -> None:
        self._change(**changes)

    async def names(self, count: int) -> list[str]:
        return [(await self.next()).name for _ in range(count)]

    async def next(self) -> Sign:
        return await asyncio.wait_for(anext(self.signs), 5)

    async def rest(self) -> list[Sign]:
        async with asyncio.timeout(5):
            return [sign async for sign in self.signs]


async def test_state_then_news_then_the_end(gateway: Any) -> None:
    followed = Followed(gateway, PATIENT)
    assert await followed.names(2) == ["run", "jobs"]
    mark = await followed.publish(JobProgressed, 2, counts=Counts(listed=10, stored=4))
    sign = await followed.next()
    assert (sign.name, sign.data, sign.id) == ("progressed", mark, event_id(mark))
    await followed.publish(JobSucceeded, 3)
    last = await followed.finish()
    signs = await followed.rest()
    assert [sign.name for sign in signs] == ["succeeded", "succeeded", "end"]
    assert signs[1].data == last
    assert signs[2].data == followed.world.run
    assert listeners(followed.world) == []


async def test_a_run_that_has_ended_ends_the_stream_at_once(gateway: Any) -> None:
    followed = Followed(gateway, PATIENT)
    followed.change_quietly(state=JobState.FAILED)
    assert [sign.name for sign in await followed.rest()] == ["run", "jobs", "end"]


async def test_jobs_come_in_pages(gateway: Any) -> None:
    followed = Followed(gateway, PATIENT)
    job = followed.world.jobs[0]
    followed.world.jobs = tuple(job.model_copy(update={"id": f"job-{n}"}) for n in range(250))
    followed.change_quietly(state=JobState.SUCCEEDED)
    signs = await followed.rest()
    assert [len(sign.data.items) for sign in signs if sign.name == "jobs"] == [100, 100, 50]


async def test_old_and_repeated_news_is_not_told(gateway: Any) -> None:
    followed = Followed(gateway, PATIENT)
    await followed.names(2)
    await followed.publish(JobStarted, 1)
    await followed.publish(JobQueued, 2)
    await followed.publish(JobQueued, 3)
    await followed.publish(JobQueued, 3)
    await followed.finish()
    assert [sign.name for sign in await followed.rest()] == ["queued", "succeeded", "end"]


async def test_other_runs_and_tenants_are_not_heard(gateway: Any) -> None:
    followed = Followed(gateway, PATIENT)
    await followed.names(2)
    await followed.publish(JobProgressed, 9, run="another-run", id="another-job")
    await followed.publish(JobProgressed, 9, tenant="fabrikam")
    await followed.finish()
    assert [sign.name for sign in await followed.rest()] == ["succeeded", "end"]


async def test_once_the_run_is_planned_its_jobs_are_told_again(gateway: Any) -> None:
    followed = Followed(gateway, PATIENT)
    await followed.names(2)
    await followed.publish(JobStarted, 3, "run")
    assert await followed.names(3) == ["started", "run", "jobs"]


async def test_a_client_that_cannot_keep_up_is_told_the_state_instead(gateway: Any) -> None:
    followed = Followed(gateway, PATIENT)
    await followed.names(2)
    for version in range(3, 20):
        await followed.publish(JobQueued, version)
    followed.world.jobs = (followed.world.jobs[0].model_copy(update={"version": 19}),)
    assert await followed.names(2) == ["run", "jobs"]
    await followed.publish(JobQueued, 19)
    await followed.publish(JobQueued, 20)
    assert (await followed.next()).data.version == 20


async def test_silence_is_a_heartbeat_and_a_lost_event_delays_the_end_only(gateway: Any) -> None:
    followed = Followed(gateway, RESTLESS)
    assert await followed.names(3) == ["run", "jobs", ""]
    followed.change_quietly(state=JobState.SUCCEEDED, version=3)  # and nobody hears the event
    signs = await followed.rest()
    assert [sign.name for sign in signs if sign.name] == ["run", "jobs", "end"]


async def test_a_service_that_is_away_costs_heartbeats_only(gateway: Any, problem_unavailable: ProblemError) -> None:
    followed = Followed(gateway, RESTLESS)
    await followed.names(2)
    followed.world.fail_with["run.get"] = problem_unavailable
    assert await followed.names(3) == ["", "", ""]
    followed.world.fail_with.clear()
    followed.change_quietly(state=JobState.SUCCEEDED)
    assert (await followed.rest())[-1].name == "end"


async def test_a_run_that_is_not_there_is_not_followed(gateway: Any) -> None:
    gateway.world.fail_with["run.get"] = not_found("run")
    answer = await gateway.call("GET", "/tenants/contoso/runs/r9/progress")
    assert (answer.status_code, answer.json()["code"]) == (404, "not-found")
    assert listeners(gateway.world) == []


async def test_leaving_ends_it_without_the_word_end(gateway: Any) -> None:
    followed = Followed(gateway, PATIENT)
    await followed.names(2)
    followed.stopping.set()
    assert await followed.rest() == []
    assert listeners(followed.world) == []


async def test_it_ends_before_a_token_has_long_been_worthless(gateway: Any) -> None:
    followed = Followed(gateway, RESTLESS)
    await followed.names(2)
    await followed.clock.advance(601)
    assert all(sign.name == "" for sign in await followed.rest())


async def test_streams_are_bounded_in_number(gateway: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow_run, "MOST", 1)
    followed = Followed(gateway, PATIENT)
    await followed.next()
    with pytest.raises(ProblemError) as raised:
        await anext(followed.open_another())
    assert raised.value.problem.status == 503
    await followed.signs.aclose()
    assert (await anext(followed.open_another())).name == "run"


async def test_the_wire_is_that_of_server_sent_events(gateway: Any) -> None:
    answer = await gateway.call("GET", "/tenants/contoso/runs/r1/progress", last_event_id="x")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["x-accel-buffering"] == "no"
    retry, *frames = answer.text.removesuffix("\n\n").split("\n\n")
    assert retry == "retry: 2000"
    assert [frame.split("\n")[0] for frame in frames] == ["event: run", "event: jobs", "event: end"]
    assert all(frame.split("\n")[1].startswith("data: {") for frame in frames)


def test_the_gateway_may_hear_the_job_family_and_employees_and_nothing_else() -> None:
    assert GATEWAY.subscribe == ("_INBOX_gateway.>", "m365.evt.v1.*.job.>", "m365.evt.v1.*.employee.*")
    assert not GATEWAY.responds
