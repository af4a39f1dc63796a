"""`tenantkeep review`: what was checked, what to do, and that somebody looked."""

import json
from typing import Any

import pytest

from contracts.names import ReviewKind
from contracts.reviews import Review, ReviewAnswer, ReviewCheck, ReviewState, ReviewSubject


@pytest.fixture
def reviewed(signed_in: Any) -> Any:
    checks = (
        ReviewCheck(subject=ReviewSubject.JOB_HEALTH, answer=ReviewAnswer.BAD, facts={"backup": "critical: failures"}),
        ReviewCheck(subject=ReviewSubject.NEW_ERRORS, answer=ReviewAnswer.GOOD),
    )
    times = {"due_at": "2026-03-02T07:00:00Z", "overdue_at": "2026-03-03T07:00:00Z"}
    waiting = Review(
        tenant="contoso", id="daily-2026-03-02", kind=ReviewKind.DAILY, state=ReviewState.OPEN, checks=checks,
        overdue=True, **times,
    )  # fmt: skip
    done = Review(
        tenant="contoso", id="weekly-2026-03-02", kind=ReviewKind.WEEKLY, state=ReviewState.DONE, checks=(),
        completed_by="service:monitor-service", completed_at="2026-03-02T07:00:00Z", **times,
    )  # fmt: skip
    signed_in.reviews = [waiting, done]
    return signed_in


def test_reviews_are_listed_and_those_that_wait_alone(reviewed: Any, tenantkeep: Any) -> None:
    listed = tenantkeep("review", "list").output
    assert "overdue" in listed
    assert "service:monitor-service" in listed
    waiting = json.loads(tenantkeep("review", "list", "--open", "--json").output)["items"]
    assert [review["id"] for review in waiting] == ["daily-2026-03-02"]


def test_a_review_says_what_it_found_and_what_to_do(reviewed: Any, tenantkeep: Any) -> None:
    shown = tenantkeep("review", "show", "daily-2026-03-02", "--lang", "de").output
    for text in ("Ist eine Auftragsart kritisch?", "Schlecht", "backup: critical: failures", "sofort untersuchen"):
        assert text in shown
    assert "sofort handeln" not in shown


def test_a_person_says_that_they_have_looked(reviewed: Any, tenantkeep: Any) -> None:
    done = tenantkeep("review", "done", "daily-2026-03-02", "--note", "retried")
    assert done.output == "daily-2026-03-02: done by operator.\n"
    assert reviewed.bodies[-1][1] == {"note": "retried"}
