"""Pages and delta rounds: links followed as they are, loops noticed, removals told apart."""

import hashlib
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from graph_client.errors import BadResponse, DeltaLoop

Fetch = Callable[[str], Awaitable[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list. `next_link` is opaque; a page may be empty and still have one."""

    items: tuple[dict[str, Any], ...]
    next_link: str | None
    number: int


@dataclass(frozen=True, slots=True)
class DeltaPage:
    """One page of a delta round; each id occurs once, in the state the page ended with.

    `removed` holds the raw entries (`@removed`, or the drive dialect's `deleted` facet). Exactly one of
    `next_link` and `delta_link` is set: store it together with what the page brought.
    """

    items: tuple[dict[str, Any], ...]
    removed: tuple[dict[str, Any], ...]
    next_link: str | None
    delta_link: str | None
    number: int


@dataclass(frozen=True, slots=True)
class LoopGuard:
    """When a feed counts as a loop: pages of identical content in one round, or empty pages in a row.

    Both happen in good feeds too (replays, empty pages with a nextLink), hence thresholds.
    """

    identical: int = 5
    empty: int = 200


class _Watch:
    def __init__(self, guard: LoopGuard, path: str) -> None:
        self._guard = guard
        self._path = path
        self._links: set[bytes] = set()
        self._payloads: Counter[bytes] = Counter()
        self._empty = 0

    def begin(self, start: str) -> None:
        """Note where the round starts: a link back to it is a loop."""
        self._links.add(_digest(start))

    def see(self, entries: Sequence[dict[str, Any]], next_link: str | None) -> None:
        """Raise DeltaLoop when this page shows that the round will not end."""
        if next_link is None:
            return
        link = _digest(next_link)
        if link in self._links:
            raise DeltaLoop("the same nextLink came twice", path=self._path)
        self._links.add(link)
        if not entries:
            self._empty += 1
            if self._empty >= self._guard.empty:
                raise DeltaLoop(f"{self._empty} empty pages in a row", path=self._path)
            return
        self._empty = 0
        payload = _digest(json.dumps(entries, sort_keys=True))
        self._payloads[payload] += 1
        if self._payloads[payload] >= self._guard.identical:
            raise DeltaLoop(f"{self._payloads[payload]} pages with identical content", path=self._path)


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def page_of(body: dict[str, Any], path: str, number: int = 1) -> Page:
    """Read the answer to a list. Raises BadResponse."""
    return Page(tuple(_entries(body, path)), _link(body, "@odata.nextLink", path), number)


async def follow_pages(fetch: Fetch, start: str, guard: LoopGuard, path: str) -> AsyncIterator[Page]:
    """Yield the pages of a list. Raises DeltaLoop and what `fetch` raises."""
    watch = _Watch(guard, path)
    watch.begin(start)
    link: str | None = start
    number = 0
    while link is not None:
        number += 1
        page = page_of(await fetch(link), path, number)
        link = page.next_link
        watch.see(page.items, link)
        yield page


async def follow_delta(fetch: Fetch, start: str, guard: LoopGuard, path: str) -> AsyncIterator[DeltaPage]:
    """Yield the pages of one round, the last with `delta_link`. Raises DeltaLoop, ResyncRequired."""
    watch = _Watch(guard, path)
    watch.begin(start)
    link: str | None = start
    number = 0
    while link is not None:
        body = await fetch(link)
        number += 1
        entries = _entries(body, path)
        link, delta_link = _link(body, "@odata.nextLink", path), _link(body, "@odata.deltaLink", path)
        if (link is None) == (delta_link is None):
            raise BadResponse("a delta page needs a nextLink or a deltaLink, not both", path=path)
        watch.see(entries, link)
        items, removed = _split(entries)
        yield DeltaPage(items, removed, link, delta_link, number)


def _entries(body: dict[str, Any], path: str) -> list[dict[str, Any]]:
    entries = body.get("value")
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise BadResponse("a list without a list of objects in value", path=path)
    return entries


def _link(body: dict[str, Any], name: str, path: str) -> str | None:
    link = body.get(name)
    if link is not None and (not isinstance(link, str) or not link):
        raise BadResponse(f"{name} is no link", path=path)
    return link


def _split(entries: list[dict[str, Any]]) -> tuple[tuple[dict[str, Any], ...], tuple[dict[str, Any], ...]]:
    """Keep the last entry of each id (delta-query-overview: the last one wins), then part the removed ones."""
    last: dict[str, dict[str, Any]] = {}
    for position, entry in enumerate(entries):
        # An entry without an id cannot be a twin of another one.
        key = str(entry.get("id") or f"\0{position}")
        last.pop(key, None)
        last[key] = entry
    gone = {key for key, entry in last.items() if "@removed" in entry or isinstance(entry.get("deleted"), dict)}
    return (
        tuple(entry for key, entry in last.items() if key not in gone),
        tuple(entry for key, entry in last.items() if key in gone),
    )
