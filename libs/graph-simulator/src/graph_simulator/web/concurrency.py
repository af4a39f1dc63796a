"""Exchange's limit on requests of one app that are under way in one mailbox at the same time.

https://learn.microsoft.com/graph/throttling-limits
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import Response

from graph_simulator.web.problems import json_response

RETRY_AFTER = "1"


@dataclass(slots=True)
class Crowd:
    """Counts requests under way by access token and mailbox; a limit of 0 admits everybody."""

    limit: int
    _under_way: Counter[tuple[str, str]] = field(default_factory=Counter)

    @contextmanager
    def admitted(self, request: Request, segments: list[str]) -> Iterator[bool]:
        """Say whether this request may be served; it counts until the block is left."""
        match segments:
            case ["v1.0", users, user, _, *_] if users.lower() == "users":
                key = (request.headers.get("authorization", ""), user.lower())
            case _:
                yield True
                return
        self._under_way[key] += 1
        try:
            yield self.limit == 0 or self._under_way[key] <= self.limit
        finally:
            self._under_way[key] -= 1
            if not self._under_way[key]:
                del self._under_way[key]


def over_concurrency() -> Response:
    error = {"code": "ApplicationThrottled", "message": "Application is over its MailboxConcurrency limit."}
    return json_response({"error": error}, 429, {"Retry-After": RETRY_AFTER})
