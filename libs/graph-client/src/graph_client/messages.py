"""One request and one response, as the rings pass them on."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Route:
    """Whose limits a request counts against: the Graph service, and the mailbox if it has one."""

    service: str
    mailbox: str | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """A request with its absolute URL.

    `authorize` is False for pre-authenticated URLs, which answer 401 to an Authorization header
    (driveitem-createuploadsession). `max_bytes` bounds the decoded body of a request that is not streamed.
    `fresh` says that what the path names was made a moment ago: a 404 is asked again before it is believed.
    `attempts` bounds how often a call without usable answer is made, below what the policy allows.
    """

    method: str
    url: str
    route: Route
    headers: Mapping[str, str]
    content: bytes | None = None
    stream: bool = False
    authorize: bool = True
    max_bytes: int | None = None
    fresh: bool = False
    attempts: int | None = None

    @property
    def path(self) -> str:
        """The path for people and logs: without query, and without what a pre-authenticated URL hides in it."""
        return urlsplit(self.url).path if self.authorize else "(pre-authenticated URL)"


async def _nothing_to_close() -> None:
    return


@dataclass(frozen=True, slots=True)
class Response:
    """An answer. `content` is the whole body; a successful streamed request has `body` instead, to be closed."""

    status: int
    headers: Mapping[str, str]
    content: bytes = b""
    body: AsyncIterator[bytes] | None = None
    aclose: Callable[[], Awaitable[None]] = _nothing_to_close

    def header(self, name: str) -> str:
        """Give a header by its lower-case name, "" if absent."""
        return self.headers.get(name, "")
