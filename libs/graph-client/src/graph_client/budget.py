"""What Graph allows, kept by the client: gates that a throttle closes for everybody, and mailbox budgets.

Throttled calls count as well, so nobody may knock while a gate is closed. With a pool the budgets hold across
processes: a mailbox is used only within a share drawn from the pool, renewed while in use.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from graph_client.clock import Clock
from graph_client.errors import Throttled
from graph_client.gates import Gate, Places, Window
from graph_client.limits import REQUESTS, UPLOAD_BYTES, Limits
from graph_client.messages import Route
from graph_client.pool import Draw, Pool, PoolUnreachable

_KEEP_IDLE = 512


@dataclass(slots=True)
class _Mailbox:
    gate: Gate
    requests: Window
    uploads: Window
    places: Places
    users: int = 0
    drawing: asyncio.Lock = field(default_factory=asyncio.Lock)
    drawn_at: float = float("-inf")
    allowed: dict[str, int] = field(default_factory=dict)

    def idle(self) -> bool:
        return not self.users and not self.gate.remaining() and not self.requests.used() and not self.uploads.used()

    def remaining(self) -> float:
        return max(self.gate.remaining(), self.requests.remaining(), self.uploads.remaining())

    def spend(self, need: Mapping[str, int]) -> None:
        self.requests.spend(need[REQUESTS])
        if need.get(UPLOAD_BYTES):
            self.uploads.spend(need[UPLOAD_BYTES])
        self.allowed = {meter: left - need.get(meter, 0) for meter, left in self.allowed.items()}


class Permit:
    """The right to send one request now; `release` when its answer has been read."""

    def __init__(self, mailbox: _Mailbox | None) -> None:
        self._mailbox = mailbox

    def release(self) -> None:
        """Give the place back; a second call does nothing."""
        if self._mailbox is not None:
            self._mailbox.places.release()
            self._mailbox.users -= 1
            self._mailbox = None


class Budget:
    """The budgets of one tenant, to be shared by all clients that work for it (backup and restore alike).

    `pool` makes them hold across processes.
    """

    def __init__(
        self, clock: Clock, rng: random.Random, limits: Limits | None = None, pool: Pool | None = None
    ) -> None:
        self.limits = limits or Limits()
        self._clock = clock
        self._rng = rng
        self._pool = pool
        self._holder = f"{rng.getrandbits(64):016x}"
        self._services: dict[str, Gate] = {}
        self._asked: dict[str, float] = {}
        self._mailboxes: dict[tuple[str, str], _Mailbox] = {}

    async def enter(self, route: Route, *, path: str, upload_bytes: int = 0) -> Permit:
        """Wait for the gates, the windows, a share and a place, then take them.

        Raises Throttled when the wait would be longer than `limits.max_wait`, and what the pool raises.
        """
        mailbox = self._mailbox(route)
        need = {REQUESTS: 1, UPLOAD_BYTES: upload_bytes}
        if mailbox is not None:
            mailbox.users += 1
        try:
            await self._wait_in_line(route, mailbox, need, path)
        except BaseException:
            if mailbox is not None:
                mailbox.users -= 1
            raise
        return Permit(mailbox)

    async def throttled(self, route: Route, *, after: float | None, mailbox_only: bool) -> float:
        """Close the gate of the mailbox, or that of the whole service, here and in the pool.

        Gives the seconds until it opens.
        """
        mailbox = self._mailbox(route)
        alone = mailbox is not None and mailbox_only
        gate = mailbox.gate if mailbox is not None and mailbox_only else self._service(route)
        remaining = gate.close(after, self.limits, self._rng)
        if self._pool is not None:
            await self._pool.close(route.service, route.mailbox if alone else None, remaining)
        return remaining

    def remaining(self, route: Route) -> float:
        """Give the seconds until a request on this route may start, 0 if it may now."""
        return self._remaining(self._service(route), self._mailbox(route))

    def passed(self, route: Route) -> None:
        """Note a success on this route."""
        self._service(route).passed()
        mailbox = self._mailbox(route)
        if mailbox is not None:
            mailbox.gate.passed()

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Renew the shares in use while the block runs, and give them back at its end."""
        if self._pool is None:
            yield
            return
        keeper = asyncio.ensure_future(self._keep())
        try:
            yield
        finally:
            keeper.cancel()
            await asyncio.wait({keeper})
            if not keeper.cancelled():
                keeper.result()
            await self._tend()

    async def _keep(self) -> None:
        while True:
            await self._clock.sleep(self.limits.renewal)
            await self._tend()

    async def _tend(self) -> None:
        for (service, name), mailbox in list(self._mailboxes.items()):
            renewed = mailbox.users and self._age(mailbox) >= self.limits.renewal
            given_back = not mailbox.users and self._age(mailbox) < self.limits.lease
            if (renewed or given_back) and not mailbox.drawing.locked():
                try:
                    await self._draw(Route(service, name), mailbox, {})
                except PoolUnreachable:
                    # The share runs out; whoever needs it next meets the same error and can tell.
                    continue

    def _age(self, mailbox: _Mailbox) -> float:
        return self._clock.monotonic() - mailbox.drawn_at

    async def _wait_in_line(self, route: Route, mailbox: _Mailbox | None, need: Mapping[str, int], path: str) -> None:
        patience = self._clock.monotonic() + self.limits.max_wait
        while True:
            await self._wait_for_gates(self._service(route), mailbox, path)
            wait = await self._share(route, mailbox, need)
            if wait > max(0.0, patience - self._clock.monotonic()):
                raise Throttled(wait, path=path)
            if wait:
                await self._clock.sleep(wait)
                continue
            if self.remaining(route):
                continue
            if mailbox is None:
                return
            await mailbox.places.acquire()
            # While this call stood in line, another one's 429 may have closed a gate, or the share been renewed.
            if not self.remaining(route) and self._covers(mailbox, need):
                mailbox.spend(need)
                return
            mailbox.places.release()

    async def _wait_for_gates(self, service: Gate, mailbox: _Mailbox | None, path: str) -> None:
        while wait := self._remaining(service, mailbox):
            if wait > self.limits.max_wait:
                raise Throttled(wait, path=path)
            # Not all at the same instant: the herd would close the gate again.
            await self._clock.sleep(wait + self._rng.uniform(0.0, min(1.0, 0.1 * wait)))

    async def _share(self, route: Route, mailbox: _Mailbox | None, need: Mapping[str, int]) -> float:
        """Draw from the pool if what was drawn does not do; give the seconds to wait before asking again."""
        if self._pool is None:
            return 0.0
        if mailbox is None:
            if self._clock.monotonic() - self._asked.get(route.service, float("-inf")) >= self.limits.renewal:
                self._asked[route.service] = self._clock.monotonic()
                share = await self._pool.draw(route.service, None, Draw(self._holder))
                self._service(route).hold(share.closed_for)
            return 0.0
        if self._covers(mailbox, need) and mailbox.places.limit:
            return 0.0
        wait = await self._draw(route, mailbox, need)
        return wait or (0.0 if mailbox.places.limit else self.limits.renewal)

    def _covers(self, mailbox: _Mailbox, need: Mapping[str, int]) -> bool:
        if self._pool is None:
            return True
        enough = all(mailbox.allowed.get(meter, 0) >= amount for meter, amount in need.items())
        return enough and not mailbox.drawing.locked() and self._age(mailbox) < self.limits.lease

    async def _draw(self, route: Route, mailbox: _Mailbox, need: Mapping[str, int]) -> float:
        assert self._pool is not None
        async with mailbox.drawing:
            if need and self._age(mailbox) < self.limits.lease and mailbox.places.limit and _enough(mailbox, need):
                return 0.0  # somebody else has just drawn
            # Nobody may start on what is being handed back.
            mailbox.places.resize(0)
            asked_at = self._clock.monotonic()
            draw = Draw(self._holder, mailbox.places.taken, bool(mailbox.users), mailbox.allowed, need)
            share = await self._pool.draw(route.service, route.mailbox, draw)
            mailbox.drawn_at = asked_at if draw.wanted else float("-inf")
            mailbox.allowed = dict(share.allowed)
            mailbox.gate.hold(share.closed_for)
        mailbox.places.resize(share.places if draw.wanted else 0)
        return share.wait

    @staticmethod
    def _remaining(service: Gate, mailbox: _Mailbox | None) -> float:
        return max(service.remaining(), mailbox.remaining() if mailbox is not None else 0.0)

    def _service(self, route: Route) -> Gate:
        return self._services.setdefault(route.service, Gate(self._clock))

    def _mailbox(self, route: Route) -> _Mailbox | None:
        if route.mailbox is None:
            return None
        known = self._mailboxes.get((route.service, route.mailbox))
        if known is None:
            for name in list(self._idle()):
                del self._mailboxes[name]
            known = self._fresh()
            self._mailboxes[route.service, route.mailbox] = known
        return known

    def _fresh(self) -> _Mailbox:
        meters = self.limits.meters()
        return _Mailbox(
            Gate(self._clock),
            Window(*meters[REQUESTS], self.limits.slices, self._clock),
            Window(*meters[UPLOAD_BYTES], self.limits.slices, self._clock),
            # With a pool nobody starts before a share is drawn.
            Places(self.limits.concurrency if self._pool is None else 0),
        )

    def _idle(self) -> Iterator[tuple[str, str]]:
        if len(self._mailboxes) >= _KEEP_IDLE:
            yield from (name for name, mailbox in self._mailboxes.items() if mailbox.idle())


def _enough(mailbox: _Mailbox, need: Mapping[str, int]) -> bool:
    return all(mailbox.allowed.get(meter, 0) >= amount for meter, amount in need.items())
