"""Retention is calendar arithmetic, decided once: nothing that comes later, forged or not, makes it shorter."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backup_engine.errors import InvalidRetention
from backup_engine.retention import GFS, PRESETS, Earlier, Period, Retained, Scheme, Span, decide, lock_until

moments = st.datetimes(datetime(2000, 1, 1), datetime(2150, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - zoned there
periods = st.one_of(
    st.integers(1, 3660).map(lambda n: f"{n}d"),
    st.integers(1, 120).map(lambda n: f"{n}m"),
    st.integers(1, 10).map(lambda n: f"{n}y"),
    st.integers(1, 10).map(lambda n: f"hgb-{n}y"),
).map(Period.parse)
schemes = st.builds(
    lambda every, chosen: Scheme(every, tuple((span, chosen[span]) for span in Span if span in chosen)),
    periods,
    st.dictionaries(st.sampled_from(Span), periods),
)
earlier = st.lists(st.builds(Earlier, moments, moments, st.booleans()), max_size=8)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("period", "start", "end"),
    [
        ("30d", "2026-02-10T08:00", "2026-03-12T08:00"),
        ("90d", "2026-03-02T08:04", "2026-05-31T08:04"),
        ("1y", "2026-03-02T08:04", "2027-03-02T08:04"),
        ("1y", "2024-02-29T08:04", "2025-03-01T00:00"),  # the year has no 29 February: the end of that month
        ("8y", "2024-02-29T08:04", "2032-02-29T08:04"),
        ("1m", "2026-01-31T23:00", "2026-03-01T00:00"),
        ("1m", "2024-01-30T23:00", "2024-03-01T00:00"),
        ("1m", "2024-01-29T23:00", "2024-02-29T23:00"),
        ("3m", "2026-01-31T12:00", "2026-05-01T00:00"),
        ("12m", "2026-12-31T12:00", "2027-12-31T12:00"),
        ("10y", "2026-11-22T10:00", "2036-11-22T10:00"),
        ("hgb-10y", "2026-01-01T00:00", "2037-01-01T00:00"),
        ("hgb-6y", "2026-12-31T23:59", "2033-01-01T00:00"),
    ],
)
def test_the_calendar_decides(period: str, start: str, end: str) -> None:
    assert Period.parse(period).end(at(start)) == at(end)


def test_the_zone_of_the_clock_does_not_matter() -> None:
    berlin = datetime.fromisoformat("2026-01-01T00:30+01:00")
    assert Period.parse("hgb-6y").end(berlin) == at("2032-01-01")
    with pytest.raises(ValueError, match="time zone"):
        Period.parse("6y").end(datetime(2026, 1, 1))  # noqa: DTZ001 - what is refused


@pytest.mark.parametrize("text", ["", "0d", "-1d", "1w", "d", "1", "4000d", "121m", "11y", "hgb-30d", "hgb-11y", "1٣d"])
def test_a_period_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InvalidRetention):
        Period.parse(text)


@pytest.mark.parametrize("text", ["30d,hourly=1y", "30d,monthly", "30d,monthly=1y,monthly=2y", "monthly=1y", "30d,"])
def test_a_scheme_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InvalidRetention):
        Scheme.parse(text)


@given(schemes)
def test_text_and_scheme_say_the_same(scheme: Scheme) -> None:
    assert Scheme.parse(str(scheme)) == scheme


def test_presets_and_the_offered_scheme_are_readable() -> None:
    assert [str(Scheme.parse(text)) for text in (*PRESETS, GFS)] == [*PRESETS, GFS]


@given(periods, moments, moments)
def test_later_restore_points_never_expire_earlier(period: Period, one: datetime, other: datetime) -> None:
    first, second = sorted((one, other))
    assert first < period.end(first) <= period.end(second)


@given(periods, periods, moments)
def test_a_period_that_covers_another_never_ends_before_it(one: Period, other: Period, start: datetime) -> None:
    start = start.replace(year=2024 + start.year % 4, day=min(start.day, 28))
    if one.covers(other):
        assert one.end(start) >= other.end(start)


def test_covering_is_judged_on_the_worst_day() -> None:
    year, days = Period.parse("1y"), Period.parse("365d")
    assert year.covers(days)
    assert not days.covers(year)  # a leap year has 366
    assert Period.parse("hgb-6y").covers(Period.parse("6y"))


@given(schemes, moments, st.booleans(), earlier)
def test_no_other_restore_point_forged_or_not_makes_one_expire_below_its_period(
    scheme: Scheme,
    taken_at: datetime,
    complete: bool,  # noqa: FBT001 - hypothesis hands it over
    others: list[Earlier],
) -> None:
    kept = decide(scheme, taken_at, complete=complete, earlier=others)
    assert kept == decide(scheme, taken_at, complete=complete, earlier=reversed(others))
    assert kept.expires_at >= scheme.every.end(taken_at)
    assert kept.expires_at <= max([scheme.every.end(taken_at), *(p.end(taken_at) for _, p in scheme.first_of)])


@given(schemes, moments, earlier)
def test_what_was_decided_never_depends_on_what_comes_after(
    scheme: Scheme, taken_at: datetime, others: list[Earlier]
) -> None:
    before = [one for one in others if one.taken_at <= taken_at]
    kept = decide(scheme, taken_at, complete=True, earlier=others)
    assert kept == decide(scheme, taken_at, complete=True, earlier=before)


def history(scheme: Scheme, moments: list[datetime], partial: set[int] = frozenset()) -> list[Retained]:  # type: ignore[assignment] # an empty frozenset is a set nobody changes
    found: list[Retained] = []
    known: list[Earlier] = []
    for n, moment in enumerate(moments):
        kept = decide(scheme, moment, complete=n not in partial, earlier=known)
        known.append(Earlier(moment, kept.expires_at, n not in partial))
        found.append(kept)
    return found


def test_the_first_of_each_week_month_and_year_is_kept_longest() -> None:
    days = [at("2026-01-01T02:00") + timedelta(days=n) for n in range(3 * 365)]
    classes = [kept.name for kept in history(Scheme.parse(GFS), days)]
    yearly = [day for day, name in zip(days, classes, strict=True) if name == "yearly=10y"]
    monthly = [day for day, name in zip(days, classes, strict=True) if name == "monthly=1y"]
    weekly = [day for day, name in zip(days, classes, strict=True) if name == "weekly=90d"]
    assert [(day.year, day.month, day.day) for day in yearly] == [(2026, 1, 1), (2027, 1, 1), (2028, 1, 1)]
    assert [(day.month, day.day) for day in monthly] == [(month, 1) for month in range(2, 13)] * 3
    assert {day.weekday() for day in weekly} == {0}
    # Every Monday that is not the first of a month, in a week that begins no month either.
    assert len(weekly) == sum(day.weekday() == 0 and day.day != 1 for day in days)
    assert classes.count("30d") == len(days) - len(yearly) - len(monthly) - len(weekly)


def test_several_a_day_make_one_daily() -> None:
    hours = [at("2026-05-05T01:00") + timedelta(hours=6 * n) for n in range(8)]
    classes = [kept.name for kept in history(Scheme.parse("30d,daily=90d"), hours)]
    assert classes == ["daily=90d", "30d", "30d", "30d"] * 2


def test_a_partial_one_stands_in_until_a_complete_one_comes() -> None:
    days = [at("2026-05-01T02:00") + timedelta(days=n) for n in range(5)]
    classes = [kept.name for kept in history(Scheme.parse("30d,monthly=1y"), days, partial={0, 1, 3})]
    assert classes == ["monthly=1y", "30d", "monthly=1y", "30d", "30d"]


def test_a_longer_rule_takes_effect_in_the_running_span() -> None:
    first = history(Scheme.parse("30d,yearly=3y"), [at("2026-01-05")])[0]
    known = [Earlier(at("2026-01-05"), first.expires_at, complete=True)]
    longer = decide(Scheme.parse("30d,yearly=10y"), at("2026-06-01"), complete=True, earlier=known)
    assert longer.name == "yearly=10y"


@given(moments)
def test_locks_end_with_the_month_of_the_expiry(expires_at: datetime) -> None:
    until = lock_until(expires_at)
    assert until >= expires_at
    assert until - expires_at < timedelta(days=31)
    assert until == lock_until(until) == Span.MONTHLY.start(until)
