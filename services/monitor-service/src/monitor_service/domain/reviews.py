"""When reviews are due, and what is good, bad or unknown in them."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from statistics import median
from zoneinfo import ZoneInfo

from contracts.names import Answer, Health, JobKind, JobState, ReviewKind, TokenStatus
from contracts.permissions import PermissionCheck, ProfileView
from contracts.reviews import ReviewAnswer, ReviewCheck, ReviewSubject
from contracts.views import TokenView
from monitor_service.domain.entry import Entry

NEW = timedelta(days=1)
KNOWN = timedelta(days=8)
"""An error is new when it happened in the last day and not in the week before."""

TREND = timedelta(days=28)
"""Length of each of the two periods that a trend compares."""

_FEW = 3
"""With fewer runs than this in a period nothing can be said about it."""
_SLOWER = 1.5
_MORE_ERRORS = 0.1
_BAD_STATUSES = frozenset({TokenStatus.EXPIRED, TokenStatus.CONSENT_REQUIRED, TokenStatus.EXPIRING})


@dataclass(frozen=True)
class ReviewPlan:
    """When reviews strike: at this local hour, weekly on Mondays, monthly on the first; and how long people have."""

    zone: ZoneInfo
    hour: int
    within: dict[ReviewKind, timedelta]


@dataclass(frozen=True)
class Strike:
    """One period of one kind: its review has this id, whoever makes it."""

    kind: ReviewKind
    id: str
    at: datetime


def latest_strikes(plan: ReviewPlan, now: datetime) -> tuple[Strike, ...]:
    """The newest strike of each kind: what was missed while nobody looked strikes once."""
    day = _day(plan, now)
    monday, first = day - timedelta(days=day.weekday()), day.replace(day=1)
    return (
        Strike(ReviewKind.DAILY, f"daily-{day}", _at(plan, day)),
        Strike(ReviewKind.WEEKLY, f"weekly-{monday}", _at(plan, monday)),
        Strike(ReviewKind.MONTHLY, f"monthly-{first:%Y-%m}", _at(plan, first)),
    )


def next_strike(plan: ReviewPlan, now: datetime) -> datetime:
    """The first strike after `now`; every weekly and monthly one is a daily one, too."""
    return _at(plan, _day(plan, now) + timedelta(days=1))


def _day(plan: ReviewPlan, now: datetime) -> date:
    """The local day whose strike was the last one."""
    day = now.astimezone(plan.zone).date()
    return day if _at(plan, day) <= now else day - timedelta(days=1)


def _at(plan: ReviewPlan, day: date) -> datetime:
    return datetime.combine(day, time(plan.hour), plan.zone).astimezone(UTC)


def asks_person(kind: ReviewKind, checks: Iterable[ReviewCheck]) -> bool:
    """The monthly one always: that the permissions are those that were meant, no service can know."""
    return kind is ReviewKind.MONTHLY or any(check.answer is not ReviewAnswer.GOOD for check in checks)


def job_health(healths: dict[JobKind, tuple[Health, str]]) -> ReviewCheck:
    """Health of the job classes with the reason, as the ledger judges it; those nobody asked for are not among them."""
    facts = {
        kind.value: health.value if not why else f"{health.value}: {why}" for kind, (health, why) in healths.items()
    }
    found = {health for health, _ in healths.values()}
    if Health.CRITICAL in found:
        return ReviewCheck(subject=ReviewSubject.JOB_HEALTH, answer=ReviewAnswer.BAD, facts=facts)
    known = bool(found) and Health.UNKNOWN not in found
    answer = ReviewAnswer.GOOD if known else ReviewAnswer.UNKNOWN
    return ReviewCheck(subject=ReviewSubject.JOB_HEALTH, answer=answer, facts=facts)


def new_errors(jobs: Iterable[Entry], now: datetime) -> ReviewCheck:
    """Error classes of failed jobs of the last day that the week before did not have, with their number."""
    fresh: dict[str, int] = defaultdict(int)
    known = set()
    for job in jobs:
        if job.state is JobState.FAILED and job.error is not None:
            name = f"{job.kind.value}/{job.error.value}"
            if job.changed_at > now - NEW:
                fresh[name] += 1
            else:
                known.add(name)
    facts = {name: str(count) for name, count in sorted(fresh.items()) if name not in known}
    return _check(ReviewSubject.NEW_ERRORS, facts)


def token_checks(tokens: Sequence[TokenView] | None, now: datetime) -> tuple[ReviewCheck, ReviewCheck]:
    """Whether the tokens in use are active, and when they end; None: token-service could not say."""
    used = _used(tokens)
    status = _worst(
        ReviewSubject.TOKEN_STATUS, {token.profile.value: (_status(token), token.status.value) for token in used}
    )
    ends = {token.profile.value: (_end(token, now), _moment(token.expires_at)) for token in used}
    return status, _worst(ReviewSubject.TOKEN_END, ends)


def permissions(profiles: Sequence[ProfileView] | None, now: datetime) -> ReviewCheck:
    """What token-service's own check of each app in use last found; a check of long ago says nothing about today."""
    used = [one for one in profiles or () if one.client_id is not None and one.status is not TokenStatus.DEACTIVATED]
    return _worst(ReviewSubject.PERMISSIONS, {one.profile.value: _permitted(one.check, now) for one in used})


def trends(runs: Sequence[Entry], now: datetime) -> tuple[ReviewCheck, ...]:
    """Run times, errors and recurring errors of the last four weeks, against the four before.

    Run times that rise: possibly more data. Errors that rise: find the cause. The same again and again: a fundamental
    solution is missing.
    """
    slower: dict[str, str] = {}
    failing: dict[str, str] = {}
    again: dict[str, str] = {}
    for kind in JobKind:
        of_kind = [run for run in runs if run.kind is kind and run.state.finished]
        late = [run for run in of_kind if run.changed_at > now - TREND]
        early = [run for run in of_kind if run.changed_at <= now - TREND]
        again |= _recurring(kind, late)
        if len(early) >= _FEW and len(late) >= _FEW:
            slower |= _slower(kind, early, late)
            failing |= _failing(kind, early, late)
    return (
        _check(ReviewSubject.RUN_TIMES, slower),
        _check(ReviewSubject.ERROR_RATE, failing),
        _check(ReviewSubject.RECURRENCE, again),
    )


def _slower(kind: JobKind, early: Sequence[Entry], late: Sequence[Entry]) -> dict[str, str]:
    before, after = ([run.duration for run in runs if run.duration is not None] for runs in (early, late))
    if len(before) < _FEW or len(after) < _FEW or median(after) < _SLOWER * max(median(before), 1.0):
        return {}
    return {kind.value: f"{median(before):.0f} s → {median(after):.0f} s"}


def _failing(kind: JobKind, early: Sequence[Entry], late: Sequence[Entry]) -> dict[str, str]:
    before, after = (sum(run.state is JobState.FAILED for run in runs) / len(runs) for runs in (early, late))
    return {kind.value: f"{before:.0%} → {after:.0%}"} if after > before + _MORE_ERRORS else {}


def _recurring(kind: JobKind, late: Sequence[Entry]) -> dict[str, str]:
    counts: dict[str, int] = defaultdict(int)
    for run in late:
        if run.state is JobState.FAILED and run.error is not None:
            counts[run.error.value] += 1
    return {f"{kind.value}/{error}": str(count) for error, count in sorted(counts.items()) if count >= _FEW}


def _check(subject: ReviewSubject, found: dict[str, str]) -> ReviewCheck:
    """Bad when anything was found."""
    return ReviewCheck(subject=subject, answer=ReviewAnswer.BAD if found else ReviewAnswer.GOOD, facts=found)


def _used(tokens: Sequence[TokenView] | None) -> list[TokenView]:
    """Profiles with an app; one that somebody switched off on purpose is not in use."""
    off = TokenStatus.DEACTIVATED
    return [token for token in tokens or () if token.client_id is not None and token.status is not off]


def _worst(subject: ReviewSubject, found: dict[str, tuple[ReviewAnswer, str]]) -> ReviewCheck:
    """The worst answer stands for all; without any profile nothing is known."""
    answers = {answer for answer, _ in found.values()} or {ReviewAnswer.UNKNOWN}
    order = (ReviewAnswer.BAD, ReviewAnswer.UNKNOWN, ReviewAnswer.GOOD)
    answer = next(one for one in order if one in answers)
    return ReviewCheck(subject=subject, answer=answer, facts={name: fact for name, (_, fact) in found.items()})


def _status(token: TokenView) -> ReviewAnswer:
    if token.status is TokenStatus.ACTIVE:
        return ReviewAnswer.GOOD
    return ReviewAnswer.BAD if token.status in _BAD_STATUSES else ReviewAnswer.UNKNOWN


def _end(token: TokenView, now: datetime) -> ReviewAnswer:
    """It renews itself long before it ends: one that ended was not renewed."""
    if token.expires_at is None:
        return ReviewAnswer.UNKNOWN
    return ReviewAnswer.GOOD if token.expires_at > now else ReviewAnswer.BAD


def _permitted(check: PermissionCheck, now: datetime) -> tuple[ReviewAnswer, str]:
    if check.checked_at is None or check.checked_at <= now - KNOWN:
        return ReviewAnswer.UNKNOWN, "not checked" if check.checked_at is None else _moment(check.checked_at)
    if check.in_order is Answer.YES:
        return ReviewAnswer.GOOD, _moment(check.checked_at)
    found = ", ".join(f"{one.name}: {one.finding.value}" for one in check.permissions if one.finding is not None)
    bad = check.in_order is Answer.NO
    return ReviewAnswer.BAD if bad else ReviewAnswer.UNKNOWN, found or check.detail


def _moment(at: datetime | None) -> str:
    return "" if at is None else at.astimezone(UTC).isoformat(timespec="minutes")
