"""From an answer to its meaning: the only place that knows Graph's status and error codes."""

import json
from collections.abc import Iterator
from typing import Any

from graph_client.errors import (
    BadResponse,
    Forbidden,
    GraphError,
    ItemUnreadable,
    NotFound,
    Refused,
    ResyncRequired,
    Throttled,
    Unauthorized,
    Unreachable,
)
from graph_client.messages import Request, Response

# Exchange cannot render the item, however often it is asked.
_UNREADABLE = frozenset(
    {
        "errorcannotopenfileattachment",
        "errorcontentconversionfailed",
        "errorcorruptdata",
        "errorinvalidrecipients",
    }
)
# The docs and the workloads spell these in different cases; the drive variants all begin with "resync".
_RESYNC_PREFIXES = ("syncstate", "resync")
_NO_ANSWER_YET = frozenset({408, 500, 502, 503, 504})
# A 400 with this message: the body of the request broke off on its way, so the server did nothing with it.
_BODY_LOST = b"io error during request payload read"
_COME_BACK_LATER = frozenset({429, 509})
_REFUSED_BY_SERVER = frozenset({501, 505, 507})
_BY_STATUS: dict[int, type[GraphError]] = {401: Unauthorized, 403: Forbidden, 404: NotFound, 410: NotFound}


def error_codes(content: bytes) -> tuple[str, ...]:
    """Read the error codes of a body, outermost first; an empty, HTML or foreign body has none."""
    try:
        body = json.loads(content) if content else None
    except ValueError:
        return ()
    return tuple(_walk(body.get("error"))) if isinstance(body, dict) else ()


def _walk(error: Any) -> Iterator[str]:
    while isinstance(error, dict):
        code = error.get("code")
        # Throttle answers repeat the bare status as an inner code: no news.
        if isinstance(code, str) and code and not code.isdigit():
            yield code
        error = error.get("innerError", error.get("innererror"))


def failure(request: Request, response: Response, retry_after: float | None) -> GraphError | None:
    """Give the error an answer stands for, or None for a success.

    `retry_after` is the parsed header in seconds, None if there was none.
    """
    if 200 <= response.status < 300:  # noqa: PLR2004 - the success class of HTTP
        return None
    codes = error_codes(response.content)
    facts: dict[str, Any] = {
        "status": response.status,
        "code": codes[-1] if codes else "",
        "request_id": response.header("request-id"),
        "path": request.path,
    }
    lowered = {code.lower() for code in codes}
    if lowered & _UNREADABLE:
        return ItemUnreadable("Exchange cannot render the item", **facts)
    if any(code.startswith(_RESYNC_PREFIXES) for code in lowered) or _gone_delta(request, response):
        return ResyncRequired("the delta cursor is void", location=response.header("location"), **facts)
    if response.status == 400 and _BODY_LOST in response.content.lower():  # noqa: PLR2004 - Bad Request
        return Unreachable("Graph did not get the whole request", sent=False, **facts)
    return _by_status(response.status, retry_after, facts)


def _gone_delta(request: Request, response: Response) -> bool:
    return response.status == 410 and "delta" in request.path.lower()  # noqa: PLR2004 - Gone


def _by_status(status: int, retry_after: float | None, facts: dict[str, Any]) -> GraphError:
    if status in _COME_BACK_LATER or (status in _NO_ANSWER_YET and retry_after is not None):
        return Throttled(retry_after or 0.0, **facts)
    if status in _NO_ANSWER_YET or (status > 500 and status not in _REFUSED_BY_SERVER):  # noqa: PLR2004 - 5xx
        return Unreachable("Graph gave no usable answer", **facts)
    if status < 400:  # noqa: PLR2004 - neither success nor an error of HTTP
        return BadResponse("an unexpected redirect or status", **facts)
    return _BY_STATUS.get(status, Refused)("Graph refused the request", **facts)
