"""Entries and tallies as documents of schema version 1, and back."""

from datetime import datetime
from typing import Any

from chassis.documents import SCHEMA, Document
from contracts.errors import ErrorClass
from contracts.events import Counts
from contracts.names import HoldReason, JobKind, JobState
from monitor_service.domain.entry import Entry, EntryKey, Finish, Outcome
from monitor_service.domain.tally import NO_OUTCOMES, Outcomes, Tally

VERSION = 1


def id_of_tally(tenant: str, kind: JobKind) -> str:
    return f"{tenant}/{kind.value}"


def id_of_entry(key: EntryKey) -> str:
    return "/".join(key)


def tally_document(tally: Tally) -> Document:
    return {
        "_id": id_of_tally(tally.tenant, tally.kind),
        SCHEMA: VERSION,
        "tenant": tally.tenant,
        "kind": tally.kind.value,
        "revision": tally.revision,
        "finished": _counts(tally.finished),
        "hours": [{"hour": hour, "finished": _counts(outcomes)} for hour, outcomes in tally.hours.items()],
        "unfinished": tally.unfinished,
        "held": {reason.value: count for reason, count in tally.held.items()},
        "last_run_at": tally.last_run_at,
        "last_success_at": tally.last_success_at,
    }


def tally_of(document: Document) -> Tally:
    return Tally(
        tenant=document["tenant"],
        kind=JobKind(document["kind"]),
        revision=document["revision"],
        finished=_outcomes(document["finished"]),
        hours={hour["hour"]: _outcomes(hour["finished"]) for hour in document["hours"]},
        unfinished=document["unfinished"],
        held={reason: document["held"].get(reason.value, 0) for reason in HoldReason},
        last_run_at=document["last_run_at"],
        last_success_at=document["last_success_at"],
    )


def entry_document(entry: Entry, revision: int) -> Document:
    return {
        "_id": id_of_entry(entry.key),
        SCHEMA: VERSION,
        "revision": revision,
        "tenant": entry.key.tenant,
        "scope": entry.key.scope,
        "id": entry.key.id,
        "kind": entry.kind.value,
        "run": entry.run,
        "version": entry.version,
        "rank": entry.rank,
        "state": entry.state.value,
        "first_at": entry.first_at,
        "changed_at": entry.changed_at,
        "hold": entry.hold,
        "error": entry.error,
        "duration": entry.duration,
        "configuration": entry.configuration,
        "resource": entry.resource,
        "counts": entry.counts.model_dump(),
        "finishes": [{"version": f.version, "outcome": f.outcome.value, "at": f.at} for f in entry.finishes],
        **_indexed(entry),
    }


def entry_of(document: Document) -> Entry:
    return Entry(
        key=EntryKey(document["tenant"], document["scope"], document["id"]),
        kind=JobKind(document["kind"]),
        run=document["run"],
        version=document["version"],
        rank=document["rank"],
        state=JobState(document["state"]),
        first_at=document["first_at"],
        changed_at=document["changed_at"],
        hold=None if document["hold"] is None else HoldReason(document["hold"]),
        error=None if document["error"] is None else ErrorClass(document["error"]),
        duration=document["duration"],
        configuration=document["configuration"],
        resource=document["resource"],
        counts=Counts.model_validate(document["counts"]),
        finishes=tuple(Finish(f["version"], Outcome(f["outcome"]), f["at"]) for f in document["finishes"]),
    )


def _indexed(entry: Entry) -> dict[str, datetime]:
    """Fields that exist only while they mean something, so that their indexes stay small."""
    fields = {}
    if entry.hold is not None and entry.key.scope == "job":
        fields["held_since"] = entry.first_at
    if entry.state.finished:
        fields["finished_at"] = entry.changed_at
    return fields


def _counts(outcomes: Outcomes) -> dict[str, int]:
    return {outcome.value: count for outcome, count in outcomes.items()}


def _outcomes(document: dict[str, Any]) -> Outcomes:
    return {**NO_OUTCOMES, **{Outcome(name): count for name, count in document.items()}}
