"""Runs of syncs in MongoDB; each write is one document, its events included."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime

import structlog
from pymongo import DESCENDING
from pymongo.errors import DuplicateKeyError

from chassis import pending
from chassis.bus import Bus, BusUnreachable
from chassis.clock import Clock
from chassis.documents import SCHEMA, Document, upgraded
from chassis.pending import PendingEvents
from contracts.employees import SyncCounts
from contracts.errors import ErrorClass
from contracts.events import Event
from contracts.names import HoldReason, JobState, SyncKind
from sync_service.adapters.employee_documents import order
from sync_service.adapters.mongo_employees import SOURCE
from sync_service.adapters.mongo_store import SCHEMA_VERSION, Store, key
from sync_service.domain.runs import Run

log = structlog.get_logger(__name__)


class MongoRuns:
    """Implements ports.Runs."""

    def __init__(self, store: Store, bus: Bus, clock: Clock, grace: float = 5.0) -> None:
        self._runs = store.runs
        self._bus = bus
        self._clock = clock
        self.pending = PendingEvents(store.runs, bus, clock, grace)

    async def add(self, run: Run, events: Sequence[Event]) -> Run:
        now, identity = self._clock.now(), key(run.tenant, run.id)
        saved = replace(run, version=1)
        document = {"_id": identity, SCHEMA: SCHEMA_VERSION, **_stored(saved)}
        try:
            await self._runs.insert_one(pending.new_document(document, events, SOURCE, now))
        except DuplicateKeyError:
            known = await self.get(run.tenant, run.id)
            assert known is not None  # nothing ever deletes a run
            return known
        await self.pending.flush(identity)
        return saved

    async def get(self, tenant: str, run: str) -> Run | None:
        found = await self._runs.find_one({"_id": key(tenant, run)})
        return None if found is None else _run(found)

    async def save(self, run: Run, events: Sequence[Event] = ()) -> Run | None:
        saved = replace(run, version=run.version + 1)
        fields = _stored(saved)
        update: Document = {"$set": {name: value for name, value in fields.items() if value is not None}}
        update["$unset"] = {name: "" for name, value in fields.items() if value is None}
        identity = key(run.tenant, run.id)
        result = await self._runs.update_one(
            {"_id": identity, "version": run.version},
            pending.with_events(update, events, SOURCE, self._clock.now()),
        )
        if result.matched_count == 0:
            return None
        if events:
            await self.pending.flush(identity)
        return saved

    async def show(self, events: Sequence[Event]) -> None:
        try:
            for event in events:
                await self._bus.publish(event)
        except BusUnreachable as error:
            log.warning("progress of a sync could not be told", reason=str(error))

    async def page(self, tenant: str, after: str | None, limit: int) -> Sequence[Run]:
        narrow: Document = {"tenant": tenant}
        if after is not None:
            last = await self._runs.find_one({"_id": key(tenant, after)}, {"order": 1})
            narrow["order"] = {"$lt": last["order"] if last is not None else ""}
        found = self._runs.find(narrow).sort("order", DESCENDING).limit(limit)
        return [_run(each) async for each in found]

    async def due(self, now: datetime, limit: int) -> Sequence[Run]:
        return [_run(each) async for each in self._runs.find({"due_at": {"$lte": now}}).limit(limit)]

    async def running(self, tenant: str, now: datetime) -> Sequence[Run]:
        narrow = {"tenant": tenant, "state": JobState.RUNNING.value, "due_at": {"$gt": now}}
        return [_run(each) async for each in self._runs.find(narrow)]

    async def held(self, tenant: str) -> Sequence[Run]:
        narrow = {"tenant": tenant, "state": JobState.WAITING.value, "hold": {"$gt": ""}}
        return [_run(each) async for each in self._runs.find(narrow)]


def _stored(run: Run) -> Document:
    document = {**asdict(run), "order": order(run.requested_at, run.id)}
    document |= {"kind": run.kind.value, "state": run.state.value, "counts": run.counts.model_dump()}
    document |= {"users": list(run.users), "warnings": list(run.warnings)}
    document["hold"] = None if run.hold is None else run.hold.value
    document["error"] = None if run.error is None else run.error.value
    return document


def _run(found: Document) -> Run:
    known = upgraded(found, SCHEMA_VERSION, {}, "sync_runs")
    return Run(
        tenant=known["tenant"],
        id=known["id"],
        kind=SyncKind(known["kind"]),
        requested_at=known["requested_at"],
        by=known["by"],
        causation=known["causation"],
        person=known["person"],
        users=tuple(known["users"]),
        version=known["version"],
        state=JobState(known["state"]),
        session=known["session"],
        attempt=known["attempt"],
        due_at=known.get("due_at"),
        started_at=known.get("started_at"),
        finished_at=known.get("finished_at"),
        hold=HoldReason(known["hold"]) if known.get("hold") else None,
        error=ErrorClass(known["error"]) if known.get("error") else None,
        detail=known["detail"],
        counts=SyncCounts.model_validate(known["counts"]),
        warnings=tuple(known["warnings"]),
    )
