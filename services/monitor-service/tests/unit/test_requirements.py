"""Rows of the product's requirements that monitor-service keeps: B6 to B9 and B16."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest

from contracts.names import (
    AdminRole,
    Answer,
    Health,
    JobKind,
    PermissionFinding,
    PermissionKind,
    Profile,
    ReviewKind,
    TokenStatus,
)
from contracts.permissions import PermissionCheck, PermissionState, ProfileView
from contracts.review_texts import REVIEW_ANSWERS, REVIEW_MEASURES, REVIEW_SUBJECTS
from contracts.reviews import ReviewAnswer, ReviewSubject
from contracts.texts import HEALTH
from contracts.views import TokenView
from monitor_service.domain import reviews
from monitor_service.domain.health import judge
from monitor_service.usecases import record_events

GOOD, BAD, UNKNOWN = ReviewAnswer.GOOD, ReviewAnswer.BAD, ReviewAnswer.UNKNOWN
NOW_MINUTES = 60 * 24 * 60
"""The reviews of these tests look back from sixty days after the first event."""


def token(status: TokenStatus = TokenStatus.ACTIVE, **fields: Any) -> TokenView:
    return TokenView(tenant="contoso", profile=Profile.EXCHANGE_BACKUP, status=status, client_id="app", **fields)


async def ended(ledger: Any, events: Sequence[Any], scope: str, now: Any) -> Sequence[Any]:
    await record_events(ledger, events)
    return await ledger.ended("contoso", scope, now - 2 * reviews.TREND)


@pytest.fixture
def now(event: Callable[..., Any]) -> Any:
    return event("queued", minutes=NOW_MINUTES).at


def test_R_B6_the_daily_review_asks_whether_a_job_class_is_critical() -> None:
    healthy = reviews.job_health({JobKind.BACKUP: (Health.HEALTHY, "")})
    critical = reviews.job_health(
        {JobKind.BACKUP: (Health.CRITICAL, "failures"), JobKind.RESTORE: (Health.HEALTHY, "")}
    )
    unknown = reviews.job_health({JobKind.BACKUP: (Health.UNKNOWN, "no_run_in_interval")})
    assert [one.answer for one in (healthy, critical, unknown, reviews.job_health({}))] == [GOOD, BAD, UNKNOWN, UNKNOWN]
    assert critical.facts["backup"] == "critical: failures"
    assert not reviews.asks_person(ReviewKind.DAILY, [healthy])
    assert reviews.asks_person(ReviewKind.DAILY, [critical])
    assert reviews.asks_person(ReviewKind.DAILY, [unknown])


async def test_R_B6_the_daily_review_names_errors_the_week_before_did_not_have(
    ledger: Any, event: Callable[..., Any], now: Any
) -> None:
    hour, week = NOW_MINUTES - 60, NOW_MINUTES - 3 * 24 * 60
    jobs = [
        event("failed", "old", 2, minutes=week, error="rate_limited"),
        event("failed", "again", 2, minutes=hour, error="rate_limited"),
        event("failed", "new-1", 2, minutes=hour, error="storage_denied"),
        event("failed", "new-2", 2, minutes=hour, error="storage_denied"),
        event("succeeded", "fine", 2, minutes=hour),
        event("failed", "theirs", 2, minutes=hour, error="integrity", tenant="fabrikam"),
    ]
    check = reviews.new_errors(await ended(ledger, jobs, "job", now), now)
    assert (check.answer, check.facts) == (BAD, {"backup/storage_denied": "2"})
    assert REVIEW_MEASURES[check.subject].de == "sofort handeln"
    assert reviews.new_errors([], now).answer is GOOD


def test_R_B7_the_weekly_review_asks_whether_the_token_is_active_and_when_it_ends(now: Any) -> None:
    soon = now + timedelta(hours=1)
    status, end = reviews.token_checks([token(expires_at=soon)], now)
    assert (status.answer, end.answer, end.facts["exchange-backup"][:10]) == (GOOD, GOOD, f"{soon:%Y-%m-%d}")
    for gone in (TokenStatus.EXPIRED, TokenStatus.CONSENT_REQUIRED, TokenStatus.EXPIRING):
        status, end = reviews.token_checks([token(gone, expires_at=now - timedelta(hours=1))], now)
        assert (status.answer, end.answer) == (BAD, BAD)
        assert status.facts == {"exchange-backup": gone.value}
    assert REVIEW_MEASURES[ReviewSubject.TOKEN_STATUS].en == "renew or regenerate the token"


def test_R_B7_what_is_not_known_of_a_token_is_never_good(now: Any) -> None:
    off = token(TokenStatus.DEACTIVATED)
    for seen in (None, [], [off], [token(TokenStatus.UNKNOWN)]):
        checks = reviews.token_checks(seen, now)
        assert [check.answer for check in checks] == [UNKNOWN, UNKNOWN]
        assert reviews.asks_person(ReviewKind.WEEKLY, checks)
    checks = reviews.token_checks([token(expires_at=now + timedelta(hours=1)), off], now)
    assert [check.answer for check in checks] == [GOOD, GOOD]


def profile(now: Any, in_order: Answer, *, days: float = 1, client: str | None = "app", **check: Any) -> ProfileView:
    checked = PermissionCheck(
        tenant="contoso",
        profile=Profile.EXCHANGE_BACKUP,
        checked_at=now - timedelta(days=days),
        in_order=in_order,
        **check,
    )
    return ProfileView(
        tenant="contoso", profile=Profile.EXCHANGE_BACKUP, status=TokenStatus.ACTIVE, in_use=True, client_id=client,
        consent_role=AdminRole.PRIVILEGED_ROLE_ADMINISTRATOR, registration_role=AdminRole.APPLICATION_ADMINISTRATOR,
        check=checked,
    )  # fmt: skip


def test_R_B8_the_monthly_review_asks_for_the_permissions_and_always_a_person(now: Any) -> None:
    missing = PermissionState(name="Mail.Read", kind=PermissionKind.APPLICATION, finding=PermissionFinding.MISSING)
    good = reviews.permissions([profile(now, Answer.YES)], now)
    bad = reviews.permissions([profile(now, Answer.YES), profile(now, Answer.NO, permissions=(missing,))], now)
    assert (good.answer, bad.answer, bad.facts) == (GOOD, BAD, {"exchange-backup": "Mail.Read: missing"})
    nothing_known = (
        [profile(now, Answer.UNKNOWN, detail="grants cannot be read")],
        [profile(now, Answer.YES, days=9)],
        [profile(now, Answer.YES, client=None)],
        [],
        None,
    )
    assert {reviews.permissions(told, now).answer for told in nothing_known} == {UNKNOWN}
    assert reviews.asks_person(ReviewKind.MONTHLY, [good])


@pytest.mark.parametrize(("failed", "health"), [(9, Health.HEALTHY), (10, Health.CRITICAL), (11, Health.CRITICAL)])
async def test_R_B9_ten_percent_failures_are_critical_and_less_are_healthy(
    ledger: Any, event: Callable[..., Any], failed: int, health: Health
) -> None:
    jobs = [event("failed" if n < failed else "succeeded", f"job-{n}", 2) for n in range(100)]
    run = event("succeeded", "run-1", 2, scope="run")
    await record_events(ledger, [*jobs, run])
    tally = await ledger.tally("contoso", JobKind.BACKUP)
    verdict = judge(tally, run.at + timedelta(minutes=1), timedelta(days=1), held_too_long=False)
    assert verdict is not None
    assert verdict.health is health


async def test_R_B9_without_a_run_in_the_interval_it_is_unknown_and_each_has_its_word(
    ledger: Any, event: Callable[..., Any]
) -> None:
    run = event("succeeded", "run-1", 2, scope="run")
    await record_events(ledger, [run])
    tally = await ledger.tally("contoso", JobKind.BACKUP)
    verdict = judge(tally, run.at + timedelta(days=2), timedelta(days=1), held_too_long=False)
    assert verdict is not None
    assert verdict.health is Health.UNKNOWN
    assert {health: text.de for health, text in HEALTH.items()} == {
        Health.HEALTHY: "Gesund", Health.CRITICAL: "Kritisch", Health.UNKNOWN: "Unbekannt",
    }  # fmt: skip


async def test_R_B16_rising_run_times_rising_errors_and_recurring_problems_are_found(
    ledger: Any, event: Callable[..., Any], now: Any
) -> None:
    day = 24 * 60
    runs = [
        event("succeeded", f"early-{n}", 2, minutes=(10 + n) * day, scope="run", duration=100.0) for n in range(5)
    ] + [event("succeeded", f"late-{n}", 2, minutes=(40 + n) * day, scope="run", duration=200.0) for n in range(5)]
    runs += [
        event("failed", f"bad-{n}", 2, minutes=(50 + n) * day, scope="run", duration=200.0, error="storage_denied")
        for n in range(3)
    ]
    times, errors, again = reviews.trends(await ended(ledger, runs, "run", now), now)
    assert (times.answer, times.facts) == (BAD, {"backup": "100 s → 200 s"})
    assert (errors.answer, errors.facts) == (BAD, {"backup": "0% → 38%"})
    assert (again.answer, again.facts) == (BAD, {"backup/storage_denied": "3"})
    assert [REVIEW_MEASURES[one.subject].en for one in (times, errors, again)] == [
        "possibly more data", "find the cause", "find a fundamental solution",
    ]  # fmt: skip


async def test_R_B16_a_tenant_without_a_past_has_no_trend(ledger: Any, event: Callable[..., Any], now: Any) -> None:
    runs = [event("failed", f"r{n}", 2, minutes=NOW_MINUTES - 60, scope="run", duration=9e9) for n in range(2)]
    checks = reviews.trends(await ended(ledger, runs, "run", now), now)
    assert [check.answer for check in checks] == [GOOD, GOOD, GOOD]


def test_every_subject_and_answer_has_its_words_in_both_languages() -> None:
    texts = [*REVIEW_SUBJECTS.values(), *REVIEW_MEASURES.values(), *REVIEW_ANSWERS.values()]
    assert set(REVIEW_SUBJECTS) == set(REVIEW_MEASURES) == set(ReviewSubject)
    assert all(text.en and text.de for text in texts)
