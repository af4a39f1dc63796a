"""When a schedule strikes, in its own time zone: each local day once, whatever the clocks do there."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

_DAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")


class InvalidSchedule(ValueError):
    """The text is no schedule, or the time zone is none; the message says which and what to write."""


@dataclass(frozen=True)
class Schedule:
    """A cron expression in a time zone.

    A time the clocks skip strikes right after the gap; a time they show twice strikes the first time only. Expressions
    with `*` or a step in the hour strike in every hour that passes.
    """

    cron: str
    zone: ZoneInfo

    @classmethod
    def parse(cls, text: str, time_zone: str) -> "Schedule":
        """`daily`, `daily 02:00`, `weekly sunday 02:00` or five cron fields. Raises InvalidSchedule."""
        try:
            zone = ZoneInfo(time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise InvalidSchedule(f"{time_zone} is no time zone: write one such as Europe/Berlin or UTC") from None
        cron = _cron(text)
        try:
            next(CronSim(cron, datetime(2026, 1, 1, tzinfo=zone)))
        except (CronSimError, StopIteration):
            raise InvalidSchedule(
                f"{text} is no schedule that ever strikes: write daily 02:00, weekly sunday 02:00 or five cron fields"
            ) from None
        return cls(cron, zone)

    def next_after(self, moment: datetime) -> datetime:
        """The first strike later than `moment` (aware), in UTC."""
        cron = CronSim(self.cron, moment.astimezone(self.zone))
        strike: datetime = next(cron)
        if self._lost_a_day(strike) and not (strike.minute in cron.minutes and strike.hour in cron.hours):
            strike = next(cron)  # that was the strike of the day that never was
        return strike.astimezone(UTC)

    def _lost_a_day(self, strike: datetime) -> bool:
        """Say whether a whole local day is missing right before it, as when a country crosses the date line."""
        before = (strike.astimezone(UTC) - timedelta(seconds=1)).astimezone(self.zone)
        return strike.date() - before.date() > timedelta(days=1)


def _cron(text: str) -> str:
    words = text.lower().split()
    match words:
        case ["daily"]:
            return _at("02:00", "*")
        case ["daily", clock]:
            return _at(clock, "*")
        case ["weekly", day] if day in _DAYS:
            return _at("02:00", str(_DAYS.index(day)))
        case ["weekly", day, clock] if day in _DAYS:
            return _at(clock, str(_DAYS.index(day)))
        case [_, _, _, _, _]:
            return " ".join(words)
    raise InvalidSchedule(f"{text} is no schedule: write daily 02:00, weekly sunday 02:00 or five cron fields")


def _at(clock: str, day: str) -> str:
    try:
        at = datetime.strptime(clock, "%H:%M")  # noqa: DTZ007 - a time of day, of no date
    except ValueError:
        raise InvalidSchedule(f"{clock} is no time of day: write 02:00") from None
    return f"{at.minute} {at.hour} * * {day}"
