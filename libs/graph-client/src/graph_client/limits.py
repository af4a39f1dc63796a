"""The table of Outlook's limits, and the pace at which processes share them.

Figures: Exchange Online grants an app, per mailbox, 4 concurrent requests, 10,000 requests in 10 minutes and 150 MB of
uploads in 5 minutes (concepts/throttling-limits). Throttled calls count as well.
"""

import random
from dataclasses import dataclass

REQUESTS = "requests"
UPLOAD_BYTES = "upload_bytes"


@dataclass(frozen=True, slots=True)
class Limits:
    """The table of limits. `time_scale` shortens (or stretches) windows and back-off, for simulators and tests.

    `window` in seconds; `max_wait` (seconds) is how long a call may be held back before it ends in Throttled.
    """

    concurrency: int = 4
    requests: int = 10_000
    window: float = 600.0
    upload_bytes: int = 150_000_000
    upload_window: float = 300.0
    time_scale: float = 1.0
    max_wait: float = 30.0
    backoff_base: float = 0.5
    backoff_cap: float = 20.0
    slices: int = 60
    portions: int = 50

    def backoff(self, failures: int, rng: random.Random) -> float:
        """Give the jittered exponential pause (seconds) after so many failures in a row, 1 or more."""
        ceiling = min(self.backoff_cap, self.backoff_base * 2.0 ** (min(failures, 30) - 1))
        return ceiling * rng.uniform(0.5, 1.0) * self.time_scale

    def meters(self) -> dict[str, tuple[int, float]]:
        """Give limit and window (scaled seconds) of what is counted, by name."""
        return {
            REQUESTS: (self.requests, self.window * self.time_scale),
            UPLOAD_BYTES: (self.upload_bytes, self.upload_window * self.time_scale),
        }

    def portion(self, meter: str) -> int:
        """Give how much of a meter is granted at a time: a small part, but enough to keep every place busy."""
        return max(self.meters()[meter][0] // self.portions, 4 * self.concurrency)

    @property
    def lease(self) -> float:
        """Seconds a process keeps its share without renewing it; what it dies with is free again afterwards."""
        return max(1.0, 3.0 * self.time_scale)

    @property
    def renewal(self) -> float:
        """Seconds between two draws of a mailbox in use, and until a 429 met by one process stops the others."""
        return self.lease / 3
