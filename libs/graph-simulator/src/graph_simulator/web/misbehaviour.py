"""Faults as they reach the wire: refusals before a handler runs, and bodies that break off half way."""

import asyncio
import json
import socket
import struct
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

from starlette.requests import Request
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
        return _throttled(rule)
    if (rule := faults.take(FaultKind.STATUS, method, path)) is not None:
        body: Any = rule.spec.get("body", "")
        text = body if isinstance(body, str) else json.dumps(body)
        media_type = str(rule.spec.get("content_type", "application/json" if text.startswith("{") else "text/html"))
        return Response(text, int(rule.spec["status"]), media_type=media_type if text else None)
    return None


def _throttled(rule: FaultRule) -> Response:
    """Answer 429; `retry_after` is sent as it stands, none is left out, `http-date` becomes one two seconds ahead.

    https://learn.microsoft.com/graph/throttling
    """
    retry_after = rule.spec.get("retry_after", DEFAULT_RETRY_AFTER)
    if retry_after == "http-date":
        retry_after = format_datetime(now() + timedelta(seconds=2), usegmt=True)
    inner = {"code": "429", "message": "Please retry after", "status": "429"}
    body = {"error": {"code": "TooManyRequests", "innerError": inner, "message": "Please retry again later."}}
    return json_response(body, 429, {} if retry_after is None else {"Retry-After": str(retry_after)})


async def send_and_reset(response: Response, after_bytes: int, scope: Scope, receive: Receive, send: Send) -> None:
    """Send the head and `after_bytes` of the body, then reset the TCP connection, as a broken network does."""
    left = after_bytes

    async def cut(message: Message) -> None:
        nonlocal left
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


def takes_reset(faults: FaultRules, request: Request, path: str) -> int | None:
    """Return after how many bytes of the body this request is to break off, or None."""
    rule = faults.take(FaultKind.RESET_MID_BODY, request.method, path)
    return None if rule is None else int(rule.spec.get("after_bytes", 0))
