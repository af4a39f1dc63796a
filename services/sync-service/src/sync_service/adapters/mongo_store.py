"""The collections of sync-service: opened once, with schema versions and indexes."""

from dataclasses import dataclass

from pymongo import ASCENDING, DESCENDING, IndexModel

from chassis.documents import Collection, Database, open_collection

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Store:
    employees: Collection
    activity: Collection
    runs: Collection
    standings: Collection


async def open_store(db: Database) -> Store:
    """Open every collection; raises SchemaTooNew when a newer release wrote here."""
    due = IndexModel([("due_at", ASCENDING)], sparse=True)
    pending = IndexModel([("pending_since", ASCENDING)], sparse=True)
    return Store(
        employees=await open_collection(
            db,
            "employees",
            SCHEMA_VERSION,
            {},
            [
                pending,
                _by("tenant", "id"),
                _by("tenant", "mail"),
                _by("tenant", "roles"),
                _by("tenant", "directory_state", "synced_at"),
            ],
        ),
        activity=await open_collection(
            db,
            "activity",
            SCHEMA_VERSION,
            {},
            [
                IndexModel([("tenant", ASCENDING), ("order", DESCENDING)]),
                IndexModel([("tenant", ASCENDING), ("employee", ASCENDING), ("order", DESCENDING)]),
            ],
        ),
        runs=await open_collection(
            db,
            "sync_runs",
            SCHEMA_VERSION,
            {},
            [due, pending, _by("tenant", "state"), IndexModel([("tenant", ASCENDING), ("order", DESCENDING)])],
        ),
        standings=await open_collection(
            db, "standings", SCHEMA_VERSION, {}, [pending, IndexModel([("next_at", ASCENDING)], sparse=True)]
        ),
    )


def _by(*fields: str) -> IndexModel:
    return IndexModel([(field, ASCENDING) for field in fields])


def key(tenant: str, identity: str) -> str:
    """Document id: the tenant is part of it, so that no look-up can forget it."""
    return f"{tenant}/{identity}"
