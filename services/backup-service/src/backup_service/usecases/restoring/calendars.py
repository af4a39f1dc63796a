"""Restore events: create each without attendees, then its days and attachments, read it back, compare (ADR 0024).

Nobody is told: no event is created with attendees, and none is deleted whose attendees would get a cancellation.
After a crash at any step the tag on what was created says what an earlier attempt has made.
"""

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from backup_engine.model import ItemRow
from backup_service.domain.calendar import CALENDAR, EVENT, EVENT_ATTACHMENT, Calendar, WholeEvent
from backup_service.domain.graph_message import Tags
from backup_service.domain.restored_event import (
    CreatedEvent,
    by_item,
    differences,
    facts,
    invites,
    new_event,
)
from backup_service.ports import RestoreTarget
from backup_service.ports.calendars import CalendarTarget
from backup_service.usecases.restoring.event_parts import EventParts
from backup_service.usecases.restoring.frame import RestoreFrame, Tally
from contracts.errors import ErrorClass
from contracts.names import Source
from contracts.restoring import RestoreConflict


class CalendarRestore:
    """Implements SourceRestore for calendars."""

    source: ClassVar = Source.CALENDAR

    def __init__(self, target: RestoreTarget, frame: RestoreFrame) -> None:
        self._frame = frame
        self._target = target.calendars

    async def restore(self) -> None:
        calendars = await self._frame.containers(CALENDAR)
        rows = await self._frame.wanted(EVENT, calendars)
        wanted = self._frame.wanted_whole(calendars) | {row.parent for row in rows}
        if not wanted:
            return
        tally = self._frame.tally(self.source)
        tally.selected = len(rows)
        there = {found.id: found for found in await self._target.calendars(self._frame.mailbox) if found.own}
        closed = frozenset(key for key, found in there.items() if found.meta.get("can_edit") is False)
        places = _Places(await self._places(tally, there, calendars, wanted), closed)
        attached: defaultdict[str, list[ItemRow]] = defaultdict(list)
        for row in await self._frame.rows(EVENT_ATTACHMENT):
            attached[str(row.meta.get("event") or row.parent)].append(row)
        await _Events(self._frame, tally, self._target, places, attached).restore(rows)

    async def _places(
        self, tally: Tally, there: Mapping[str, Calendar], calendars: Mapping[str, ItemRow], wanted: set[str]
    ) -> dict[str, str | None]:
        """Calendar ids by key of the restore point's calendar; None in a dry run for one that would be made.

        In the original place a calendar is the one with its id, else the default one for the default one, else the one
        of its name, in the group of that name if there is one. Calendars have no folders above them: elsewhere each
        becomes one named after the place and itself.
        """
        default = next(key for key, found in there.items() if found.meta.get("is_default"))
        places: dict[str, str | None] = {}
        for key in sorted(wanted):
            row, top = calendars.get(key), self._frame.order.top
            if not top and self._frame.in_place and key in there:
                places[key] = key
            elif not top and (row is None or row.meta.get("is_default")):
                places[key] = default
            else:
                name = str(row.meta.get("name") or "") if row is not None else ""
                places[key] = await self._named(tally, f"{top} {name}".strip(), row)
        return places

    async def _named(self, tally: Tally, name: str, row: ItemRow | None) -> str | None:
        meta = {} if row is None else row.meta
        group = str(meta.get("group") or "")
        if self._frame.order.dry_run:
            found = await self._target.calendar_called(self._frame.mailbox, name, group)
            tally.folders_created += found is None
            return found
        color = str(meta.get("color") or "auto")
        calendar, created = await self._target.ensure_calendar(self._frame.mailbox, name, color, group)
        tally.folders_created += created
        return calendar


@dataclass(frozen=True)
class _Places:
    """Where each calendar of the restore point goes, and which calendars of the mailbox nobody may write into."""

    of: Mapping[str, str | None]
    closed: frozenset[str]


class _Events:
    """The events of one restore, once their calendars are known."""

    def __init__(
        self,
        frame: RestoreFrame,
        tally: Tally,
        target: CalendarTarget,
        places: _Places,
        attached: Mapping[str, Sequence[ItemRow]],
    ) -> None:
        self._frame = frame
        self._tally = tally
        self._target = target
        self._places = places
        self._attached = attached
        self._parts = EventParts(frame, tally, target)
        self._created: dict[str, list[CreatedEvent]] = {}
        self._present: dict[str, dict[str, WholeEvent]] = defaultdict(dict)
        self._replace = frame.order.conflict is RestoreConflict.REPLACE

    async def restore(self, rows: Sequence[ItemRow]) -> None:
        await self._look_around({place for row in rows if (place := self._places.of[row.parent]) is not None})
        changed = [row for row in rows if not self._is_unchanged(row)]
        self._tally.skipped += len(rows) - len(changed)
        await self._frame.each(self._tally, changed, self._foresee if self._frame.order.dry_run else self._restore)

    async def _look_around(self, here: set[str]) -> None:
        """See what an earlier attempt has created and, where it matters, what is there already."""
        mine: list[CreatedEvent] = []
        if self._frame.resumes:
            for place in here:
                mine += await self._target.created(self._frame.mailbox, place, self._frame.tag)
            self._created = by_item(mine)
        ours = {created.id for created in mine}
        for place in here if self._frame.order.compares else ():
            async for page in self._target.events(self._frame.mailbox, place):
                found = {each.id: WholeEvent(each.document or {}) for each in page if each.id not in ours}
                self._present[place].update(found)

    def _is_unchanged(self, row: ItemRow) -> bool:
        """The very event is there as it was: it stands for no other item."""
        itself = self._here(row).get(row.key)
        if itself is None or itself.change_key != row.version:
            return False
        del self._here(row)[row.key]
        return True

    async def _restore(self, row: ItemRow, body: bytes) -> None:
        whole = WholeEvent.load(body)
        if await self._finished(row, whole):
            return
        old, superfluous = await self._meant(row, whole)
        if superfluous:
            self._tally.skipped += 1
            return
        if self._is_hindered(row, old):
            return
        proven = await self._make(row, whole, old.id if old else "")
        if old is not None and proven:
            await self._target.remove(self._frame.mailbox, old.id)
            self._tally.replaced += 1
        else:
            self._tally.created += 1

    async def _foresee(self, row: ItemRow, body: bytes) -> None:
        """What `_restore` would do, without doing it."""
        old, superfluous = await self._meant(row, WholeEvent.load(body))
        if superfluous:
            self._tally.skipped += 1
        elif self._is_hindered(row, old):
            return
        elif old is None:
            self._tally.created += 1
        else:
            self._tally.replaced += 1

    def _is_hindered(self, row: ItemRow, old: WholeEvent | None) -> bool:
        """Whether the event cannot be put back; it is listed then, and costs no other."""
        if self._places.of[row.parent] in self._places.closed:
            detail = "not restored: nobody may write into its calendar; restore it to another place"
        elif old is not None and invites(old.event):
            detail = "not replaced: deleting the meeting that is there would send its attendees a cancellation"
        else:
            return False
        self._frame.problem(self._tally, row.key, ErrorClass.UNSUPPORTED_ITEM, detail)
        return True

    async def _make(self, row: ItemRow, whole: WholeEvent, replaces: str) -> bool:
        """Create the event with all its parts; whether what is in the mailbox now is what was stored."""
        place = self._places.of[row.parent]
        assert place is not None, "only a dry run leaves calendars out"
        tags = Tags(self._frame.tag, row.key, replaces)
        made = await self._target.create(self._frame.mailbox, place, new_event(whole, tags))
        await self._parts.add(whole, made.id, self._attached.get(row.key, ()))
        different = differences(await self._stored(row, whole), await self._shown(made.id, whole))
        if different:
            detail = f"the restored event differs in: {', '.join(different)}"
            self._frame.problem(self._tally, row.key, ErrorClass.INTEGRITY, detail)
        else:
            self._tally.verified += 1
        return not different

    async def _finished(self, row: ItemRow, whole: WholeEvent) -> bool:
        """Whether an attempt before this one has made all of it; what it left half done is taken away again."""
        expected = await self._stored(row, whole) if row.key in self._created else {}
        done = False
        for created in self._created.get(row.key, ()):
            if done or differences(expected, await self._shown(created.id, whole)):
                await self._target.remove(self._frame.mailbox, created.id)
                continue
            done = True
            if created.replaces:
                await self._target.remove(self._frame.mailbox, created.replaces)
        self._tally.resumed += done
        self._tally.verified += done
        return done

    async def _meant(self, row: ItemRow, whole: WholeEvent) -> tuple[WholeEvent | None, bool]:
        """The event that is to go for this one, and whether it, or another one, makes restoring superfluous."""
        here = self._here(row)
        start = facts(WholeEvent(whole.event), {})["start"]
        likely = [each for each in here.values() if each.id == row.key or _alike(each, whole, start)]
        for found in likely:
            here.pop(found.id, None)  # taken before anybody waits: two workers may look at one event
        expected = await self._stored(row, whole) if likely else {}
        same = [found for found in likely if not differences(expected, await self._shown(found.id, whole))]
        if same:
            return same[0], True
        itself = next((found for found in likely if found.id == row.key), None)
        old = itself or (likely[0] if len(likely) == 1 else None)
        return (old, False) if self._replace else (None, False)

    async def _stored(self, row: ItemRow, whole: WholeEvent) -> dict[str, object]:
        """What is stored, comparable; links are left out, as they cannot be made again."""
        attached: defaultdict[str, list[str]] = defaultdict(list)
        for each in self._attached.get(row.key, ()):
            if each.has_body:
                attached[each.parent].append(f"{self._parts.name(each)}/{(each.sha256 or b'').hex()}")
        return facts(whole, attached)

    async def _shown(self, event: str, like: WholeEvent) -> dict[str, object]:
        """What the mailbox shows of an event, comparable."""
        is_series = bool(like.event.get("recurrence"))
        whole = await self._target.event(self._frame.mailbox, event, is_series=is_series)
        attached: defaultdict[str, list[str]] = defaultdict(list)
        for owner in whole.attachment_owners():
            for each in await self._target.attachments(self._frame.mailbox, owner):
                if each.type == "reference":
                    continue
                digest = hashlib.sha256()
                async with self._target.content(self._frame.mailbox, each) as pieces:
                    async for piece in pieces:
                        digest.update(piece)
                attached[owner].append(f"{self._parts.shown_name(each)}/{digest.hexdigest()}")
        return facts(whole, attached)

    def _here(self, row: ItemRow) -> dict[str, WholeEvent]:
        place = self._places.of[row.parent]
        return {} if place is None else self._present[place]


def _alike(found: WholeEvent, whole: WholeEvent, start: object) -> bool:
    """The same meeting, or one of the same subject at the same time."""
    uid = whole.event.get("iCalUId")
    if uid and found.event.get("iCalUId") == uid:
        return True
    same_subject = found.event.get("subject") == whole.event.get("subject")
    return same_subject and facts(WholeEvent(found.event), {})["start"] == start
