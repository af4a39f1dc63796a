"""Health of one tenant and job kind: good, bad or unknown, never a green that nobody proved."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from fractions import Fraction

from contracts.names import Health, JobKind, UpkeepKind
from monitor_service.domain.entry import Outcome
from monitor_service.domain.tally import Tally, in_window

WINDOW = timedelta(hours=24)
CRITICAL_RATIO = Fraction(1, 10)
"""Exact: one failure among ten is critical, whatever a float makes of a tenth."""
ON_DEMAND = frozenset({JobKind.RESTORE, JobKind.SYNC})
"""Kinds that nobody expects at intervals, or not everywhere: a tenant may do without scheduled syncs. They have a
health only while there is something to judge."""

UPKEEP = frozenset(kind.job for kind in UpkeepKind)
"""Kinds that run by themselves once a tenant has a storage target: until then there is nothing to judge."""

CLOCK_TOLERANCE = timedelta(minutes=5)
"""How far ahead of ours the clock of a worker may be."""


class Reason(StrEnum):
    """Why health is not green; a code, not a text."""

    NONE = ""
    FAILURES = "failures"
    NO_RUN_IN_INTERVAL = "no_run_in_interval"
    HELD_TOO_LONG = "held_too_long"
    CLOCK_AHEAD = "clock_ahead"


@dataclass(frozen=True)
class Verdict:
    """Counts are jobs of the window; ratios are None without one. Cancelled jobs are in no figure."""

    health: Health
    reason: Reason
    succeeded: int
    partial: int
    failed: int

    @property
    def finished(self) -> int:
        """The denominator of both ratios."""
        return self.succeeded + self.partial + self.failed

    @property
    def failure_ratio(self) -> float | None:
        return self.failed / self.finished if self.finished else None

    @property
    def partial_ratio(self) -> float | None:
        return self.partial / self.finished if self.finished else None


@dataclass(frozen=True)
class Expected:
    """The time in which at least one run has to finish: of a restore drill, and of every other kind."""

    runs: timedelta
    drills: timedelta

    def of(self, kind: JobKind) -> timedelta:
        return self.drills if kind is JobKind.RESTORE_DRILL else self.runs


def judge(tally: Tally, now: datetime, interval: timedelta, *, held_too_long: bool) -> Verdict | None:
    """Judge the last 24 hours. `interval` is the time in which at least one run has to finish.

    Known failures win over missing knowledge: critical is never hidden behind unknown. None for a kind on demand that
    nobody asked for: it is neither good nor bad, and a standing "unknown" would teach people to look away.
    """
    outcomes = in_window(tally, now, WINDOW)
    failed = outcomes[Outcome.FAILED]
    finished = failed + outcomes[Outcome.SUCCEEDED] + outcomes[Outcome.PARTIAL]
    if _nobody_asked(tally, finished):
        return None
    missing = _missing(tally, now, interval, held_too_long=held_too_long)
    if failed and failed >= CRITICAL_RATIO * finished:
        health, reason = Health.CRITICAL, Reason.FAILURES
    elif missing is not Reason.NONE:
        health, reason = Health.UNKNOWN, missing
    else:
        health, reason = Health.HEALTHY, Reason.NONE
    return Verdict(health, reason, outcomes[Outcome.SUCCEEDED], outcomes[Outcome.PARTIAL], failed)


def _nobody_asked(tally: Tally, finished: int) -> bool:
    if finished or tally.unfinished:
        return False
    return tally.kind in ON_DEMAND or (tally.kind in UPKEEP and tally.last_run_at is None)


def _missing(tally: Tally, now: datetime, interval: timedelta, *, held_too_long: bool) -> Reason:
    """Why green would not be proven; NONE when it is."""
    if held_too_long:
        return Reason.HELD_TOO_LONG
    if tally.last_run_at is None or tally.last_run_at < now - interval:
        return Reason.NO_RUN_IN_INTERVAL
    return Reason.CLOCK_AHEAD if tally.last_run_at > now + CLOCK_TOLERANCE else Reason.NONE
