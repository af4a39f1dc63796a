"""Attachments of events: bytes of files and of attached items, and links."""

from collections import defaultdict
from collections.abc import Collection
from functools import partial

from backup_engine.model import NewItem
from backup_service.domain.calendar import EVENT_ATTACHMENT, EventAttachment, WholeEvent
from backup_service.ports.calendars import Calendars
from backup_service.usecases.reading.frame import Frame
from backup_service.usecases.uninterrupted import uninterrupted
from graph_client.errors import GraphError, NotFound

_REFERENCE = "reference"


class EventAttachments:
    """Keeps a row for each attachment; its parent is the event, or the day of a series, that has it.

    The row's meta names the event or series it belongs to, so that both go together.
    """

    def __init__(self, calendars: Calendars, frame: Frame) -> None:
        self._calendars = calendars
        self._frame = frame
        self._stored: dict[str, set[str]] = {}
        self._events: dict[str, str] = {}
        self._failed: dict[str, GraphError] = {}
        self._again = set(frame.again)

    async def open(self) -> None:
        """Look once which attachments are stored of which event."""
        self._stored = await uninterrupted(self._by_event)
        self._events = {key: event for event, keys in self._stored.items() for key in keys}

    def events_of(self, keys: Collection[str]) -> set[str]:
        """The events among these keys, and those that the attachments among them belong to."""
        return {self._events.get(key, key) for key in keys}

    def of(self, events: Collection[str]) -> set[str]:
        """Keys of everything that is stored as attachment of these events."""
        return {key for event in events for key in self._stored.get(event, ())}

    async def store(self, event: WholeEvent) -> None:
        """Store what is new or has changed, forget what is gone. What cannot be read becomes the event's failure."""
        stored = self._stored.get(event.id, set())
        listed: set[str] = set()
        whole = True
        for owner in event.attachment_owners():
            try:
                found = await self._calendars.attachments(self._frame.resource, owner)
            except GraphError as error:
                self._blame(event.id, error)
                whole = False
                continue
            listed.update(attachment.id for attachment in found)
            for attachment in found:
                await self._keep(event.id, attachment)
        if whole:
            await self._frame.remove(stored - listed)
            stored = listed
        self._stored[event.id] = stored | listed

    def tell_failed(self) -> None:
        """The event itself is stored; with an attachment missing it counts as failed, and is asked for again."""
        for event, error in self._failed.items():
            self._frame.fail(event, error)
        self._failed.clear()

    async def _keep(self, event: str, attachment: EventAttachment) -> None:
        known = self._frame.known(attachment.id)
        if known is not None and known.version == attachment.version and attachment.id not in self._again:
            return
        meta = {**attachment.meta, "event": event}
        if attachment.type == _REFERENCE:
            await self._frame.put_record(attachment.id, EVENT_ATTACHMENT, attachment.owner, meta, attachment.version)
            return
        item = NewItem(attachment.id, EVENT_ATTACHMENT, attachment.version, attachment.owner, meta)
        try:
            await self._frame.put_stream(item, partial(self._calendars.content, self._frame.resource, attachment))
        except GraphError as error:
            self._blame(event, error)

    def _blame(self, event: str, error: GraphError) -> None:
        """NotFound too: what was taken off meanwhile gave its event a new change key, and the next run sees it so."""
        if not isinstance(error, NotFound) and not self._frame.is_of_one_item(error):
            raise error
        self._failed[event] = error

    def _by_event(self) -> dict[str, set[str]]:
        """In a thread."""
        found: defaultdict[str, set[str]] = defaultdict(set)
        for row in self._frame.keys(EVENT_ATTACHMENT):
            found[str(row.meta.get("event") or row.parent)].add(row.key)
        return dict(found)
