"""Due times of upkeep and proofs of verification, in the documents of targets and restore points."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from backup_service.adapters.mongo_store import WORKING, Store, key, plain
from backup_service.domain.upkeep import DueUpkeep
from contracts.names import UpkeepKind
from contracts.views import Verification

_AT_ONCE = 100  # targets one look takes on


class MongoUpkeep:
    """Implements ports.UpkeepTimes and ports.Proofs."""

    def __init__(self, store: Store) -> None:
        self._targets = store.targets
        self._points = store.restore_points

    async def due(self, now: datetime, first: Mapping[UpkeepKind, datetime]) -> Sequence[DueUpkeep]:
        unknown = self._targets.find({"upkeep_at": None, **WORKING}, {"_id": 1}).limit(_AT_ONCE)
        for target in await unknown.to_list(_AT_ONCE):
            times = {kind.value: at for kind, at in first.items()}
            begin = {"upkeep": times, "upkeep_at": min(times.values())}
            await self._targets.update_one({"_id": target["_id"], "upkeep_at": None}, {"$set": begin})
        found = self._targets.find({"upkeep_at": {"$lte": now}, **WORKING}, {"tenant": 1, "id": 1, "upkeep": 1}).limit(
            _AT_ONCE
        )
        return [
            DueUpkeep(target["tenant"], target["id"], UpkeepKind(kind), at)
            for target in await found.to_list(_AT_ONCE)
            for kind, at in sorted(target["upkeep"].items())
            if at <= now
        ]

    async def done(self, upkeep: DueUpkeep, next_at: datetime) -> None:
        field = f"upkeep.{upkeep.kind.value}"
        document_id = key(upkeep.tenant, upkeep.target)
        await self._targets.update_one({"_id": document_id, field: upkeep.at}, {"$set": {field: next_at}})
        target = await self._targets.find_one({"_id": document_id}, {"upkeep": 1})
        if target is not None:
            times = target["upkeep"]
            await self._targets.update_one(
                {"_id": document_id, "upkeep": times}, {"$set": {"upkeep_at": min(times.values())}}
            )

    async def read_whole(
        self, tenant: str, target: str, since: datetime | None, affected: Mapping[str, int] | None
    ) -> None:
        known: dict[str, Any] = {}
        if since is not None:
            known["read_since"] = since
        if affected is not None:
            known["affected"] = dict(affected)
        if known:
            await self._targets.update_one({"_id": key(tenant, target)}, {"$set": known})

    async def drilled(self, tenant: str, point: str, result: Verification) -> None:
        document_id = key(tenant, point)
        await self._points.update_one({"_id": document_id}, {"$pull": {"verified": {"level": result.level}}})
        told = plain(result.model_dump(mode="python"))
        await self._points.update_one({"_id": document_id}, {"$push": {"verified": told}})
