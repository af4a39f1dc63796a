"""Calendars and events as they are backed up: what Graph delivers, without what it says about the answer itself."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from backup_service.domain.canonical import canonical

CALENDAR = "calendar"
EVENT = "event"
EVENT_ATTACHMENT = "event-attachment"

EVENT_FIELDS = (
    "subject",
    "body",
    "bodyPreview",
    "start",
    "end",
    "isAllDay",
    "originalStartTimeZone",
    "originalEndTimeZone",
    "originalStart",
    "recurrence",
    "type",
    "seriesMasterId",
    "location",
    "locations",
    "attendees",
    "organizer",
    "isOrganizer",
    "responseStatus",
    "responseRequested",
    "allowNewTimeProposals",
    "hideAttendees",
    "isOnlineMeeting",
    "onlineMeeting",
    "onlineMeetingProvider",
    "onlineMeetingUrl",
    "categories",
    "importance",
    "sensitivity",
    "showAs",
    "isReminderOn",
    "reminderMinutesBeforeStart",
    "isCancelled",
    "isDraft",
    "hasAttachments",
    "iCalUId",
    "transactionId",
    "createdDateTime",
    "lastModifiedDateTime",
    "changeKey",
    "webLink",
)
"""Every property of an event in Graph v1.0, by name: the cancelled days of a series come only so."""


@dataclass(frozen=True)
class Calendar:
    """`own` is False for somebody else's calendar that is shared with the mailbox."""

    id: str
    name: str
    own: bool
    meta: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class FoundEvent:
    """One line of a list. `document` is the event as delivered, None where only identities were asked for."""

    id: str
    change_key: str
    is_series: bool
    document: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class WholeEvent:
    """A single event, or a series with the days that differ (`exceptions`) and those that do not take place.

    `cancelled` are occurrence ids, which end in the day: `OID.<id of the series>.2026-03-30`.
    """

    event: Mapping[str, Any]
    exceptions: Sequence[Mapping[str, Any]] = ()
    cancelled: Sequence[str] = ()

    @property
    def id(self) -> str:
        return str(self.event["id"])

    @property
    def change_key(self) -> str:
        return str(self.event.get("changeKey", ""))

    def attachment_owners(self) -> list[str]:
        """Ids of the event and of its days that have attachments.

        Graph does not count pictures inside the text among them, so a text that names one is a sign, too.
        """
        return [str(each["id"]) for each in (self.event, *self.exceptions) if _has_attachments(each)]

    def dump(self) -> bytes:
        """The stored document: the same bytes for the same content."""
        document = {"event": self.event, "exceptions": list(self.exceptions), "cancelled": list(self.cancelled)}
        return canonical(document)

    @classmethod
    def load(cls, body: bytes) -> "WholeEvent":
        document = json.loads(body)
        return cls(document["event"], tuple(document["exceptions"]), tuple(document["cancelled"]))


@dataclass(frozen=True)
class EventAttachment:
    """`type` is file, item or reference; a reference is a link, and has no bytes."""

    id: str
    owner: str
    version: str
    type: str
    size: int
    meta: Mapping[str, Any]


def _has_attachments(event: Mapping[str, Any]) -> bool:
    content = str((event.get("body") or {}).get("content") or "")
    return bool(event.get("hasAttachments")) or "cid:" in content


def plain(entry: Mapping[str, Any]) -> dict[str, Any]:
    """An entity without the annotations that belong to the answer."""
    return {name: value for name, value in entry.items() if "@odata." not in name or name == "@odata.type"}
