"""Which dead letters were replayed, in the document store; forgotten a day after the bus forgets the letters."""

from collections.abc import Mapping, Sequence
from typing import Self

from pymongo import IndexModel

from chassis.documents import SCHEMA, Collection, Database, open_collection
from contracts.streams import DLQ
from monitor_service.adapters.mongo_ledger import reachable
from monitor_service.ports import Replay

_VERSION = 1
_KEPT = int(DLQ.max_age) + 86_400


class MongoReplays:
    """Implements `ports.Replays`; safe for any number of replicas."""

    def __init__(self, replays: Collection) -> None:
        self._replays = replays

    @classmethod
    async def open(cls, db: Database) -> Self:
        """Make the collection ready for this release."""
        expiry = IndexModel([("at", 1)], name="expiry", expireAfterSeconds=_KEPT)
        async with reachable():
            return cls(await open_collection(db, "replays", _VERSION, {}, [expiry]))

    async def of(self, letters: Sequence[str]) -> Mapping[str, Replay]:
        if not letters:
            return {}
        async with reachable():
            documents = await self._replays.find({"_id": {"$in": list(letters)}}).to_list(None)
        return {document["_id"]: Replay(document["at"], document["by"]) for document in documents}

    async def mark(self, letter: str, replay: Replay) -> Replay:
        fresh = {SCHEMA: _VERSION, "at": replay.at, "by": replay.by}
        async with reachable():
            await self._replays.update_one({"_id": letter}, {"$setOnInsert": fresh}, upsert=True)
        return (await self.of([letter]))[letter]
