"""Retention floors and legal holds as people set them, in MongoDB.

The repositories hold sealed copies, and those are what the engine obeys.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from backup_service.adapters.mongo_store import SCHEMA_VERSION, Store, announced, announcing, key, plain
from chassis.documents import SCHEMA
from contracts.events import Event
from contracts.names import LegalHoldState
from contracts.views import FloorChange, LegalHold, Listing, RetentionFloor

_AT_ONCE = 10  # holds taken in hand in one round of the sweep


class MongoCustody:
    """Implements ports.Floors and ports.LegalHolds."""

    def __init__(self, store: Store) -> None:
        self._floors = store.retention_floors
        self._holds = store.legal_holds

    async def retention_floor(self, tenant: str) -> RetentionFloor | None:
        document = await self._floors.find_one({"_id": tenant})
        return None if document is None else RetentionFloor.model_validate(document)

    async def change_retention_floor(self, tenant: str, change: FloorChange, events: Sequence[Event] = ()) -> None:
        while True:
            known = await self._floors.find_one({"_id": tenant})
            changes = [plain(change.model_dump(mode="python")), *(known["changes"] if known else ())]
            after = {"period": change.period, "changes": changes, "revision": len(changes)}
            if known is None:
                fresh = announced({"_id": tenant, SCHEMA: SCHEMA_VERSION, "tenant": tenant, **after}, events)
                done = await self._floors.update_one({"_id": tenant}, {"$setOnInsert": fresh}, upsert=True)
                changed = done.upserted_id is not None
            else:
                unchanged = {"_id": tenant, "revision": known["revision"]}
                update = announcing({"$set": after}, events)
                changed = (await self._floors.update_one(unchanged, update)).modified_count == 1
            if changed:
                return

    async def add_legal_hold(self, hold: LegalHold, events: Sequence[Event] = (), *, due_at: datetime) -> None:
        facts = {SCHEMA: SCHEMA_VERSION, **plain(hold.model_dump(mode="python")), "due_at": due_at}
        name = key(hold.tenant, hold.id)
        fresh = announced({"_id": name, **facts}, events)
        await self._holds.update_one({"_id": name}, {"$setOnInsert": fresh}, upsert=True)

    async def legal_hold(self, tenant: str, hold: str) -> LegalHold | None:
        document = await self._holds.find_one({"_id": key(tenant, hold)})
        return None if document is None else LegalHold.model_validate(document)

    async def legal_holds(self, tenant: str, cursor: str | None, limit: int) -> Listing[LegalHold]:
        """Newest first; the cursor is the hold the page before ended with."""
        narrow: dict[str, Any] = {"tenant": tenant}
        last = await self._holds.find_one({"_id": key(tenant, cursor)}) if cursor else None
        if last is not None:
            same = {"placed_at": last["placed_at"], "_id": {"$lt": last["_id"]}}
            narrow["$or"] = [{"placed_at": {"$lt": last["placed_at"]}}, same]
        order = [("placed_at", -1), ("_id", -1)]
        found = await self._holds.find(narrow).sort(order).limit(limit + 1).to_list(limit + 1)
        items = tuple(LegalHold.model_validate(document) for document in found[:limit])
        return Listing[LegalHold](items=items, cursor=items[-1].id if len(found) > limit else None)

    async def unreleased_legal_holds(self, tenant: str) -> list[LegalHold]:
        states = [state.value for state in LegalHoldState if state is not LegalHoldState.RELEASED]
        found = await self._holds.find({"tenant": tenant, "state": {"$in": states}}).to_list(None)
        return [LegalHold.model_validate(document) for document in found]

    async def due_legal_holds(self, now: datetime) -> list[LegalHold]:
        found = await self._holds.find({"due_at": {"$lte": now}}).limit(_AT_ONCE).to_list(_AT_ONCE)
        return [LegalHold.model_validate(document) for document in found]

    async def postpone_legal_hold(self, hold: LegalHold, due_at: datetime) -> bool:
        mine = {"_id": key(hold.tenant, hold.id), "state": hold.state.value, "due_at": {"$lt": due_at}}
        return (await self._holds.update_one(mine, {"$set": {"due_at": due_at}})).modified_count == 1

    async def advance_legal_hold(
        self,
        hold: LegalHold,
        state: LegalHoldState,
        changes: Mapping[str, Any],
        events: Sequence[Event] = (),
        *,
        due_at: datetime | None,
    ) -> None:
        update: dict[str, Any] = {"$set": {**plain(dict(changes)), "state": state.value}}
        if due_at is None:
            update["$unset"] = {"due_at": ""}
        else:
            update["$set"]["due_at"] = due_at
        mine = {"_id": key(hold.tenant, hold.id), "state": hold.state.value}
        await self._holds.update_one(mine, announcing(update, events))
