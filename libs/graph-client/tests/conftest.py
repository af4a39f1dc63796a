"""Virtual time, a scripted transport and a token source whose tokens can be refused."""

import asyncio
import heapq
import json
import random
import ssl
from collections.abc import Callable, Coroutine, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pytest

from graph_client import Budget, GraphClient, Limits, Request, Response

T = TypeVar("T")
BASE = "https://graph.test/v1.0"


class VirtualClock:
    """Time that moves only when everybody sleeps."""

    def __init__(self) -> None:
        self._now = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = 0

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self._now)

    def monotonic(self) -> float:
        return self._now

    async def sleep(self, seconds: float) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._order += 1
        heapq.heappush(self._sleepers, (self._now + seconds, self._order, future))
        await future

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        task = asyncio.ensure_future(work)
        while True:
            for _ in range(200):
                await asyncio.sleep(0)
                if task.done():
                    return task.result()
            assert self._sleepers, "everybody waits, but nobody for the clock"
            moment, _, future = heapq.heappop(self._sleepers)
            self._now = max(self._now, moment)
            if not future.done():
                future.set_result(None)


class ScriptedTransport:
    """Answers with what the script holds, in order; a callable decides by request, an exception is raised."""

    def __init__(self, *script: Any) -> None:
        self.script = list(script)
        self.seen: list[Request] = []
        self.running = 0
        self.asked = asyncio.Event()
        self.answered = asyncio.Event()
        self.most_running = 0

    async def send(self, request: Request) -> Response:
        self.seen.append(request)
        self.asked.set()
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            step = self.script[0] if len(self.script) == 1 and callable(self.script[0]) else self.script.pop(0)
            step = step(request) if callable(step) else step
            if asyncio.iscoroutine(step):
                step = await step
            if isinstance(step, Exception):
                raise step
            return step
        finally:
            self.running -= 1
            self.answered.set()


class CountedTokens:
    def __init__(self) -> None:
        self.refused: list[str] = []

    async def token(self) -> str:
        return f"token-{len(self.refused)}"

    async def rejected(self, token: str) -> None:
        self.refused.append(token)


def answer(status: int = 200, body: Any = None, headers: Mapping[str, str] | None = None) -> Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else b""
    return Response(status, {name.lower(): value for name, value in (headers or {}).items()}, content)


def refusal(status: int, code: str, headers: Mapping[str, str] | None = None, inner: str = "") -> Response:
    error: dict[str, Any] = {"code": code, "message": "text"}
    if inner:
        error["innerError"] = {"code": inner}
    return answer(status, {"error": error}, {"request-id": "r-1", **(headers or {})})


class World:
    """One client with everything it is wired to."""

    def __init__(self, *script: Any, limits: Limits | None = None, seed: int = 7, **options: Any) -> None:
        self.clock = VirtualClock()
        self.rng = random.Random(seed)
        self.transport = ScriptedTransport(*script)
        self.tokens = CountedTokens()
        self.budget = Budget(self.clock, self.rng, limits)
        self.client = self.another(**options)

    def another(self, **options: Any) -> GraphClient:
        """Another client on the same transport, clock and budget."""
        return GraphClient(
            BASE,
            self.tokens,
            verify=ssl.create_default_context(),
            budget=self.budget,
            clock=self.clock,
            rng=self.rng,
            transport=self.transport,
            **options,
        )

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        return await self.clock.run(work)


@pytest.fixture
def world() -> Callable[..., World]:
    return World


@pytest.fixture
def ok() -> Callable[..., Response]:
    return answer


@pytest.fixture
def no() -> Callable[..., Response]:
    return refusal
