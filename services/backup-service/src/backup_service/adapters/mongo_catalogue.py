"""Targets, configurations, runs, restore points and download tickets in MongoDB. Every query carries the tenant."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

from backup_service.adapters.mongo_resources import MongoResources
from backup_service.adapters.mongo_runs import job_sums
from backup_service.adapters.mongo_store import SCHEMA_VERSION, Store, announced, announcing, key, plain
from backup_service.adapters.mongo_unrestored import MongoUnrestored
from backup_service.domain.export_order import ExportOrder
from chassis.documents import SCHEMA, Collection, Document
from chassis.errors import GiveUp
from contracts.events import Event
from contracts.views import (
    BackupConfiguration,
    ItemProblem,
    Job,
    Listing,
    RestorePoint,
    Run,
    StorageTarget,
    Verification,
    View,
)

V = TypeVar("V", bound=View)

_TICKET_KEPT = timedelta(days=7)
"""After its end, so that what it announces is published even if the bus was away."""


class MongoCatalogue:
    """What people created, and what came of it."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def add_target(self, target: StorageTarget, events: Sequence[Event] = ()) -> None:
        await _insert(self._store.targets, target, target.tenant, target.id, events)

    async def change_target(
        self, target: StorageTarget, changes: Mapping[str, Any], events: Sequence[Event] = ()
    ) -> bool:
        # A target of an earlier release has no such field.
        as_known = {"$in": [target.credentials, None]} if not target.credentials else target.credentials
        where = {"_id": key(target.tenant, target.id), "credentials": as_known}
        done = await self._store.targets.update_one(where, announcing({"$set": plain(dict(changes))}, events))
        return bool(done.modified_count)

    async def add_configuration(self, configuration: BackupConfiguration, events: Sequence[Event] = ()) -> None:
        await _insert(self._store.configurations, configuration, configuration.tenant, configuration.id, events)

    async def change_configuration(
        self, tenant: str, configuration: str, changes: Mapping[str, Any], events: Sequence[Event] = ()
    ) -> None:
        update = announcing({"$set": plain(dict(changes))}, events)
        await self._store.configurations.update_one({"_id": key(tenant, configuration)}, update)

    async def target(self, tenant: str, target: str) -> StorageTarget | None:
        return await _get(self._store.targets, StorageTarget, tenant, target)

    async def configuration(self, tenant: str, configuration: str) -> BackupConfiguration | None:
        return await _get(self._store.configurations, BackupConfiguration, tenant, configuration)

    async def configuration_called(self, tenant: str, text: str) -> str | None:
        if await self.configuration(tenant, text) is not None:
            return text
        named = self._store.configurations.find({"tenant": tenant, "name": text}, {"id": 1})
        found = [str(document["id"]) for document in await named.limit(2).to_list(2)]
        if len(found) > 1:
            raise GiveUp("the name of the backup configuration is not unique: ask by its id")
        return found[0] if found else None

    async def targets(self, tenant: str, cursor: str | None, limit: int) -> Listing[StorageTarget]:
        return await _page(self._store.targets, StorageTarget, {"tenant": tenant}, cursor, limit)

    async def configurations(self, tenant: str, cursor: str | None, limit: int) -> Listing[BackupConfiguration]:
        return await _page(self._store.configurations, BackupConfiguration, {"tenant": tenant}, cursor, limit)

    async def add_restore_point(self, point: RestorePoint) -> None:
        """Idempotent: the id is the session that committed it."""
        document = {**point.model_dump(mode="python"), SCHEMA: SCHEMA_VERSION}
        await self._store.restore_points.replace_one({"_id": key(point.tenant, point.id)}, plain(document), upsert=True)

    async def restore_point(self, tenant: str, point: str) -> RestorePoint | None:
        found = await _get(self._store.restore_points, RestorePoint, tenant, point)
        return None if found is None else (await self._as_known(tenant, [found]))[0]

    async def restore_points(
        self, tenant: str, narrow: Mapping[str, str], cursor: str | None, limit: int
    ) -> Listing[RestorePoint]:
        points = {"tenant": tenant, **narrow}
        page = await _page(self._store.restore_points, RestorePoint, points, cursor, limit, newest_first=True)
        return page.model_copy(update={"items": tuple(await self._as_known(tenant, page.items))})

    async def _as_known(self, tenant: str, points: Sequence[RestorePoint]) -> list[RestorePoint]:
        """The points with what others have found out since: whether they can be read, whose mailbox is gone."""
        departed = await MongoResources(self._store).departed(tenant, {point.resource for point in points})
        return [
            point.model_copy(update={"departed_since": departed.get(point.resource)})
            for point in await self._proven(tenant, points)
        ]

    async def _proven(self, tenant: str, points: Sequence[RestorePoint]) -> list[RestorePoint]:
        """The points with what the last verifications of their targets read: level 2."""
        wanted = [key(tenant, one) for one in {point.configuration for point in points}]
        configurations = self._store.configurations.find({"_id": {"$in": wanted}}, {"id": 1, "target": 1})
        target_of = {one["id"]: one["target"] for one in await configurations.to_list(len(wanted) or 1)}
        names = [key(tenant, one) for one in set(target_of.values())]
        targets = self._store.targets.find({"_id": {"$in": names}}, {"id": 1, "read_since": 1, "affected": 1})
        proofs = {one["id"]: one for one in await targets.to_list(len(names) or 1)}
        return [_with_level_2(point, proofs.get(target_of.get(point.configuration, ""), {})) for point in points]

    async def run(self, tenant: str, run: str) -> Run | None:
        """The run with the live sums of its jobs."""
        document = await self._store.runs.find_one({"_id": key(tenant, run)})
        return None if document is None else await self._with_jobs(document)

    async def runs(self, tenant: str, configuration: str | None, cursor: str | None, limit: int) -> Listing[Run]:
        """Newest first; the cursor is the run the page before ended with."""
        narrow: dict[str, Any] = {"tenant": tenant} | ({"configuration": configuration} if configuration else {})
        last = await self._store.runs.find_one({"_id": key(tenant, cursor)}) if cursor else None
        if last is not None:
            before = {"requested_at": last["requested_at"], "_id": {"$lt": last["_id"]}}
            narrow["$or"] = [{"requested_at": {"$lt": last["requested_at"]}}, before]
        order = [("requested_at", -1), ("_id", -1)]
        found = await self._store.runs.find(narrow).sort(order).limit(limit + 1).to_list(limit + 1)
        items = tuple([await self._with_jobs(document) for document in found[:limit]])
        return Listing[Run](items=items, cursor=items[-1].id if len(found) > limit else None)

    async def job(self, tenant: str, job: str) -> Job | None:
        return await _get(self._store.jobs, Job, tenant, job)

    async def jobs(self, tenant: str, run: str, cursor: str | None, limit: int) -> Listing[Job]:
        return await _page(self._store.jobs, Job, {"tenant": tenant, "run": run}, cursor, limit)

    async def unrestored(self, tenant: str, job: str, cursor: str | None, limit: int) -> Listing[ItemProblem]:
        return await MongoUnrestored(self._store).page(tenant, job, cursor, limit)

    async def _with_jobs(self, document: Document) -> Run:
        sums = await job_sums(self._store.jobs, document["tenant"], document["id"])
        return Run.model_validate({**document, **sums})

    async def add_ticket(
        self, tenant: str, order: ExportOrder, secret: str, expires_at: datetime, events: Sequence[Event] = ()
    ) -> None:
        document = {
            **order.document(),
            "_id": _ticket_id(tenant, secret),
            SCHEMA: SCHEMA_VERSION,
            "tenant": tenant,
            "expires_at": expires_at,
            "forget_at": expires_at + _TICKET_KEPT,
            "used": False,
        }
        await self._store.tickets.insert_one(announced(document, events))

    async def redeem(self, tenant: str, secret: str, now: datetime) -> ExportOrder | None:
        ticket = _ticket_id(tenant, secret)
        taken = await self._store.tickets.update_one(
            {"_id": ticket, "used": False, "expires_at": {"$gt": now}}, {"$set": {"used": True}}
        )
        if taken.modified_count == 0:
            return None
        document = await self._store.tickets.find_one({"_id": ticket})
        return None if document is None else ExportOrder.read(document)


async def _insert(collection: Collection, view: View, tenant: str, identity: str, events: Sequence[Event]) -> None:
    document = {"_id": key(tenant, identity), SCHEMA: SCHEMA_VERSION, **plain(view.model_dump(mode="python"))}
    fresh = announced(document, events)
    await collection.update_one({"_id": document["_id"]}, {"$setOnInsert": fresh}, upsert=True)


async def _get(collection: Collection, view: type[V], tenant: str, identity: str) -> V | None:
    document = await collection.find_one({"_id": key(tenant, identity)})
    return None if document is None else view.model_validate(document)


async def _page(
    collection: Collection,
    view: type[V],
    narrow: Mapping[str, Any],
    cursor: str | None,
    limit: int,
    *,
    newest_first: bool = False,
) -> Listing[V]:
    """A page in order of the id; newest first is for ids that grow with time (sessions)."""
    compare, direction = ("$lt", -1) if newest_first else ("$gt", 1)
    narrow = {**narrow, **({"_id": {compare: key(narrow["tenant"], cursor)}} if cursor else {})}
    found = await collection.find(narrow).sort("_id", direction).limit(limit + 1).to_list(limit + 1)
    items = tuple(view.model_validate(document) for document in found[:limit])
    return Listing[V](items=items, cursor=found[limit - 1]["id"] if len(found) > limit else None)


def _with_level_2(point: RestorePoint, proof: Mapping[str, Any]) -> RestorePoint:
    """All it needs was read whole at `read_since`, if it was there by then."""
    since = proof.get("read_since")
    lost = proof.get("affected", {}).get(point.id, 0)
    if not lost and (since is None or since < point.taken_at):
        return point
    lost = point.items if lost < 0 else lost
    level = Verification(
        level=2, at=since or point.taken_at, covered=point.items - lost, denominator=point.items, problems=lost
    )
    others = [one for one in point.verified if one.level != level.level]
    return point.model_copy(update={"verified": tuple(sorted((*others, level), key=lambda one: one.level))})


def _ticket_id(tenant: str, secret: str) -> str:
    return hashlib.sha256(f"{tenant}/{secret}".encode()).hexdigest()
