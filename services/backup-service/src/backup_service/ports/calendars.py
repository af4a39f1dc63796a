"""Calendars, as the use cases need them."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from backup_service.domain.calendar import Calendar, EventAttachment, FoundEvent, WholeEvent
from backup_service.domain.restored_event import CreatedEvent


class Calendars(Protocol):
    """A tenant's calendars in Microsoft 365. Raises the error tree of graph_client."""

    async def calendars(self, mailbox: str) -> list[Calendar]:
        """The calendars of all groups; `meta` has the name of its `group`."""
        ...

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

    def content(self, mailbox: str, attachment: EventAttachment) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """The bytes of a file, or the MIME of an attached item, as they arrive. Raises Unreachable."""
        ...


class CalendarTarget(Calendars, Protocol):
    """Where events are restored to. Raises the error tree of graph_client."""

    async def calendar_called(self, mailbox: str, name: str, group: str) -> str | None:
        """Id of the mailbox's own calendar of this name, whatever its case; None when there is none.

        Where the mailbox has a group of that name the calendar must be in it: two groups may have two of one name.
        """
        ...

    async def ensure_calendar(self, mailbox: str, name: str, color: str, group: str) -> tuple[str, bool]:
        """Id of that calendar, and whether this call has created it: in the group of that name if there is one."""
        ...

    async def created(self, mailbox: str, calendar: str, restore: str) -> list[CreatedEvent]:
        """What attempts of this restore have created in the calendar."""
        ...

    async def create(self, mailbox: str, calendar: str, event: Mapping[str, Any]) -> WholeEvent:
        """Create an event. Whoever it names as attendee is sent an invitation."""
        ...

    async def days(self, mailbox: str, series: str, start: str, end: str) -> list[Mapping[str, Any]]:
        """What of a series takes place between two instants: id, start, and when it should have started."""
        ...

    async def change(self, mailbox: str, event: str, changes: Mapping[str, Any]) -> None:
        """Change an event or one day of a series. Repeating is fine."""
        ...

    async def attach(self, mailbox: str, event: str, item: Mapping[str, Any], content: bytes) -> None:
        """Attach a file to an event or one day of a series."""
        ...

    async def remove(self, mailbox: str, event: str) -> None:
        """Delete an event, or cancel one day of a series; attendees of an organizer are told. Repeating is fine."""
        ...
