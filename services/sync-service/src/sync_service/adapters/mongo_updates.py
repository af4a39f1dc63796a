"""Profile updates and erasures in MongoDB; each write is one document."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from datetime import datetime

from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.errors import DuplicateKeyError

from chassis import pending
from chassis.bus import Bus
from chassis.clock import Clock
from chassis.documents import SCHEMA, Collection, Database, Document, open_collection, upgraded
from chassis.pending import PendingEvents
from contracts.caller import Caller
from contracts.employee_changes import Fault, Refusal
from contracts.events import Event
from sync_service.adapters.mongo_employees import SOURCE
from sync_service.adapters.mongo_store import key
from sync_service.domain.erasure import Erasure
from sync_service.domain.profile_update import ProfileUpdate, Step

_VERSION = 1
_DUE = IndexModel([("due_at", ASCENDING)], sparse=True)


class MongoProfileUpdates:
    """Implements ports.updates.ProfileUpdates; one document per employee."""

    def __init__(self, collection: Collection) -> None:
        self._updates = collection

    @classmethod
    async def open(cls, db: Database) -> "MongoProfileUpdates":
        return cls(await open_collection(db, "profile_updates", _VERSION, {}, [_DUE]))

    async def get(self, tenant: str, employee: str) -> ProfileUpdate | None:
        found = await self._updates.find_one({"_id": key(tenant, employee)})
        return None if found is None else _update(found)

    async def save(self, update: ProfileUpdate) -> ProfileUpdate | None:
        saved = replace(update, version=update.version + 1)
        identity, fields = key(update.tenant, update.employee), _stored(saved)
        if update.version == 0:
            try:
                await self._updates.insert_one({"_id": identity, SCHEMA: _VERSION, **fields})
            except DuplicateKeyError:
                return None
            return saved
        # A whole document, because the index of what is due is sparse: a finished one has no such field.
        written = await self._updates.replace_one(
            {"_id": identity, "version": update.version}, {"_id": identity, SCHEMA: _VERSION, **fields}
        )
        return saved if written.matched_count == 1 else None

    async def due(self, now: datetime, limit: int) -> Sequence[ProfileUpdate]:
        return [_update(found) async for found in self._updates.find({"due_at": {"$lte": now}}).limit(limit)]

    async def forget(self, tenant: str, employee: str) -> None:
        await self._updates.delete_one({"_id": key(tenant, employee)})


class MongoErasures:
    """Implements ports.erasures.Erasures."""

    def __init__(self, collection: Collection, bus: Bus, clock: Clock, grace: float = 5.0) -> None:
        self._erasures = collection
        self._clock = clock
        self.pending = PendingEvents(collection, bus, clock, grace)

    @classmethod
    async def open(cls, db: Database, bus: Bus, clock: Clock, grace: float = 5.0) -> "MongoErasures":
        waiting = IndexModel([(pending.PENDING_SINCE, ASCENDING)], sparse=True)
        newest = IndexModel([("tenant", ASCENDING), ("id", DESCENDING)])
        return cls(await open_collection(db, "erasures", _VERSION, {}, [_DUE, waiting, newest]), bus, clock, grace)

    async def add(self, erasure: Erasure, events: Sequence[Event]) -> Erasure:
        identity = key(erasure.tenant, erasure.id)
        document = {"_id": identity, SCHEMA: _VERSION, "id": erasure.id, **_present(asdict(erasure))}
        await self._erasures.insert_one(pending.new_document(document, events, SOURCE, self._clock.now()))
        await self.pending.flush(identity)
        return erasure

    async def bring_back(self, erasure: Erasure) -> None:
        identity = key(erasure.tenant, erasure.id)
        document = {
            "_id": identity,
            SCHEMA: _VERSION,
            "id": erasure.id,
            **_present(asdict(erasure)),
            pending.PENDING: [],
        }
        with suppress(DuplicateKeyError):
            await self._erasures.insert_one(document)

    async def note(self, erasure: Erasure) -> None:
        change: Document = {"$set": {"activities": erasure.activities}}
        if erasure.due_at is None:
            change["$unset"] = {"due_at": ""}
        await self._erasures.update_one({"_id": key(erasure.tenant, erasure.id)}, change)

    async def page(self, tenant: str, after: str | None, limit: int) -> Sequence[Erasure]:
        narrow: Document = {"tenant": tenant} if after is None else {"tenant": tenant, "id": {"$lt": after}}
        return [_erasure(found) async for found in self._erasures.find(narrow).sort("id", DESCENDING).limit(limit)]

    async def due(self, now: datetime, limit: int) -> Sequence[Erasure]:
        return [_erasure(found) async for found in self._erasures.find({"due_at": {"$lte": now}}).limit(limit)]


def _present(fields: Document) -> Document:
    return {name: value for name, value in fields.items() if value is not None}


def _stored(update: ProfileUpdate) -> Document:
    stored = asdict(update)
    stored["caller"]["roles"] = list(update.caller.roles)
    stored["values"] = {
        name: list(value) if isinstance(value, tuple) else value for name, value in update.values.items()
    }
    stored["step"] = update.step.value
    stored["refusal"] = None if update.refusal is None else update.refusal.value
    stored["faults"] = [fault.model_dump() for fault in update.faults]
    return _present(stored)


def _update(found: Document) -> ProfileUpdate:
    known = upgraded(found, _VERSION, {}, "profile_updates")
    caller, refusal = known["caller"], known.get("refusal")
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in known["values"].items()}
    return ProfileUpdate(
        tenant=known["tenant"],
        employee=known["employee"],
        id=known["id"],
        caller=Caller(caller["subject"], tuple(caller["roles"]), caller["request_id"]),
        begun_at=known["begun_at"],
        due_at=known.get("due_at"),
        values=values,
        step=Step(known["step"]),
        refusal=None if refusal is None else Refusal(refusal),
        faults=tuple(Fault.model_validate(fault) for fault in known["faults"]),
        version=known["version"],
    )


def _erasure(found: Document) -> Erasure:
    known = upgraded(found, _VERSION, {}, "erasures")
    return Erasure(
        tenant=known["tenant"],
        employee=known["employee"],
        erased_at=known["erased_at"],
        by=known["by"],
        reason=known["reason"],
        due_at=known.get("due_at"),
        activities=known["activities"],
    )
