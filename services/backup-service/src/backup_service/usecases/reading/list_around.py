"""List a folder around mails that Exchange cannot list.

One such mail makes every page that would show it answer 500, in delta rounds, too, without naming it. Halving the page
finds its place; stepping over it finds the rest.
"""

from collections.abc import AsyncIterator

from backup_service.domain.mail import Message
from backup_service.ports import Mail
from graph_client.errors import Unreachable

UNLISTABLE = 500
"""The status of such a page."""

_PAGE = 128
_SURRENDER = 8
"""Places in a row that cannot be listed: then it is Exchange that is away, not single mails that are damaged."""


async def list_around(mail: Mail, mailbox: str, folder: str) -> AsyncIterator[list[Message] | int]:
    """Pages of a folder's messages, and the place (from 0, oldest first) of each message that cannot be listed.

    A message that comes or goes meanwhile may be named twice or not at all; the next run finds it. Raises Unreachable.
    """
    skip, top, misses = 0, _PAGE, 0
    while True:
        try:
            messages = await mail.listing(mailbox, folder, skip, top)
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
        if messages:
            yield messages
        if len(messages) < top:
            return
        skip += len(messages)
        top = min(_PAGE, 2 * top)
