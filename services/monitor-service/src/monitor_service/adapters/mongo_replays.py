"""Which dead letters were replayed, in the document store; forgotten a day after the bus forgets the letters."""

from collections.abc import Mapping, Sequence
from typing import Self

from pymongo import IndexModel

from chassis import pending
from chassis.documents import SCHEMA, Collection, Database, open_collection
from contracts.bus_users import MONITOR_SERVICE
from contracts.events import Event
from contracts.streams import DLQ
from monitor_service.adapters.mongo_ledger import reachable
from monitor_service.ports import Replay

_VERSION = 1
SERVICE = MONITOR_SERVICE.name
_KEPT = int(DLQ.max_age) + 86_400


class MongoReplays:
    """Implements `ports.Replays`; safe for any number of replicas."""

    def __init__(self, replays: Collection) -> None:
        self.collection = replays

    @classmethod
    async def open(cls, db: Database) -> Self:
        """Make the collection ready for this release."""
        indexes = [
            IndexModel([("at", 1)], name="expiry", expireAfterSeconds=_KEPT),
            IndexModel([(pending.PENDING_SINCE, 1)], name="pending", sparse=True),
        ]
        async with reachable():
            return cls(await open_collection(db, "replays", _VERSION, {}, indexes))

    async def of(self, letters: Sequence[str]) -> Mapping[str, Replay]:
        if not letters:
            return {}
        async with reachable():
            documents = await self.collection.find({"_id": {"$in": list(letters)}}).to_list(None)
        return {document["_id"]: Replay(document["at"], document["by"]) for document in documents}

    async def mark(self, letter: str, replay: Replay, events: Sequence[Event] = ()) -> Replay:
        document = {SCHEMA: _VERSION, "at": replay.at, "by": replay.by}
        fresh = pending.new_document(document, events, SERVICE, replay.at)
        async with reachable():
            await self.collection.update_one({"_id": letter}, {"$setOnInsert": fresh}, upsert=True)
        return (await self.of([letter]))[letter]
