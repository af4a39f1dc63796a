"""The register of tenants in MongoDB."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Self

from pymongo import ASCENDING, IndexModel
from pymongo.errors import DuplicateKeyError

from chassis import pending
from chassis.clock import Clock
from chassis.documents import SCHEMA, Collection, Database, Document, Migration, open_collection, upgraded
from contracts.contacts import Contacts
from contracts.events import Event
from token_service.domain.tenant import RecoveryKey, TenantRecord
from token_service.ports import EntraTenantTaken, SlugTaken

_NAME = "tenants"
_SERVICE = "token-service"
_VERSION = 3


def _without_recovery_key(document: Document) -> Document:
    return {"recovery_key": None, **document}


def _without_contacts(document: Document) -> Document:
    return {"contacts": {}, **document}


_MIGRATIONS: dict[int, Migration] = {1: _without_recovery_key, 2: _without_contacts}


class MongoTenants:
    """`_id` is the slug; a unique index guards the Entra tenant id. There is no delete."""

    def __init__(self, collection: Collection, clock: Clock) -> None:
        self.collection = collection
        self._clock = clock

    @classmethod
    async def open(cls, db: Database, clock: Clock) -> Self:
        indexes = [
            IndexModel([("entra_tenant_id", ASCENDING)], unique=True),
            IndexModel([(pending.PENDING_SINCE, ASCENDING)], sparse=True),
        ]
        return cls(await open_collection(db, _NAME, _VERSION, _MIGRATIONS, indexes), clock)

    async def add(self, tenant: TenantRecord, events: Sequence[Event] = ()) -> None:
        document = {
            "_id": tenant.slug,
            SCHEMA: _VERSION,
            "entra_tenant_id": tenant.entra_tenant_id,
            "display_name": tenant.display_name,
            "support_contact": tenant.support_contact,
            "created_at": tenant.created_at,
            "recovery_key": None if tenant.recovery_key is None else asdict(tenant.recovery_key),
            "contacts": tenant.contacts.model_dump(),
        }
        try:
            await self.collection.insert_one(pending.new_document(document, events, _SERVICE, self._clock.now()))
        except DuplicateKeyError as error:
            if await self.collection.find_one({"_id": tenant.slug}, {"_id": 1}) is not None:
                raise SlugTaken(tenant.slug) from error
            raise EntraTenantTaken(tenant.entra_tenant_id) from error

    async def get(self, slug: str) -> TenantRecord | None:
        document = await self.collection.find_one({"_id": slug})
        return None if document is None else _tenant(document)

    async def set_recovery_key(self, slug: str, key: RecoveryKey, events: Sequence[Event] = ()) -> None:
        await self._set(slug, {"recovery_key": asdict(key)}, events)

    async def set_contacts(self, slug: str, contacts: Contacts, events: Sequence[Event] = ()) -> None:
        await self._set(slug, {"contacts": contacts.model_dump()}, events)

    async def _set(self, slug: str, fields: Document, events: Sequence[Event]) -> None:
        """The version stays: a migration adds only what is not there."""
        update = pending.with_events({"$set": fields}, events, _SERVICE, self._clock.now())
        await self.collection.update_one({"_id": slug}, update)

    async def page(self, after: str | None, limit: int) -> Sequence[TenantRecord]:
        query = {} if after is None else {"_id": {"$gt": after}}
        found = self.collection.find(query).sort("_id", ASCENDING).limit(limit)
        return [_tenant(document) async for document in found]


def _tenant(stored: Document) -> TenantRecord:
    document = upgraded(stored, _VERSION, _MIGRATIONS, _NAME)
    return TenantRecord(
        slug=document["_id"],
        entra_tenant_id=document["entra_tenant_id"],
        display_name=document["display_name"],
        support_contact=document["support_contact"],
        created_at=document["created_at"],
        recovery_key=None if document["recovery_key"] is None else RecoveryKey(**document["recovery_key"]),
        contacts=Contacts.model_validate(document["contacts"]),
    )
