"""Make reviews when they are due, say once when nobody looked in time, and take down that somebody did."""

from collections.abc import Awaitable, Sequence
from typing import TypeVar

import structlog

from chassis.clock import Clock
from contracts.auditing import AuditAction, recorded
from contracts.caller import Caller
from contracts.events import ReviewDue, ReviewOverdue
from contracts.names import ReviewKind
from contracts.operations.reviews import CompleteReview
from contracts.problem import ProblemError, not_found
from contracts.reviews import Review, ReviewCheck, ReviewState
from monitor_service.domain import reviews as domain
from monitor_service.domain.health import Expected
from monitor_service.domain.reviews import ReviewPlan, Strike
from monitor_service.ports import Ledger
from monitor_service.ports.reviews import Reviews, Tokens
from monitor_service.usecases import read_health

log = structlog.get_logger()

T = TypeVar("T")


class KeepReviews:
    """Any number of replicas may do it at once: the id of a review is derived from its period."""

    def __init__(
        self, reviews: Reviews, ledger: Ledger, tokens: Tokens, clock: Clock, *, plan: ReviewPlan, expected: Expected
    ) -> None:
        self._reviews = reviews
        self._ledger = ledger
        self._tokens = tokens
        self._clock = clock
        self._plan = plan
        self._expected = expected

    async def due(self) -> int:
        """Make the reviews whose time has come; returns of how many tenants."""
        now = self._clock.now()
        enrolments = await self._reviews.due(now)
        for enrolment in enrolments:
            for strike in domain.latest_strikes(self._plan, now):
                if strike.at > enrolment.since and not await self._reviews.known(enrolment.tenant, strike.id):
                    await self._make(enrolment.tenant, strike)
            # Last: a process that dies before this makes the reviews again, which are known then.
            await self._reviews.looked(enrolment, domain.next_strike(self._plan, now))
        return len(enrolments)

    async def overdue(self) -> int:
        """Say of open reviews that their time is over; returns of how many."""
        now = self._clock.now()
        late = await self._reviews.overdue(now)
        for review in late:
            event = ReviewOverdue(
                tenant=review.tenant,
                at=now,
                review=review.id,
                kind=review.kind,
                owner=review.owner,
                until=review.overdue_at,
            )
            await self._reviews.mark_overdue(review, [event])
        return len(late)

    async def complete(self, tenant: str, question: CompleteReview, caller: Caller) -> Review:
        """A person has looked. The first one counts. Raises ProblemError: not found."""
        review = await self._reviews.get(tenant, question.id)
        if review is None:
            raise not_found("review")
        if review.state is ReviewState.OPEN:
            now = self._clock.now()
            told = {"completed_at": now, "completed_by": caller.subject, "note": question.note}
            done = review.model_copy(update={"state": ReviewState.DONE, **told})
            event = recorded(
                AuditAction.REVIEW_COMPLETE,
                review.id,
                tenant=tenant,
                caller=caller,
                at=now,
                after={"note": question.note},
            )
            await self._reviews.complete(done, [event])
        return await self._reviews.get(tenant, question.id) or review

    async def _make(self, tenant: str, strike: Strike) -> None:
        now = self._clock.now()
        checks = await self._checks(tenant, strike.kind)
        asks = domain.asks_person(strike.kind, checks)
        review = Review(
            tenant=tenant,
            id=strike.id,
            kind=strike.kind,
            due_at=now,
            overdue_at=now + self._plan.within[strike.kind],
            state=ReviewState.OPEN if asks else ReviewState.DONE,
            checks=checks,
            completed_at=None if asks else now,
            completed_by="" if asks else "service:monitor-service",
        )
        event = ReviewDue(
            tenant=tenant,
            at=now,
            review=review.id,
            kind=review.kind,
            owner=review.owner,
            until=review.overdue_at,
        )
        await self._reviews.add(review, [event] if asks else [])
        log.info("review made", tenant=tenant, review=review.id, state=review.state.value)

    async def _checks(self, tenant: str, kind: ReviewKind) -> tuple[ReviewCheck, ...]:
        now = self._clock.now()
        match kind:
            case ReviewKind.DAILY:
                healths = await read_health(self._ledger, self._clock, self._expected, tenant)
                judged = {h.tally.kind: (h.verdict.health, h.verdict.reason.value) for h in healths if h.verdict}
                jobs = await self._ledger.ended(tenant, "job", now - domain.KNOWN)
                return domain.job_health(judged), domain.new_errors(jobs, now)
            case ReviewKind.WEEKLY:
                return domain.token_checks(await self._told(self._tokens.tokens(tenant)), now)
            case ReviewKind.MONTHLY:
                runs = await self._ledger.ended(tenant, "run", now - 2 * domain.TREND)
                profiles = await self._told(self._tokens.profiles(tenant))
                return domain.permissions(profiles, now), *domain.trends(runs, now)

    async def _told(self, asked: Awaitable[Sequence[T]]) -> Sequence[T] | None:
        """None when token-service does not say: unknown is an answer, and a person is asked."""
        try:
            return await asked
        except ProblemError as error:
            log.warning("a review cannot look at tokens", reason=error.problem.code)
            return None
