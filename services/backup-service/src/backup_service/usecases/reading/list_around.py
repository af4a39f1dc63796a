"""List a folder around items that Exchange cannot list.

One such mail or contact makes every page that would show it answer 500, in delta rounds, too, without naming it.
Halving the page finds its place; stepping over it finds the rest.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Protocol, TypeVar

from graph_client.errors import Unreachable

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

UNLISTABLE = 500
"""The status of such a page."""

_PAGE = 128
_SURRENDER = 8
"""Places in a row that cannot be listed: then it is Exchange that is away, not single items that are damaged."""


class Listed(Protocol[T_co]):
    """What lists a folder by place: ports.Mail, ports.Contacts."""

    async def listing(self, mailbox: str, folder: str, skip: int, top: int) -> Sequence[T_co]: ...


async def list_around(listed: Listed[T], mailbox: str, folder: str) -> AsyncIterator[Sequence[T] | int]:
    """Pages of a folder's items, and the place (from 0, oldest first) of each item that cannot be listed.

    An item that comes or goes meanwhile may be named twice or not at all; the next run finds it. Raises Unreachable.
    """
    skip, top, misses = 0, _PAGE, 0
    while True:
        try:
            items = await listed.listing(mailbox, folder, skip, top)
        except Unreachable as error:
            if error.status != UNLISTABLE:
                raise
            if top > 1:
                top //= 2
                continue
            misses += 1
            if misses == _SURRENDER:
                raise
            yield skip
            skip += 1
            continue
        misses = 0
        if items:
            yield items
        if len(items) < top:
            return
        skip += len(items)
        top = min(_PAGE, 2 * top)
