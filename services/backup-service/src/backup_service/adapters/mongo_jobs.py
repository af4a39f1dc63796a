"""Job documents in MongoDB: claims, progress and outcomes, each one compare-and-set on the session."""

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import SystemRandom
from typing import Any

import structlog

from backup_service.adapters.mongo_store import SCHEMA_VERSION, SOURCE, Store, key, plain
from backup_service.adapters.mongo_unrestored import MongoUnrestored
from backup_service.domain.jobs import (
    Claim,
    Finished,
    HandedBack,
    Held,
    Keeping,
    Outcome,
    Retried,
    failed,
)
from backup_service.domain.restore_order import RestoreOrder
from backup_service.ports import SessionLost
from chassis import telemetry
from chassis.bus import Bus, BusUnreachable
from chassis.clock import Clock
from chassis.documents import SCHEMA, Document
from chassis.ids import derived, new_ulid
from chassis.pending import PendingEvents, with_events
from contracts.errors import ErrorClass
from contracts.events import (
    BackupChunkStored,
    Counts,
    Event,
    JobFailed,
    JobHeld,
    JobPartial,
    JobProgressed,
    JobQueued,
    JobStarted,
    JobSucceeded,
    JobWakeUp,
)
from contracts.names import JobKind, JobState, Source
from contracts.retention import DEFAULT_FLOOR

log = structlog.get_logger()

_ACTIVE = [JobState.WAITING.value, JobState.RUNNING.value]


@dataclass(frozen=True)
class JobTiming:
    """Seconds. `lease` is how long a claim holds without a sign of life, `ladder` the pauses after errors."""

    lease: float = 150.0
    ladder: tuple[float, ...] = (5.0, 30.0, 120.0, 600.0)
    attempts: int = 5


class MongoJobs:
    """Implements ports.Jobs."""

    def __init__(self, store: Store, bus: Bus, clock: Clock, timing: JobTiming) -> None:
        self._jobs = store.jobs
        self._unrestored = MongoUnrestored(store)
        self._bus = bus
        self._clock = clock
        self._timing = timing
        self._rng = SystemRandom()
        self.pending = PendingEvents(store.jobs, bus, clock)

    async def claim(self, wake: JobWakeUp, delivery: int) -> Claim | None:
        document_id = key(wake.tenant, wake.job)
        document = await self._jobs.find_one({"_id": document_id, "message": wake.message, "state": {"$in": _ACTIVE}})
        if document is None or document["delivery"] >= delivery:
            return None
        now = self._clock.now()
        claim = _claim(document, new_ulid(self._clock, self._rng), now)
        if await self._out_of_strikes(document):
            return None
        started = JobStarted(**_facts(document, now), attempt=claim.attempt, session=claim.session)
        update = {
            "$set": {
                "state": JobState.RUNNING.value,
                "session": claim.session,
                "delivery": delivery,
                "started_at": claim.first_started_at,
                "due_at": now + timedelta(seconds=self._timing.lease),
                "hold": None,
            },
            "$inc": {"version": 1, "strikes": 1},
        }
        taken = await self._jobs.update_one(
            {"_id": document_id, "message": wake.message, "version": document["version"]},
            with_events(update, [started], SOURCE, now),
        )
        if taken.modified_count == 0:
            return None
        await _tell(self.pending.flush(document_id))
        return claim

    async def _out_of_strikes(self, document: Document) -> bool:
        """A job whose worker dies again and again without a checkpoint in between ends, before it kills them all."""
        if document.get("strikes", 0) < self._timing.attempts * 2:
            return False
        detail = f"the worker died {document['strikes']} times without reaching a checkpoint"
        await self._end(document, failed(ErrorClass.INTERNAL, detail), document.get("session"))
        return True

    async def progress(self, claim: Claim, counts: Counts, phase: str) -> None:
        now = self._clock.now()
        update = {"$set": {"counts": counts.model_dump(), "due_at": now + timedelta(seconds=self._timing.lease)}}
        await self._fenced(claim, update)
        document = await self._jobs.find_one({"_id": key(claim.tenant, claim.job)})
        if document is not None:
            # Not pending: a lost progress mark is replaced by the next one. The version is the current one.
            facts = {**_facts(document, now), "version": document["version"]}
            await _tell(self._bus.publish(JobProgressed(**facts, counts=counts, phase=phase)))

    async def checkpointed(
        self, claim: Claim, number: int, packs: Sequence[tuple[str, int, str]], counts: Counts
    ) -> None:
        now = self._clock.now()
        events: list[Event] = [
            BackupChunkStored(
                tenant=claim.tenant,
                at=now,
                job=claim.job,
                configuration=claim.configuration,
                resource=claim.resource,
                session=claim.session,
                checkpoint=number,
                pack=pack,
                size=size,
                sha256=digest,
            )
            for pack, size, digest in packs
        ]
        update = {
            "$set": {
                "counts": counts.model_dump(),
                "checkpoint": number,
                "strikes": 0,
                "due_at": now + timedelta(seconds=self._timing.lease),
            }
        }
        await self._fenced(claim, with_events(update, events, SOURCE, now))
        await _tell(self.pending.flush(key(claim.tenant, claim.job)))

    async def conclude(self, claim: Claim, outcome: Outcome) -> None:
        document = await self._jobs.find_one(_held_by(claim))
        if document is None:
            raise SessionLost(claim.job)
        match outcome:
            case Finished():
                await self._end(document, outcome, claim.session)
            case Held():
                await self._hold(document, outcome)
            case Retried():
                await self._retry(document, claim, outcome)
            case HandedBack():
                await self._hand_back(document)
        await _tell(self.pending.flush(document["_id"]))

    async def _end(self, document: Document, end: Finished, session: str | None) -> None:
        now = self._clock.now()
        await self._unrestored.keep(document["tenant"], document["id"], session, end.unrestored, now)
        duration = (now - document["started_at"]).total_seconds() if document.get("started_at") else 0.0
        update = {
            "$set": {
                "state": end.state.value,
                "finished_at": now,
                "counts": end.counts.model_dump(),
                "restore_point": end.restore_point,
                "fatal": end.fatal.model_dump(mode="json") if end.fatal else None,
                "item_errors": [problem.model_dump(mode="json") for problem in end.item_errors],
                "skipped": [problem.model_dump(mode="json") for problem in end.skipped],
                "check": plain(end.check.model_dump(mode="python")) if end.check else None,
                "maintenance": plain(end.maintenance.model_dump(mode="python")) if end.maintenance else None,
                "restored": end.restored.model_dump(mode="json") if end.restored else None,
                "hold": None,
                "admitted": False,
            },
            "$unset": {"outstanding": "", "due_at": "", "queue": ""},
            "$inc": {"version": 1},
        }
        event = _end_event(_facts(document, now), end, duration)
        filter_ = {"_id": document["_id"], "session": session, "version": document["version"]}
        done = await self._jobs.update_one(filter_, with_events(update, [event], SOURCE, now))
        if done.modified_count == 0:
            raise SessionLost(document["id"])
        await _tell(self.pending.flush(document["_id"]))

    async def _hold(self, document: Document, held: Held) -> None:
        now = self._clock.now()
        before = document.get("last_hold") or {}
        since = before.get("since", now) if before.get("reason") == held.reason.value else now
        hold = {"reason": held.reason.value, "since": since, "detail": held.detail}
        update = self._back_to_waiting(document, now, held.recheck)
        update["$set"] |= {"hold": hold, "last_hold": hold}
        event = JobHeld(**_facts(document, now), reason=held.reason, detail=held.detail)
        await self._put_back(document, update, [event])

    async def _retry(self, document: Document, claim: Claim, retried: Retried) -> None:
        attempt = claim.attempt + 1
        if attempt >= self._timing.attempts:
            counts = Counts.model_validate(document["counts"])
            await self._end(document, failed(retried.error, retried.detail, counts), claim.session)
            return
        now = self._clock.now()
        ladder = self._timing.ladder
        update = self._back_to_waiting(document, now, ladder[min(attempt, len(ladder)) - 1])
        update["$set"] |= {"attempt": attempt, "hold": None, "last_error": retried.error.value}
        event = JobQueued(**_facts(document, now), attempt=attempt)
        await self._put_back(document, update, [event])

    async def _hand_back(self, document: Document) -> None:
        now = self._clock.now()
        event = JobQueued(**_facts(document, now), attempt=document["attempt"])
        await self._put_back(document, self._back_to_waiting(document, now, 0), [event])

    def _back_to_waiting(self, document: Document, now: datetime, pause: float) -> dict[str, dict[str, Any]]:
        return {
            "$set": {
                "state": JobState.WAITING.value,
                # A new message: what is still on the way for the old one is stale from here on.
                "message": derived(document["_id"], "message", document["version"] + 1),
                "delivery": 0,
                "strikes": 0,
                "due_at": now + timedelta(seconds=pause),
            },
            "$inc": {"version": 1},
        }

    async def _put_back(self, document: Document, update: dict[str, Any], events: list[Event]) -> None:
        filter_ = {"_id": document["_id"], "session": document["session"], "version": document["version"]}
        done = await self._jobs.update_one(filter_, with_events(update, events, SOURCE, self._clock.now()))
        if done.modified_count == 0:
            raise SessionLost(document["id"])

    async def _fenced(self, claim: Claim, update: dict[str, Any]) -> None:
        if (await self._jobs.update_one(_held_by(claim), update)).matched_count == 0:
            raise SessionLost(claim.job)


async def _tell(telling: Awaitable[object]) -> None:
    """A job goes on, and ends, without the bus: the state is saved, and the sweep publishes what waits in it."""
    try:
        await telling
    except BusUnreachable as error:
        log.warning("event not published yet", reason=str(error))


def _held_by(claim: Claim) -> dict[str, str]:
    return {"_id": key(claim.tenant, claim.job), "session": claim.session, "state": JobState.RUNNING.value}


def new_job(run: Mapping[str, Any], resource: str, name: str, fields: Mapping[str, Any], now: datetime) -> Document:
    """A Waiting job document; its id is derived, so that planning twice makes it once."""
    tenant, kind, configuration = run["tenant"], run["kind"], run["configuration"]
    job = derived(tenant, run["id"], kind, resource)
    return {
        "_id": key(tenant, job),
        SCHEMA: SCHEMA_VERSION,
        "tenant": tenant,
        "id": job,
        "run": run["id"],
        "kind": kind,
        "configuration": configuration,
        "resource": resource,
        "resource_name": name,
        "outstanding": _outstanding(run, resource, fields),
        "state": JobState.WAITING.value,
        "hold": None,
        "admitted": False,
        # Names the queue the job stands in until it is admitted; an index over it holds nothing but waiting jobs.
        "queue": queue_of(tenant, JobKind(kind)),
        "attempt": 0,
        "strikes": 0,
        "version": 1,
        "session": None,
        "message": derived(tenant, job, "message", 1),
        "delivery": 0,
        "requeues": 0,
        # Every execution, tonight's retry included, belongs to the trace of the request.
        "traceparent": telemetry.traceparent() or run.get("traceparent"),
        "cause": run.get("cause"),
        "queued_at": now,
        "started_at": None,
        "finished_at": None,
        "checkpoint": None,
        "counts": Counts().model_dump(),
        "restore_point": None,
        "fatal": None,
        "item_errors": [],
        "skipped": [],
        **fields,
    }


def queue_of(tenant: str, kind: JobKind) -> str:
    """Restores have a queue, and a share, of their own: none waits for what a tenant has queued besides."""
    return f"{tenant}/{kind.value}" if kind is JobKind.RESTORE else tenant


def _outstanding(run: Mapping[str, Any], resource: str, fields: Mapping[str, Any]) -> str:
    """What no second unfinished job may share: the resource of a configuration, per kind.

    A restore that looks at what is there excludes another one that does; one that only adds may go beside any.
    """
    name = f"{run['tenant']}/{run['configuration'] or 'target'}/{resource}/{run['kind']}"
    order = fields.get("restore")
    beside = order is not None and not RestoreOrder.of(order).excludes_others
    return f"{name}/{run['id']}" if beside else name


def queued(document: Document, now: datetime) -> JobQueued:
    return JobQueued(**{**_facts(document, now), "version": document["version"]})


def _facts(document: Document, now: datetime) -> dict[str, Any]:
    """Common fields of the job event that the next version of this document announces."""
    return {
        "tenant": document["tenant"],
        "at": now,
        "scope": "job",
        "id": document["id"],
        "run": document["run"],
        "kind": JobKind(document["kind"]),
        "version": document["version"] + 1,
        "configuration": document["configuration"],
        "resource": document["resource"],
        **caused(document),
    }


def caused(document: Mapping[str, Any]) -> dict[str, str]:
    """What the events of a run or job say about the request that led to it."""
    cause = document.get("cause") or {}
    return {"requested_by": cause.get("source", ""), "causation": cause.get("request", "")}


def _end_event(facts: dict[str, Any], end: Finished, duration: float) -> Event:
    facts = {**facts, "counts": end.counts, "duration": duration}
    if end.state is JobState.FAILED:
        error = end.fatal.error if end.fatal else ErrorClass.INTERNAL
        return JobFailed(**facts, error=error, detail=end.fatal.detail if end.fatal else "")
    if end.state is JobState.PARTIAL:
        return JobPartial(**facts, errors=end.errors)
    return JobSucceeded(**facts)


def _keeping(document: Document) -> Keeping:
    """A planner of the release before knew days alone; a restore job keeps nothing."""
    told = document.get("keeping")
    if told is not None:
        return Keeping(**told)
    return Keeping(f"{document.get('retention_days', 30)}d", DEFAULT_FLOOR, "default", document["queued_at"])


def _claim(document: Document, session: str, now: datetime) -> Claim:
    order = document.get("restore")
    return Claim(
        tenant=document["tenant"],
        job=document["id"],
        run=document["run"],
        kind=JobKind(document["kind"]),
        configuration=document["configuration"] or "",
        target=document["target"],
        keeping=_keeping(document),
        resource=document["resource"],
        resource_name=document["resource_name"],
        session=session,
        previous=document["session"],
        attempt=document["attempt"],
        first_started_at=document["started_at"] or now,
        restore=RestoreOrder.of(order) if order else None,
        whole=document.get("whole", False),
        # A planner of the release before knew mail alone.
        sources=tuple(Source(source) for source in document.get("sources", (Source.MAIL,))),
    )
