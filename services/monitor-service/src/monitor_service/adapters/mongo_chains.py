"""Audit chains in the document store, exactly once without a transaction.

`audit_heads` holds one document per tenant. Its compare-and-set on length and hash is the only decision; the same write
carries `redo`, the records that are behind the old head. They are copied to `audit_records` afterwards, by this
process or by whoever reads the head next. A record is kept as the text that was hashed and is never written again.
"""

import json
from collections.abc import Collection as Names
from collections.abc import Sequence
from typing import Self

from pymongo import IndexModel, UpdateOne
from pymongo.errors import BulkWriteError, DuplicateKeyError

from chassis.documents import SCHEMA, Collection, Database, Document, open_collection, upgraded
from contracts.audit_chain import GENESIS, AuditHead
from monitor_service.adapters.mongo_ledger import reachable
from monitor_service.ports.audit import Record

_VERSION = 1
_DUPLICATE_KEY = 11000


class MongoChains:
    """Implements `ports.audit.Chains`; safe for any number of replicas."""

    def __init__(self, heads: Collection, records: Collection) -> None:
        self._heads = heads
        self._records = records

    @classmethod
    async def open(cls, db: Database) -> Self:
        """Make both collections ready for this release."""
        of_event = IndexModel([("tenant", 1), ("event", 1)], name="event")
        in_order = IndexModel([("tenant", 1), ("number", 1)], name="number", unique=True)
        async with reachable():
            heads = await open_collection(db, "audit_heads", _VERSION, {})
            records = await open_collection(db, "audit_records", _VERSION, {}, [of_event, in_order])
        return cls(heads, records)

    async def head(self, tenant: str) -> AuditHead:
        async with reachable():
            document = await self._heads.find_one({"_id": tenant})
            if document is None:
                return AuditHead(tenant=tenant, length=0, hash=GENESIS)
            head = upgraded(document, _VERSION, {}, "audit_heads")
            if head["redo"]:
                await self._redo(head)
        return AuditHead(tenant=tenant, length=head["length"], hash=head["hash"])

    async def known(self, tenant: str, events: Names[str]) -> Names[str]:
        async with reachable():
            found = self._records.find({"tenant": tenant, "event": {"$in": list(events)}}, {"event": 1})
            return {document["event"] async for document in found}

    async def append(self, head: AuditHead, records: Sequence[Record]) -> bool:
        last = records[-1]
        redo = [_document(head.tenant, record) for record in records]
        after = {SCHEMA: _VERSION, "length": last["number"], "hash": last["hash"], "redo": redo}
        async with reachable():
            if not await self._moved(head, after):
                return False
            await self._redo({**after, "_id": head.tenant})
        return True

    async def records(self, tenant: str, after: int | None, limit: int, *, oldest_first: bool) -> Sequence[Record]:
        narrow: Document = {"tenant": tenant}
        if after is not None:
            narrow["number"] = {"$gt" if oldest_first else "$lt": after}
        async with reachable():
            found = self._records.find(narrow, {"record": 1}).sort("number", 1 if oldest_first else -1).limit(limit)
            return [json.loads(document["record"]) async for document in found]

    async def _moved(self, head: AuditHead, after: Document) -> bool:
        if head.length == 0:
            try:
                await self._heads.insert_one({"_id": head.tenant, **after})
            except DuplicateKeyError:
                return False
            return True
        mine = {"_id": head.tenant, "length": head.length, "hash": head.hash}
        return (await self._heads.update_one(mine, {"$set": after})).matched_count == 1

    async def _redo(self, head: Document) -> None:
        """Copy the records of a moved head, then forget the copy; any number of processes may do it at once."""
        writes = [UpdateOne({"_id": one["_id"]}, {"$setOnInsert": one}, upsert=True) for one in head["redo"]]
        try:
            await self._records.bulk_write(writes, ordered=False)
        except BulkWriteError as error:
            # Somebody else copied the same record at the same moment.
            if any(fault["code"] != _DUPLICATE_KEY for fault in error.details["writeErrors"]):
                raise
        done = {"_id": head["_id"], "length": head["length"], "hash": head["hash"]}
        await self._heads.update_one(done, {"$set": {"redo": []}})


def _document(tenant: str, record: Record) -> Document:
    text = json.dumps(record, sort_keys=True, ensure_ascii=False)
    number = record["number"]
    kept = {"tenant": tenant, "number": number, "event": record["event"], "record": text}
    return {"_id": f"{tenant}/{number:012d}", SCHEMA: _VERSION, **kept}
