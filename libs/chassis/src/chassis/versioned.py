"""Documents that are saved only on the version that was read, with the events of the change in the same write."""

from collections.abc import Collection as Some
from collections.abc import Iterable

from pymongo.errors import DuplicateKeyError

from chassis import pending
from chassis.clock import Clock
from chassis.documents import SCHEMA, Collection, Document
from contracts.events import Event


class VersionedDocuments:
    """One collection whose documents carry `version`, 1 when they are first stored; `schema` and `source` are ours."""

    def __init__(self, collection: Collection, clock: Clock, *, schema: int, source: str) -> None:
        self._collection = collection
        self._clock = clock
        self._schema = schema
        self._source = source

    async def save(
        self, identity: str, fields: Document, events: Iterable[Event] = (), *, dropped: Some[str] = ()
    ) -> bool:
        """Store `fields`, whose `version` is one more than was read; False when somebody was faster.

        `dropped` names fields that the document has no longer.
        """
        now, read = self._clock.now(), fields["version"] - 1
        if read == 0:
            document = {"_id": identity, SCHEMA: self._schema, **fields}
            try:
                await self._collection.insert_one(pending.new_document(document, events, self._source, now))
            except DuplicateKeyError:
                return False
            return True
        change: Document = {"$set": fields}
        if dropped:
            change["$unset"] = dict.fromkeys(dropped, "")
        update = pending.with_events(change, events, self._source, now)
        result = await self._collection.update_one({"_id": identity, "version": read}, update)
        return result.matched_count == 1
