"""What is still held of a tenant, and what forbids to make it unreadable."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from backup_engine.retention import Period
from backup_service.adapters.mongo_custody import MongoCustody
from backup_service.adapters.mongo_store import Store
from contracts.names import JobState
from contracts.offboarding import Holdings, TargetKeys
from contracts.retention import DEFAULT_FLOOR
from contracts.views import StorageTarget

KeysOf = Callable[[StorageTarget], Awaitable[TargetKeys]]
_EVER = datetime(1970, 1, 1, tzinfo=UTC)


class MongoHoldings:
    """`keys_of` reads from a storage target which keys open the repository there."""

    def __init__(self, store: Store, keys_of: KeysOf) -> None:
        self._store = store
        self._custody = MongoCustody(store)
        self._keys_of = keys_of

    async def of(self, tenant: str, *, keys: bool) -> Holdings:
        """`keys`: read from every storage target which keys open its repository."""
        mine = {"tenant": tenant}
        return Holdings(
            tenant=tenant,
            restore_points=await self._store.restore_points.count_documents(mine),
            newest_restore_point_at=await self._newest(tenant, None),
            legal_holds=len(await self._custody.unreleased_legal_holds(tenant)),
            held_until=await self._held_until(tenant),
            scheduled=await self._store.configurations.count_documents({**mine, "paused": {"$ne": True}}),
            running=await self._store.jobs.count_documents({**mine, "state": JobState.RUNNING.value}),
            targets=await self._keys(tenant) if keys else (),
        )

    async def _held_until(self, tenant: str) -> datetime | None:
        """The latest end of a floor: each restore point has the one that was in force when it was made."""
        known = await self._custody.retention_floor(tenant)
        floors = [(change.period, change.set_at) for change in (known.changes if known is not None else ())]
        until, ends = None, []
        for period, since in [*floors, (DEFAULT_FLOOR, _EVER)]:
            newest = await self._newest(tenant, until)
            if newest is not None and newest >= since:
                ends.append(Period.parse(period).end(newest))
            until = since
        return max(ends, default=None)

    async def _newest(self, tenant: str, before: datetime | None) -> datetime | None:
        narrow = {} if before is None else {"taken_at": {"$lt": before}}
        found = await self._store.restore_points.find_one(
            {"tenant": tenant, **narrow}, {"taken_at": 1}, sort=[("taken_at", -1)]
        )
        at: datetime | None = None if found is None else found["taken_at"]
        return at

    async def _keys(self, tenant: str) -> tuple[TargetKeys, ...]:
        found = self._store.targets.find({"tenant": tenant}).sort("_id", 1)
        return tuple([await self._keys_of(StorageTarget.model_validate(document)) async for document in found])
