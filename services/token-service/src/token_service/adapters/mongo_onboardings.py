"""Onboardings in MongoDB; each write is one document, its event included."""

from collections.abc import Collection as Some
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Self

from pymongo import ASCENDING, IndexModel

from chassis import pending
from chassis.clock import Clock
from chassis.documents import Collection, Database, Document, open_collection, upgraded
from chassis.versioned import VersionedDocuments
from contracts.events import Event
from contracts.onboarding import BackupOutcome, OnboardingCause, OnboardingStep
from token_service.domain.onboarding import Missing, Onboarding

_NAME = "onboardings"
_VERSION = 1
_SERVICE = "token-service"


class MongoOnboardings:
    """`_id` is the tenant."""

    def __init__(self, collection: Collection, clock: Clock) -> None:
        self.collection = collection
        self._documents = VersionedDocuments(collection, clock, schema=_VERSION, source=_SERVICE)

    @classmethod
    async def open(cls, db: Database, clock: Clock) -> Self:
        indexes = [
            IndexModel([("due_at", ASCENDING)]),
            IndexModel([(pending.PENDING_SINCE, ASCENDING)], sparse=True),
        ]
        return cls(await open_collection(db, _NAME, _VERSION, {}, indexes), clock)

    async def get(self, tenant: str) -> Onboarding | None:
        document = await self.collection.find_one({"_id": tenant})
        return None if document is None else _onboarding(document)

    async def known(self, tenants: Some[str]) -> Some[str]:
        found = self.collection.find({"_id": {"$in": list(tenants)}}, {"_id": 1})
        return {document["_id"] async for document in found}

    async def due(self, now: datetime, limit: int) -> Sequence[str]:
        found = self.collection.find({"due_at": {"$lte": now}}, {"_id": 1}).sort("due_at", ASCENDING).limit(limit)
        return [document["_id"] async for document in found]

    async def save(self, onboarding: Onboarding, events: Sequence[Event] = ()) -> Onboarding | None:
        saved = replace(onboarding, version=onboarding.version + 1)
        return saved if await self._documents.save(onboarding.tenant, _stored(saved), events) else None


def _stored(onboarding: Onboarding) -> Document:
    missing, proven = onboarding.missing, onboarding.test_backup
    return {
        "changed_at": onboarding.changed_at,
        "looked_at": onboarding.looked_at,
        "due_at": onboarding.due_at,
        "version": onboarding.version,
        "reached": {step.value: at for step, at in onboarding.reached.items()},
        "first_reached": {step.value: at for step, at in onboarding.first_reached.items()},
        "missing": None
        if missing is None
        else {**asdict(missing), "step": missing.step.value, "cause": missing.cause.value},
        "test_backup": None if proven is None else {**proven.model_dump(), "state": proven.state.value},
    }


def _onboarding(stored: Document) -> Onboarding:
    document = upgraded(stored, _VERSION, {}, _NAME)
    missing, proven = document["missing"], document["test_backup"]
    return Onboarding(
        tenant=document["_id"],
        changed_at=document["changed_at"],
        looked_at=document["looked_at"],
        due_at=document["due_at"],
        version=document["version"],
        reached={OnboardingStep(step): at for step, at in document["reached"].items()},
        first_reached={OnboardingStep(step): at for step, at in document["first_reached"].items()},
        missing=None
        if missing is None
        else Missing(OnboardingStep(missing["step"]), OnboardingCause(missing["cause"]), missing["detail"]),
        test_backup=None if proven is None else BackupOutcome.model_validate(proven),
    )
