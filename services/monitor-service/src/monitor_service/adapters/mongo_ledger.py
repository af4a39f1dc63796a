"""The ledger in the document store, exactly once without a transaction.

`tallies` holds one document per tenant and kind. Its compare-and-set on `revision` is the only decision; the same
write carries `redo`, the entries as they are from then on. They are copied to `entries` afterwards. A process that dies
in between leaves `redo` behind, and whoever reads the tally next copies them first. An entry keeps the revision that
wrote it, so a copy that comes late never overwrites a newer one.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Literal, Self

from pymongo import IndexModel, ReplaceOne
from pymongo.errors import BulkWriteError, PyMongoError

from chassis.documents import Collection, Database, Document, open_collection, upgraded
from contracts.names import JobKind
from monitor_service.adapters.mongo_documents import (
    VERSION,
    entry_document,
    entry_of,
    id_of_entry,
    id_of_tally,
    tally_document,
    tally_of,
)
from monitor_service.domain.entry import Entry, EntryKey
from monitor_service.domain.tally import Change, Tally
from monitor_service.ports import LedgerUnavailable

KEPT = timedelta(days=401)
"""Finished entries outlive the job history on the bus by a day, so that a replay never meets a forgotten job."""

_DUPLICATE_KEY = 11000
_MOST = 10_000

_ENTRY_INDEXES = (
    IndexModel(
        [("tenant", 1), ("kind", 1), ("held_since", 1)],
        name="held",
        partialFilterExpression={"held_since": {"$exists": True}},
    ),
    IndexModel(
        [("tenant", 1), ("scope", 1), ("finished_at", -1)],
        name="ended",
        partialFilterExpression={"finished_at": {"$exists": True}},
    ),
    IndexModel([("finished_at", 1)], name="expiry", expireAfterSeconds=int(KEPT.total_seconds())),
)


class MongoLedger:
    """Implements `ports.Ledger`; safe for any number of replicas."""

    def __init__(self, tallies: Collection, entries: Collection) -> None:
        self._tallies = tallies
        self._entries = entries

    @classmethod
    async def open(cls, db: Database) -> Self:
        """Make both collections ready for this release."""
        async with reachable():
            tallies = await open_collection(db, "tallies", VERSION, {}, [IndexModel([("tenant", 1)], name="tenant")])
            entries = await open_collection(db, "entries", VERSION, {}, _ENTRY_INDEXES)
        return cls(tallies, entries)

    async def ping(self) -> None:
        async with reachable():
            await self._tallies.find_one({"_id": "probe"})

    async def open_tenant(self, tenant: str) -> None:
        async with reachable():
            for kind in JobKind:
                empty = tally_document(Tally(tenant, kind)) | {"redo": []}
                await self._tallies.update_one({"_id": empty["_id"]}, {"$setOnInsert": empty}, upsert=True)

    async def tally(self, tenant: str, kind: JobKind) -> Tally | None:
        async with reachable():
            document = await self._tallies.find_one({"_id": id_of_tally(tenant, kind)})
            if document is None:
                return None
            if document["redo"]:
                await self._redo(document)
        return tally_of(upgraded(document, VERSION, {}, "tallies"))

    async def tallies(self, tenant: str | None = None) -> Sequence[Tally]:
        async with reachable():
            query = {} if tenant is None else {"tenant": tenant}
            documents = await self._tallies.find(query, {"redo": 0}).to_list(None)
        return [tally_of(upgraded(document, VERSION, {}, "tallies")) for document in documents]

    async def entries(self, keys: Sequence[EntryKey]) -> Mapping[EntryKey, Entry]:
        async with reachable():
            query = {"_id": {"$in": [id_of_entry(key) for key in keys]}}
            documents = await self._entries.find(query).to_list(None)
        found = [entry_of(upgraded(document, VERSION, {}, "entries")) for document in documents]
        return {entry.key: entry for entry in found}

    async def ended(self, tenant: str, scope: Literal["job", "run"], since: datetime) -> Sequence[Entry]:
        query = {"tenant": tenant, "scope": scope, "finished_at": {"$gt": since}}
        async with reachable():
            documents = await self._entries.find(query).sort("finished_at", -1).limit(_MOST).to_list(_MOST)
        return [entry_of(upgraded(document, VERSION, {}, "entries")) for document in documents]

    async def commit(self, change: Change) -> bool:
        revision = change.tally.revision
        document = tally_document(change.tally)
        document["redo"] = [entry_document(entry, revision) for entry in change.entries]
        async with reachable():
            result = await self._tallies.update_one(
                {"_id": document.pop("_id"), "revision": revision - 1}, {"$set": document}
            )
            if result.matched_count == 0:
                return False
            await self._redo({**document, "_id": id_of_tally(change.tally.tenant, change.tally.kind)})
        return True

    async def held_since(self, tenant: str, kind: JobKind, moment: datetime) -> bool:
        async with reachable():
            query = {"tenant": tenant, "kind": kind.value, "held_since": {"$lte": moment}}
            return await self._entries.find_one(query, {"_id": 1}) is not None

    async def _redo(self, tally: Document) -> None:
        """Copy the entries of a saved change, then forget the copy; any number of processes may do it at once."""
        writes = [
            ReplaceOne({"_id": entry["_id"], "revision": {"$lt": entry["revision"]}}, entry, upsert=True)
            for entry in tally["redo"]
        ]
        try:
            await self._entries.bulk_write(writes, ordered=False)
        except BulkWriteError as error:
            # The upsert of an entry that is as new already: it exists, and the condition did not match.
            if any(fault["code"] != _DUPLICATE_KEY for fault in error.details["writeErrors"]):
                raise
        await self._tallies.update_one({"_id": tally["_id"], "revision": tally["revision"]}, {"$set": {"redo": []}})


@asynccontextmanager
async def reachable() -> AsyncIterator[None]:
    """Turn every failure of the driver into LedgerUnavailable."""
    try:
        yield
    except PyMongoError as error:
        raise LedgerUnavailable(f"the document store did not serve the ledger: {type(error).__name__}") from error
