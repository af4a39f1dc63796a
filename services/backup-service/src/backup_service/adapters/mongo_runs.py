"""Runs in MongoDB, and the queueing of their jobs: what the planner works on."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from pymongo.errors import BulkWriteError, DuplicateKeyError

from backup_service.adapters.mongo_jobs import caused, new_job, queue_of, queued
from backup_service.adapters.mongo_store import SCHEMA_VERSION, SOURCE, Store, key, plain
from backup_service.domain.jobs import Cause, state_of_run
from backup_service.ports import RunDocument
from chassis import telemetry
from chassis.bus import Bus
from chassis.clock import Clock
from chassis.documents import SCHEMA, Collection, Document
from chassis.pending import PendingEvents, new_document, with_events
from contracts.errors import ErrorClass
from contracts.events import (
    Counts,
    Event,
    JobFailed,
    JobHeld,
    JobPartial,
    JobQueued,
    JobStarted,
    JobSucceeded,
    JobWakeUp,
)
from contracts.names import HoldReason, JobKind, JobState
from contracts.views import Failure, Hold, LeftOut

_UNFINISHED = {"$in": [JobState.WAITING.value, JobState.RUNNING.value]}
_DUPLICATE = 11000
_AHEAD = 2
"""Jobs of a tenant, restores apart, that are sent to the workers before one of them has begun."""
_LEFT_OUT_SHOWN = 100
_OCCUPIED = 5.0
"""Seconds until a run is planned again that found a mailbox occupied."""


class MongoRuns:
    """Runs and the queueing of their jobs, for the planner."""

    def __init__(self, store: Store, bus: Bus, clock: Clock, *, lease: float) -> None:
        self._store = store
        self._bus = bus
        self._clock = clock
        self._lease = timedelta(seconds=lease)
        self.pending = PendingEvents(store.runs, bus, clock)

    async def start(
        self,
        tenant: str,
        run: str,
        kind: JobKind,
        *,
        configuration: str | None,
        target: str | None = None,
        requested_at: datetime,
        details: Mapping[str, Any],
        cause: Cause | None = None,
        events: Sequence[Event] = (),
    ) -> bool:
        """Record a run and what asked for it; False when it is known already (the request came twice)."""
        now = self._clock.now()
        document = {
            "_id": key(tenant, run),
            SCHEMA: SCHEMA_VERSION,
            "tenant": tenant,
            "id": run,
            "kind": kind.value,
            "configuration": configuration,
            "target": target,
            "state": JobState.WAITING.value,
            "version": 1,
            "planned": False,
            "requested_at": requested_at,
            "started_at": None,
            "finished_at": None,
            "due_at": now,
            "hold": None,
            "fatal": None,
            "details": dict(details),
            "cause": None if cause is None else {"source": cause.source, "request": cause.request},
            "traceparent": telemetry.traceparent(),
        }
        queued_run = JobQueued(**{**_run_facts(document, now), "version": 1})
        try:
            await self._store.runs.insert_one(new_document(document, [queued_run, *events], SOURCE, now))
        except DuplicateKeyError:
            return False
        if configuration is not None:
            of_configuration = {"_id": key(tenant, configuration)}
            await self._store.configurations.update_one(of_configuration, {"$set": {"last_run": run}})
        await self.pending.flush(document["_id"])
        return True

    async def due(self) -> list[Document]:
        """Runs that want attention now: to be planned, or to be settled."""
        return await self._store.runs.find({"due_at": {"$lte": self._clock.now()}}).limit(50).to_list(50)

    async def get(self, tenant: str, run: str) -> Document | None:
        return await self._store.runs.find_one({"_id": key(tenant, run)})

    async def unfinished(self, tenant: str, configuration: str, kind: JobKind) -> bool:
        narrow = {"tenant": tenant, "configuration": configuration, "kind": kind.value, "state": _UNFINISHED}
        return await self._store.runs.find_one(narrow, {"_id": 1}) is not None

    async def earlier_unfinished(self, run: RunDocument) -> bool:
        """True while another run of the same configuration or target and kind goes on, or one asked for earlier waits.

        When it was asked for is the asker's word; a run that has begun counts as earlier whatever that says. Restores
        wait for each other by mailbox only (`outstanding` of their jobs).
        """
        if run["kind"] == JobKind.RESTORE.value:
            return False
        narrow = {"tenant": run["tenant"], "configuration": run["configuration"], "kind": run["kind"]}
        narrow["target"] = run.get("target")
        others = self._store.runs.find({**narrow, "state": _UNFINISHED, "_id": {"$ne": run["_id"]}})
        mine = (run["requested_at"], run["_id"])
        return any([o["planned"] or (o["requested_at"], o["_id"]) < mine async for o in others])

    async def postpone(self, run: RunDocument, seconds: float, hold: tuple[HoldReason, str] | None = None) -> None:
        """Look at the run again later; `hold` says why when something outside is missing."""
        now = self._clock.now()
        update: dict[str, Any] = {"$set": {"due_at": now + timedelta(seconds=seconds)}}
        events: list[Event] = []
        if hold is not None and (run.get("hold") or {}).get("reason") != hold[0].value:
            update["$set"]["hold"] = Hold(reason=hold[0], since=now, detail=hold[1]).model_dump(mode="python")
            update["$inc"] = {"version": 1}
            events.append(JobHeld(**_run_facts(run, now), reason=hold[0], detail=hold[1]))
        await self._change(run, plain(update), events)

    async def fail(self, run: RunDocument, error: ErrorClass, detail: str) -> None:
        """End a run that could not be planned."""
        now = self._clock.now()
        failure = Failure(error=error, detail=detail).model_dump(mode="json")
        update = {
            "$set": {"state": JobState.FAILED.value, "finished_at": now, "fatal": failure, "hold": None},
            "$unset": {"due_at": ""},
            "$inc": {"version": 1},
        }
        await self._change(run, update, [JobFailed(**_run_facts(run, now), error=error, detail=detail)])

    async def plan(
        self, run: RunDocument, jobs: Sequence[tuple[str, str, Mapping[str, Any]]], left_out: Sequence[LeftOut] = ()
    ) -> None:
        """Create the run's jobs (resource, name, fields) and mark it planned; repeating it changes nothing.

        A mailbox whose job of another run goes on has no place for one more: the run is planned again later.
        """
        now = self._clock.now()
        documents = [new_job(run, resource, name, fields, now) for resource, name, fields in jobs]
        complete = await self._create(documents, now)
        if not complete:
            await self.postpone(run, _OCCUPIED)
            return
        update = {
            "$set": {
                "planned": True,
                "state": JobState.RUNNING.value,
                "started_at": now,
                "hold": None,
                "due_at": now + self._lease,
                "left_out": [plain(one.model_dump(mode="python")) for one in left_out[:_LEFT_OUT_SHOWN]],
                "left_out_counts": Counter(one.reason.value for one in left_out),
            },
            "$inc": {"version": 1},
        }
        await self._change(run, update, [JobStarted(**_run_facts(run, now))])

    async def _create(self, documents: Sequence[Document], now: datetime) -> bool:
        """Insert the jobs that are not there; False when one cannot be."""
        full = [new_document(document, [queued(document, now)], SOURCE, now) for document in documents]
        if not full:
            return True
        try:
            await self._store.jobs.insert_many(full, ordered=False)
        except BulkWriteError as error:
            if any(fault["code"] != _DUPLICATE for fault in error.details["writeErrors"]):
                raise
        jobs_pending = PendingEvents(self._store.jobs, self._bus, self._clock)
        for document in documents:
            await jobs_pending.flush(document["_id"])
        ids = [document["_id"] for document in documents]
        return len(await self._store.jobs.find({"_id": {"$in": ids}}, {"_id": 1}).to_list(len(ids))) == len(ids)

    async def settle(self, tenant: str, run_id: str) -> bool:
        """Finish the run if all its jobs are finished; True when it did."""
        run = await self.get(tenant, run_id)
        if run is None or not run["planned"] or JobState(run["state"]).finished:
            return False
        of_run = {"tenant": tenant, "run": run_id}
        if await self._store.jobs.find_one({**of_run, "state": _UNFINISHED}, {"_id": 1}) is not None:
            await self.postpone(run, self._lease.total_seconds())
            return False
        now = self._clock.now()
        sums = await job_sums(self._store.jobs, tenant, run_id)
        state = state_of_run(sums["succeeded"], sums["partial"], sums["failed"])
        failure = await self._failure(of_run) if state is JobState.FAILED else None
        update = {
            "$set": {
                "state": state.value,
                "finished_at": now,
                "counts": sums["counts"].model_dump(),
                "fatal": failure.model_dump(mode="json") if failure else None,
                "hold": None,
            },
            "$unset": {"due_at": ""},
            "$inc": {"version": 1},
        }
        facts = {**_run_facts(run, now), "counts": sums["counts"]}
        duration = (now - run["started_at"]).total_seconds()
        await self._change(run, update, [_run_end(facts, state, duration, failure)])
        return True

    async def _failure(self, of_run: dict[str, str]) -> Failure:
        """Why a run failed: the error of one of its jobs stands for all."""
        job = await self._store.jobs.find_one({**of_run, "state": JobState.FAILED.value}, {"fatal": 1})
        return Failure.model_validate((job or {}).get("fatal") or {"error": ErrorClass.INTERNAL})

    async def admit(self, slots: int) -> int:
        """Give every queue its share of workers: at most `slots` of its jobs at a time; returns how many.

        A tenant has a queue for its restores and one for all else.
        """
        admitted = 0
        # All that wait, so that a tenant with thousands of mailboxes hides nobody.
        waiting = self._store.jobs.find({"queue": {"$gt": ""}}, {"queue": 1})
        for queue in sorted({job["queue"] async for job in waiting}):
            admitted += await self._admit_queue(queue, slots)
        return admitted

    async def admit_next(self, tenant: str, kind: JobKind, slots: int) -> int:
        return await self._admit_queue(queue_of(tenant, kind), slots)

    async def _admit_queue(self, queue: str, slots: int) -> int:
        tenant, _, restores = queue.partition("/")
        kind = JobKind.RESTORE.value if restores else {"$ne": JobKind.RESTORE.value}
        active = {"tenant": tenant, "admitted": True, "kind": kind}
        begun = await self._store.jobs.find(active, {"session": 1}).limit(slots).to_list(slots)
        # Few stand in the queue of all tenants, or a tenant of three would wait for eight of a tenant of five hundred.
        ahead = slots if restores else _AHEAD
        free = min(slots - len(begun), ahead - sum(job["session"] is None for job in begun))
        if free <= 0:
            return 0
        admitted = 0
        for job in await self._store.jobs.find({"queue": queue}).limit(free).to_list(free):
            due = {"admitted": True, "due_at": self._clock.now() + self._lease}
            leave = {"$set": due, "$unset": {"queue": ""}}
            mark = await self._store.jobs.update_one({"_id": job["_id"], "admitted": False}, leave)
            if mark.modified_count:
                await self._wake(job, again=0)
                admitted += 1
        return admitted

    async def requeue_due(self) -> int:
        """Wake jobs whose time has come: retries, holds, lost messages, workers that gave no sign of life."""
        now = self._clock.now()
        found = self._store.jobs.find({"due_at": {"$lte": now}, "state": _UNFINISHED}).limit(200)
        woken = 0
        for job in await found.to_list(200):
            # A new message counts its deliveries from 1 again, and a worker may have it before we know that it is sent.
            await self._store.jobs.update_one({"_id": job["_id"], "session": job["session"]}, {"$set": {"delivery": 0}})
            # Counted from the admission's, or JetStream would take it for a twin and drop it.
            woken += await self._wake(job, again=job["requeues"] + 1)
            later = {"$set": {"due_at": now + self._lease}, "$inc": {"requeues": 1}}
            await self._store.jobs.update_one({"_id": job["_id"], "due_at": job["due_at"]}, later)
        return woken

    async def resume_held(self, tenant: str, reason: HoldReason) -> int:
        """Make held jobs and runs of a tenant due now: what they wait for has happened."""
        now = self._clock.now()
        narrow = {"tenant": tenant, "state": JobState.WAITING.value, "hold.reason": reason.value}
        jobs = await self._store.jobs.update_many({**narrow, "admitted": True}, {"$set": {"due_at": now}})
        runs = await self._store.runs.update_many(narrow, {"$set": {"due_at": now}})
        return int(jobs.modified_count + runs.modified_count)

    async def _wake(self, job: Document, again: int) -> bool:
        wake = JobWakeUp(tenant=job["tenant"], job=job["id"], kind=JobKind(job["kind"]), message=job["message"])
        return await self._bus.wake(wake, again=again, traceparent=job.get("traceparent"))

    async def _change(self, run: RunDocument, update: dict[str, Any], events: Sequence[Event]) -> None:
        filter_ = {"_id": run["_id"], "version": run["version"]}
        await self._store.runs.update_one(filter_, with_events(update, events, SOURCE, self._clock.now()))
        await self.pending.flush(run["_id"])


def _run_facts(run: RunDocument, now: datetime) -> dict[str, Any]:
    return {
        "tenant": run["tenant"],
        "at": now,
        "scope": "run",
        "id": run["id"],
        "run": run["id"],
        "kind": JobKind(run["kind"]),
        "version": run["version"] + 1,
        "configuration": run["configuration"],
        **caused(run),
    }


def _run_end(facts: dict[str, Any], state: JobState, duration: float, failure: Failure | None) -> Event:
    if failure is not None:
        return JobFailed(**facts, duration=duration, error=failure.error, detail=failure.detail)
    if state is JobState.PARTIAL:
        return JobPartial(**facts, duration=duration)
    return JobSucceeded(**facts, duration=duration)


async def job_sums(jobs: Collection, tenant: str, run: str) -> dict[str, Any]:
    """Outcomes and counts summed over the jobs of a run."""
    total = Counts()
    by_state: dict[str, int] = {}
    held = number = 0
    async for job in jobs.find({"tenant": tenant, "run": run}, {"state": 1, "counts": 1, "hold": 1}):
        number += 1
        by_state[job["state"]] = by_state.get(job["state"], 0) + 1
        held += bool(job.get("hold"))
        total += Counts.model_validate(job["counts"])
    outcomes = {state: by_state.get(state, 0) for state in ("succeeded", "partial", "failed")}
    return {**outcomes, "jobs": number, "held": held, "counts": total}
