"""Targets due for an export of their documents, and what comes back from their repositories, in MongoDB."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from backup_service.adapters.mongo_store import SCHEMA_VERSION, WORKING, Store, announcing, key, plain
from chassis.clock import Clock
from chassis.documents import SCHEMA
from contracts.events import Event
from contracts.views import BackupConfiguration, RestorePoint, StorageTarget, TargetRecovery

_DUE = "documents_due_at"


class MongoKeptDocuments:
    """Implements ports.KeptDocuments."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._clock = clock
        self._targets = store.targets
        self._configurations = store.configurations
        self._points = store.restore_points

    async def claim(self, lease: timedelta) -> StorageTarget | None:
        now = self._clock.now()
        # A target that was never looked at has no date; null matches that as well.
        due = {"$or": [{_DUE: {"$lte": now}}, {_DUE: None}], **WORKING}
        document = await self._targets.find_one(due, sort=[(_DUE, 1)])
        if document is None:
            return None
        unchanged = {"_id": document["_id"], _DUE: document.get(_DUE)}
        taken = await self._targets.update_one(unchanged, {"$set": {_DUE: now + lease}})
        return StorageTarget.model_validate(document) if taken.modified_count == 1 else None

    async def kept(self, target: StorageTarget, at: datetime, due_at: datetime) -> None:
        await self._set(target, {"exported_at": at, _DUE: due_at})

    async def ask_recovery(self, tenant: str, target: str, events: Sequence[Event] = ()) -> StorageTarget | None:
        at = self._clock.now()
        recovery = plain(TargetRecovery(state="waiting", requested_at=at).model_dump(mode="python"))
        where = {"_id": key(tenant, target)}
        await self._targets.update_one(where, announcing({"$set": {"recovery": recovery, _DUE: at}}, events))
        document = await self._targets.find_one(where)
        return None if document is None else StorageTarget.model_validate(document)

    async def recovered(self, target: StorageTarget, recovery: TargetRecovery) -> None:
        await self._set(target, {"recovery": plain(recovery.model_dump(mode="python"))})

    async def configurations_of(self, target: StorageTarget) -> Sequence[BackupConfiguration]:
        found = self._configurations.find({"tenant": target.tenant, "target": target.id}).sort("_id", 1)
        return [BackupConfiguration.model_validate(document) async for document in found]

    async def bring_back(self, configuration: BackupConfiguration) -> None:
        document = plain(configuration.model_dump(mode="python"))
        moved = {"target": document.pop("target")}
        where = {"_id": key(configuration.tenant, configuration.id)}
        fresh = {**document, SCHEMA: SCHEMA_VERSION}
        await self._configurations.update_one(where, {"$set": moved, "$setOnInsert": fresh}, upsert=True)

    async def relist(self, points: Sequence[RestorePoint]) -> None:
        for point in points:
            document = {**plain(point.model_dump(mode="python")), SCHEMA: SCHEMA_VERSION}
            where = {"_id": key(point.tenant, point.id)}
            await self._points.update_one(where, {"$setOnInsert": document}, upsert=True)

    async def _set(self, target: StorageTarget, fields: dict[str, object]) -> None:
        await self._targets.update_one({"_id": key(target.tenant, target.id)}, {"$set": fields})
