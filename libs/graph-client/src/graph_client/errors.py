"""What a call to Graph can end in, named so that the caller knows what to do.

    GraphError
    ├── TokenUnavailable   no token to send: hold the work until there is one
    ├── Unauthorized       401 twice, with two tokens: renew or consent again
    ├── Forbidden          403: a permission is missing or was taken away
    ├── NotFound           404 (or 410 outside delta): the thing is gone
    ├── ResyncRequired     the delta cursor is void: enumerate again from the start
    ├── Throttled          429 or "come back later": try again `after` seconds from now
    ├── Unreachable        no usable answer within the attempt budget (network, 5xx)
    ├── ItemUnreadable     Exchange cannot render this one item: record it and go on
    ├── DeltaLoop          the delta feed goes in circles
    ├── BodyTooLarge       the body exceeds what the caller was ready to hold
    ├── Refused            any other 4xx: status and code say why
    └── BadResponse        an answer that is not what Graph documents

Every error carries `status` (0 without an answer), `code` (Graph's own, "" if none), `request_id` and `path`.
The path has no query, because delta and upload tokens live there.
"""


class GraphError(Exception):
    """A call to Graph that gave no result."""

    def __init__(
        self,
        text: str = "",
        *,
        status: int = 0,
        code: str = "",
        request_id: str = "",
        path: str = "",
    ) -> None:
        self.text = text
        self.status = status
        self.code = code
        self.request_id = request_id
        self.path = path
        super().__init__(self._line())

    def _line(self) -> str:
        facts = {"status": self.status, "code": self.code, "request_id": self.request_id, "path": self.path}
        known = ", ".join(f"{name}={value}" for name, value in facts.items() if value)
        return f"{self.text or type(self).__name__} ({known})" if known else self.text


class TokenUnavailable(GraphError):
    """There is no token to send; `reason` says why in a word a program can read."""

    def __init__(self, reason: str, *, path: str = "") -> None:
        self.reason = reason
        super().__init__(f"no token: {reason}", path=path)


class Unauthorized(GraphError):
    """Graph refused two tokens in a row."""


class Forbidden(GraphError):
    """The token is good but does not allow this call."""


class NotFound(GraphError):
    """What the path names does not exist (any more)."""


class ResyncRequired(GraphError):
    """The delta cursor is void. `location` is the fresh start Graph offered, or "" (then use the plain path)."""

    def __init__(
        self,
        text: str = "",
        *,
        status: int = 0,
        code: str = "",
        request_id: str = "",
        path: str = "",
        location: str = "",
    ) -> None:
        self.location = location
        super().__init__(text, status=status, code=code, request_id=request_id, path=path)


class Throttled(GraphError):
    """Graph, or our own budget, asks to come back in `after` seconds."""

    def __init__(
        self,
        after: float,
        text: str = "",
        *,
        status: int = 0,
        code: str = "",
        request_id: str = "",
        path: str = "",
    ) -> None:
        self.after = after
        super().__init__(
            text or f"throttled for {after:.1f} s", status=status, code=code, request_id=request_id, path=path
        )


class Unreachable(GraphError):
    """No usable answer. `sent` is False when the server certainly never had the whole request."""

    def __init__(
        self,
        text: str = "",
        *,
        sent: bool = True,
        status: int = 0,
        code: str = "",
        request_id: str = "",
        path: str = "",
    ) -> None:
        self.sent = sent
        super().__init__(text, status=status, code=code, request_id=request_id, path=path)


class ItemUnreadable(GraphError):
    """Exchange holds the item but cannot render it; asking again does not help."""


class DeltaLoop(GraphError):
    """The delta feed repeats itself and would never end."""


class BodyTooLarge(GraphError):
    """The body is larger than the caller allowed."""


class Refused(GraphError):
    """Graph refused the request for a reason of its own: look at status and code."""


class BadResponse(GraphError):
    """The answer is not what Graph documents."""
