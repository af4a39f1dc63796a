"""Whatever people do in a mailbox, and wherever workers die: a faultless run at the end mirrors it."""

import asyncio
from collections.abc import Callable
from typing import Any

from backup_fakes.exchange import ANNA, Exchange
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.names import JobState
from graph_client.errors import ItemUnreadable

PICK = st.integers(0, 30)
PEOPLE = st.one_of(
    st.tuples(st.just("add"), PICK),
    st.tuples(st.just("touch"), PICK),
    st.tuples(st.just("flag"), PICK),
    st.tuples(st.just("move"), PICK, PICK),
    st.tuples(st.just("delete"), PICK),
    st.tuples(st.just("add_folder"), PICK),
    st.tuples(st.just("delete_folder"), PICK),
    st.tuples(st.just("rename_folder"), PICK),
    st.tuples(st.just("break"), PICK),
    st.tuples(st.just("mend"), PICK),
    st.tuples(st.just("vanish"), PICK),
    st.tuples(st.just("expire"), PICK),
)
RUNS = st.one_of(
    st.tuples(st.just("backup"), PICK),
    st.tuples(st.just("crash"), st.integers(0, 120)),
    st.tuples(st.just("leave"), st.integers(0, 120)),
)
BUSY = st.tuples(st.just("busy"), st.integers(5, 60), PEOPLE)


class People:
    """Acts on Anna's mailbox; an act that has nothing to act on does nothing."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self._number = 0

    def act(self, name: str, *picks: int) -> None:
        getattr(self, name if name != "break" else "damage")(*picks)

    def _letter(self, pick: int) -> str | None:
        found = sorted(self.exchange.letters[ANNA])
        return found[pick % len(found)] if found else None

    def _folder(self, pick: int) -> str | None:
        found = sorted(self.exchange.folders[ANNA])
        return found[pick % len(found)] if found else None

    def add(self, pick: int) -> None:
        self._number += 1
        if folder := self._folder(pick):
            self.exchange.add(ANNA, folder, f"Subject: {self._number}\r\n\r\n{self._number}\r\n".encode())

    def touch(self, pick: int) -> None:
        self._number += 1
        if letter := self._letter(pick):
            self.exchange.touch(ANNA, letter, f"Subject: touched\r\n\r\n{self._number}\r\n".encode())

    def flag(self, pick: int) -> None:
        if letter := self._letter(pick):
            self.exchange.touch(ANNA, letter, isRead=bool(pick % 2))

    def move(self, pick: int, where: int) -> None:
        letter, folder = self._letter(pick), self._folder(where)
        if letter and folder and self.exchange.letters[ANNA][letter].folder != folder:
            self.exchange.move(ANNA, letter, folder)

    def delete(self, pick: int) -> None:
        if letter := self._letter(pick):
            self.exchange.delete(ANNA, letter)

    def add_folder(self, pick: int) -> None:
        self.exchange.add_folder(ANNA, f"Folder {pick}", self._folder(pick) or "" if pick % 2 else "")

    def delete_folder(self, pick: int) -> None:
        if folder := self._folder(pick):
            self.exchange.delete_folder(ANNA, folder)

    def rename_folder(self, pick: int) -> None:
        if folder := self._folder(pick):
            self.exchange.rename_folder(ANNA, folder, f"Renamed {pick}")

    def damage(self, pick: int) -> None:
        if letter := self._letter(pick):
            self.exchange.unreadable[letter] = ItemUnreadable("damaged")

    def mend(self, _pick: int) -> None:
        self.exchange.unreadable.clear()

    def vanish(self, pick: int) -> None:
        if letter := self._letter(pick):
            self.exchange.vanishing.add(letter)

    def expire(self, _pick: int) -> None:
        self.exchange.expire()


async def live(worker: Any, story: list[tuple[Any, ...]]) -> None:
    people = People(worker.exchange)
    job = worker.queue()
    for name, *rest in story:
        if worker.jobs.rows[job].view.state.finished:
            job = worker.queue()
        if name == "backup":
            await worker.deliver(job)
            check_honesty(worker, job)
        elif name == "crash":
            await worker.deliver_and_die(job, rest[0])
        elif name == "leave":
            await worker.deliver_and_leave(job, rest[0])
        elif name == "busy":
            # The next worker finds people at work while it reads.
            worker.fuse.meanwhile[rest[0]] = lambda act=rest[1]: people.act(*act)
        else:
            people.act(name, *rest)
    worker.fuse.meanwhile.clear()
    if not worker.jobs.rows[job].view.state.finished:
        await worker.deliver(job)


def check_honesty(worker: Any, job: str) -> None:
    """Never green while something failed, and the counts add up."""
    view = worker.jobs.rows[job].view
    assert view.state in {JobState.SUCCEEDED, JobState.PARTIAL}
    assert (view.state is JobState.PARTIAL) == bool(view.item_errors)
    assert view.counts.failed == len(view.item_errors)
    assert view.counts.verified <= view.counts.listed <= view.counts.verified + view.counts.failed


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(story=st.lists(st.one_of(PEOPLE, PEOPLE, RUNS, BUSY), max_size=25), page_size=st.integers(1, 4))
def test_a_faultless_run_mirrors_the_mailbox(
    new_worker: Callable[[Exchange], Any], story: list[tuple[Any, ...]], page_size: int
) -> None:
    exchange = Exchange(page_size=page_size)
    exchange.add_user(ANNA, "anna@contoso.example")
    exchange.add_folder(ANNA, "Inbox")
    worker = new_worker(exchange)

    async def scenario() -> None:
        await live(worker, story)
        exchange.unreadable.clear()
        exchange.vanishing.clear()
        job = await worker.backup()
        assert (job.state, job.counts.listed) == (JobState.SUCCEEDED, len(exchange.letters[ANNA]))
        assert await worker.mirror() == exchange.mirror(ANNA)
        assert await worker.folders() == {f.id: (f.name, f.parent) for f in exchange.folders[ANNA].values()}

    asyncio.run(scenario())


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(story=st.lists(st.one_of(PEOPLE, PEOPLE, RUNS), max_size=25), damaged=st.sets(PICK, max_size=3))
def test_what_is_unread_is_listed_and_everything_else_is_there(
    new_worker: Callable[[Exchange], Any], story: list[tuple[Any, ...]], damaged: set[int]
) -> None:
    exchange = Exchange()
    exchange.add_user(ANNA, "anna@contoso.example")
    exchange.add_folder(ANNA, "Inbox")
    worker = new_worker(exchange)

    async def scenario() -> None:
        await live(worker, story)
        exchange.vanishing.clear()
        for pick in damaged:
            People(exchange).damage(pick)
        job = await worker.backup()
        failed = {problem.item for problem in job.item_errors}
        mirror, truth = await worker.mirror(), exchange.mirror(ANNA)
        assert failed <= truth.keys()
        assert {item: mirror[item] for item in truth.keys() - failed} == {i: truth[i] for i in truth.keys() - failed}
        assert mirror.keys() <= truth.keys()

    asyncio.run(scenario())
