"""Calendars, as the use cases need them."""

from collections.abc import AsyncIterator
from typing import Protocol

from backup_service.domain.calendar import Calendar, EventAttachment, FoundEvent, WholeEvent


class Calendars(Protocol):
    """A tenant's calendars in Microsoft 365. Raises the error tree of graph_client."""

    async def calendars(self, mailbox: str) -> list[Calendar]: ...

    def events(self, mailbox: str, calendar: str) -> AsyncIterator[list[FoundEvent]]:
        """Pages of every single event and every series of a calendar, with their documents."""
        ...

    def identities(self, mailbox: str, calendar: str) -> AsyncIterator[list[FoundEvent]]:
        """The same with ids and change keys only, in pages of up to a thousand."""
        ...

    async def listing(self, mailbox: str, folder: str, skip: int, top: int) -> list[FoundEvent]:
        """`top` events of a calendar after the first `skip`, oldest first; fewer only at the end.

        Gives up early: raises Unreachable with status 500 when one of them cannot be listed.
        """
        ...

    async def event(self, mailbox: str, event: str, *, is_series: bool) -> WholeEvent:
        """One event; of a series also the days that differ and those that do not take place."""
        ...

    async def attachments(self, mailbox: str, owner: str) -> list[EventAttachment]:
        """What an event, or one day of a series, has attached, without the bytes."""
        ...

    def content(self, mailbox: str, attachment: EventAttachment) -> AsyncIterator[bytes]:
        """The bytes of a file, or the MIME of an attached item."""
        ...
