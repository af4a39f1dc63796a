from itertools import islice
from typing import Any

import pytest

from graph_simulator.recurrence import RecurrenceInvalidError, checked, days


def series(start: str, limit: int = 6, *, end: dict[str, Any] | None = None, **pattern: Any) -> list[str]:
    span = {"type": "noEnd", "startDate": start, **(end or {})}
    full = checked({"pattern": {"interval": 1, **pattern}, "range": span})
    return [day.isoformat() for day in islice(days(full), limit)]


def test_every_pattern() -> None:
    assert series("2026-01-30", 3, type="daily", interval=2) == ["2026-01-30", "2026-02-01", "2026-02-03"]
    assert series("2026-01-05", 4, type="weekly", daysOfWeek=["monday", "thursday"], interval=2) == [
        "2026-01-05",
        "2026-01-08",
        "2026-01-19",
        "2026-01-22",
    ]
    assert series("2026-01-15", 2, type="absoluteMonthly", dayOfMonth=15) == ["2026-01-15", "2026-02-15"]
    assert series("2026-01-01", 3, type="relativeMonthly", daysOfWeek=["friday"], index="last") == [
        "2026-01-30",
        "2026-02-27",
        "2026-03-27",
    ]
    assert series("2026-03-01", 2, type="absoluteYearly", dayOfMonth=3, month=10) == ["2026-10-03", "2027-10-03"]
    assert series("2026-01-01", 2, type="relativeYearly", daysOfWeek=["sunday"], index="second", month=5) == [
        "2026-05-10",
        "2027-05-09",
    ]


def test_a_short_month_gives_its_last_day() -> None:
    assert series("2026-01-31", 4, type="absoluteMonthly", dayOfMonth=31) == [
        "2026-01-31",
        "2026-02-28",
        "2026-03-31",
        "2026-04-30",
    ]
    assert series("2024-02-29", 3, type="absoluteYearly", dayOfMonth=29, month=2) == [
        "2024-02-29",
        "2025-02-28",
        "2026-02-28",
    ]


def test_the_last_working_day_and_the_first_day_of_the_week() -> None:
    weekdays = ["monday", "tuesday", "wednesday", "thursday", "friday"]
    assert series("2026-01-01", 2, type="relativeMonthly", daysOfWeek=weekdays, index="last") == [
        "2026-01-30",
        "2026-02-27",
    ]
    every_other = {"type": "weekly", "interval": 2, "daysOfWeek": ["sunday", "tuesday"]}
    assert series("2026-01-06", 3, **every_other, firstDayOfWeek="monday") == ["2026-01-06", "2026-01-11", "2026-01-20"]
    assert series("2026-01-06", 3, **every_other, firstDayOfWeek="sunday") == ["2026-01-06", "2026-01-18", "2026-01-20"]


def test_every_range() -> None:
    assert len(series("2026-01-01", 99, type="daily", end={"type": "numbered", "numberOfOccurrences": 5})) == 5
    ended = series("2026-01-01", 99, type="daily", end={"type": "endDate", "endDate": "2026-01-04"})
    assert ended[-1] == "2026-01-04"


@pytest.mark.parametrize(
    ("pattern", "span"),
    [
        ({"type": "hourly"}, {}),
        ({"type": "daily", "interval": 0}, {}),
        ({"type": "weekly"}, {}),
        ({"type": "absoluteMonthly", "dayOfMonth": 32}, {}),
        ({"type": "daily"}, {"type": "numbered", "numberOfOccurrences": 0}),
        ({"type": "daily"}, {"type": "endDate", "endDate": "2025-01-01"}),
        ({"type": "daily"}, {"type": "sometimes"}),
    ],
)
def test_what_makes_no_sense_is_refused(pattern: dict[str, Any], span: dict[str, Any]) -> None:
    with pytest.raises(RecurrenceInvalidError):
        series("2026-01-01", **{**pattern, "end": span})
