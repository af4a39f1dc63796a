"""Around every request: an id, security headers, a size limit, one log line, one count, an answer whatever happens."""

import asyncio
from dataclasses import dataclass
from http import HTTPStatus
from random import Random

import structlog
from prometheus_client import CollectorRegistry, Counter
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chassis import telemetry
from chassis.clock import Clock
from chassis.ids import new_ulid
from chassis.logs import bound
from contracts.problem import Problem
from gateway.entrypoints.problems import INTERNAL, respond

log = structlog.get_logger(__name__)

LARGEST_BODY = 1 << 20
"""Bytes; the largest legitimate body is a few kilobytes."""

REQUEST_ID = "tenantkeep.request_id"
UNMATCHED = "unmatched"
_LEFT = 499
"""Status, in counts and traces, of a request whose client left before the answer."""

_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})
_TOO_LARGE = Problem(
    code="too-large",
    status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    title="The request is too large",
    detail=f"A body may have at most {LARGEST_BODY} bytes.",
)
_ALWAYS = {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
}
_ON_HTTPS = {"strict-transport-security": "max-age=63072000"}


class InFlight:
    """Requests being answered, so that a drain can wait for them."""

    def __init__(self) -> None:
        self._count = 0
        self._idle = asyncio.Event()
        self._idle.set()

    def __enter__(self) -> None:
        self._count += 1
        self._idle.clear()

    def __exit__(self, *_error: object) -> None:
        self._count -= 1
        if self._count == 0:
            self._idle.set()

    async def none_left(self) -> None:
        """Return when no request is being answered."""
        await self._idle.wait()


class Counted:
    """`m365_gateway_requests_total`; every label has a closed set of values."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Counter(
            "m365_gateway_requests_total",
            "API requests answered, by route of the authorisation table.",
            ["route", "method", "status_class"],
            registry=registry,
        )

    def __call__(self, route: str, method: str, status: int) -> None:
        known = method if method in _METHODS else "other"
        self._requests.labels(route=route, method=known, status_class=f"{status // 100}xx").inc()


@dataclass
class _Answer:
    """What has been sent so far; status 0 means nothing. A client that left before an answer counts as 499."""

    headers: dict[str, str]
    status: int = 0
    finished: bool = False
    body_bytes: int = 0


class Surroundings:
    """Pure ASGI, so that bodies stream through untouched."""

    def __init__(self, app: ASGIApp, *, clock: Clock, rng: Random, counted: Counted, in_flight: InFlight) -> None:
        self._app = app
        self._clock = clock
        self._rng = rng
        self._counted = counted
        self._in_flight = in_flight

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = new_ulid(self._clock, self._rng)
        scope[REQUEST_ID] = request_id
        answer = _Answer({"x-request-id": request_id, **_ALWAYS, **(_ON_HTTPS if scope["scheme"] == "https" else {})})
        started = self._clock.monotonic()
        parent = Headers(scope=scope).get(telemetry.HEADER)
        with self._in_flight, bound(request_id=request_id), telemetry.span("http", "server", parent) as span:
            try:
                await self._guarded(scope, receive, send, answer)
            finally:
                # Never the path: it may hold a download ticket.
                span.update_name(f"{scope['method']} {_route(scope)}")
                span.set_attribute("http.response.status_code", answer.status or _LEFT)
                span.set_attribute("tenantkeep.request_id", request_id)
                self._report(scope, answer, self._clock.monotonic() - started)

    async def _guarded(self, scope: Scope, receive: Receive, send: Send, answer: _Answer) -> None:
        outgoing = _decorated(send, answer)
        if _declared_length(scope) > LARGEST_BODY:
            await respond(_TOO_LARGE, {"connection": "close"})(scope, receive, outgoing)
            return
        try:
            await self._app(scope, _limited(receive), outgoing)
        except Exception:
            log.exception("request failed", route=_route(scope))
            if not answer.status:
                await respond(INTERNAL)(scope, receive, outgoing)
            # Otherwise the server closes the connection, and the client sees that its body is incomplete.

    def _report(self, scope: Scope, answer: _Answer, seconds: float) -> None:
        # Never the path: it may hold a download ticket.
        route, status = _route(scope), answer.status or _LEFT
        self._counted(route, scope["method"], status)
        log.info(
            "request answered",
            route=route,
            method=scope["method"],
            status=status,
            complete=answer.finished,
            bytes=answer.body_bytes,
            seconds=round(seconds, 4),
            tenant=scope.get("path_params", {}).get("tenant"),
        )


def _route(scope: Scope) -> str:
    return getattr(scope.get("route"), "name", None) or UNMATCHED


def _declared_length(scope: Scope) -> int:
    text = Headers(scope=scope).get("content-length", "0")
    return int(text) if text.isdecimal() else 0


def _limited(receive: Receive) -> Receive:
    """Count what really arrives: a chunked body declares no length."""
    received = 0

    async def counted() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > LARGEST_BODY:
            raise HTTPException(_TOO_LARGE.status, headers={"connection": "close"})
        return message

    return counted


def _decorated(send: Send, answer: _Answer) -> Send:
    async def decorated(message: Message) -> None:
        if message["type"] == "http.response.start":
            answer.status = message["status"]
            headers = MutableHeaders(scope=message)
            for name, value in answer.headers.items():
                headers[name] = value
        elif message["type"] == "http.response.body":
            answer.body_bytes += len(message.get("body", b""))
            answer.finished = not message.get("more_body", False)
        await send(message)

    return decorated
