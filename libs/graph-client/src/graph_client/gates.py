"""What holds a request back within a process: a gate, a sliding window, places."""

import asyncio
import random
from collections import deque

from graph_client.clock import Clock
from graph_client.limits import Limits


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

    def hold(self, seconds: float) -> None:
        """Stay closed for `seconds`, as somebody else was told; never shortens a pause."""
        self._closed_until = max(self._closed_until, self._clock.monotonic() + seconds)

    def passed(self) -> None:
        """Note a success: the next back-off starts small again."""
        if not self.remaining():
            self._throttles = 0


class Window:
    """A sliding window over what requests spend as they start, in slices; a slice counts until it is wholly outside."""

    def __init__(self, limit: int, length: float, slices: int, clock: Clock) -> None:
        self._limit = limit
        self._length = length
        self._slice = length / slices
        self._clock = clock
        self._counts: deque[tuple[float, int]] = deque()
        self._used = 0

    def used(self) -> int:
        """Give what still counts."""
        now = self._clock.monotonic()
        while self._counts and self._counts[0][0] + self._slice + self._length <= now:
            self._used -= self._counts.popleft()[1]
        return self._used

    def remaining(self) -> float:
        """Give the seconds until something more fits, 0 when it does now."""
        if self.used() < self._limit:
            return 0.0
        return max(0.0, self._counts[0][0] + self._slice + self._length - self._clock.monotonic())

    def spend(self, amount: int = 1) -> None:
        now = self._clock.monotonic()
        if self._counts and now < self._counts[-1][0] + self._slice:
            start, count = self._counts.pop()
            self._counts.append((start, count + amount))
        else:
            self._counts.append((now, amount))
        self._used += amount


class Places:
    """Places of a mailbox, given in the order they were asked for; the limit may change while they are taken."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.taken = 0
        self._line: deque[asyncio.Future[None]] = deque()

    async def acquire(self) -> None:
        if not self._line and self.taken < self.limit:
            self.taken += 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._line.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.release()
            raise

    def release(self) -> None:
        self.taken -= 1
        self.resize(self.limit)

    def resize(self, limit: int) -> None:
        """Set the limit. Fewer than are taken: nobody is thrown out, nobody new comes in."""
        self.limit = limit
        while self._line and self.taken < self.limit:
            turn = self._line.popleft()
            if not turn.done():
                self.taken += 1
                turn.set_result(None)
