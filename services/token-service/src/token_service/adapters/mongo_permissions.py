"""The last permission check of each connection in MongoDB; each write is one document, its events included."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Self

from pymongo import ASCENDING, IndexModel

from chassis import pending
from chassis.clock import Clock
from chassis.documents import Collection, Database, Document, Migration, open_collection, upgraded
from chassis.versioned import VersionedDocuments
from contracts.events import Event
from contracts.names import Answer, ConsentSource, Profile
from contracts.permissions import PermissionState
from token_service.domain.permissions import ConsentGiver, PermissionRecord

_NAME = "permissions"
_VERSION = 1
_MIGRATIONS: dict[int, Migration] = {}
_SERVICE = "token-service"


class MongoPermissions:
    """A `token_service.ports.PermissionRecords`; `_id` is `<tenant>/<profile>`."""

    def __init__(self, collection: Collection, clock: Clock) -> None:
        self.collection = collection
        self._documents = VersionedDocuments(collection, clock, schema=_VERSION, source=_SERVICE)

    @classmethod
    async def open(cls, db: Database, clock: Clock) -> Self:
        indexes = [
            IndexModel([("due_at", ASCENDING)]),
            IndexModel([(pending.PENDING_SINCE, ASCENDING)], sparse=True),
        ]
        return cls(await open_collection(db, _NAME, _VERSION, _MIGRATIONS, indexes), clock)

    async def get(self, tenant: str, profile: Profile) -> PermissionRecord | None:
        document = await self.collection.find_one({"_id": f"{tenant}/{profile}"})
        return None if document is None else _record(document)

    async def everything(self) -> Sequence[PermissionRecord]:
        return [_record(document) async for document in self.collection.find({})]

    async def due(self, now: datetime, limit: int) -> Sequence[PermissionRecord]:
        found = self.collection.find({"due_at": {"$lte": now}}).limit(limit)
        return [_record(document) async for document in found]

    async def save(self, record: PermissionRecord, events: Sequence[Event] = ()) -> PermissionRecord | None:
        saved = replace(record, version=record.version + 1)
        return saved if await self._documents.save(record.id, _stored(saved), events) else None


def _stored(record: PermissionRecord) -> Document:
    document = asdict(replace(record, states=()))
    return {
        **document,
        "profile": record.profile.value,
        "application": record.application.value,
        "enabled": record.enabled.value,
        "giver": None if record.giver is None else {**document["giver"], "source": record.giver.source.value},
        "states": [state.model_dump(mode="json") for state in record.states],
    }


def _record(stored: Document) -> PermissionRecord:
    document = upgraded(stored, _VERSION, _MIGRATIONS, _NAME)
    giver = document["giver"]
    return PermissionRecord(
        tenant=document["tenant"],
        profile=Profile(document["profile"]),
        version=document["version"],
        due_at=document["due_at"],
        seen=document["seen"],
        checked_at=document["checked_at"],
        states=tuple(PermissionState.model_validate(state) for state in document["states"]),
        detail=document["detail"],
        principal_id=document["principal_id"],
        application=Answer(document["application"]),
        enabled=Answer(document["enabled"]),
        giver=None if giver is None else ConsentGiver(giver["name"], ConsentSource(giver["source"]), giver["at"]),
        change=document["change"],
    )
