"""Faults as they reach the wire: refusals before a handler runs, and bodies that break off half way."""

import asyncio
import gzip
import json
import socket
import struct
from collections.abc import Callable
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from graph_simulator.fault_rules import FaultKind, FaultRule, FaultRules
from graph_simulator.times import now
from graph_simulator.web.problems import json_response

TRANSPORT = "transport"
DEFAULT_RETRY_AFTER = "1"


async def refusal(faults: FaultRules, method: str, path: str) -> Response | None:
    """Return the answer of a rule that keeps this request from being served, after any delay."""
    if (rule := faults.take(FaultKind.DELAY, method, path)) is not None:
        await asyncio.sleep(float(rule.spec.get("seconds", 1)))
    if faults.take(FaultKind.UNAVAILABLE, method, path) is not None:
        return Response(status_code=503)
    if (rule := faults.take(FaultKind.THROTTLE, method, path)) is not None:
        return _throttled(rule, path)
    if (rule := faults.take(FaultKind.STATUS, method, path)) is not None:
        body: Any = rule.spec.get("body", "")
        text = body if isinstance(body, str) else json.dumps(body)
        media_type = str(rule.spec.get("content_type", "application/json" if text.startswith("{") else "text/html"))
        return Response(text, int(rule.spec["status"]), media_type=media_type if text else None)
    return None


def _throttled(rule: FaultRule, path: str) -> Response:
    """Answer 429; `retry_after` is sent as it stands, none is left out, `http-date` becomes one two seconds ahead.

    Graph and the sign-in have bodies of their own. https://learn.microsoft.com/graph/throttling
    """
    retry_after = rule.spec.get("retry_after", DEFAULT_RETRY_AFTER)
    if retry_after == "http-date":
        retry_after = format_datetime(now() + timedelta(seconds=2), usegmt=True)
    inner = {"code": "429", "message": "Please retry after", "status": "429"}
    body: dict[str, object] = {
        "error": {"code": "TooManyRequests", "innerError": inner, "message": "Please retry again later."}
    }
    if "/oauth2/" in path:
        text = "AADSTS90055: The server has terminated the request: there were too many requests."
        body = {"error": "temporarily_unavailable", "error_description": text, "error_codes": [90055]}
    return json_response(body, 429, {} if retry_after is None else {"Retry-After": str(retry_after)})


async def send_and_reset(
    response: Response, after_bytes: int | None, scope: Scope, receive: Receive, send: Send
) -> None:
    """Send the head and `after_bytes` of the body, then reset the TCP connection, as a broken network does.

    With None not even the head is sent.
    """
    left = after_bytes or 0

    async def cut(message: Message) -> None:
        nonlocal left
        if after_bytes is None:
            return
        if message["type"] == "http.response.body":
            body = message.get("body", b"")[:left]
            left -= len(body)
            message = {"type": "http.response.body", "body": body, "more_body": True}
        await send(message)

    await response(scope, receive, cut)
    transport: asyncio.Transport = scope["state"][TRANSPORT]
    # Give the kernel what was written, as an abort would drop it together with the connection.
    while transport.get_write_buffer_size():  # noqa: ASYNC110 - asyncio has no event for a drained transport
        await asyncio.sleep(0.001)
    connection = transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


class Delivery:
    """How one answer is to travel, if not whole and plain."""

    def __init__(self, faults: FaultRules, method: str, path: str) -> None:
        self._faults = faults
        self._method = method
        self._path = path

    async def deliver(self, response: Response, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer as the first matching rule wants it."""
        if self._take(FaultKind.RESET) is not None:
            await send_and_reset(response, None, scope, receive, send)
        elif (rule := self._take(FaultKind.RESET_MID_BODY)) is not None:
            await send_and_reset(response, int(rule.spec.get("after_bytes", 0)), scope, receive, send)
        elif self._take(FaultKind.SHORT_BODY) is not None:
            await _send_short(response, scope, receive, send)
        elif self._take(FaultKind.GZIP) is not None:
            await _send_whole(response, scope, receive, send, _gzipped)
        elif self._take(FaultKind.CHUNKED) is not None:
            await _send_whole(response, scope, receive, send, _chunked)
        else:
            await response(scope, receive, send)

    def _take(self, kind: FaultKind) -> FaultRule | None:
        return self._faults.take(kind, self._method, self._path)


async def _send_short(response: Response, scope: Scope, receive: Receive, send: Send) -> None:
    """End the connection in good order half way through the body that the head announces."""
    head, body = await _collected(response, scope, receive)
    await send(head)
    await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
    transport: asyncio.Transport = scope["state"][TRANSPORT]
    transport.close()


Encoding = Callable[[bytes], tuple[bytes, list[tuple[bytes, bytes]]]]


def _gzipped(body: bytes) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    packed = gzip.compress(body)
    return packed, [(b"content-encoding", b"gzip"), (b"content-length", str(len(packed)).encode())]


def _chunked(body: bytes) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    """Without Content-Length the server sends chunks."""
    return body, []


async def _send_whole(response: Response, scope: Scope, receive: Receive, send: Send, encode: Encoding) -> None:
    head, body = await _collected(response, scope, receive)
    body, headers = encode(body)
    kept = [(name, value) for name, value in head["headers"] if name.lower() != b"content-length"]
    await send({**head, "headers": [*kept, *headers]})
    await send({"type": "http.response.body", "body": body[:1], "more_body": True})
    await send({"type": "http.response.body", "body": body[1:]})


async def _collected(response: Response, scope: Scope, receive: Receive) -> tuple[Message, bytes]:
    messages: list[Message] = []

    async def keep(message: Message) -> None:
        messages.append(message)

    await response(scope, receive, keep)
    return messages[0], b"".join(message.get("body", b"") for message in messages[1:])
