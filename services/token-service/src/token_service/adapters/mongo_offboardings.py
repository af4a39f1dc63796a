"""Records of offboardings in MongoDB; each write is one document, its events included. Nothing is ever deleted."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Self

from pymongo import ASCENDING, IndexModel

from chassis import pending
from chassis.clock import Clock
from chassis.documents import Collection, Database, Document, open_collection, upgraded
from chassis.versioned import VersionedDocuments
from contracts.events import Event
from contracts.offboarding import Deed, KeyOfRepository, OffboardingState
from token_service.domain.offboarding import Offboarding

_NAME = "offboardings"
_VERSION = 1
_SERVICE = "token-service"


class MongoOffboardings:
    """`_id` is the tenant."""

    def __init__(self, collection: Collection, clock: Clock) -> None:
        self.collection = collection
        self._documents = VersionedDocuments(collection, clock, schema=_VERSION, source=_SERVICE)

    @classmethod
    async def open(cls, db: Database, clock: Clock) -> Self:
        indexes = [IndexModel([(pending.PENDING_SINCE, ASCENDING)], sparse=True)]
        return cls(await open_collection(db, _NAME, _VERSION, {}, indexes), clock)

    async def get(self, tenant: str) -> Offboarding | None:
        document = await self.collection.find_one({"_id": tenant})
        return None if document is None else _offboarding(document)

    async def save(self, offboarding: Offboarding, events: Sequence[Event] = ()) -> Offboarding | None:
        saved = replace(offboarding, version=offboarding.version + 1)
        return saved if await self._documents.save(offboarding.tenant, _stored(saved), events) else None


def _stored(offboarding: Offboarding) -> Document:
    return {
        "state": offboarding.state.value,
        "version": offboarding.version,
        "deeds": [{**deed.model_dump(), "deed": deed.deed.value} for deed in offboarding.deeds],
        "keys": [key.model_dump() for key in offboarding.keys],
    }


def _offboarding(stored: Document) -> Offboarding:
    document = upgraded(stored, _VERSION, {}, _NAME)
    return Offboarding(
        tenant=document["_id"],
        state=OffboardingState(document["state"]),
        version=document["version"],
        deeds=tuple(Deed.model_validate(deed) for deed in document["deeds"]),
        keys=tuple(KeyOfRepository.model_validate(key) for key in document["keys"]),
    )
