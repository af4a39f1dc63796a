"""Whatever people do in a mailbox, and wherever workers die: a faultless run at the end mirrors it.

Every generation stays what it was, and comes back whole. `make soak` tries thousands of histories.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from backup_fakes.exchange import ANNA, BERT, Exchange
from backup_fakes.histories import PEOPLE, People, Row
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backup_service.domain.mail import MAIL
from contracts.names import JobState

WEEK = 7 * 86_400.0
PICK = st.integers(0, 30)
ACT = st.one_of([st.tuples(st.just(people), st.sampled_from(people.ACTS), PICK, PICK) for people in PEOPLE])
RUN = st.one_of(
    st.tuples(st.just("backup")),
    st.tuples(st.just("week")),
    st.tuples(st.just("crash"), st.integers(0, 120)),
    st.tuples(st.just("leave"), st.integers(0, 120)),
    st.tuples(st.just("busy"), st.integers(5, 60), ACT),
)
STORY = st.lists(st.one_of(ACT, ACT, RUN), max_size=25)
QUICK = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
LONG = settings(QUICK, max_examples=3000, suppress_health_check=list(HealthCheck))


def mailbox(page_size: int = 2) -> Exchange:
    made = Exchange(page_size=page_size, largest_in_memory=1000)
    made.add_user(ANNA, "anna@contoso.example")
    made.add_user(BERT, "bert@contoso.example")
    made.well_known[ANNA, "inbox"] = made.add_folder(ANNA, "Posteingang")
    made.well_known[BERT, "inbox"] = made.add_folder(BERT, "Posteingang")
    made.add_deletions(ANNA)
    return made


class Chronicle:
    """One mailbox, the people in it, the workers who back it up, and what each restore point held when it was made."""

    def __init__(self, worker: Any) -> None:
        self.worker = worker
        self.people: dict[type[People], People] = {kind: kind(worker.exchange) for kind in PEOPLE}
        self.generations: dict[str, dict[str, Row]] = {}
        self._job = worker.queue()

    async def live(self, story: list[tuple[Any, ...]]) -> None:
        for event in story:
            if self._view().state.finished:
                self._job = self.worker.queue()
            await self._happen(*event)
        self.worker.fuse.meanwhile.clear()
        if not self._view().state.finished:
            await self._deliver()

    async def _happen(self, what: Any, *facts: Any) -> None:
        match what:
            case "backup":
                await self._deliver()
                self._check_honesty()
            case "week":
                await self.worker.clock.advance(WEEK)
            case "crash":
                await self.worker.deliver_and_die(self._job, facts[0])
            case "leave":
                await self.worker.deliver_and_leave(self._job, facts[0])
            case "busy":
                # The next worker finds people at work while it reads.
                self.worker.fuse.meanwhile[facts[0]] = lambda: self._act(*facts[1])
            case _:
                self._act(what, *facts)

    def _act(self, kind: type[People], name: str, *picks: int) -> None:
        getattr(self.people[kind], name)(*picks)

    def _view(self) -> Any:
        return self.worker.jobs.rows[self._job].view

    async def _deliver(self) -> None:
        await self.worker.deliver(self._job)
        await self.write_down(self._view())

    async def write_down(self, job: Any) -> None:
        if job.restore_point:
            self.generations[job.restore_point] = await self.rows(job.restore_point)

    def _check_honesty(self) -> None:
        """Never green while something failed, and the counts add up."""
        view = self._view()
        assert view.state in {JobState.SUCCEEDED, JobState.PARTIAL}
        assert (view.state is JobState.PARTIAL) == bool(view.item_errors)
        assert view.counts.failed == len(view.item_errors)
        assert view.counts.verified <= view.counts.listed <= view.counts.verified + view.counts.failed

    async def rows(self, point: str) -> dict[str, Row]:
        repository = await self.worker.repositories.open("contoso", "t1")
        return {
            row.key: (row.kind, row.parent, row.version, dict(row.meta), repository.read(row) if row.has_body else None)
            for row in repository.items(f"c1/{ANNA}", point)
        }

    def truth(self) -> dict[str, Row]:
        return {key: row for people in self.people.values() for key, row in people.truth().items()}

    async def check_generations(self, pick: int) -> None:
        """Each is what it was; one of them comes back whole."""
        for point, rows in self.generations.items():
            assert await self.rows(point) == rows
        self.worker.exchange.largest_in_memory = 1 << 30  # a restore compares whole mails
        point, rows = list(self.generations.items())[pick % len(self.generations)]
        apart = {key for key, row in rows.items() if row[3].get("recoverable")}
        mails = [row for row in rows.values() if row[0] == MAIL and row[1] not in apart]
        restored = await self.worker.deliver(self.worker.queue_restore(point, BERT))
        assert (restored.state, restored.counts.verified) == (JobState.SUCCEEDED, len(mails))
        assert len(self.worker.exchange.letters[BERT]) == len(mails)


async def mirror(worker: Any, story: list[tuple[Any, ...]], pick: int) -> None:
    chronicle = Chronicle(worker)
    await chronicle.live(story)
    for people in chronicle.people.values():
        people.calm()
    await worker.clock.advance(WEEK)
    job = await worker.backup()
    await chronicle.write_down(job)
    assert (job.state, job.item_errors) == (JobState.SUCCEEDED, ())
    assert chronicle.generations[job.restore_point] == chronicle.truth()
    assert job.counts.listed == job.counts.verified
    await chronicle.check_generations(pick)


@QUICK
@given(story=STORY, page_size=st.integers(1, 4), pick=PICK)
def test_a_faultless_run_mirrors_the_mailbox(
    new_worker: Callable[[Exchange], Any], story: list[tuple[Any, ...]], page_size: int, pick: int
) -> None:
    asyncio.run(mirror(new_worker(mailbox(page_size)), story, pick))


@pytest.mark.soak
@LONG
@given(story=st.lists(st.one_of(ACT, ACT, RUN), max_size=80), page_size=st.integers(1, 4), pick=PICK)
def test_a_faultless_run_mirrors_the_mailbox_after_long_histories(
    new_worker: Callable[[Exchange], Any], story: list[tuple[Any, ...]], page_size: int, pick: int
) -> None:
    asyncio.run(mirror(new_worker(mailbox(page_size)), story, pick))


@settings(QUICK, max_examples=15)
@given(story=STORY, damaged=st.sets(PICK, max_size=3))
def test_what_is_unread_is_listed_and_everything_else_is_there(
    new_worker: Callable[[Exchange], Any], story: list[tuple[Any, ...]], damaged: set[int]
) -> None:
    chronicle = Chronicle(new_worker(mailbox()))

    async def scenario() -> None:
        await chronicle.live(story)
        for people in chronicle.people.values():
            people.calm()
            for pick in damaged:
                people.damage(pick)
        await chronicle.worker.clock.advance(WEEK)
        job = await chronicle.worker.backup()
        failed = {problem.item for problem in job.item_errors}
        stored, truth = await chronicle.rows(job.restore_point), chronicle.truth()
        assert failed <= truth.keys()
        assert {key: stored[key] for key in truth.keys() - failed} == {k: truth[k] for k in truth.keys() - failed}
        assert stored.keys() <= truth.keys()

    asyncio.run(scenario())
