"""Calendars in memory, what people do in them, and the port on them."""

import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from backup_fakes.fuse import Fuse
from backup_service.domain.calendar import Calendar, EventAttachment, FoundEvent, WholeEvent
from graph_client.errors import ItemUnreadable, NotFound, Unreachable

_PAGE = 3


@dataclass
class Entry:
    """An event or series as Exchange keeps it; `days` are the days that differ, `attached` bytes by owner's id."""

    id: str
    calendar: str
    subject: str
    series: bool = False
    change: int = 1
    days: dict[str, str] = field(default_factory=dict)
    cancelled: set[str] = field(default_factory=set)
    attached: dict[str, list[tuple[EventAttachment, bytes]]] = field(default_factory=dict)

    def whole(self) -> WholeEvent:
        event = {"id": self.id, "subject": self.subject, "changeKey": f"ck-{self.change}"}
        event |= {
            "type": "seriesMaster" if self.series else "singleInstance",
            "hasAttachments": self.id in self.attached,
        }
        days = [
            {"id": f"{self.id}.{day}", "subject": text, "hasAttachments": f"{self.id}.{day}" in self.attached}
            for day, text in sorted(self.days.items())
        ]
        return WholeEvent(event, tuple(days), tuple(f"OID.{self.id}.{day}" for day in sorted(self.cancelled)))


@dataclass
class Planner:
    """One mailbox's calendars. Every change gives the event a new change key."""

    calendars: dict[str, Calendar] = field(default_factory=dict)
    entries: dict[str, Entry] = field(default_factory=dict)
    unreadable: dict[str, Exception] = field(default_factory=dict)
    unlistable: set[str] = field(default_factory=set)
    closed: dict[str, Exception] = field(default_factory=dict)
    """Calendars whose events cannot be listed at all."""
    fetched: list[str] = field(default_factory=list)
    between_pages: list[Any] = field(default_factory=list)
    """Things people do, one after each page of a list."""
    _number: Iterator[int] = field(default_factory=itertools.count)

    def add_calendar(self, name: str, *, own: bool = True) -> str:
        key = f"cal{next(self._number)}"
        self.calendars[key] = Calendar(key, name, own, {"name": name})
        return key

    def add(self, calendar: str, subject: str = "Termin", *, series: bool = False) -> str:
        key = f"ev{next(self._number):03}"
        self.entries[key] = Entry(key, calendar, subject, series)
        return key

    def rename(self, event: str, subject: str) -> None:
        self.entries[event].subject = subject
        self.entries[event].change += 1

    def change_day(self, event: str, day: str, subject: str | None) -> None:
        """Rename one day of a series, or cancel it."""
        entry = self.entries[event]
        entry.days.pop(day, None)
        if subject is None:
            entry.cancelled.add(day)
        else:
            entry.days[day] = subject
        entry.change += 1

    def attach(self, event: str, content: bytes, kind: str = "file", *, day: str = "") -> str:
        owner = f"{event}.{day}" if day else event
        key = f"att{next(self._number):03}"
        facts = EventAttachment(key, owner, f"v/{len(content)}", kind, len(content), {"attachment_type": kind})
        self.entries[event].attached.setdefault(owner, []).append((facts, content))
        self.entries[event].change += 1
        return key

    def detach(self, event: str) -> None:
        self.entries[event].attached.clear()
        self.entries[event].change += 1

    def move(self, event: str, calendar: str) -> None:
        self.entries[event].calendar = calendar
        self.entries[event].change += 1

    def delete(self, event: str) -> None:
        del self.entries[event]

    def delete_calendar(self, calendar: str) -> None:
        del self.calendars[calendar]
        for entry in [entry for entry in self.entries.values() if entry.calendar == calendar]:
            del self.entries[entry.id]

    def rename_calendar(self, calendar: str, name: str) -> None:
        self.calendars[calendar] = replace(self.calendars[calendar], name=name, meta={"name": name})

    def mirror(self) -> dict[str, tuple[str, str, bytes]]:
        """What a faultless backup holds of events and of the attachments that have bytes."""
        own = {key for key, calendar in self.calendars.items() if calendar.own}
        here = [entry for entry in self.entries.values() if entry.calendar in own]
        found = {x.id: (x.calendar, f"ck-{x.change}", x.whole().dump()) for x in here}
        for entry in here:
            for facts, content in itertools.chain.from_iterable(entry.attached.values()):
                if facts.type != "reference":
                    found[facts.id] = (facts.owner, facts.version, content)
        return found


class MemoryCalendars:
    """Implements ports.Calendars on one planner for every mailbox, as one connection of one process."""

    def __init__(self, planner: Planner, fuse: Fuse) -> None:
        self._planner = planner
        self._fuse = fuse
        self.requests = 0

    async def calendars(self, mailbox: str) -> list[Calendar]:
        self._call()
        return list(self._planner.calendars.values())

    async def events(self, mailbox: str, calendar: str) -> AsyncIterator[list[FoundEvent]]:
        async for page in self.identities(mailbox, calendar):
            wholes = [self._planner.entries[found.id].whole() for found in page if found.id in self._planner.entries]
            yield [replace(_found(whole), document=whole.event) for whole in wholes]

    async def identities(self, mailbox: str, calendar: str) -> AsyncIterator[list[FoundEvent]]:
        skip = 0
        while True:
            page = await self.listing(mailbox, calendar, skip, _PAGE)
            yield page
            if self._planner.between_pages:
                self._planner.between_pages.pop(0)()
            if len(page) < _PAGE:
                return
            skip += _PAGE

    async def listing(self, mailbox: str, folder: str, skip: int, top: int) -> list[FoundEvent]:
        self._call()
        if folder in self._planner.closed:
            raise self._planner.closed[folder]
        if folder not in self._planner.calendars:
            raise NotFound("no such calendar")
        here = [entry for entry in self._planner.entries.values() if entry.calendar == folder][skip : skip + top]
        if self._planner.unlistable & {entry.id for entry in here}:
            raise Unreachable("no usable answer", status=500)
        return [_found(entry.whole()) for entry in here]

    async def event(self, mailbox: str, event: str, *, is_series: bool) -> WholeEvent:
        self._call()
        entry = self._entry(event)
        self._planner.fetched.append(event)
        whole = entry.whole()
        return whole if is_series else WholeEvent(whole.event)

    async def attachments(self, mailbox: str, owner: str) -> list[EventAttachment]:
        self._call()
        entry = self._entry(owner.partition(".")[0])
        return [facts for facts, _ in entry.attached.get(owner, [])]

    @asynccontextmanager
    async def content(self, mailbox: str, attachment: EventAttachment) -> AsyncIterator[AsyncIterator[bytes]]:
        yield self._arriving(attachment)

    async def _arriving(self, attachment: EventAttachment) -> AsyncIterator[bytes]:
        self._call()
        if attachment.id in self._planner.unreadable:
            raise self._planner.unreadable[attachment.id]
        for entry in self._planner.entries.values():
            for facts, content in entry.attached.get(attachment.owner, []):
                if facts.id == attachment.id:
                    yield content[: len(content) // 2]
                    yield content[len(content) // 2 :]
                    return
        raise NotFound("no such attachment")

    def _entry(self, event: str) -> Entry:
        if event in self._planner.unreadable:
            raise self._planner.unreadable[event]
        if event in self._planner.unlistable:
            raise ItemUnreadable("the item cannot be read")
        if event not in self._planner.entries:
            raise NotFound("no such event")
        return self._planner.entries[event]

    def _call(self) -> None:
        self.requests += 1
        self._fuse.step()


def _found(whole: WholeEvent) -> FoundEvent:
    return FoundEvent(whole.id, whole.change_key, whole.event["type"] == "seriesMaster")
