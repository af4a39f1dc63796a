"""Calendars over Graph. Immutable ids on every request, so that an event that moves keeps its identity.

Facts: learn.microsoft.com/graph/api/user-list-calendars, /calendargroup-list-calendars, /event-get (days of a series),
/attachment-get.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

from backup_service.domain.calendar import (
    EVENT_FIELDS,
    Calendar,
    EventAttachment,
    FoundEvent,
    WholeEvent,
    plain,
)
from graph_client import GraphClient, segment
from graph_client.errors import NotFound

IMMUTABLE = 'IdType="ImmutableId"'
_FIELDS = ",".join(EVENT_FIELDS)
_CALENDAR = "id,name,color,hexColor,isDefaultCalendar,canEdit,owner"
_IDENTITY = "id,changeKey,type"
_MOST = 1000
_WHOLE = 200
"""Events per page with their bodies: a page of meetings with long texts stays at some megabytes."""
_TRIES_PER_LISTING = 2
_KINDS = {"fileAttachment": "file", "itemAttachment": "item", "referenceAttachment": "reference"}
_ATTACHMENT_FIELDS = "id,name,contentType,size,isInline,lastModifiedDateTime,microsoft.graph.fileAttachment/contentId"


class GraphCalendars:
    """Implements ports.Calendars on one client, that is, one tenant and one app profile."""

    def __init__(self, client: GraphClient) -> None:
        self._client = client

    async def calendars(self, mailbox: str) -> list[Calendar]:
        found = {entry["id"]: entry async for entry in self._entries(f"{_user(mailbox)}/calendars", _CALENDAR)}
        group_of: dict[str, str] = {}
        for group, name in (await self.groups(mailbox)).items():
            path = f"{_user(mailbox)}/calendarGroups/{segment(group)}/calendars"
            try:
                inside = [entry async for entry in self._entries(path, _CALENDAR)]
            except NotFound:
                continue  # deleted since the groups were listed
            # No calendar says in which group it is. One that the mailbox does not list is read all the same.
            found = {entry["id"]: entry for entry in inside} | found
            group_of.update((entry["id"], name) for entry in inside)
        # The default calendar is always the mailbox's own; its owner's address is how the others are told apart.
        mine = {_owner(entry) for entry in found.values() if entry.get("isDefaultCalendar")}
        return [
            _calendar(entry, group_of.get(key, ""), own=not _owner(entry) or _owner(entry) in mine)
            for key, entry in found.items()
        ]

    async def groups(self, mailbox: str) -> dict[str, str]:
        """Names of the groups of calendars by their ids."""
        path = f"{_user(mailbox)}/calendarGroups"
        return {entry["id"]: str(entry.get("name") or "") async for entry in self._entries(path, "id,name")}

    async def _entries(self, path: str, select: str) -> AsyncIterator[dict[str, Any]]:
        params = {"$select": select, "$top": "250"}
        async for page in self._client.pages(path, params=params, prefer=(IMMUTABLE,)):
            for entry in page.items:
                yield entry

    async def events(self, mailbox: str, calendar: str) -> AsyncIterator[list[FoundEvent]]:
        async for entries in self._listed(mailbox, calendar, {"$select": f"id,{_FIELDS}", "$top": str(_WHOLE)}):
            yield [_found(entry, plain(entry)) for entry in entries]

    async def identities(self, mailbox: str, calendar: str) -> AsyncIterator[list[FoundEvent]]:
        async for entries in self._listed(mailbox, calendar, {"$select": _IDENTITY, "$top": str(_MOST)}):
            yield [_found(entry, None) for entry in entries]

    async def listing(self, mailbox: str, folder: str, skip: int, top: int) -> list[FoundEvent]:
        params = {"$select": _IDENTITY, "$orderby": "createdDateTime", "$top": str(top), "$skip": str(skip)}
        path = f"{_user(mailbox)}/calendars/{segment(folder)}/events"
        page = await self._client.get(path, params=params, prefer=(IMMUTABLE,), attempts=_TRIES_PER_LISTING)
        return [_found(entry, None) for entry in page.get("value", ())]

    async def event(self, mailbox: str, event: str, *, is_series: bool) -> WholeEvent:
        params = {"$select": f"id,{_FIELDS}"}
        if is_series:
            params = {"$select": f"id,{_FIELDS},cancelledOccurrences", "$expand": "exceptionOccurrences"}
        entry = plain(await self._client.get(_event(mailbox, event), params=params, prefer=(IMMUTABLE,)))
        cancelled = entry.pop("cancelledOccurrences", None) or ()
        exceptions = entry.pop("exceptionOccurrences", None) or ()
        days = sorted((plain(each) for each in exceptions), key=lambda each: str(each["id"]))
        return WholeEvent(entry, tuple(days), tuple(sorted(cancelled)))

    async def attachments(self, mailbox: str, owner: str) -> list[EventAttachment]:
        # Without $select the answer holds the bytes of all of them.
        path = f"{_event(mailbox, owner)}/attachments"
        page = await self._client.get(path, params={"$select": _ATTACHMENT_FIELDS}, prefer=(IMMUTABLE,))
        return [_attachment(entry, owner) for entry in page.get("value", ())]

    def content(self, mailbox: str, attachment: EventAttachment) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        path = f"{_event(mailbox, attachment.owner)}/attachments/{segment(attachment.id)}/$value"
        return self._client.stream(path, prefer=(IMMUTABLE,))

    async def _listed(
        self, mailbox: str, calendar: str, params: Mapping[str, str]
    ) -> AsyncIterator[list[dict[str, Any]]]:
        path = f"{_user(mailbox)}/calendars/{segment(calendar)}/events"
        async for page in self._client.pages(path, params=params, prefer=(IMMUTABLE,)):
            yield list(page.items)


def _user(mailbox: str) -> str:
    return f"/users/{segment(mailbox)}"


def _event(mailbox: str, event: str) -> str:
    # The short path: a day of a series is not reached through its calendar.
    return f"{_user(mailbox)}/events/{segment(event)}"


def _owner(entry: Mapping[str, Any]) -> str:
    return str((entry.get("owner") or {}).get("address") or "").lower()


def _calendar(entry: Mapping[str, Any], group: str, *, own: bool) -> Calendar:
    meta = {
        "name": entry.get("name") or "",
        "color": entry.get("color") or "auto",
        "hexColor": entry.get("hexColor") or "",
        "is_default": bool(entry.get("isDefaultCalendar")),
        "can_edit": bool(entry.get("canEdit")),
        "owner": _owner(entry),
        "group": group,
    }
    return Calendar(entry["id"], str(meta["name"]), own, meta)


def _found(entry: Mapping[str, Any], document: Mapping[str, Any] | None) -> FoundEvent:
    return FoundEvent(
        entry["id"],
        entry.get("changeKey", ""),
        entry.get("type") == "seriesMaster",
        document,
    )


def _attachment(entry: Mapping[str, Any], owner: str) -> EventAttachment:
    kind = _KINDS.get(str(entry.get("@odata.type", "")).rpartition(".")[2], "file")
    meta = {
        "name": entry.get("name") or "",
        "content_type": entry.get("contentType") or "",
        "inline": bool(entry.get("isInline")),
        "content_id": entry.get("contentId") or "",
        "attachment_type": kind,
    }
    size = int(entry.get("size") or 0)
    return EventAttachment(entry["id"], owner, f"{entry.get('lastModifiedDateTime', '')}/{size}", kind, size, meta)
