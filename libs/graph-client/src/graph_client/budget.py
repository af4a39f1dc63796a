"""What Graph allows, kept by the client: gates that a throttle closes for everybody, and mailbox budgets.

Figures: Exchange Online grants an app 4 concurrent requests and 10,000 requests in 10 minutes per mailbox
(concepts/throttling-limits). Throttled calls count as well, so nobody may knock while a gate is closed.
"""

import asyncio
import random
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from graph_client.clock import Clock
from graph_client.errors import Throttled
from graph_client.messages import Route

_KEEP_IDLE = 512


@dataclass(frozen=True, slots=True)
class Limits:
    """The table of limits. `time_scale` shortens (or stretches) windows and back-off, for simulators and tests.

    `window` in seconds; `max_wait` (seconds) is how long a call may be held back before it ends in Throttled.
    """

    concurrency: int = 4
    requests: int = 10_000
    window: float = 600.0
    time_scale: float = 1.0
    max_wait: float = 30.0
    backoff_base: float = 0.5
    backoff_cap: float = 20.0

    def backoff(self, failures: int, rng: random.Random) -> float:
        """Give the jittered exponential pause (seconds) after so many failures in a row, 1 or more."""
        ceiling = min(self.backoff_cap, self.backoff_base * 2.0 ** (min(failures, 30) - 1))
        return ceiling * rng.uniform(0.5, 1.0) * self.time_scale


class Gate:
    """Open, or closed for everybody until a moment."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._closed_until = float("-inf")
        self._throttles = 0

    def remaining(self) -> float:
        """Give the seconds until the gate opens, 0 when it is open."""
        return max(0.0, self._closed_until - self._clock.monotonic())

    def close(self, after: float | None, limits: Limits, rng: random.Random) -> float:
        """Close for `after` seconds, or by back-off if the server named none or 0; never shortens a pause."""
        if not self.remaining():
            # The many answers of one burst count as one failure, or the back-off would explode.
            self._throttles += 1
        pause = after or limits.backoff(self._throttles, rng)
        self._closed_until = max(self._closed_until, self._clock.monotonic() + pause)
        return self.remaining()

    def passed(self) -> None:
        """Note a success: the next back-off starts small again."""
        if not self.remaining():
            self._throttles = 0


class Window:
    """A sliding window over request starts, in slices; a slice counts until it is wholly outside."""

    _SLICES = 60

    def __init__(self, limits: Limits, clock: Clock) -> None:
        self._limit = limits.requests
        self._length = limits.window * limits.time_scale
        self._slice = self._length / self._SLICES
        self._clock = clock
        self._counts: deque[tuple[float, int]] = deque()
        self._used = 0

    def used(self) -> int:
        """Give the requests that still count."""
        now = self._clock.monotonic()
        while self._counts and self._counts[0][0] + self._slice + self._length <= now:
            self._used -= self._counts.popleft()[1]
        return self._used

    def remaining(self) -> float:
        """Give the seconds until one more request fits, 0 when it does now."""
        if self.used() < self._limit:
            return 0.0
        return max(0.0, self._counts[0][0] + self._slice + self._length - self._clock.monotonic())

    def spend(self) -> None:
        now = self._clock.monotonic()
        if self._counts and now < self._counts[-1][0] + self._slice:
            start, count = self._counts.pop()
            self._counts.append((start, count + 1))
        else:
            self._counts.append((now, 1))
        self._used += 1


@dataclass(slots=True)
class _Mailbox:
    gate: Gate
    window: Window
    permits: asyncio.Semaphore
    users: int = field(default=0)

    def idle(self) -> bool:
        return not self.users and not self.gate.remaining() and not self.window.used()


class Permit:
    """The right to send one request now; `release` when its answer has been read."""

    def __init__(self, mailbox: _Mailbox | None) -> None:
        self._mailbox = mailbox

    def release(self) -> None:
        """Give the place back; a second call does nothing."""
        if self._mailbox is not None:
            self._mailbox.permits.release()
            self._mailbox.users -= 1
            self._mailbox = None


class Budget:
    """The budgets of one tenant, to be shared by all clients that work for it (backup and restore alike)."""

    def __init__(self, clock: Clock, rng: random.Random, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self._clock = clock
        self._rng = rng
        self._services: dict[str, Gate] = {}
        self._mailboxes: dict[str, _Mailbox] = {}

    async def enter(self, route: Route, *, path: str) -> Permit:
        """Wait for the gates, the window and a place, then take them.

        Raises Throttled at once when the wait would be longer than `limits.max_wait`.
        """
        service = self._service(route)
        mailbox = self._mailbox(route)
        if mailbox is not None:
            mailbox.users += 1
        try:
            await self._wait_in_line(service, mailbox, path)
        except BaseException:
            if mailbox is not None:
                mailbox.users -= 1
            raise
        return Permit(mailbox)

    def throttled(self, route: Route, *, after: float | None, mailbox_only: bool) -> float:
        """Close the gate of the mailbox, or that of the whole service; gives the seconds until it opens."""
        mailbox = self._mailbox(route)
        gate = mailbox.gate if mailbox is not None and mailbox_only else self._service(route)
        return gate.close(after, self.limits, self._rng)

    def remaining(self, route: Route) -> float:
        """Give the seconds until a request on this route may start, 0 if it may now."""
        return self._remaining(self._service(route), self._mailbox(route))

    def passed(self, route: Route) -> None:
        """Note a success on this route."""
        self._service(route).passed()
        mailbox = self._mailbox(route)
        if mailbox is not None:
            mailbox.gate.passed()

    async def _wait_in_line(self, service: Gate, mailbox: _Mailbox | None, path: str) -> None:
        while True:
            await self._wait_for_gates(service, mailbox, path)
            if mailbox is None:
                return
            await mailbox.permits.acquire()
            # While this call stood in line, another one's 429 may have closed a gate.
            if not self._remaining(service, mailbox):
                mailbox.window.spend()
                return
            mailbox.permits.release()

    async def _wait_for_gates(self, service: Gate, mailbox: _Mailbox | None, path: str) -> None:
        while wait := self._remaining(service, mailbox):
            if wait > self.limits.max_wait:
                raise Throttled(wait, path=path)
            # Not all at the same instant: the herd would close the gate again.
            await self._clock.sleep(wait + self._rng.uniform(0.0, min(1.0, 0.1 * wait)))

    @staticmethod
    def _remaining(service: Gate, mailbox: _Mailbox | None) -> float:
        if mailbox is None:
            return service.remaining()
        return max(service.remaining(), mailbox.gate.remaining(), mailbox.window.remaining())

    def _service(self, route: Route) -> Gate:
        return self._services.setdefault(route.service, Gate(self._clock))

    def _mailbox(self, route: Route) -> _Mailbox | None:
        if route.mailbox is None:
            return None
        known = self._mailboxes.get(route.mailbox)
        if known is None:
            for name in list(self._idle()):
                del self._mailboxes[name]
            known = _Mailbox(
                Gate(self._clock),
                Window(self.limits, self._clock),
                asyncio.Semaphore(self.limits.concurrency),
            )
            self._mailboxes[route.mailbox] = known
        return known

    def _idle(self) -> Iterator[str]:
        if len(self._mailboxes) >= _KEEP_IDLE:
            yield from (name for name, mailbox in self._mailboxes.items() if mailbox.idle())
