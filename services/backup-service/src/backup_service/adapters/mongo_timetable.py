"""Which configurations are due, in their documents."""

from collections.abc import Sequence
from datetime import datetime

from backup_service.adapters.mongo_store import Store, key
from contracts.views import BackupConfiguration

_AT_ONCE = 100  # configurations one look takes on


class MongoTimetable:
    """Implements ports.Timetable."""

    def __init__(self, store: Store) -> None:
        self._configurations = store.configurations

    async def due(self, now: datetime) -> Sequence[BackupConfiguration]:
        found = self._configurations.find({"next_run_at": {"$lte": now}}).sort("next_run_at", 1).limit(_AT_ONCE)
        return [BackupConfiguration.model_validate(document) for document in await found.to_list(_AT_ONCE)]

    async def struck(self, tenant: str, configuration: str, strike: datetime, next_at: datetime) -> None:
        due = {"_id": key(tenant, configuration), "next_run_at": strike}
        await self._configurations.update_one(due, {"$set": {"next_run_at": next_at}})
