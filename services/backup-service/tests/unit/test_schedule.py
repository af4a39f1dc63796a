"""Strikes of schedules: each local day once, whatever the clocks do."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backup_service.domain.mail import Mailbox
from backup_service.domain.schedule import InvalidSchedule, Schedule
from backup_service.domain.scope import Scope

BERLIN = ZoneInfo("Europe/Berlin")
ANNA = Mailbox("7f6a", "Anna@Sales.Contoso.example")
# Clocks that jump an hour, half an hour, at midnight; one that left out a whole day of 2011.
ZONES = ("Europe/Berlin", "Australia/Lord_Howe", "America/Santiago", "Asia/Tehran", "Pacific/Apia", "UTC")


def strikes(text: str, zone: str, since: datetime, count: int) -> list[datetime]:
    schedule, found = Schedule.parse(text, zone), list[datetime]()
    for _ in range(count):
        since = schedule.next_after(since)
        found.append(since)
    return found


def test_a_time_that_the_clocks_skip_strikes_right_after_the_gap() -> None:
    night = strikes("daily 02:30", "Europe/Berlin", datetime(2026, 3, 28, 12, tzinfo=BERLIN), 2)
    assert [one.astimezone(BERLIN).isoformat() for one in night] == [
        "2026-03-29T03:00:00+02:00",
        "2026-03-30T02:30:00+02:00",
    ]


def test_a_time_that_the_clocks_show_twice_strikes_once() -> None:
    night = strikes("daily 02:30", "Europe/Berlin", datetime(2026, 10, 24, 12, tzinfo=BERLIN), 2)
    assert [one.astimezone(BERLIN).isoformat() for one in night] == [
        "2026-10-25T02:30:00+02:00",
        "2026-10-26T02:30:00+01:00",
    ]


@settings(max_examples=40)
@given(
    zone=st.sampled_from(ZONES),
    start=st.dates(date(2010, 1, 1), date(2030, 1, 1)),
    at=st.times().map(lambda time: f"{time.hour:02}:{time.minute:02}"),
)
def test_every_local_day_gets_one_strike(zone: str, start: date, at: str) -> None:
    begin = datetime(start.year, start.month, start.day, tzinfo=ZoneInfo(zone)) - timedelta(minutes=1)
    found = strikes(f"daily {at}", zone, begin, 40)
    assert all(later > earlier for earlier, later in pairwise(found))
    days = [one.astimezone(ZoneInfo(zone)).date() for one in found]
    assert len(set(days)) == len(days)
    missing = {days[0] + timedelta(n) for n in range((days[-1] - days[0]).days)} - set(days)
    assert all(never_was(day, zone) for day in missing)


def test_a_day_that_never_was_does_not_strike_on_the_day_after_it() -> None:
    night = strikes("daily 00:01", "Pacific/Apia", datetime(2011, 12, 28, 12, tzinfo=ZoneInfo("Pacific/Apia")), 3)
    assert [one.astimezone(ZoneInfo("Pacific/Apia")).date().isoformat() for one in night] == [
        "2011-12-29",
        "2011-12-31",
        "2012-01-01",
    ]


def never_was(day: date, zone: str) -> bool:
    """True for a day that the clocks of a zone left out."""
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=ZoneInfo(zone))
    return noon.astimezone(UTC).astimezone(ZoneInfo(zone)).date() != day


@pytest.mark.parametrize(
    ("text", "cron"),
    [
        ("daily", "0 2 * * *"),
        ("Daily 23:05", "5 23 * * *"),
        ("weekly sunday", "0 2 * * 0"),
        ("weekly Friday 18:30", "30 18 * * 5"),
        ("*/15 8-18 * * MON-FRI", "*/15 8-18 * * mon-fri"),
    ],
)
def test_what_people_write_is_a_cron_expression(text: str, cron: str) -> None:
    assert Schedule.parse(text, "UTC").cron == cron


@pytest.mark.parametrize(
    ("text", "zone", "says"),
    [
        ("daily 25:00", "UTC", "25:00 is no time of day"),
        ("weekly someday", "UTC", "is no schedule"),
        ("0 2 * *", "UTC", "is no schedule"),
        ("0 2 30 2 *", "UTC", "ever strikes"),
        ("99 2 * * *", "UTC", "ever strikes"),
        ("daily", "Europe/Nowhere", "is no time zone"),
        ("daily", "../etc/passwd", "is no time zone"),
    ],
)
def test_what_is_no_schedule_says_what_to_write(text: str, zone: str, says: str) -> None:
    with pytest.raises(InvalidSchedule, match=says):
        Schedule.parse(text, zone)


@pytest.mark.parametrize(
    ("include", "exclude", "covered"),
    [
        ((), (), True),
        (("anna@sales.contoso.example",), (), True),
        (("*@sales.contoso.example",), (), True),
        (("7F6A",), (), True),
        (("*@contoso.example",), (), False),
        ((), ("*@SALES.*",), False),
        (("anna@*",), ("7f6a",), False),
    ],
)
def test_who_is_excluded_is_out_included_or_not(
    *, include: tuple[str, ...], exclude: tuple[str, ...], covered: bool
) -> None:
    assert Scope(include, exclude).covers(ANNA) is covered
