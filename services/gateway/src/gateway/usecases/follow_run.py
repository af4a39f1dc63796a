"""Follow a run while it goes on: what is known, then what happens, at last how it ended.

The truth is what the owner of the run answers; events only make it faster. So a stream begins with the state, asks
again when it has heard nothing for a while or could not keep up, and an event that was lost delays it and no more.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from pydantic import BaseModel

from chassis.clock import Clock
from contracts import rpc
from contracts.envelope import event_id
from contracts.events import JobEvent, JobProgressed, JobStarted
from contracts.problem import ProblemError, unavailable
from contracts.views import Job, Run
from gateway.domain import Asking
from gateway.ports import Services

MOST = 500
"""Streams at the same time in one gateway; each is a connection and a subscription."""

_PAGE = 100


@dataclass(frozen=True)
class Pace:
    """Seconds and counts; tests use small ones."""

    heartbeat: float = 15.0
    longest: float = 600.0
    """After this the stream ends without `end`: who goes on following shows a token that is still valid."""
    backlog: int = 256
    """Events that wait for a slow client; with more the state is told anew instead."""


@dataclass(frozen=True)
class Sign:
    """One message of the stream; without a name it is a heartbeat."""

    name: str = ""
    data: BaseModel | None = None
    id: str = ""


class Page(BaseModel):
    """Jobs of the run, some at a time."""

    items: tuple[Job, ...]


class FollowRun:
    """Opens progress streams and ends them all when the process leaves."""

    def __init__(self, services: Services, clock: Clock, stopping: asyncio.Event, pace: Pace) -> None:
        self._services = services
        self._clock = clock
        self._stopping = stopping
        self._pace = pace
        self._open = 0

    async def __call__(self, tenant: str, run: str, asking: Asking) -> AsyncGenerator[Sign, None]:
        """Yield signs until the run has ended (`end` is the last), the time is over or the process leaves.

        The first step raises ProblemError for a run that is not there; closing the iterator ends the subscription.
        """
        if self._open >= MOST:
            raise unavailable("too many progress streams are open; ask for the run instead")
        self._open += 1
        try:
            backlog = _Backlog(run, self._pace.backlog, self._stopping)
            # Listening begins before the first look, so that nothing falls between the two.
            async with self._services.listen(tenant, backlog.hear), backlog:
                stream = _Stream(self._services, tenant, run, asking)
                async for sign in self._signs(stream, backlog):
                    yield sign
        finally:
            self._open -= 1

    async def _signs(self, stream: "_Stream", backlog: "_Backlog") -> AsyncGenerator[Sign, None]:
        deadline = self._clock.monotonic() + self._pace.longest
        async for sign in stream.state():
            yield sign
        with contextlib.suppress(ProblemError):  # the service went away: the client comes back and is told why
            while not stream.ended and not self._stopping.is_set() and self._clock.monotonic() < deadline:
                event = await backlog.next(self._pace.heartbeat)
                if self._stopping.is_set():
                    break
                if backlog.overflown():
                    signs = stream.state()
                else:
                    signs = stream.silence() if event is None else stream.news(event)
                async for sign in signs:
                    yield sign
        if stream.ended:
            yield Sign("end", stream.run)


class _Stream:
    """What one client has been told."""

    def __init__(self, services: Services, tenant: str, run: str, asking: Asking) -> None:
        self._services = services
        self._tenant = tenant
        self._id = run
        self._asking = asking
        self._told: dict[str, int] = {}
        self.run: Run | None = None

    @property
    def ended(self) -> bool:
        return self.run is not None and self.run.state.finished

    async def state(self) -> AsyncGenerator[Sign, None]:
        """The run and all its jobs. The run comes first: when it has ended, the jobs read after it are final."""
        run = await self._ask()
        yield Sign("run", run)
        question = rpc.JobsOf(run=self._id, limit=_PAGE)
        while True:
            answer = await self._services.ask(rpc.JOB_LIST, self._tenant, question, self._asking)
            self._told |= {job.id: job.version for job in answer.items}
            yield Sign("jobs", Page(items=answer.items))
            if answer.cursor is None:
                break
            question = rpc.JobsOf(run=self._id, limit=_PAGE, cursor=answer.cursor)
        self._remember(run)

    async def news(self, event: JobEvent) -> AsyncGenerator[Sign, None]:
        """Pass an event on, unless it is older than what was told."""
        told = self._told.get(event.id, -1)
        if event.version < told or (event.version == told and not isinstance(event, JobProgressed)):
            return
        self._told[event.id] = event.version
        yield Sign(event.NAME, event, event_id(event))
        if event.scope != "run":
            return
        if isinstance(event, JobStarted):  # planned: from now on the jobs have names
            async for sign in self.state():
                yield sign
        else:
            self._remember(await self._ask())

    async def silence(self) -> AsyncGenerator[Sign, None]:
        """Nothing was heard: ask, and tell the state again if it is not the one that was told."""
        before = self.run
        try:
            now = await self._ask()
        except ProblemError:
            yield Sign()
            return
        if now == before:
            yield Sign()
            return
        async for sign in self.state():
            yield sign

    async def _ask(self) -> Run:
        return await self._services.ask(rpc.RUN_GET, self._tenant, rpc.ById(id=self._id), self._asking)

    def _remember(self, run: Run) -> None:
        self.run = run
        self._told[run.id] = max(run.version, self._told.get(run.id, -1))


class _Backlog:
    """Events of one run on their way to one client: bounded, and awake when the process leaves."""

    def __init__(self, run: str, size: int, stopping: asyncio.Event) -> None:
        self._run = run
        self._waiting: asyncio.Queue[JobEvent] = asyncio.Queue(size)
        self._overflown = False
        self._stopping = stopping

    async def __aenter__(self) -> None:
        self._stop = asyncio.create_task(self._stopping.wait())

    async def __aexit__(self, *_error: object) -> None:
        self._stop.cancel()

    def hear(self, event: JobEvent) -> None:
        if event.run != self._run:
            return
        try:
            self._waiting.put_nowait(event)
        except asyncio.QueueFull:
            self._overflown = True

    async def next(self, seconds: float) -> JobEvent | None:
        """The next event; None when none came in time or the process leaves."""
        arrival = asyncio.ensure_future(self._waiting.get())
        try:
            await asyncio.wait({arrival, self._stop}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            return arrival.result() if arrival.done() else None
        finally:
            arrival.cancel()

    def overflown(self) -> bool:
        """Say once whether events were lost; what waits is then older than the state to be told, and is dropped."""
        lost, self._overflown = self._overflown, False
        if lost:
            while not self._waiting.empty():
                self._waiting.get_nowait()
        return lost
