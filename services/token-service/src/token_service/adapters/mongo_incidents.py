"""Incidents in MongoDB; each write is one document, its events included."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Self

from pymongo import ASCENDING, DESCENDING, IndexModel

from chassis import pending
from chassis.clock import Clock
from chassis.documents import Collection, Database, Document, open_collection, upgraded
from chassis.versioned import VersionedDocuments
from contracts.contacts import Contact
from contracts.events import Event
from contracts.incidents import IncidentStep
from contracts.names import Profile
from token_service.domain.incident import Entry, Incident

_NAME = "incidents"
_VERSION = 1
_SERVICE = "token-service"


class MongoIncidents:
    """`_id` is `<tenant>/<id>`; `open_for` is there while it is open, and unique."""

    def __init__(self, collection: Collection, clock: Clock) -> None:
        self.collection = collection
        self._documents = VersionedDocuments(collection, clock, schema=_VERSION, source=_SERVICE)

    @classmethod
    async def open(cls, db: Database, clock: Clock) -> Self:
        indexes = [
            IndexModel([("tenant", ASCENDING), ("id", DESCENDING)]),
            IndexModel([("due_at", ASCENDING)]),
            IndexModel([("open_for", ASCENDING)], unique=True, sparse=True),
            IndexModel([(pending.PENDING_SINCE, ASCENDING)], sparse=True),
        ]
        return cls(await open_collection(db, _NAME, _VERSION, {}, indexes), clock)

    async def get(self, tenant: str, incident: str) -> Incident | None:
        return await self._one({"_id": f"{tenant}/{incident}"})

    async def open_for(self, tenant: str, profile: Profile) -> Incident | None:
        return await self._one({"open_for": f"{tenant}/{profile.value}"})

    async def page(self, tenant: str, before: str | None, limit: int) -> Sequence[Incident]:
        query: dict[str, Any] = {"tenant": tenant} if before is None else {"tenant": tenant, "id": {"$lt": before}}
        found = self.collection.find(query).sort("id", DESCENDING).limit(limit)
        return [_incident(document) async for document in found]

    async def all_open(self) -> Sequence[Incident]:
        return [_incident(document) async for document in self.collection.find({"open_for": {"$exists": True}})]

    async def due(self, now: datetime, limit: int) -> Sequence[Incident]:
        found = self.collection.find({"due_at": {"$lte": now}}).sort("due_at", ASCENDING).limit(limit)
        return [_incident(document) async for document in found]

    async def save(self, incident: Incident, events: Sequence[Event] = ()) -> Incident | None:
        saved = replace(incident, version=incident.version + 1)
        slot = {"open_for": f"{incident.tenant}/{incident.profile.value}"} if saved.is_open else {}
        dropped = () if saved.is_open else ("open_for",)
        kept = await self._documents.save(incident.key, {**_stored(saved), **slot}, events, dropped=dropped)
        return saved if kept else None

    async def _one(self, query: Document) -> Incident | None:
        document = await self.collection.find_one(query)
        return None if document is None else _incident(document)


def _stored(incident: Incident) -> Document:
    return {
        "id": incident.id,
        "tenant": incident.tenant,
        "profile": incident.profile.value,
        "opened_at": incident.opened_at,
        "opened_by": incident.opened_by,
        "client_id": incident.client_id,
        "record": incident.record,
        "security": None if incident.security is None else incident.security.model_dump(),
        "timeline": [
            {"at": entry.at, "step": entry.step.value, "by": entry.by, "detail": entry.detail}
            for entry in incident.timeline
        ],
        "version": incident.version,
        "cause": incident.cause,
        "due_at": incident.due_at,
    }


def _incident(stored: Document) -> Incident:
    document = upgraded(stored, _VERSION, {}, _NAME)
    security = document["security"]
    return Incident(
        id=document["id"],
        tenant=document["tenant"],
        profile=Profile(document["profile"]),
        opened_at=document["opened_at"],
        opened_by=document["opened_by"],
        client_id=document["client_id"],
        record=document["record"],
        security=None if security is None else Contact.model_validate(security),
        timeline=tuple(Entry(**{**entry, "step": IncidentStep(entry["step"])}) for entry in document["timeline"]),
        version=document["version"],
        cause=document["cause"],
        due_at=document["due_at"],
    )
