"""Numbers and moments as people read them."""

from datetime import datetime

_UNITS = ("B", "KB", "MB", "GB", "TB")
_STEP = 1000
_MINUTE = 60
_HOUR = 3600


def size(count: float) -> str:
    """Bytes in decimal units: 1500000 → 1.5 MB."""
    unit = 0
    while count >= _STEP and unit < len(_UNITS) - 1:
        count, unit = count / _STEP, unit + 1
    return f"{count:.0f} {_UNITS[unit]}" if unit == 0 else f"{count:.1f} {_UNITS[unit]}"


def duration(seconds: float) -> str:
    """42.3 s, 3 min 20 s, 2 h 5 min."""
    if seconds < _MINUTE:
        return f"{seconds:.1f} s"
    whole = int(seconds)
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE} s"
    return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE} min"


def between(start: datetime | None, end: datetime | None) -> str:
    """Time from start to end, empty while one is missing."""
    return "" if start is None or end is None else duration((end - start).total_seconds())


def moment(at: datetime | None) -> str:
    """Local time to the second, empty for None."""
    return "" if at is None else at.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def percent(part: float | None) -> str:
    """A ratio as a percentage; unknown is shown as such."""
    return "–" if part is None else f"{part * 100:.1f} %"


def coverage(covered: int, denominator: int) -> str:
    """Never a percentage without its denominator."""
    return f"{covered}/{denominator}"
