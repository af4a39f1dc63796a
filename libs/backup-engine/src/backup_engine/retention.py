"""How long a restore point is kept: decided once, at its commit, by the calendar in UTC (format, section 13).

Nothing here counts restore points: a rule like "keep the last n" lets whoever can write push good ones out.
"""

import enum
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from backup_engine.errors import InvalidRetention

_PERIOD = re.compile(r"(?P<legal>hgb-)?(?P<count>[1-9][0-9]{0,3})(?P<unit>[dmy])")
_LONGEST = {"d": 3660, "m": 120, "y": 10}
_LEAP_CYCLE = [datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=day) for day in range(4 * 365 + 1)]


@dataclass(frozen=True, slots=True)
class Period:
    """`90d`, `18m`, `6y`: days, months, years from the restore point on; `hgb-6y`: years from the end of its year."""

    count: int
    unit: str  # d, m or y
    from_year_end: bool = False

    @classmethod
    def parse(cls, text: str) -> "Period":
        """Raises InvalidRetention, also for more than ten years."""
        match = _PERIOD.fullmatch(text)
        if match is None or (match["legal"] and match["unit"] != "y"):
            raise InvalidRetention(f"not a period: {text!r}; write 90d, 18m, 6y or hgb-6y")
        count, unit = int(match["count"]), match["unit"]
        if count > _LONGEST[unit]:
            raise InvalidRetention(f"{text} is longer than ten years ({_LONGEST[unit]}{unit})")
        return cls(count, unit, bool(match["legal"]))

    def __str__(self) -> str:
        return f"{'hgb-' if self.from_year_end else ''}{self.count}{self.unit}"

    def end(self, start: datetime) -> datetime:
        """When a restore point of `start` expires; never earlier for a later `start`.

        A day that the last month lacks (31 April, 29 February) is the end of that month: its last instant.
        """
        start = _utc(start)
        if self.unit == "d":
            return start + timedelta(days=self.count)
        if self.from_year_end:
            # § 257 HGB and § 147 AO let the period begin at the end of the calendar year.
            return datetime(start.year + 1 + self.count, 1, 1, tzinfo=UTC)
        return _months_later(start, self.count * (12 if self.unit == "y" else 1))

    def covers(self, other: "Period") -> bool:
        """True when it never ends before `other`, whatever day it starts (every day of a leap cycle is tried)."""
        return all(self.end(day) >= other.end(day) for day in _LEAP_CYCLE)


class Span(enum.StrEnum):
    """Whose first restore point a scheme may keep longer."""

    DAILY = "daily"
    WEEKLY = "weekly"  # from Monday
    MONTHLY = "monthly"
    YEARLY = "yearly"

    def start(self, moment: datetime) -> datetime:
        """The first instant, in UTC, of the day, week, month or year of `moment`."""
        day = _utc(moment).replace(hour=0, minute=0, second=0, microsecond=0)
        match self:
            case Span.DAILY:
                return day
            case Span.WEEKLY:
                return day - timedelta(days=day.weekday())
            case Span.MONTHLY:
                return day.replace(day=1)
            case Span.YEARLY:
                return day.replace(month=1, day=1)


@dataclass(frozen=True, slots=True)
class Scheme:
    """`90d` keeps every restore point 90 days; `30d,monthly=1y,yearly=10y` the first of each month and year longer."""

    every: Period
    first_of: tuple[tuple[Span, Period], ...] = ()  # in order of Span

    @classmethod
    def parse(cls, text: str) -> "Scheme":
        """Raises InvalidRetention."""
        every, *promotions = text.split(",")
        found: dict[Span, Period] = {}
        for promotion in promotions:
            name, _, period = promotion.partition("=")
            if name not in set(Span) or Span(name) in found:
                raise InvalidRetention(f"{promotion!r} is none of {', '.join(Span)} followed by =PERIOD, each once")
            found[Span(name)] = Period.parse(period)
        return cls(Period.parse(every), tuple((span, found[span]) for span in Span if span in found))

    def __str__(self) -> str:
        return ",".join([str(self.every), *(f"{span}={period}" for span, period in self.first_of)])


PRESETS = ("30d", "90d", "1y", "3y", "6y", "8y", "10y")
GFS = "30d,weekly=90d,monthly=1y,yearly=10y"


@dataclass(frozen=True, slots=True)
class Retained:
    """What is fixed at commit. `name` says which rule it was: `90d`, `monthly=1y`, `floor=1y`."""

    name: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Earlier:
    """What a decision needs to know of a restore point the shard already has."""

    taken_at: datetime
    expires_at: datetime
    complete: bool


def decide(scheme: Scheme, taken_at: datetime, *, complete: bool, earlier: Iterable[Earlier]) -> Retained:
    """The class of a new restore point: the longest of the rules it falls under.

    It is the first of a span unless an earlier complete one of the same span is kept at least as long as the rule
    says. A partial one is enough to stand for the span of another partial one, never for that of a complete one.
    Whatever `earlier` says, forged or not, the result is never below `scheme.every`.
    """
    taken_at = _utc(taken_at)
    known = [one for one in earlier if one.taken_at <= taken_at and (one.complete or not complete)]
    choices = [Retained(str(scheme.every), scheme.every.end(taken_at))]
    for span, period in scheme.first_of:
        start = span.start(taken_at)
        if not any(one.taken_at >= start and one.expires_at >= period.end(one.taken_at) for one in known):
            choices.append(Retained(f"{span}={period}", period.end(taken_at)))
    return max(choices, key=lambda choice: choice.expires_at)


def lock_until(expires_at: datetime) -> datetime:
    """The end of the month of `expires_at`, so that a pack in use is locked anew once a month, not at every backup."""
    moment = _utc(expires_at)
    start = Span.MONTHLY.start(moment)
    return start if start == moment else _months_later(start, 1)


def _months_later(moment: datetime, months: int) -> datetime:
    years, month = divmod(moment.month - 1 + months, 12)
    try:
        return moment.replace(year=moment.year + years, month=month + 1)
    except ValueError:
        # No such day: the end of that month is the first instant of the next one.
        first = moment.replace(year=moment.year + years, month=month + 1, day=1)
        return _months_later(Span.MONTHLY.start(first), 1)


def _utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("a moment without a time zone")
    return moment.astimezone(UTC)
