"""The collections of backup-service: opened once, with schema versions and indexes. No item's metadata lives here."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pymongo import ASCENDING, IndexModel

from chassis.documents import Collection, Database, Document, open_collection
from chassis.pending import new_document, with_events
from contracts.events import Event

SCHEMA_VERSION = 1
STOPPED = "stopped"
"""Of a target: nothing is done by itself with it any more, because its tenant is being offboarded."""
WORKING = {STOPPED: {"$ne": True}}
SOURCE = "backup-service"
_KEPT = 400 * 86400
"""Seconds; as long as job events are."""


@dataclass(frozen=True)
class Store:
    targets: Collection
    configurations: Collection
    runs: Collection
    jobs: Collection
    restore_points: Collection
    tickets: Collection
    graph_budgets: Collection
    unrestored: Collection
    retention_floors: Collection
    legal_holds: Collection
    resources: Collection

    @property
    def announcing(self) -> dict[str, Collection]:
        """By name those whose documents carry events that wait to be published."""
        return {
            "runs": self.runs,
            "jobs": self.jobs,
            "targets": self.targets,
            "configurations": self.configurations,
            "tickets": self.tickets,
            "retention-floors": self.retention_floors,
            "legal-holds": self.legal_holds,
        }


async def open_store(db: Database) -> Store:
    """Open every collection; raises SchemaTooNew when a newer release wrote here."""
    due = IndexModel([("due_at", ASCENDING)], sparse=True)
    pending = IndexModel([("pending_since", ASCENDING)], sparse=True)
    return Store(
        targets=await open_collection(db, "targets", SCHEMA_VERSION, {}, [_by("tenant"), _by("upkeep_at"), pending]),
        configurations=await open_collection(
            db, "configurations", SCHEMA_VERSION, {}, [_by("tenant"), _by("next_run_at"), pending]
        ),
        runs=await open_collection(db, "runs", SCHEMA_VERSION, {}, [due, pending, _by("tenant", "configuration")]),
        jobs=await open_collection(
            db,
            "jobs",
            SCHEMA_VERSION,
            {},
            [
                due,
                pending,
                _by("tenant", "run"),
                _by("tenant", "admitted"),
                IndexModel([("queue", ASCENDING)], sparse=True),
                _by("state", "admitted", "tenant"),
                # One outstanding job per (configuration, resource, kind); the field is removed when the job ends.
                IndexModel([("outstanding", ASCENDING)], unique=True, sparse=True),
            ],
        ),
        restore_points=await open_collection(
            db, "restore_points", SCHEMA_VERSION, {}, [_by("tenant", "configuration")]
        ),
        tickets=await open_collection(
            db, "tickets", SCHEMA_VERSION, {}, [IndexModel([("forget_at", ASCENDING)], expireAfterSeconds=0), pending]
        ),
        unrestored=await open_collection(
            db, "unrestored", SCHEMA_VERSION, {}, [IndexModel([("at", ASCENDING)], expireAfterSeconds=_KEPT)]
        ),
        graph_budgets=await open_collection(db, "graph_budgets", SCHEMA_VERSION, {}),
        retention_floors=await open_collection(db, "retention_floors", SCHEMA_VERSION, {}, [pending]),
        legal_holds=await open_collection(
            db, "legal_holds", SCHEMA_VERSION, {}, [due, pending, _by("tenant", "state")]
        ),
        resources=await open_collection(db, "resources", SCHEMA_VERSION, {}, [_by("tenant")]),
    )


def _by(*fields: str) -> IndexModel:
    return IndexModel([(field, ASCENDING) for field in fields])


def key(tenant: str, identity: str) -> str:
    """Document id: the tenant is part of it, so that no look-up can forget it."""
    return f"{tenant}/{identity}"


def announced(document: Document, events: Sequence[Event]) -> Document:
    """A document to insert, with what announces it; the sweep publishes it."""
    return new_document(document, events, SOURCE, events[0].at) if events else document


def announcing(update: Document, events: Sequence[Event]) -> Document:
    """An update, with what announces it."""
    return with_events(update, events, SOURCE, events[0].at) if events else update


def plain(value: Any) -> Any:
    """A model's dump as BSON knows it: enums as text, tuples as lists."""
    if isinstance(value, dict):
        return {str(name): plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    return value.value if isinstance(value, StrEnum) else value
