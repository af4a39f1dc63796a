"""Whatever people do in calendars, and wherever workers die: a faultless run at the end mirrors them."""

import asyncio
from collections.abc import Callable
from typing import Any

from backup_fakes.calendars import Planner
from backup_fakes.exchange import ANNA, Exchange
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backup_service.domain.calendar import EVENT, EVENT_ATTACHMENT
from contracts.names import JobState, Source
from graph_client.errors import ItemUnreadable

PICK = st.integers(0, 30)
DAYS = tuple(f"2026-03-{day:02}" for day in range(1, 6))
ACTS = (
    "add",
    "add_series",
    "rename",
    "change_day",
    "cancel_day",
    "attach",
    "attach_to_day",
    "detach",
    "move",
    "delete",
    "add_calendar",
    "rename_calendar",
    "delete_calendar",
    "damage",
    "hide",
    "mend",
)
STEPS = st.one_of(
    st.tuples(st.sampled_from(ACTS), PICK, PICK),
    st.tuples(st.just("backup"), PICK, PICK),
    st.tuples(st.just("crash"), st.integers(0, 60), PICK),
)


class People:
    """Acts on Anna's calendars; an act that has nothing to act on does nothing."""

    def __init__(self, planner: Planner) -> None:
        self._planner = planner
        self._number = 0

    def act(self, name: str, pick: int, where: int) -> None:
        self._number += 1
        calendar = self._one(sorted(self._planner.calendars), where)
        event = self._one(sorted(self._planner.entries), pick)
        match name:
            case "add" | "add_series" if calendar:
                self._planner.add(calendar, f"Termin {self._number}", series=name == "add_series")
            case "add_calendar":
                self._planner.add_calendar(f"Kalender {pick % 3}", own=pick % 5 != 0)
            case "rename_calendar" if calendar:
                self._planner.rename_calendar(calendar, f"Neu {self._number}")
            case "delete_calendar" if calendar:
                self._planner.delete_calendar(calendar)
            case "mend":
                self._planner.unreadable.clear()
                self._planner.unlistable.clear()
            case _ if event:
                self._act_on(name, event, calendar, where)

    def _act_on(self, name: str, event: str, calendar: str | None, where: int) -> None:
        match name:
            case "rename":
                self._planner.rename(event, f"anders {self._number}")
            case "attach":
                self._planner.attach(event, f"content {self._number}".encode(), ("file", "reference")[where % 2])
            case "detach":
                self._planner.detach(event)
            case "move" if calendar:
                self._planner.move(event, calendar)
            case "delete":
                self._planner.delete(event)
            case "damage":
                self._planner.unreadable[event] = ItemUnreadable("damaged")
            case "hide":
                self._planner.unlistable.add(event)
            case _:
                self._act_on_day(name, event, DAYS[where % len(DAYS)])

    def _act_on_day(self, name: str, event: str, day: str) -> None:
        entry = self._planner.entries[event]
        if name == "attach_to_day" and day in entry.days:
            self._planner.attach(event, f"content {self._number}".encode(), day=day)
        elif name in {"change_day", "cancel_day"} and entry.series and day not in entry.cancelled:
            entry.attached.pop(f"{event}.{day}", None)
            self._planner.change_day(event, day, f"Tag {self._number}" if name == "change_day" else None)

    @staticmethod
    def _one(found: list[str], pick: int) -> str | None:
        return found[pick % len(found)] if found else None


async def mirror(worker: Any) -> dict[str, tuple[str, str, bytes]]:
    repository = await worker.repositories.open("contoso", "t1")
    rows = list(repository.items(f"c1/{ANNA}", (await worker.snapshot()).id))
    wanted = [row for row in rows if row.kind in {EVENT, EVENT_ATTACHMENT} and row.has_body]
    return {row.key: (row.parent, row.version, repository.read(row)) for row in wanted}


async def live(worker: Any, planner: Planner, steps: list[tuple[str, int, int]]) -> None:
    people = People(planner)
    generations: list[tuple[Any, dict[str, tuple[str, str, bytes]]]] = []
    for name, pick, where in steps:
        if name == "backup":
            job = await worker.backup()
            assert job.state in {JobState.SUCCEEDED, JobState.PARTIAL}
            if not planner.unreadable and not planner.unlistable:
                assert job.state is JobState.SUCCEEDED
                assert await mirror(worker) == planner.mirror()
            generations.append((await worker.snapshot(), await mirror(worker)))
        elif name == "crash":
            job = worker.queue()
            await worker.deliver_and_die(job, pick)
            for _ in range(5):
                if not worker.jobs.rows[job].view.state.finished:
                    await worker.deliver(job)
            assert worker.jobs.rows[job].view.state.finished
        else:
            people.act(name, pick, where)
    people.act("mend", 0, 0)
    assert (await worker.backup()).state is JobState.SUCCEEDED
    assert await mirror(worker) == planner.mirror()
    repository = await worker.repositories.open("contoso", "t1")
    for snapshot, content in generations:
        rows = [row for row in repository.items(f"c1/{ANNA}", snapshot.id) if row.has_body]
        assert {row.key: (row.parent, row.version, repository.read(row)) for row in rows} == content


@settings(
    max_examples=25, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(STEPS, max_size=30))
def test_a_restore_point_mirrors_the_calendars(
    new_worker: Callable[[Exchange], Any], steps: list[tuple[str, int, int]]
) -> None:
    exchange = Exchange()
    exchange.add_user(ANNA, "anna@contoso.example")
    first = exchange.planner.add_calendar("Kalender")
    for number in range(4):
        exchange.planner.add(first, f"Termin {number}", series=number == 0)
    worker = new_worker(exchange)
    worker.jobs.sources = (Source.CALENDAR,)
    asyncio.run(live(worker, exchange.planner, steps))
