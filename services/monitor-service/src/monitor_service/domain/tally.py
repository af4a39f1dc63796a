"""The sums of one tenant and job kind: what metrics and health are read from, without looking at single jobs."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from contracts.events import JobEvent
from contracts.names import HoldReason, JobKind
from monitor_service.domain.entry import Entry, EntryKey, Finish, Outcome, key_of, record

KEPT_HOURS = 48
"""Hours with a finish that are kept for windows; health looks at 25 of them."""

Outcomes = Mapping[Outcome, int]

NO_OUTCOMES: Outcomes = dict.fromkeys(Outcome, 0)


@dataclass(frozen=True)
class Tally:
    """Sums of the jobs of `tenant` and `kind`; `revision` grows by one with every change.

    `finished` counts jobs since the beginning and never shrinks. `hours` counts them by the hour of the event, the
    key being the hour's first moment. `unfinished` counts the jobs that wait or run now, `held` those of them that are
    held. The last two fields are about runs.
    """

    tenant: str
    kind: JobKind
    revision: int = 0
    finished: Outcomes = field(default_factory=lambda: dict(NO_OUTCOMES))
    hours: Mapping[datetime, Outcomes] = field(default_factory=dict)
    unfinished: int = 0
    held: Mapping[HoldReason, int] = field(default_factory=lambda: dict.fromkeys(HoldReason, 0))
    last_run_at: datetime | None = None
    last_success_at: datetime | None = None


@dataclass(frozen=True)
class Change:
    """One step of the ledger: the tally after it and the entries it changed. Both are saved or neither is."""

    tally: Tally
    entries: tuple[Entry, ...]


def recorded(tally: Tally, entries: Mapping[EntryKey, Entry], events: Iterable[JobEvent]) -> tuple[Change | None, int]:
    """The change that `events` of this tenant and kind make, and how many of them told something new.

    `entries` holds what the ledger knows of the jobs and runs named by the events.
    """
    before = dict(entries)
    after = dict(entries)
    applied = 0
    for event in events:
        key = key_of(event)
        told = record(after.get(key), event)
        applied += told != after.get(key)
        after[key] = told
    changed = [entry for key, entry in after.items() if before.get(key) != entry]
    if not changed:
        return None, 0
    for entry in changed:
        tally = _added(tally, before.get(entry.key), entry)
    return Change(replace(tally, revision=tally.revision + 1), tuple(changed)), applied


def in_window(tally: Tally, now: datetime, window: timedelta) -> Outcomes:
    """Jobs by outcome whose end lies in the last `window`, to the hour: the hour it began in counts whole."""
    since = hour_of(now - window)
    total = dict(NO_OUTCOMES)
    for hour, outcomes in tally.hours.items():
        if since <= hour <= now:
            for outcome, count in outcomes.items():
                total[outcome] += count
    return total


def hour_of(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def _added(tally: Tally, before: Entry | None, after: Entry) -> Tally:
    known = before.finishes if before is not None else ()
    finishes = [finish for finish in after.finishes if finish not in known]
    if after.key.scope == "run":
        return _with_run_ends(tally, finishes)
    tally = replace(tally, unfinished=tally.unfinished + _unfinished(after) - _unfinished(before))
    return _with_holds(_with_job_ends(tally, finishes), before.hold if before else None, after.hold)


def _unfinished(entry: Entry | None) -> int:
    return int(entry is not None and not entry.state.finished)


def _with_run_ends(tally: Tally, finishes: Iterable[Finish]) -> Tally:
    ends = [finish for finish in finishes if finish.outcome is not Outcome.CANCELLED]
    successes = [finish for finish in ends if finish.outcome is Outcome.SUCCEEDED]
    return replace(
        tally,
        last_run_at=_latest(tally.last_run_at, ends),
        last_success_at=_latest(tally.last_success_at, successes),
    )


def _latest(known: datetime | None, finishes: Iterable[Finish]) -> datetime | None:
    return max((moment for moment in (known, *(finish.at for finish in finishes)) if moment is not None), default=None)


def _with_job_ends(tally: Tally, finishes: Iterable[Finish]) -> Tally:
    finished = dict(tally.finished)
    hours = {hour: dict(outcomes) for hour, outcomes in tally.hours.items()}
    for finish in finishes:
        finished[finish.outcome] += 1
        outcomes = hours.setdefault(hour_of(finish.at), dict(NO_OUTCOMES))
        outcomes[finish.outcome] += 1
    return replace(tally, finished=finished, hours=_newest(hours))


def _newest(hours: Mapping[datetime, Outcomes]) -> Mapping[datetime, Outcomes]:
    """Cut by number, not by the clock: what is cut once has newer hours for ever, so the order does not matter."""
    return {hour: hours[hour] for hour in sorted(hours)[-KEPT_HOURS:]}


def _with_holds(tally: Tally, before: HoldReason | None, after: HoldReason | None) -> Tally:
    if before is after:
        return tally
    held = dict(tally.held)
    if before is not None:
        held[before] -= 1
    if after is not None:
        held[after] += 1
    return replace(tally, held=held)
