"""Healthy under 10 % failures, critical from 10 % whatever the number, unknown where nothing is proven."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from contracts.names import Health, JobKind
from monitor_service.domain.entry import Outcome
from monitor_service.domain.health import Expected, Reason, Verdict, judge
from monitor_service.domain.tally import NO_OUTCOMES, Tally, hour_of

NOW = datetime(2026, 3, 2, 8, 30, tzinfo=UTC)
INTERVAL = timedelta(hours=26)


def tally(hours_ago: float = 1, *, run_hours_ago: float | None = 1, **outcomes: int) -> Tally:
    counted = {**NO_OUTCOMES, **{Outcome(name): count for name, count in outcomes.items()}}
    return Tally(
        "contoso",
        JobKind.BACKUP,
        hours={hour_of(NOW - timedelta(hours=hours_ago)): counted},
        last_run_at=None if run_hours_ago is None else NOW - timedelta(hours=run_hours_ago),
    )


def verdict(of: Tally, *, held_too_long: bool = False) -> Verdict:
    found = judge(of, NOW, INTERVAL, held_too_long=held_too_long)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("succeeded", "partial", "failed", "expected"),
    [
        (10, 0, 0, Health.HEALTHY),
        (91, 0, 9, Health.HEALTHY),
        (90, 0, 10, Health.CRITICAL),
        (9, 0, 1, Health.CRITICAL),
        (27, 0, 3, Health.CRITICAL),
        (0, 0, 1, Health.CRITICAL),
        (0, 10, 1, Health.HEALTHY),
        (0, 9, 1, Health.CRITICAL),
        (0, 5, 0, Health.HEALTHY),
    ],
)
def test_R_B9_ten_percent_is_the_border(succeeded: int, partial: int, failed: int, expected: Health) -> None:  # noqa: N802 - named after the row
    assert verdict(tally(succeeded=succeeded, partial=partial, failed=failed)).health is expected


def test_ratios_carry_their_denominator() -> None:
    found = verdict(tally(succeeded=5, partial=3, failed=2, cancelled=90))
    assert (found.failed, found.partial, found.finished) == (2, 3, 10)
    assert found.failure_ratio == pytest.approx(0.2)
    assert found.partial_ratio == pytest.approx(0.3)


def test_without_a_job_there_is_no_ratio() -> None:
    found = verdict(tally(cancelled=3))
    assert found.failure_ratio is None
    assert found.partial_ratio is None


def test_cancelled_jobs_neither_heal_nor_harm() -> None:
    assert verdict(tally(succeeded=9, failed=1, cancelled=1000)).health is Health.CRITICAL
    assert verdict(tally(succeeded=10, cancelled=1000)).health is Health.HEALTHY


@pytest.mark.parametrize("run_hours_ago", [None, 26.5])
def test_unknown_without_a_run_in_the_interval(run_hours_ago: float | None) -> None:
    found = verdict(tally(succeeded=10, run_hours_ago=run_hours_ago))
    assert (found.health, found.reason) == (Health.UNKNOWN, Reason.NO_RUN_IN_INTERVAL)


def test_unknown_when_the_newest_run_is_in_the_future() -> None:
    found = verdict(tally(succeeded=10, run_hours_ago=-1))
    assert (found.health, found.reason) == (Health.UNKNOWN, Reason.CLOCK_AHEAD)


def test_unknown_with_a_job_held_too_long() -> None:
    found = verdict(tally(succeeded=10), held_too_long=True)
    assert (found.health, found.reason) == (Health.UNKNOWN, Reason.HELD_TOO_LONG)


def test_known_failures_are_not_hidden_behind_unknown() -> None:
    assert verdict(tally(failed=1, run_hours_ago=None), held_too_long=True).health is Health.CRITICAL


def test_the_window_is_a_day_to_the_hour() -> None:
    assert verdict(tally(hours_ago=24, failed=1)).failed == 1
    assert verdict(tally(hours_ago=25, failed=1)).failed == 0
    assert verdict(tally(hours_ago=-1, failed=1)).failed == 0


def restore(**outcomes: int) -> Tally:
    return replace(tally(**outcomes, run_hours_ago=None), kind=JobKind.RESTORE)


def test_a_kind_on_demand_that_nobody_asked_for_has_no_health() -> None:
    assert judge(restore(), NOW, INTERVAL, held_too_long=False) is None
    assert judge(restore(cancelled=1), NOW, INTERVAL, held_too_long=False) is None


def test_upkeep_is_expected_once_it_has_begun() -> None:
    never = replace(tally(run_hours_ago=None), kind=JobKind.VERIFY)
    assert judge(never, NOW, INTERVAL, held_too_long=False) is None
    assert verdict(replace(never, unfinished=1)).health is Health.UNKNOWN
    stopped = replace(never, last_run_at=NOW - timedelta(days=3))
    assert verdict(stopped).reason is Reason.NO_RUN_IN_INTERVAL


def test_drills_have_an_interval_of_their_own() -> None:
    expected = Expected(runs=timedelta(hours=26), drills=timedelta(days=8))
    assert expected.of(JobKind.RESTORE_DRILL) == timedelta(days=8)
    assert {expected.of(kind) for kind in JobKind if kind is not JobKind.RESTORE_DRILL} == {timedelta(hours=26)}


def test_a_kind_on_demand_is_judged_by_what_ended() -> None:
    assert verdict(replace(restore(succeeded=1), last_run_at=NOW)).health is Health.HEALTHY
    assert verdict(restore(failed=1)).health is Health.CRITICAL


def test_a_job_on_demand_is_unknown_until_it_ends() -> None:
    running = replace(restore(), unfinished=1)
    assert verdict(running).health is Health.UNKNOWN
    assert verdict(running, held_too_long=True).reason is Reason.HELD_TOO_LONG
