"""Addresses: from the caller's path to a URL of our origin, and whose limits it counts against."""

import re
from collections.abc import Mapping
from urllib.parse import quote, unquote, urlencode, urlsplit

from graph_client.messages import Route

# Everything below /users/{id}/ that Exchange Online serves; its limits are per app and mailbox.
_OUTLOOK = frozenset(
    {
        "calendar",
        "calendargroups",
        "calendars",
        "calendarview",
        "contactfolders",
        "contacts",
        "events",
        "mailboxsettings",
        "mailfolders",
        "messages",
        "outlook",
    }
)
_FILES = frozenset({"drive", "drives", "shares", "sites"})
_KEYED = re.compile(r"^users\('(?P<id>[^']*)'\)$", re.IGNORECASE)


def segment(value: str) -> str:
    """Percent-encode an id for use in a path; Outlook ids contain `/`, `+` and `=`."""
    return quote(value, safe="")


class Addresses:
    """Builds URLs below one base URL and recognises those that belong to it."""

    def __init__(self, base_url: str) -> None:
        self._base = base_url.rstrip("/")
        parts = urlsplit(self._base)
        self._origin = _origin(self._base)
        self._prefix = parts.path

    def url(self, path: str, params: Mapping[str, str] | None = None) -> str:
        """Give the absolute URL of a path; an absolute link of our origin is returned as it stands."""
        if "#" in path:
            raise ValueError("a raw # would cut the path: use segment() on ids")
        if self.is_absolute(path):
            if params:
                raise ValueError("a link carries its own query and takes no parameters")
            if not self.owns(path):
                raise ValueError("the link belongs to another origin")
            return path
        query = urlencode(dict(params), safe="$,:'()", quote_via=quote) if params else ""
        joint = "&" if "?" in path else "?"
        return f"{self._base}/{path.lstrip('/')}" + (f"{joint}{query}" if query else "")

    @staticmethod
    def is_absolute(path: str) -> bool:
        return path.startswith(("https://", "http://"))

    def owns(self, link: str) -> bool:
        """Tell whether the token may travel to this link: same scheme, host and port as the base URL."""
        return _origin(link) == self._origin

    def route(self, url: str) -> Route:
        """Name the Graph service and, for Exchange, the mailbox that a URL counts against."""
        path = urlsplit(url).path.removeprefix(self._prefix)
        head, *rest = [part for part in path.split("/") if part] or [""]
        keyed = _KEYED.match(unquote(head))
        user = unquote(keyed["id"]) if keyed else None
        if head.lower() == "users" and rest:
            user, *rest = unquote(rest[0]), *rest[1:]
        child = rest[0].split("(")[0].lower() if rest else ""
        if user is not None and child in _OUTLOOK:
            return Route("outlook", user)
        if head.lower() in _FILES or child in _FILES:
            return Route("files")
        return Route("directory")


_DEFAULT_PORTS = {"https": 443, "http": 80}


def _origin(url: str) -> tuple[str, str | None, int | None]:
    """Give scheme, host and port; user names and unreadable ports belong to no origin of ours."""
    parts = urlsplit(url)
    try:
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        port = None
    host = None if parts.username is not None else parts.hostname
    return parts.scheme, host, port
