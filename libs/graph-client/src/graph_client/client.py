"""The client: verbs on the outside, rings underneath."""

import dataclasses
import json as jsonlib
import random
import ssl
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from types import TracebackType
from typing import Any, Self

import httpx

from graph_client.budget import Budget
from graph_client.clock import Clock, SystemClock
from graph_client.delta import DeltaPage, LoopGuard, Page, follow_delta, follow_pages, page_of
from graph_client.errors import BadResponse, ResyncRequired
from graph_client.messages import Request, Response, Route
from graph_client.rings import Authorized, Counters, Retrying, RetryPolicy, Throttle, TokenSource, Transport
from graph_client.routes import Addresses
from graph_client.wire import HttpxWire

Json = dict[str, Any]
_READINGS = 3
"""How often an answer that is no JSON object is asked for."""
_TIMEOUT = httpx.Timeout(connect=10.0, read=60.0, write=60.0, pool=60.0)


class GraphClient:
    """Microsoft Graph for one tenant and one app.

    `base_url` ends with the version, e.g. `https://graph.microsoft.com/v1.0`. Paths are relative to it, with
    ids encoded by `segment`; links that Graph gave are followed verbatim. `budget` is shared by the clients of
    one tenant. `transport` replaces the wire, for tests. Every method raises the tree of `graph_client.errors`.
    """

    def __init__(
        self,
        base_url: str,
        tokens: TokenSource,
        *,
        verify: ssl.SSLContext,
        proxy: str | None = None,
        budget: Budget | None = None,
        retry: RetryPolicy | None = None,
        loop_guard: LoopGuard | None = None,
        clock: Clock | None = None,
        rng: random.Random | None = None,
        user_agent: str = "NONISV|Tenantkeep|Tenantkeep/0.1",
        timeout: httpx.Timeout = _TIMEOUT,
        transport: Transport | None = None,
    ) -> None:
        clock = clock or SystemClock()
        self._rng = rng or random.Random()  # noqa: S311 - jitter and request ids, no secrets
        budget = budget or Budget(clock, self._rng)
        self._budget = budget
        self._clock = clock
        self._open = AsyncExitStack()
        self._addresses = Addresses(base_url)
        self._guard = loop_guard or LoopGuard()
        self._user_agent = user_agent
        self._counters = Counters()
        self._wire: HttpxWire | None = None
        if transport is None:
            transport = HttpxWire(verify=verify, proxy=proxy, timeout=timeout, counters=self._counters)
            self._wire = transport
        throttle = Throttle(transport, budget, clock, self._counters)
        self._retrying = Retrying(
            throttle,
            retry or RetryPolicy(),
            budget,
            clock,
            pause=lambda attempt: budget.limits.backoff(attempt, self._rng),
        )
        self._rings: Transport = Authorized(self._retrying, tokens)

    async def __aenter__(self) -> Self:
        await self._open.enter_async_context(self._budget.kept())
        if self._wire is not None:
            await self._open.enter_async_context(self._wire)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._open.__aexit__(kind, error, trace)

    @property
    def counters(self) -> Counters:
        """What this client did since it was made (a copy)."""
        current = self._counters
        return Counters(current.requests, self._retrying.retries, current.throttled, current.bytes)

    async def get(
        self,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        prefer: Sequence[str] = (),
        attempts: int | None = None,
    ) -> Json:
        """Read one JSON object; `attempts` is for a question that may well have no usable answer."""
        return await self._json("GET", path, params=params, prefer=prefer, attempts=attempts)

    async def post(self, path: str, json: Json, *, prefer: Sequence[str] = (), fresh: bool = False) -> Json:
        """Create or act; {} when the answer has no body. Repeated only if it certainly did nothing.

        `fresh`: what the path names was made a moment ago, and not every server of Exchange may know it yet.
        """
        return await self._json("POST", path, body=json, prefer=prefer, fresh=fresh)

    async def patch(self, path: str, json: Json, *, prefer: Sequence[str] = ()) -> Json:
        """Change; {} when the answer has no body."""
        return await self._json("PATCH", path, body=json, prefer=prefer)

    async def put(
        self, path: str, content: bytes, content_type: str, *, prefer: Sequence[str] = (), fresh: bool = False
    ) -> None:
        """Put bytes, such as a picture, in the place of what is there; `fresh` as with `post`."""
        url = self._addresses.url(path)
        headers = {"Content-Type": content_type}
        request = self._request("PUT", url, self._addresses.route(url), prefer, content=content, headers=headers)
        await self._rings.send(dataclasses.replace(request, fresh=fresh))

    async def delete(self, path: str, *, prefer: Sequence[str] = ()) -> None:
        """Delete. A repeated attempt may answer NotFound for what the first one deleted."""
        await self._json("DELETE", path, prefer=prefer)

    async def put_bytes(
        self, absolute_url: str, body: bytes, headers: Mapping[str, str], *, mailbox: str | None = None
    ) -> Json:
        """Upload to a pre-authenticated URL (upload session), without Authorization; {} without a JSON body.

        `mailbox` is the one whose limits it counts against: the URL does not say.
        """
        route = Route("outlook", mailbox) if mailbox else Route(self._addresses.route(absolute_url).service)
        request = self._request("PUT", absolute_url, route, (), content=body, authorize=False, headers=headers)
        return _object(await self._rings.send(request), request)

    async def read(self, path: str, *, max_bytes: int | None = None, prefer: Sequence[str] = ()) -> bytes:
        """Read a whole body, attempted again after a reset or a short body. Raises BodyTooLarge."""
        url = self._addresses.url(path)
        request = self._request("GET", url, self._addresses.route(url), prefer, max_bytes=max_bytes)
        return (await self._rings.send(request)).content

    @asynccontextmanager
    async def stream(self, path: str, *, prefer: Sequence[str] = ()) -> AsyncIterator[AsyncIterator[bytes]]:
        """Open a body as chunks. A body that breaks off raises Unreachable; it never just ends early.

        Holds one of the mailbox's places until the context is left.
        """
        url = self._addresses.url(path)
        request = self._request("GET", url, self._addresses.route(url), prefer, stream=True)
        response = await self._rings.send(request)
        try:
            yield response.body if response.body is not None else _once(response.content)
        finally:
            await response.aclose()

    async def page(
        self,
        start: str,
        *,
        params: Mapping[str, str] | None = None,
        prefer: Sequence[str] = (),
        attempts: int | None = None,
        max_bytes: int | None = None,
    ) -> Page:
        """Read one page of a list, from a path or a next link. Raises BodyTooLarge beyond `max_bytes`.

        `attempts` is for a page that may well have no usable answer.
        """
        link = start if self._addresses.is_absolute(start) else self._addresses.url(start, params)
        body = await self._follow(tuple(prefer), link, attempts=attempts, max_bytes=max_bytes)
        return page_of(body, _shown(start))

    def pages(
        self, path: str, *, params: Mapping[str, str] | None = None, prefer: Sequence[str] = ()
    ) -> AsyncIterator[Page]:
        """Iterate over a list; every page is asked for with the same Prefer headers. Raises DeltaLoop."""
        start = self._addresses.url(path, params)
        return follow_pages(partial(self._follow, tuple(prefer)), start, self._guard, _shown(path))

    def delta(
        self, start: str, *, params: Mapping[str, str] | None = None, prefer: Sequence[str] = ()
    ) -> AsyncIterator[DeltaPage]:
        """Iterate over one delta round from a path, a stored next link or a stored delta link.

        Raises ResyncRequired when the cursor is void, which includes a stored link of another origin.
        """
        if self._addresses.is_absolute(start) and not self._addresses.owns(start):
            raise ResyncRequired("the stored link belongs to another origin", path=_shown(start))
        url = self._addresses.url(start, params)
        return follow_delta(partial(self._follow, tuple(prefer)), url, self._guard, _shown(start))

    async def _follow(
        self, prefer: Sequence[str], link: str, *, attempts: int | None = None, max_bytes: int | None = None
    ) -> Json:
        if not self._addresses.owns(link):
            raise BadResponse("Graph named a link of another origin", path=_shown(link))
        return await self._json("GET", link, prefer=prefer, attempts=attempts, max_bytes=max_bytes)

    async def _json(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Json | None = None,
        prefer: Sequence[str] = (),
        fresh: bool = False,
        attempts: int | None = None,
        max_bytes: int | None = None,
    ) -> Json:
        url = self._addresses.url(path, params)
        content = None if body is None else jsonlib.dumps(body, ensure_ascii=False).encode()
        route = self._addresses.route(url)
        request = self._request(method, url, route, prefer, content=content, max_bytes=max_bytes)
        request = dataclasses.replace(request, fresh=fresh, attempts=attempts)
        # What a proxy cut is whole the next time; nothing but a question may be asked twice.
        left = _READINGS if method == "GET" else 1
        while True:
            response = await self._rings.send(request)
            left -= 1
            try:
                return _object(response, request)
            except BadResponse:
                if not left:
                    raise
            await self._clock.sleep(self._budget.limits.backoff(_READINGS - left, self._rng))

    def _request(
        self,
        method: str,
        url: str,
        route: Route,
        prefer: Sequence[str],
        *,
        content: bytes | None = None,
        stream: bool = False,
        authorize: bool = True,
        max_bytes: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Request:
        own = {
            "User-Agent": self._user_agent,
            "client-request-id": str(uuid.UUID(int=self._rng.getrandbits(128), version=4)),
        }
        if prefer:
            own["Prefer"] = ", ".join(prefer)
        if content is not None and headers is None:
            own["Content-Type"] = "application/json; charset=utf-8"
        return Request(method, url, route, {**own, **(headers or {})}, content, stream, authorize, max_bytes)


def _object(response: Response, request: Request) -> Json:
    if not response.content:
        return {}
    try:
        body = jsonlib.loads(response.content)
    except ValueError as error:
        raise _bad(response, request, "the body is no JSON") from error
    if not isinstance(body, dict):
        raise _bad(response, request, "the body is no JSON object")
    return body


def _bad(response: Response, request: Request, text: str) -> BadResponse:
    return BadResponse(text, status=response.status, request_id=response.header("request-id"), path=request.path)


def _shown(path: str) -> str:
    """Give a path or link without its query, which holds tokens."""
    return path.split("?", maxsplit=1)[0]


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content
