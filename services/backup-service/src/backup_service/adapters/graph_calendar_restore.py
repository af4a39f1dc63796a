"""Restoring events over Graph. Immutable ids on every request, as in the backup.

Facts: learn.microsoft.com/graph/api/calendar-post-events, /graph/api/event-list-instances,
/graph/outlook-large-attachments.
"""

import base64
from collections.abc import Mapping
from typing import Any

from backup_service.adapters.graph_calendars import IMMUTABLE, GraphCalendars
from backup_service.domain.calendar import WholeEvent
from backup_service.domain.graph_message import ITEM_TAG, REPLACES_TAG, RESTORE_TAG
from backup_service.domain.restored_event import CreatedEvent
from graph_client import GraphClient, segment
from graph_client.errors import NotFound, Refused

_PREFER = (IMMUTABLE,)
_LARGEST_POST = 2 << 20
_CHUNK = 10 * 320 * 1024


class GraphCalendarTarget(GraphCalendars):
    """Implements ports.CalendarTarget, which reads what ports.Calendars reads, and writes."""

    def __init__(self, client: GraphClient) -> None:
        super().__init__(client)
        self._restoring = client

    async def ensure_calendar(self, mailbox: str, name: str, color: str, group: str) -> tuple[str, bool]:
        if found := await self.calendar_called(mailbox, name, group):
            return found, False
        into = await self._group_called(mailbox, group)
        within = "" if into is None else f"/calendarGroups/{segment(into)}"
        try:
            body = {"name": name, "color": color}
            made = await self._restoring.post(f"{_user(mailbox)}{within}/calendars", body, prefer=_PREFER)
            return str(made["id"]), True
        except Refused as error:
            if error.code.lower() != "errorfolderexists":
                raise
        if found := await self.calendar_called(mailbox, name, group):
            return found, False
        raise NotFound("a calendar exists and is not listed", path=f"{_user(mailbox)}/calendars")

    async def calendar_called(self, mailbox: str, name: str, group: str) -> str | None:
        named = [
            found for found in await self.calendars(mailbox) if found.own and found.name.casefold() == name.casefold()
        ]
        if await self._group_called(mailbox, group) is not None:
            named = [found for found in named if str(found.meta["group"]).casefold() == group.casefold()]
        return named[0].id if named else None

    async def _group_called(self, mailbox: str, group: str) -> str | None:
        found = (await self.groups(mailbox)).items() if group else ()
        return next((key for key, name in found if name.casefold() == group.casefold()), None)

    async def created(self, mailbox: str, calendar: str, restore: str) -> list[CreatedEvent]:
        wanted = " or ".join(f"id eq '{name}'" for name in (ITEM_TAG, REPLACES_TAG))
        params = {
            "$select": "id",
            "$top": "500",
            "$filter": f"singleValueExtendedProperties/any(p:p/id eq '{RESTORE_TAG}' and p/value eq '{restore}')",
            "$expand": f"singleValueExtendedProperties($filter={wanted})",
        }
        found: list[CreatedEvent] = []
        async for page in self._restoring.pages(_events(mailbox, calendar), params=params, prefer=_PREFER):
            for entry in page.items:
                tags = {each["id"]: each["value"] for each in entry.get("singleValueExtendedProperties") or ()}
                if tags.get(ITEM_TAG):
                    found.append(CreatedEvent(entry["id"], tags[ITEM_TAG], tags.get(REPLACES_TAG, "")))
        return found

    async def create(self, mailbox: str, calendar: str, event: Mapping[str, Any]) -> WholeEvent:
        made = await self._restoring.post(_events(mailbox, calendar), dict(event), prefer=_PREFER)
        return WholeEvent(made)

    async def days(self, mailbox: str, series: str, start: str, end: str) -> list[Mapping[str, Any]]:
        params = {
            "startDateTime": start,
            "endDateTime": end,
            "$select": "id,start,originalStart",
            "$top": "500",
        }
        path = f"{_user(mailbox)}/events/{segment(series)}/instances"
        pages = self._restoring.pages(path, params=params, prefer=_PREFER)
        return [entry async for page in pages for entry in page.items]

    async def change(self, mailbox: str, event: str, changes: Mapping[str, Any]) -> None:
        await self._restoring.patch(f"{_user(mailbox)}/events/{segment(event)}", dict(changes), prefer=_PREFER)

    async def attach(self, mailbox: str, event: str, item: Mapping[str, Any], content: bytes) -> None:
        path = f"{_user(mailbox)}/events/{segment(event)}/attachments"
        if len(content) < _LARGEST_POST:
            encoded = base64.b64encode(content).decode()
            body = {"@odata.type": "#microsoft.graph.fileAttachment", **item, "contentBytes": encoded}
            await self._restoring.post(path, body, prefer=_PREFER, fresh=True)
            return
        described = {"AttachmentItem": {"attachmentType": "file", "size": len(content), **item}}
        session = await self._restoring.post(f"{path}/createUploadSession", described, prefer=_PREFER, fresh=True)
        for start in range(0, len(content), _CHUNK):
            part = content[start : start + _CHUNK]
            place = f"bytes {start}-{start + len(part) - 1}/{len(content)}"
            headers = {"Content-Range": place, "Content-Type": "application/octet-stream"}
            await self._restoring.put_bytes(session["uploadUrl"], part, headers, mailbox=mailbox)

    async def remove(self, mailbox: str, event: str) -> None:
        try:
            await self._restoring.delete(f"{_user(mailbox)}/events/{segment(event)}", prefer=_PREFER)
        except NotFound:
            return


def _user(mailbox: str) -> str:
    return f"/users/{segment(mailbox)}"


def _events(mailbox: str, calendar: str) -> str:
    return f"{_user(mailbox)}/calendars/{segment(calendar)}/events"
