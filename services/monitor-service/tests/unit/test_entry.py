"""An entry is a function of the set of events, whatever their order."""

import random
from collections.abc import Callable
from datetime import timedelta
from functools import reduce

import pytest

from contracts.events import JobEvent
from contracts.names import HoldReason, JobState
from monitor_service.domain.entry import Entry, Outcome, record

Make = Callable[..., JobEvent]


def entry_after(events: list[JobEvent]) -> Entry:
    entry: Entry | None = reduce(record, events, None)
    assert entry is not None
    return entry


def test_the_newest_version_decides_the_state_whatever_comes_last(event: Make) -> None:
    told = [
        event("queued", version=1),
        event("started", version=2, minutes=1),
        event("succeeded", version=3, minutes=9),
    ]
    entry, *others = [entry_after(order) for order in ([told[a], told[b], told[c]] for a, b, c in _orders())]
    assert all(other == entry for other in others)
    assert entry.state is JobState.SUCCEEDED
    assert entry.first_at == told[0].at
    assert [(finish.outcome, finish.at) for finish in entry.finishes] == [(Outcome.SUCCEEDED, told[2].at)]


def _orders() -> list[tuple[int, int, int]]:
    return [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)]


def test_a_repeated_event_changes_nothing(event: Make) -> None:
    failed = event("failed", version=2)
    once = record(None, failed)
    assert record(once, failed) == once


def test_a_resumed_job_is_no_longer_held(event: Make) -> None:
    held = record(None, event("held", version=2))
    assert held.hold is HoldReason.NO_VALID_TOKEN
    assert held.state is JobState.WAITING
    assert record(held, event("started", version=3)).hold is None


def test_progress_without_a_new_version_does_not_undo_a_hold_or_an_end(event: Make) -> None:
    for last in ("held", "failed"):
        entry = record(None, event(last, version=2))
        assert record(entry, event("progressed", version=2)) == entry


def test_a_cancelled_job_has_its_own_outcome(event: Make) -> None:
    entry = record(None, event("failed", error="cancelled"))
    assert entry.state is JobState.FAILED
    assert entry.finishes[0].outcome is Outcome.CANCELLED


def test_two_ends_of_one_job_are_two_executions(event: Make) -> None:
    entry = entry_after([event("succeeded", version=9, minutes=60), event("failed", version=4)])
    assert [finish.outcome for finish in entry.finishes] == [Outcome.FAILED, Outcome.SUCCEEDED]
    assert entry.state is JobState.SUCCEEDED


@pytest.mark.parametrize("seed", range(20))
def test_any_order_with_repeats_gives_the_same_entry(event: Make, seed: int) -> None:
    told = [
        event("queued", version=1),
        event("started", version=2, minutes=1),
        event("progressed", version=2, minutes=2),
        event("held", version=3, minutes=3),
        event("started", version=4, minutes=30),
        event("partial", version=5, minutes=40, errors={"corrupt_source_item": 1}),
    ]
    rng = random.Random(seed)
    shuffled = told + rng.choices(told, k=6)
    rng.shuffle(shuffled)
    assert entry_after(shuffled) == entry_after(told)
    assert entry_after(shuffled).changed_at - entry_after(shuffled).first_at == timedelta(minutes=40)
