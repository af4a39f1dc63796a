"""Time as the commands see it, so that tests need not wait."""

import threading
import time
from typing import Protocol


class Clock(Protocol):
    """Seconds that only grow, and a pause."""

    def now(self) -> float:
        """Seconds since some fixed moment."""
        ...

    def pause(self, seconds: float) -> None:
        """Return after `seconds`; Ctrl-C ends it early."""
        ...


class SystemClock:
    """The machine's own."""

    def __init__(self) -> None:
        self._never = threading.Event()

    def now(self) -> float:
        return time.monotonic()

    def pause(self, seconds: float) -> None:
        self._never.wait(seconds)
