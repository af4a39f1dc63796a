"""Targets, configurations, runs, restore points and download tickets in MongoDB. Every query carries the tenant."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeVar

from backup_service.adapters.mongo_runs import job_sums
from backup_service.adapters.mongo_store import SCHEMA_VERSION, Store, key, plain
from chassis.documents import SCHEMA, Collection, Document
from contracts.views import BackupConfiguration, Job, Listing, RestorePoint, Run, StorageTarget, View

V = TypeVar("V", bound=View)


class MongoCatalogue:
    """What people created, and what came of it."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def add_target(self, target: StorageTarget) -> None:
        await _insert(self._store.targets, target, target.tenant, target.id)

    async def add_configuration(self, configuration: BackupConfiguration) -> None:
        await _insert(self._store.configurations, configuration, configuration.tenant, configuration.id)

    async def target(self, tenant: str, target: str) -> StorageTarget | None:
        return await _get(self._store.targets, StorageTarget, tenant, target)

    async def configuration(self, tenant: str, configuration: str) -> BackupConfiguration | None:
        return await _get(self._store.configurations, BackupConfiguration, tenant, configuration)

    async def targets(self, tenant: str, cursor: str | None, limit: int) -> Listing[StorageTarget]:
        return await _page(self._store.targets, StorageTarget, {"tenant": tenant}, cursor, limit)

    async def configurations(self, tenant: str, cursor: str | None, limit: int) -> Listing[BackupConfiguration]:
        return await _page(self._store.configurations, BackupConfiguration, {"tenant": tenant}, cursor, limit)

    async def add_restore_point(self, point: RestorePoint) -> None:
        """Idempotent: the id is the session that committed it."""
        document = {**point.model_dump(mode="python"), SCHEMA: SCHEMA_VERSION}
        await self._store.restore_points.replace_one({"_id": key(point.tenant, point.id)}, plain(document), upsert=True)

    async def restore_point(self, tenant: str, point: str) -> RestorePoint | None:
        return await _get(self._store.restore_points, RestorePoint, tenant, point)

    async def restore_points(
        self, tenant: str, narrow: Mapping[str, str], cursor: str | None, limit: int
    ) -> Listing[RestorePoint]:
        return await _page(self._store.restore_points, RestorePoint, {"tenant": tenant, **narrow}, cursor, limit)

    async def run(self, tenant: str, run: str) -> Run | None:
        """The run with the live sums of its jobs."""
        document = await self._store.runs.find_one({"_id": key(tenant, run)})
        return None if document is None else await self._with_jobs(document)

    async def runs(self, tenant: str, configuration: str | None, cursor: str | None, limit: int) -> Listing[Run]:
        narrow = {"tenant": tenant} | ({"configuration": configuration} if configuration else {})
        documents, following = await _documents(self._store.runs, narrow, cursor, limit)
        return Listing[Run](items=tuple([await self._with_jobs(d) for d in documents]), cursor=following)

    async def job(self, tenant: str, job: str) -> Job | None:
        return await _get(self._store.jobs, Job, tenant, job)

    async def jobs(self, tenant: str, run: str, cursor: str | None, limit: int) -> Listing[Job]:
        return await _page(self._store.jobs, Job, {"tenant": tenant, "run": run}, cursor, limit)

    async def _with_jobs(self, document: Document) -> Run:
        sums = await job_sums(self._store.jobs, document["tenant"], document["id"])
        return Run.model_validate({**document, **sums})

    async def add_ticket(self, tenant: str, point: str, secret: str, expires_at: datetime) -> None:
        document = {"_id": _ticket_id(tenant, secret), SCHEMA: SCHEMA_VERSION, "tenant": tenant, "restore_point": point}
        await self._store.tickets.insert_one({**document, "expires_at": expires_at, "used": False})

    async def redeem(self, tenant: str, secret: str, now: datetime) -> str | None:
        """The restore point a ticket opens, once; None for anything but a fresh ticket of this tenant."""
        ticket = _ticket_id(tenant, secret)
        taken = await self._store.tickets.update_one(
            {"_id": ticket, "used": False, "expires_at": {"$gt": now}}, {"$set": {"used": True}}
        )
        if taken.modified_count == 0:
            return None
        document = await self._store.tickets.find_one({"_id": ticket})
        return None if document is None else str(document["restore_point"])


async def _insert(collection: Collection, view: View, tenant: str, identity: str) -> None:
    document = {"_id": key(tenant, identity), SCHEMA: SCHEMA_VERSION, **plain(view.model_dump(mode="python"))}
    await collection.update_one({"_id": document["_id"]}, {"$setOnInsert": document}, upsert=True)


async def _get(collection: Collection, view: type[V], tenant: str, identity: str) -> V | None:
    document = await collection.find_one({"_id": key(tenant, identity)})
    return None if document is None else view.model_validate(document)


async def _page(
    collection: Collection, view: type[V], narrow: Mapping[str, Any], cursor: str | None, limit: int
) -> Listing[V]:
    documents, following = await _documents(collection, narrow, cursor, limit)
    return Listing[V](items=tuple(view.model_validate(document) for document in documents), cursor=following)


async def _documents(
    collection: Collection, narrow: Mapping[str, Any], cursor: str | None, limit: int
) -> tuple[list[Document], str | None]:
    """A page in order of the document id; the cursor is the last id without its tenant."""
    tenant = narrow["tenant"]
    after = key(tenant, cursor or "")
    found = collection.find({**narrow, "_id": {"$gt": after}}).sort("_id", 1).limit(limit + 1)
    documents = await found.to_list(limit + 1)
    more = len(documents) > limit
    documents = documents[:limit]
    return documents, documents[-1]["id"] if more else None


def _ticket_id(tenant: str, secret: str) -> str:
    return hashlib.sha256(f"{tenant}/{secret}".encode()).hexdigest()
