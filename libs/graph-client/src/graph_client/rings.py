"""The rings around the wire: authorisation, then retry, then throttle, then httpx.

The throttle ring is inside the retry ring, so that every attempt queues at the gates and counts against the
budget, and a call that waits between two attempts holds no place. The authorisation ring is outermost, so
that waiting for a token holds no place either.
"""

import dataclasses
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from graph_client.answers import failure
from graph_client.budget import Budget, Permit
from graph_client.clock import Clock
from graph_client.errors import GraphError, NotFound, Throttled, Unauthorized, Unreachable
from graph_client.messages import Request, Response
from graph_client.retry_after import pause_asked_for


class Transport(Protocol):
    """The seam: one method. Rings wrap it, tests script it."""

    async def send(self, request: Request) -> Response:
        """Send and give the answer. Raises Unreachable when the network gave none."""
        ...


class TokenSource(Protocol):
    """Where tokens come from. Tokens are opaque."""

    async def token(self) -> str:
        """Give a token to send now. Raises TokenUnavailable."""
        ...

    async def rejected(self, token: str) -> None:
        """Learn that Graph answered 401 to this token; the next `token()` differs or raises."""
        ...


@dataclass(slots=True)
class Counters:
    """What this client did: attempts sent, repeated attempts, throttle answers, body bytes received."""

    requests: int = 0
    retries: int = 0
    throttled: int = 0
    bytes: int = 0


class Authorized:
    """Adds the bearer token; on 401 tells the source and tries once more."""

    def __init__(self, inner: Transport, tokens: TokenSource) -> None:
        self._inner = inner
        self._tokens = tokens

    async def send(self, request: Request) -> Response:
        if not request.authorize:
            return await self._inner.send(request)
        token = await self._tokens.token()
        try:
            return await self._inner.send(_bearing(request, token))
        except Unauthorized:
            await self._tokens.rejected(token)
        return await self._inner.send(_bearing(request, await self._tokens.token()))


def _bearing(request: Request, token: str) -> Request:
    return dataclasses.replace(request, headers={**request.headers, "Authorization": f"Bearer {token}"})


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often a call is attempted in all, when a 404 is empty, and when it names what was just made."""

    attempts: int = 6
    empty_not_found: int = 3
    fresh_not_found: int = 5


class Retrying:
    """Turns answers into errors, and repeats what may be repeated.

    GET, HEAD, PUT, PATCH and DELETE are repeated after any transient failure; POST only when the request never
    reached the server or the server said that it did nothing (429, 503).
    """

    _IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "PATCH", "DELETE"})

    def __init__(
        self, inner: Transport, policy: RetryPolicy, budget: Budget, clock: Clock, pause: Callable[[int], float]
    ) -> None:
        self._inner = inner
        self._policy = policy
        self._budget = budget
        self._clock = clock
        self._pause = pause
        self.retries = 0

    async def send(self, request: Request) -> Response:
        attempt = 1
        while True:
            outcome = await self._attempt(request)
            if isinstance(outcome, Response):
                return outcome
            if attempt >= self._allowed(request, outcome):
                raise outcome
            # The gate holds throttled calls back; sleeping here as well would wait twice.
            if not isinstance(outcome, Throttled):
                await self._clock.sleep(self._pause(attempt))
            attempt += 1
            self.retries += 1

    async def _attempt(self, request: Request) -> Response | GraphError:
        try:
            response = await self._inner.send(request)
        except Unreachable as lost:
            return lost
        error = failure(request, response, _retry_after(response, self._clock))
        if isinstance(error, NotFound) and not response.content:
            return _MaybeSpurious.of(error)
        if isinstance(error, Throttled):
            error.after = max(error.after, self._budget.remaining(request.route))
        return error or response

    def _allowed(self, request: Request, error: GraphError) -> int:
        if isinstance(error, Throttled):
            too_long = error.after > self._budget.limits.max_wait
            return 1 if too_long or not self._repeatable(request, error) else self._policy.attempts
        if isinstance(error, Unreachable):
            patience = min(self._policy.attempts, request.attempts or self._policy.attempts)
            return patience if self._repeatable(request, error) else 1
        if isinstance(error, NotFound) and request.fresh:
            return self._policy.fresh_not_found
        if isinstance(error, _MaybeSpurious) and request.method == "GET":
            return self._policy.empty_not_found
        return 1

    def _repeatable(self, request: Request, error: GraphError) -> bool:
        if request.method in self._IDEMPOTENT or error.status in (429, 503):
            return True
        return isinstance(error, Unreachable) and not error.sent


class _MaybeSpurious(NotFound):
    """A 404 without a body: seen for items that exist, so it is asked again before it is believed."""

    @classmethod
    def of(cls, error: NotFound) -> "_MaybeSpurious":
        return cls(error.text, status=error.status, code=error.code, request_id=error.request_id, path=error.path)


_UPLOADING = frozenset({"PATCH", "POST", "PUT"})


class Throttle:
    """Queues every attempt at the gates of the budget, and closes them when Graph says so."""

    def __init__(self, inner: Transport, budget: Budget, clock: Clock, counters: Counters) -> None:
        self._inner = inner
        self._budget = budget
        self._clock = clock
        self._counters = counters

    async def send(self, request: Request) -> Response:
        size = len(request.content or b"") if request.method in _UPLOADING else 0
        permit = await self._budget.enter(request.route, path=request.path, upload_bytes=size)
        self._counters.requests += 1
        try:
            response = await self._inner.send(request)
            await self._learn(request, response)
        except BaseException:
            permit.release()
            raise
        if response.body is None:
            permit.release()
            return response
        return dataclasses.replace(response, aclose=_closing(response.aclose, permit))

    async def _learn(self, request: Request, response: Response) -> None:
        after = _retry_after(response, self._clock)
        error = failure(request, response, after)
        if not isinstance(error, Throttled):
            if error is None:
                self._budget.passed(request.route)
            return
        self._counters.throttled += 1
        # "Application is over its MailboxConcurrency limit." concerns one mailbox, everything else the tenant.
        mailbox_only = b"MailboxConcurrency" in response.content
        await self._budget.throttled(request.route, after=after, mailbox_only=mailbox_only)


def _closing(inner: Callable[[], Awaitable[None]], permit: Permit) -> Callable[[], Awaitable[None]]:
    async def close() -> None:
        try:
            await inner()
        finally:
            permit.release()

    return close


def _retry_after(response: Response, clock: Clock) -> float | None:
    return pause_asked_for(response.header("retry-after"), response.header("date"), clock.now())
