"""Any duplication, reordering and restart ends in the same ledger, and that is the one the events tell."""

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.events import JobEvent
from contracts.names import JobKind
from monitor_service.domain.entry import Outcome, key_of
from monitor_service.domain.tally import hour_of
from monitor_service.ports import Ledger
from monitor_service.usecases import record_events

Make = Callable[..., JobEvent]

_ENDS = ("succeeded", "partial", "failed", "cancelled")
_STEPS = st.lists(st.sampled_from(["queued", "started", "progressed", "held"]), max_size=4)
_LIVES = st.lists(st.tuples(_STEPS, st.sampled_from([*_ENDS, None]), st.integers(0, 70 * 60)), min_size=1, max_size=6)


def events_of(make: Make, lives: list[tuple[list[str], str | None, int]]) -> list[JobEvent]:
    told = []
    for number, (steps, end, minute) in enumerate(lives):
        names = [*steps, *([end] if end else [])]
        for version, name in enumerate(names, start=1):
            fields: dict[str, Any] = {"error": "cancelled"} if name == "cancelled" else {}
            real = "failed" if name == "cancelled" else name
            told.append(make(real, f"job-{number}", version, minutes=minute + version, **fields))
    return told


async def ledger_after(ledger: Ledger, events: list[JobEvent], sizes: list[int]) -> list[Any]:
    rest, turn = list(events), 0
    while rest:
        size = sizes[turn % len(sizes)]
        await record_events(ledger, rest[:size])
        rest, turn = rest[size:], turn + 1
    keys = sorted({key_of(event) for event in events})
    tallies = [tally for tally in await ledger.tallies("contoso") if tally.kind is JobKind.BACKUP]
    sums = [(t.finished, t.hours, t.unfinished, t.held, t.last_run_at, t.last_success_at) for t in tallies]
    return [sums, [(await ledger.entries([key]))[key] for key in keys]]


# The fixtures are a class and a function, which keep nothing between examples.
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lives=_LIVES, data=st.data())
def test_any_duplication_and_order_ends_in_the_same_ledger(
    memory_ledger: type[Ledger], event: Make, lives: list[tuple[list[str], str | None, int]], data: st.DataObject
) -> None:
    told = events_of(event, lives)
    if not told:
        return
    repeated = told + data.draw(st.lists(st.sampled_from(told), max_size=10))
    shuffled = data.draw(st.permutations(repeated))
    sizes = data.draw(st.lists(st.integers(1, 5), min_size=1, max_size=4))
    plain = asyncio.run(ledger_after(memory_ledger(), told, [len(told)]))
    messy = asyncio.run(ledger_after(memory_ledger(), shuffled, sizes))
    assert messy == plain
    ends = Counter(Outcome(end) for _, end, _ in lives if end)
    assert plain[0][0][0] == {outcome: ends[outcome] for outcome in Outcome}


def test_hours_that_were_cut_do_not_come_back(memory_ledger: type[Ledger], event: Make) -> None:
    told = [event("failed", f"job-{hour}", minutes=60 * hour) for hour in range(60)]
    first = asyncio.run(ledger_after(memory_ledger(), told, [7]))
    last = asyncio.run(ledger_after(memory_ledger(), told[::-1], [3]))
    assert first == last
    hours = first[0][0][1]
    assert min(hours) == hour_of(datetime(2026, 3, 2, 8, tzinfo=UTC) + timedelta(hours=12))
    assert sum(outcomes[Outcome.FAILED] for outcomes in hours.values()) == 48
