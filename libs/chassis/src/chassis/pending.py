"""State and event in one write: events wait inside the document that caused them (ADR 0002).

A document carries `pending` (a list of `PendingEvent` fields) and `pending_since`. Whoever saved it publishes and
pulls them; the sweep publishes what a crash left behind. Ids are derived, so publishing twice is harmless.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from motor.motor_asyncio import AsyncIOMotorCollection

from chassis import telemetry
from chassis.bus import Bus
from chassis.clock import Clock
from contracts import envelope
from contracts.events import Event
from contracts.streams import EVT

PENDING = "pending"
PENDING_SINCE = "pending_since"
_SWEPT_AT_ONCE = 100


def waiting(events: Iterable[Event], source: str) -> list[dict[str, Any]]:
    """The events as they lie in a document."""
    return [
        {
            "id": envelope.event_id(event),
            "subject": event.subject(),
            "headers": envelope.headers(event, source, telemetry.traceparent()),
            "body": event.model_dump_json(),
        }
        for event in events
    ]


def with_events(update: Mapping[str, Any], events: Iterable[Event], source: str, now: datetime) -> dict[str, Any]:
    """A MongoDB update that also puts `events` into the document; without events the update as it was."""
    found = waiting(events, source)
    if not found:
        return dict(update)
    merged = {operator: dict(fields) for operator, fields in update.items()}
    merged.setdefault("$push", {})[PENDING] = {"$each": found}
    merged.setdefault("$set", {})[PENDING_SINCE] = now
    return merged


def new_document(document: Mapping[str, Any], events: Iterable[Event], source: str, now: datetime) -> dict[str, Any]:
    """A document to insert, with its events."""
    found = waiting(events, source)
    return {**document, PENDING: found, **({PENDING_SINCE: now} if found else {})}


class PendingEvents:
    """Publishes what waits in documents of one collection."""

    def __init__(self, collection: AsyncIOMotorCollection[Any], bus: Bus, clock: Clock, grace: float = 5.0) -> None:
        self._collection = collection
        self._bus = bus
        self._clock = clock
        self._grace = timedelta(seconds=grace)

    async def ensure_index(self) -> None:
        await self._collection.create_index(PENDING_SINCE, sparse=True)

    async def flush(self, document_id: Any) -> int:
        """Publish and pull what waits in one document, in order; returns how many. Raises BusUnreachable."""
        document = await self._collection.find_one({"_id": document_id}, {PENDING: 1})
        events = (document or {}).get(PENDING) or []
        for event in events:
            await self._bus.publish_raw(event["subject"], event["body"].encode(), event["headers"], EVT)
        if events:
            ids = [event["id"] for event in events]
            await self._collection.update_one({"_id": document_id}, {"$pull": {PENDING: {"id": {"$in": ids}}}})
            # A second writer may have added events in between; then the mark stays for the sweep.
            await self._collection.update_one({"_id": document_id, PENDING: []}, {"$unset": {PENDING_SINCE: ""}})
        return len(events)

    async def sweep(self) -> int:
        """Publish what crashed savers left behind for longer than the grace; returns how many events."""
        now = self._clock.now()
        # A mark of the future is of a saver whose clock runs ahead: waiting for that time could take a month.
        due = [{PENDING_SINCE: {"$lte": now - self._grace}}, {PENDING_SINCE: {"$gt": now}}]
        found = self._collection.find({"$or": due}, {"_id": 1}).limit(_SWEPT_AT_ONCE)
        return sum([await self.flush(document["_id"]) async for document in found])
