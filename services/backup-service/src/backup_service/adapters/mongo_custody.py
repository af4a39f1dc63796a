"""Retention floors as people set them, in MongoDB. The repositories hold sealed copies, which the engine obeys."""

from backup_service.adapters.mongo_store import SCHEMA_VERSION, Store, plain
from chassis.documents import SCHEMA
from contracts.views import FloorChange, RetentionFloor


class MongoCustody:
    """Implements ports.Floors."""

    def __init__(self, store: Store) -> None:
        self._floors = store.retention_floors

    async def retention_floor(self, tenant: str) -> RetentionFloor | None:
        document = await self._floors.find_one({"_id": tenant})
        return None if document is None else RetentionFloor.model_validate(document)

    async def change_retention_floor(self, tenant: str, change: FloorChange) -> None:
        while True:
            known = await self._floors.find_one({"_id": tenant})
            changes = [plain(change.model_dump(mode="python")), *(known["changes"] if known else ())]
            after = {"period": change.period, "changes": changes, "revision": len(changes)}
            if known is None:
                fresh = {"_id": tenant, SCHEMA: SCHEMA_VERSION, "tenant": tenant, **after}
                done = await self._floors.update_one({"_id": tenant}, {"$setOnInsert": fresh}, upsert=True)
                changed = done.upserted_id is not None
            else:
                unchanged = {"_id": tenant, "revision": known["revision"]}
                changed = (await self._floors.update_one(unchanged, {"$set": after})).modified_count == 1
            if changed:
                return
