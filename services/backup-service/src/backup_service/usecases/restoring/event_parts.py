"""What follows the creation of an event: the days of a series that differ or are cancelled, and attachments."""

from collections.abc import Sequence
from datetime import date, timedelta

from backup_engine.model import ItemRow
from backup_service.domain.calendar import EventAttachment, WholeEvent
from backup_service.domain.restored_event import cancelled_days, changes, day_of, zone_of
from backup_service.ports.calendars import CalendarTarget
from backup_service.usecases.restoring.frame import RestoreFrame, Tally
from contracts.errors import ErrorClass

_ITEM = "item"
_MARGIN = timedelta(days=2)
"""A day of a series may lie on another date in UTC than in its zone."""


class EventParts:
    """Adds them to an event that has just been created."""

    def __init__(self, frame: RestoreFrame, tally: Tally, target: CalendarTarget) -> None:
        self._frame = frame
        self._tally = tally
        self._target = target

    async def add(self, whole: WholeEvent, event: str, attached: Sequence[ItemRow]) -> None:
        """Attachments of the series come first: a day that is changed then takes a copy of them along."""
        own = [row for row in attached if row.parent == whole.id]
        for row in own:
            await self._attach(event, row)
        days = await self._days(whole, event)
        for exception in whole.exceptions:
            zone, all_day = zone_of(whole.event), bool(whole.event.get("isAllDay"))
            day = days.get(day_of(exception, zone, all_day=all_day))
            if day is None:
                continue  # the comparison names it
            await self._target.change(self._frame.mailbox, day, changes(exception, zone))
            await self._attach_to_day(day, [row for row in attached if row.parent == exception["id"]])
        for cancelled in cancelled_days(whole):
            if cancelled in days:
                await self._target.remove(self._frame.mailbox, days[cancelled])

    def name(self, row: ItemRow) -> str:
        """An attached item comes back as a file."""
        name = str(row.meta.get("name") or "attachment")
        return f"{name}.eml" if row.meta.get("attachment_type") == _ITEM and not name.endswith(".eml") else name

    def shown_name(self, attachment: EventAttachment) -> str:
        name = str(attachment.meta.get("name") or "attachment")
        return f"{name}.eml" if attachment.type == _ITEM and not name.endswith(".eml") else name

    async def _days(self, whole: WholeEvent, event: str) -> dict[str, str]:
        """Ids of the new series' days by their dates, as far as any of them is to be changed."""
        zone, all_day = zone_of(whole.event), bool(whole.event.get("isAllDay"))
        wanted = [day_of(each, zone, all_day=all_day) for each in whole.exceptions] + cancelled_days(whole)
        if not wanted:
            return {}
        first, last = date.fromisoformat(min(wanted)) - _MARGIN, date.fromisoformat(max(wanted)) + _MARGIN
        window = f"{first}T00:00:00Z", f"{last}T00:00:00Z"
        found = await self._target.days(self._frame.mailbox, event, *window)
        return {day_of(each, zone, all_day=all_day): str(each["id"]) for each in found}

    async def _attach_to_day(self, day: str, attached: Sequence[ItemRow]) -> None:
        """A changed day starts with those of its series; only what it has besides is added."""
        have = {self.shown_name(each) for each in await self._target.attachments(self._frame.mailbox, day)}
        for row in attached:
            if self.name(row) not in have:
                await self._attach(day, row)

    async def _attach(self, owner: str, row: ItemRow) -> None:
        if not row.has_body:
            detail = "a link attached to it is not restored: Microsoft 365 does not tell where it leads"
            self._frame.problem(self._tally, str(row.meta.get("event")), ErrorClass.UNSUPPORTED_ITEM, detail)
            return
        item = {"name": self.name(row), "isInline": bool(row.meta.get("inline"))}
        if row.meta.get("content_id"):
            item["contentId"] = str(row.meta["content_id"])
        kind = "message/rfc822" if row.meta.get("attachment_type") == _ITEM else str(row.meta.get("content_type") or "")
        item["contentType"] = kind or "application/octet-stream"
        await self._target.attach(self._frame.mailbox, owner, item, await self._frame.read(row))
