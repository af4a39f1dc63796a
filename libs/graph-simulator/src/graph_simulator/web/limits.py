"""Outlook's limits on one app in one mailbox: requests at a time, requests and uploaded bytes in a sliding window.

https://learn.microsoft.com/graph/throttling-limits. Refused requests count as well, so knocking early costs.
"""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic

from starlette.responses import Response

from graph_simulator.web.problems import json_response

RETRY_AFTER = 1.0
_UPLOADING = frozenset({"PATCH", "POST", "PUT"})


@dataclass(frozen=True, slots=True)
class OutlookLimits:
    """The published table; windows in seconds, multiplied by `time_scale`. A limit of 0 admits everybody."""

    concurrency: int = 4
    requests: int = 10_000
    window: float = 600.0
    upload_bytes: int = 150_000_000
    upload_window: float = 300.0
    time_scale: float = 1.0


@dataclass(frozen=True, slots=True)
class Consumer:
    """Whom a request counts against."""

    app: str
    mailbox: str


@dataclass(slots=True)
class SlidingWindow:
    """Exact: every amount counts for `seconds` from its own instant."""

    limit: int
    seconds: float
    most: int = 0
    _used: int = 0
    _entries: deque[tuple[float, int]] = field(default_factory=deque)

    def spend(self, amount: int, now: float) -> float:
        """Count `amount`; return the seconds until that much would fit, 0 when it does now."""
        while self._entries and self._entries[0][0] + self.seconds <= now:
            self._used -= self._entries.popleft()[1]
        self._entries.append((now, amount))
        self._used += amount
        self.most = max(self.most, self._used)
        if not self.limit or self._used <= self.limit:
            return 0.0
        left = self._used
        for start, spent in self._entries:
            left -= spent
            if left + amount <= self.limit:
                return start + self.seconds - now
        return self.seconds


@dataclass(slots=True)
class _Use:
    requests: SlidingWindow
    uploads: SlidingWindow
    under_way: int = 0
    most_under_way: int = 0
    throttled: int = 0


class Ticket:
    """One request of a consumer. `refusal` is the answer that keeps it out, None when it is admitted."""

    def __init__(self, use: _Use | None, refusal: Response | None) -> None:
        self._use = use
        self.refusal = refusal

    def leave(self) -> None:
        """Stop counting the request as under way; a second call does nothing."""
        if self._use is not None:
            self._use.under_way -= 1
            self._use = None


class OutlookThrottle:
    """Keeps the limits, and the highest use it has seen of each."""

    def __init__(self, limits: OutlookLimits, clock: Callable[[], float] = monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._uses: dict[Consumer, _Use] = {}

    def enter(self, consumer: Consumer | None, method: str, size: int) -> Ticket:
        """Count a request with a body of `size` bytes; without a consumer there is no limit."""
        if consumer is None:
            return Ticket(None, None)
        use = self._uses.get(consumer)
        if use is None:
            use = self._uses[consumer] = self._fresh()
        now = self._clock()
        use.under_way += 1
        use.most_under_way = max(use.most_under_way, use.under_way)
        refusal: Response | None = None
        if wait := use.requests.spend(1, now):
            refusal = _throttled("Application is over its request limit of this mailbox.", wait)
        if method in _UPLOADING and (wait := use.uploads.spend(size, now)):
            refusal = _throttled("Application is over its upload limit of this mailbox.", wait)
        if self._limits.concurrency and use.under_way > self._limits.concurrency:
            refusal = _throttled("Application is over its MailboxConcurrency limit.", self._pause())
        use.throttled += refusal is not None
        return Ticket(use, refusal)

    def as_json(self) -> list[dict[str, object]]:
        """Return the highest use per app and mailbox (user id), and how many requests were refused."""
        return [
            {
                "app": consumer.app,
                "mailbox": consumer.mailbox,
                "most_concurrent": use.most_under_way,
                "most_requests_in_window": use.requests.most,
                "most_upload_bytes_in_window": use.uploads.most,
                "throttled": use.throttled,
            }
            for consumer, use in self._uses.items()
        ]

    def reset_highest(self) -> None:
        """Forget the highest uses and the refusals, not what counts against the limits."""
        for use in self._uses.values():
            use.most_under_way, use.throttled = use.under_way, 0
            use.requests.most = use.uploads.most = 0

    def _fresh(self) -> _Use:
        limits = self._limits
        return _Use(
            SlidingWindow(limits.requests, limits.window * limits.time_scale),
            SlidingWindow(limits.upload_bytes, limits.upload_window * limits.time_scale),
        )

    def _pause(self) -> float:
        return RETRY_AFTER * self._limits.time_scale


def _throttled(message: str, wait: float) -> Response:
    """Answer 429; Retry-After in milliseconds' precision, as Graph sends decimals, and never too early."""
    seconds = math.ceil(wait * 1000) / 1000
    text = str(int(seconds)) if seconds == int(seconds) else f"{seconds:.3f}"
    return json_response({"error": {"code": "ApplicationThrottled", "message": message}}, 429, {"Retry-After": text})
