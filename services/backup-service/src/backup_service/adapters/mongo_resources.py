"""What is known of a tenant's users from runs before, a document each."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from pymongo import UpdateOne

from backup_service.adapters.mongo_store import SCHEMA_VERSION, Store, key
from backup_service.domain.discovery import KnownResource
from chassis.documents import SCHEMA
from contracts.names import LeftOutReason

_AT_ONCE = 500


class MongoResources:
    """Implements ports.Resources."""

    def __init__(self, store: Store) -> None:
        self._resources = store.resources

    async def known(self, tenant: str) -> list[KnownResource]:
        return [_resource(document) async for document in self._resources.find({"tenant": tenant})]

    async def departed(self, tenant: str, resources: Collection[str]) -> dict[str, datetime]:
        """Of these resources the users that have left the directory, and since when."""
        ids = [key(tenant, one) for one in sorted(resources)]
        found = self._resources.find({"_id": {"$in": ids}, "reason": LeftOutReason.DEPARTED.value})
        return {document["resource"]: document["since"] async for document in found}

    async def remember(self, tenant: str, resources: Sequence[KnownResource]) -> None:
        for start in range(0, len(resources), _AT_ONCE):
            writes = [
                UpdateOne({"_id": key(tenant, one.id)}, {"$set": _document(tenant, one)}, upsert=True)
                for one in resources[start : start + _AT_ONCE]
            ]
            await self._resources.bulk_write(writes, ordered=False)


def _document(tenant: str, one: KnownResource) -> dict[str, Any]:
    return {
        SCHEMA: SCHEMA_VERSION,
        "tenant": tenant,
        "resource": one.id,
        "name": one.name,
        "reason": None if one.reason is None else one.reason.value,
        "since": one.since,
        "looked_at": one.looked_at,
        "had_mailbox": one.had_mailbox,
    }


def _resource(document: dict[str, Any]) -> KnownResource:
    reason = document["reason"]
    return KnownResource(
        document["resource"],
        document["name"],
        None if reason is None else LeftOutReason(reason),
        document["since"],
        document["looked_at"],
        document["had_mailbox"],
    )
