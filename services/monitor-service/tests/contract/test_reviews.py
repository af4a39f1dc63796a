"""Reviews: one per tenant, kind and period, whoever makes them; what waits for a person is said, and said once more."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from chassis.testing.clock import ManualClock
from contracts.caller import Caller
from contracts.names import Profile, ReviewKind, TokenStatus
from contracts.operations.reviews import CompleteReview
from contracts.permissions import ProfileView
from contracts.problem import ProblemError, unavailable
from contracts.reviews import Review, ReviewAnswer, ReviewState
from contracts.views import TokenView
from monitor_service.adapters.mongo_reviews import MongoReviews
from monitor_service.domain.health import Expected
from monitor_service.domain.reviews import ReviewPlan, latest_strikes, next_strike
from monitor_service.ports.reviews import Reviews
from monitor_service.usecases.reviews import KeepReviews

DAY = 86_400.0
PLAN = ReviewPlan(
    ZoneInfo("Europe/Berlin"),
    7,
    {ReviewKind.DAILY: timedelta(days=1), ReviewKind.WEEKLY: timedelta(days=3), ReviewKind.MONTHLY: timedelta(days=7)},
)
ANNA = Caller("anna", ("admin",), "r1")


class Tokens:
    """token-service, as a test wants it."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self.away = False

    async def profiles(self, tenant: str) -> Sequence[ProfileView]:
        if self.away:
            raise unavailable("token-service does not answer")
        return []

    async def tokens(self, tenant: str) -> Sequence[TokenView]:
        if self.away:
            raise unavailable("token-service does not answer")
        now = self._clock.now()
        return [
            TokenView(
                tenant=tenant, profile=Profile.EXCHANGE_BACKUP, status=TokenStatus.ACTIVE, client_id="app",
                expires_at=now + timedelta(hours=1),
            )
        ]  # fmt: skip


class Desk:
    def __init__(self, reviews: Any, ledger: Any) -> None:
        self.clock = ManualClock()  # Monday 2 March 2026, 8:00 UTC
        self.reviews, self.tokens = reviews, Tokens(self.clock)
        self.ledger = ledger
        self.keep = self.replica(reviews)

    def replica(self, reviews: Any) -> KeepReviews:
        expected = Expected(timedelta(days=2), timedelta(days=9))
        return KeepReviews(reviews, self.ledger, self.tokens, self.clock, plan=PLAN, expected=expected)

    async def all(self, tenant: str = "contoso", *, open_only: bool = False) -> list[Review]:
        return list((await self.reviews.page(tenant, None, 500, open_only=open_only)).items)

    async def days(self, count: int) -> None:
        for _ in range(count):
            await self.clock.advance(DAY)
            await self.keep.due()


@pytest.fixture
async def desk(reviews: Reviews, memory_ledger: Any) -> Desk:
    made = Desk(reviews, memory_ledger())
    await reviews.enrol("contoso", made.clock.now())
    return made


async def test_reviews_are_made_daily_on_mondays_and_on_the_first(desk: Desk) -> None:
    await desk.keep.due()
    assert await desk.all() == []  # the strikes before the tenant was known are nobody's
    await desk.days(30)  # until 1 April
    kinds = Counter(review.kind for review in await desk.all())
    assert kinds == {ReviewKind.DAILY: 30, ReviewKind.WEEKLY: 4, ReviewKind.MONTHLY: 1}
    assert await desk.keep.due() == 0


async def test_strikes_that_were_missed_happen_once(desk: Desk) -> None:
    await desk.clock.advance(40 * DAY)
    await desk.keep.due()
    assert sorted(review.id for review in await desk.all()) == [
        "daily-2026-04-11",
        "monthly-2026-04",
        "weekly-2026-04-06",
    ]


async def test_a_review_is_made_once_by_any_number_of_replicas(
    open_database: Callable[[], Any], memory_ledger: Any
) -> None:
    stores = [await MongoReviews.open(open_database()) for _ in range(3)]
    desk = Desk(stores[0], memory_ledger())
    await stores[0].enrol("contoso", desk.clock.now())
    await desk.clock.advance(DAY)
    await asyncio.gather(*(desk.replica(store).due() for store in stores))
    assert [review.id for review in await desk.all()] == ["daily-2026-03-03"]
    documents = await stores[0].collection.find({}).to_list(None)
    assert [len(document["pending"]) for document in documents] == [1]


async def test_one_that_died_before_it_was_through_is_made_by_the_next(desk: Desk, monkeypatch: Any) -> None:
    class Died(BaseException):
        """Stands for kill -9."""

    async def die(*_: Any) -> None:
        raise Died

    await desk.clock.advance(7 * DAY)
    for step in ("add", "looked"):
        with monkeypatch.context() as patch:
            patch.setattr(desk.reviews, step, die)
            with pytest.raises(Died):
                await desk.keep.due()
    await desk.keep.due()
    assert sorted(review.id for review in await desk.all()) == ["daily-2026-03-09", "weekly-2026-03-09"]
    assert len(await desk.reviews.announced()) == 1  # the daily one: nobody knows how the jobs are


async def test_what_waits_for_a_person_is_said_and_once_more_when_it_is_late(desk: Desk) -> None:
    await desk.days(1)
    (review,) = await desk.all(open_only=True)
    assert (review.kind, review.overdue_at - review.due_at) == (ReviewKind.DAILY, timedelta(days=1))
    assert await desk.keep.overdue() == 0
    await desk.clock.advance(DAY)
    assert [await desk.keep.overdue() for _ in range(3)] == [1, 0, 0]
    assert [event.NAME for event in await desk.reviews.announced()] == ["due", "overdue"]
    assert (await desk.all())[0].overdue


async def test_a_person_completes_it_once_and_it_is_recorded(desk: Desk) -> None:
    await desk.days(1)
    (review,) = await desk.all()
    wish = CompleteReview(id=review.id, note="jobs were off over the holiday")
    done = await desk.keep.complete("contoso", wish, ANNA)
    assert (done.state, done.completed_by, done.note) == (ReviewState.DONE, "anna", wish.note)
    again = await desk.keep.complete("contoso", CompleteReview(id=review.id, note="x"), Caller("ben", (), "r2"))
    assert again == done
    await desk.clock.advance(2 * DAY)
    assert await desk.keep.overdue() == 0
    due, told = await desk.reviews.announced()
    assert (due.NAME, told.action, told.actor, told.after) == ("due", "review.complete", "anna", {"note": wish.note})
    with pytest.raises(ProblemError, match="not-found"):
        await desk.keep.complete("fabrikam", wish, ANNA)


async def test_what_found_nothing_for_a_person_is_done_from_the_start(desk: Desk) -> None:
    await desk.days(7)
    weekly = next(review for review in await desk.all() if review.kind is ReviewKind.WEEKLY)
    assert (weekly.state, weekly.completed_by) == (ReviewState.DONE, "service:monitor-service")


async def test_a_token_service_that_is_silent_leaves_unknown_and_asks_a_person(desk: Desk) -> None:
    desk.tokens.away = True
    await desk.days(7)
    weekly = next(review for review in await desk.all() if review.kind is ReviewKind.WEEKLY)
    assert weekly.state is ReviewState.OPEN
    assert {check.answer for check in weekly.checks} == {ReviewAnswer.UNKNOWN}


async def test_tenants_do_not_see_each_others_reviews(desk: Desk) -> None:
    await desk.days(1)
    assert await desk.all("fabrikam") == []
    assert await desk.reviews.get("fabrikam", "daily-2026-03-03") is None


async def test_pages_are_newest_first_and_meet_every_review_once(desk: Desk) -> None:
    await desk.days(8)
    whole = [review.id for review in await desk.all()]
    found, cursor = [], None
    for _ in range(20):
        page = await desk.reviews.page("contoso", cursor, 2, open_only=False)
        found += [review.id for review in page.items]
        cursor = page.cursor
        if cursor is None:
            break
    assert found == whole
    assert len(set(found)) == 9


@pytest.mark.parametrize("day", ["2026-03-29", "2026-10-25"])
def test_a_day_with_a_clock_change_has_one_strike(day: str) -> None:
    midnight = datetime.fromisoformat(day).replace(tzinfo=UTC) - timedelta(hours=6)
    moments = [midnight + timedelta(minutes=30 * n) for n in range(96)]
    strikes = {latest_strikes(PLAN, moment)[0].id for moment in moments}
    assert f"daily-{day}" in strikes
    assert len(strikes) == 3
    assert all(moment < next_strike(PLAN, moment) <= moment + timedelta(hours=26) for moment in moments)
