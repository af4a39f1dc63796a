"""The collections of backup-service: opened once, with schema versions and indexes. No item's metadata lives here."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pymongo import ASCENDING, IndexModel

from chassis.documents import Collection, Database, open_collection

SCHEMA_VERSION = 1
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


async def open_store(db: Database) -> Store:
    """Open every collection; raises SchemaTooNew when a newer release wrote here."""
    due = IndexModel([("due_at", ASCENDING)], sparse=True)
    pending = IndexModel([("pending_since", ASCENDING)], sparse=True)
    return Store(
        targets=await open_collection(db, "targets", SCHEMA_VERSION, {}, [_by("tenant"), _by("upkeep_at")]),
        configurations=await open_collection(
            db, "configurations", SCHEMA_VERSION, {}, [_by("tenant"), _by("next_run_at")]
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
            db, "tickets", SCHEMA_VERSION, {}, [IndexModel([("expires_at", ASCENDING)], expireAfterSeconds=60)]
        ),
        unrestored=await open_collection(
            db, "unrestored", SCHEMA_VERSION, {}, [IndexModel([("at", ASCENDING)], expireAfterSeconds=_KEPT)]
        ),
        graph_budgets=await open_collection(db, "graph_budgets", SCHEMA_VERSION, {}),
        retention_floors=await open_collection(db, "retention_floors", SCHEMA_VERSION, {}),
        legal_holds=await open_collection(db, "legal_holds", SCHEMA_VERSION, {}, [due, _by("tenant", "state")]),
        resources=await open_collection(db, "resources", SCHEMA_VERSION, {}, [_by("tenant")]),
    )


def _by(*fields: str) -> IndexModel:
    return IndexModel([(field, ASCENDING) for field in fields])


def key(tenant: str, identity: str) -> str:
    """Document id: the tenant is part of it, so that no look-up can forget it."""
    return f"{tenant}/{identity}"


def plain(value: Any) -> Any:
    """A model's dump as BSON knows it: enums as text, tuples as lists."""
    if isinstance(value, dict):
        return {str(name): plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    return value.value if isinstance(value, StrEnum) else value
