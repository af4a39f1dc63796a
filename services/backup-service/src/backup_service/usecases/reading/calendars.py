"""Calendars of one mailbox: every event of every calendar, with the days of series that differ and all attachments."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import ClassVar

import structlog

from backup_engine.model import NewItem
from backup_service.domain.calendar import CALENDAR, EVENT, EVENT_ATTACHMENT, Calendar, FoundEvent, WholeEvent
from backup_service.ports import Workloads
from backup_service.usecases.item_errors import OF_A_CONTAINER, class_of, reason
from backup_service.usecases.reading.event_attachments import EventAttachments
from backup_service.usecases.reading.frame import Frame
from backup_service.usecases.reading.list_around import UNLISTABLE, list_around
from backup_service.usecases.uninterrupted import uninterrupted
from contracts.errors import ErrorClass
from graph_client.errors import DeltaLoop, GraphError, NotFound, Unreachable

log = structlog.get_logger()

_RATHER_WHOLE = 10, 0.05
"""So many changed events, and at least this part of a calendar, are read by pages instead of one by one."""
_TOGETHER = 20


class CalendarSource:
    """Reads the calendars of one mailbox.

    Microsoft 365 tracks changes of a window of dates only, so that no delta ever names what lies outside. Instead every
    run lists ids and change keys of all events, a thousand per request; what differs from the stored rows is read.
    Its progress: `done`, the calendars that are through, and `missing`, events that their calendar did not name. An
    event that moved is named by another calendar under the same immutable id, so removals count at the end of the run.
    """

    kinds: ClassVar[frozenset[str]] = frozenset({CALENDAR, EVENT, EVENT_ATTACHMENT})

    def __init__(self, workloads: Workloads, frame: Frame) -> None:
        self._calendars = workloads.calendars
        self._frame = frame
        self._attachments = EventAttachments(workloads.calendars, frame)
        self._done: dict[str, int] = frame.progress.setdefault("done", {})
        self._missing: dict[str, str] = frame.progress.setdefault("missing", {})
        self._vanished: dict[str, FoundEvent] = {}
        self._again: set[str] = set()
        self._slots = asyncio.Semaphore(frame.parallel)

    async def read(self) -> None:
        found = await self._calendars.calendars(self._frame.resource)
        await self._attachments.open()
        self._again = self._attachments.events_of(self._frame.again)
        for calendar in found:
            if not calendar.own:
                detail = "the calendar belongs to another mailbox, and is backed up there"
                self._frame.skip(calendar.id, ErrorClass.UNSUPPORTED_ITEM, detail)
                continue
            await self._frame.put_record(calendar.id, CALENDAR, "", dict(calendar.meta))
            if calendar.id not in self._done:
                await self._read_calendar(calendar)
        await self._apply_removals({calendar.id for calendar in found})
        # Exchange counts days of series nowhere: what the lists named is the best denominator there is.
        self._frame.expected = self._frame.found()

    async def _read_calendar(self, calendar: Calendar) -> None:
        """One bad calendar never costs its mailbox: it is listed as missing, and what is stored of it stays."""
        stored = await uninterrupted(self._stored_in, calendar.id)
        try:
            try:
                named = await self._take_all(calendar, stored)
                named -= await self._settle_vanished(calendar)
            except DeltaLoop:
                log.warning("the list of the calendar goes in circles; its events are listed by their places")
                await self._go_around(calendar, stored)
                return
            except Unreachable as error:
                if error.status != UNLISTABLE:
                    raise
                log.warning("a page of the calendar cannot be listed; its events are listed around the damaged ones")
                await self._go_around(calendar, stored)
                return
        except OF_A_CONTAINER as error:
            await self._blame_calendar(calendar, error)
            return
        self._missing.update(dict.fromkeys(stored - named, calendar.id))
        self._done[calendar.id] = 1

    async def _blame_calendar(self, calendar: Calendar, error: GraphError) -> None:
        """Is it gone, or is it bad? Where all calendars are refused, asking for their list says so."""
        listed = await self._calendars.calendars(self._frame.resource)
        if calendar.id in {other.id for other in listed}:
            self._frame.miss(calendar.id, class_of(error), reason(error))
        else:
            log.info("calendar is gone; its events are removed at the next run")

    async def _take_all(self, calendar: Calendar, stored: set[str]) -> set[str]:
        """Store what is new or has changed; return the ids that the calendar has.

        What others delete while pages are turned pushes an event from one page to the one that was read: what only one
        of two lists names is there as well.
        """
        if not stored:
            paged, pages = await self._take_pages(calendar)
            listed = (await self._identities(calendar))[0] if pages > 1 else {}
            await self._take_many(calendar, [found for key, found in listed.items() if key not in paged])
            return {*paged, *listed}
        named, pages = await self._identities(calendar)
        if pages > 1 and stored - named.keys():
            named |= (await self._identities(calendar))[0]
        changed = [found for found in named.values() if not self._is_current(calendar, found)]
        few, share = _RATHER_WHOLE
        if len(changed) > max(few, share * len(named)):
            paged, _ = await self._take_pages(calendar)
            changed = [found for found in changed if found.id not in paged]
            named |= paged
        await self._take_many(calendar, changed)
        return set(named)

    async def _take_pages(self, calendar: Calendar) -> tuple[dict[str, FoundEvent], int]:
        named: dict[str, FoundEvent] = {}
        pages = 0
        async for page in self._calendars.events(self._frame.resource, calendar.id):
            await self._take(calendar, [found for found in page if not self._is_current(calendar, found)])
            named.update((found.id, replace(found, document=None)) for found in page)
            pages += 1
        return named, pages

    async def _take_many(self, calendar: Calendar, changed: Sequence[FoundEvent]) -> None:
        for start in range(0, len(changed), _TOGETHER):
            await self._take(calendar, changed[start : start + _TOGETHER])

    async def _identities(self, calendar: Calendar) -> tuple[dict[str, FoundEvent], int]:
        named: dict[str, FoundEvent] = {}
        pages = 0
        async for page in self._calendars.identities(self._frame.resource, calendar.id):
            named.update({found.id: found for found in page})
            pages += 1
        return named, pages

    async def _go_around(self, calendar: Calendar, stored: set[str]) -> None:
        """List the calendar by places: store what can be listed, and say which places are missing."""
        places: list[int] = []
        named: set[str] = set()
        async for found in list_around(self._calendars, self._frame.resource, calendar.id):
            if isinstance(found, int):
                places.append(found)
                continue
            await self._take(calendar, [each for each in found if not self._is_current(calendar, each)])
            named.update(each.id for each in found)
        named -= await self._settle_vanished(calendar, listable=False)
        before = len(self._frame.failed)
        for unseen in sorted(stored - named):
            await self._ask(calendar, unseen)
        # A stored event that fails by its id is one of the places; the others were never seen.
        for place in places[len(self._frame.failed) - before :]:
            detail = f"no page that shows event {place + 1} of the calendar, oldest first, can be listed"
            self._frame.miss(f"{calendar.id}#{place}", ErrorClass.CORRUPT_SOURCE_ITEM, detail)

    async def _ask(self, calendar: Calendar, event: str) -> None:
        """Ask by its id for a stored event that no list named."""
        try:
            await self._calendars.event(self._frame.resource, event, is_series=False)
        except NotFound:
            self._missing[event] = calendar.id
        except GraphError as error:
            self._frame.blame(event, error)

    async def _settle_vanished(self, calendar: Calendar, *, listable: bool = True) -> set[str]:
        """Events that were listed and not found when they were read; return those that are gone.

        Exchange says so of events that exist, too: each is asked for once more, and then another list decides.
        """
        doubted, self._vanished = self._vanished, {}
        await self._take_many(calendar, [*doubted.values()])
        gone, self._vanished = {*self._vanished}, {}
        listed = (await self._identities(calendar))[0].keys() & gone if gone and listable else set()
        for event in listed:
            self._frame.fail(event, NotFound("listed, but not found"))
        for event in gone - listed:
            self._frame.gone(event)
        return gone - listed

    async def _take(self, calendar: Calendar, changed: Iterable[FoundEvent]) -> None:
        async with asyncio.TaskGroup() as group:
            for found in changed:
                group.create_task(self._store(calendar, found))
        await self._frame.flush()
        self._attachments.tell_failed()
        await self._frame.mark_progress()

    async def _store(self, calendar: Calendar, found: FoundEvent) -> None:
        async with self._slots:
            try:
                event = await self._whole(found)
            except NotFound:
                self._vanished[found.id] = found
                return
            except GraphError as error:
                self._frame.blame(found.id, error)
                return
            self._missing.pop(found.id, None)
            item = NewItem(event.id, EVENT, event.change_key, calendar.id, {})
            await self._frame.put_page_item(item, event.dump())
            await self._attachments.store(event)

    async def _whole(self, found: FoundEvent) -> WholeEvent:
        if found.document is not None and not found.is_series:
            return WholeEvent(found.document)
        return await self._calendars.event(self._frame.resource, found.id, is_series=found.is_series)

    def _is_current(self, calendar: Calendar, found: FoundEvent) -> bool:
        known = self._frame.known(found.id)
        if known is None or found.id in self._again:
            return False
        return (known.version, known.parent) == (found.change_key, calendar.id)

    def _stored_in(self, calendar: str) -> set[str]:
        """In a thread: the events that are stored of a calendar."""
        return {row.key for row in self._frame.keys(EVENT, calendar)}

    async def _apply_removals(self, calendars: set[str]) -> None:
        """Remove what its calendar did not name and no other did, and what lay in calendars that are gone."""
        gone, lost_calendars = await uninterrupted(self._departed, calendars)
        gone -= self._frame.failed.keys()
        await self._frame.remove(gone | self._attachments.of(gone))
        await self._frame.remove(lost_calendars)
        self._missing.clear()

    def _departed(self, calendars: set[str]) -> tuple[set[str], set[str]]:
        """In a thread: the events and the calendars that are not there any more."""
        lost_calendars = {row.key for row in self._frame.keys(CALENDAR)} - calendars
        gone = {row.key for calendar in lost_calendars for row in self._frame.keys(EVENT, calendar)}
        for event, calendar in self._missing.items():
            row = self._frame.known(event)
            if row is not None and row.parent == calendar:
                gone.add(event)
        return gone, lost_calendars
