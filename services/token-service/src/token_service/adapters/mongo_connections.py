"""State of the connections in MongoDB; each write is one document, its events included."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Self

from pymongo import ASCENDING, IndexModel
from pymongo.errors import DuplicateKeyError

from chassis import pending
from chassis.clock import Clock
from chassis.documents import SCHEMA, Collection, Database, Document, Migration, open_collection, upgraded
from contracts.errors import ErrorClass
from contracts.events import Event
from contracts.names import ConsentOutcome, Profile
from token_service.domain.connection import Connection, ConsentAttempt, TokenFacts, Trouble

_NAME = "connections"
_VERSION = 2


def _with_consent(document: Document) -> Document:
    missing = document["trouble"] is not None and document["trouble"]["error"] == ErrorClass.CONSENT_REQUIRED.value
    return {**document, "consent": None, "consent_proven_at": None, "proof_wanted": missing}


_MIGRATIONS: dict[int, Migration] = {1: _with_consent}
_SERVICE = "token-service"


class MongoConnections:
    """`_id` is `<tenant>/<profile>`."""

    def __init__(self, collection: Collection, clock: Clock) -> None:
        self.collection = collection
        self._clock = clock

    @classmethod
    async def open(cls, db: Database, clock: Clock) -> Self:
        indexes = [
            IndexModel([("tenant", ASCENDING)]),
            IndexModel([("due_at", ASCENDING)]),
            IndexModel([("consent.state", ASCENDING)], sparse=True),
            IndexModel([(pending.PENDING_SINCE, ASCENDING)], sparse=True),
        ]
        return cls(await open_collection(db, _NAME, _VERSION, _MIGRATIONS, indexes), clock)

    async def get(self, tenant: str, profile: Profile) -> Connection | None:
        document = await self.collection.find_one({"_id": f"{tenant}/{profile}"})
        return None if document is None else _connection(document)

    async def of_tenant(self, tenant: str) -> Sequence[Connection]:
        found = [_connection(document) async for document in self.collection.find({"tenant": tenant})]
        return sorted(found, key=lambda connection: connection.profile)

    async def awaiting(self, state: str) -> Connection | None:
        document = await self.collection.find_one({"consent.state": state})
        return None if document is None else _connection(document)

    async def everything(self) -> Sequence[Connection]:
        return [_connection(document) async for document in self.collection.find({})]

    async def due(self, now: datetime, limit: int) -> Sequence[Connection]:
        found = self.collection.find({"due_at": {"$lte": now}}).limit(limit)
        return [_connection(document) async for document in found]

    async def save(self, connection: Connection, events: Sequence[Event] = ()) -> Connection | None:
        saved = replace(connection, version=connection.version + 1)
        now = self._clock.now()
        if connection.version == 0:
            document = {"_id": connection.id, SCHEMA: _VERSION, **_stored(saved)}
            try:
                await self.collection.insert_one(pending.new_document(document, events, _SERVICE, now))
            except DuplicateKeyError:
                return None
            return saved
        update = pending.with_events({"$set": _stored(saved)}, events, _SERVICE, now)
        fence = {"_id": connection.id, "version": connection.version}
        result = await self.collection.update_one(fence, update)
        return saved if result.matched_count == 1 else None


def _stored(connection: Connection) -> Document:
    document = asdict(connection)
    document["profile"] = connection.profile.value
    if connection.trouble is not None:
        document["trouble"]["error"] = connection.trouble.error.value
    if connection.consent is not None:
        document["consent"]["outcome"] = connection.consent.outcome.value
    return document


def _connection(stored: Document) -> Connection:
    document = upgraded(stored, _VERSION, _MIGRATIONS, _NAME)
    token, trouble, consent = document["token"], document["trouble"], document["consent"]
    return Connection(
        tenant=document["tenant"],
        profile=Profile(document["profile"]),
        version=document["version"],
        client_id=document["client_id"],
        intake=document["intake"],
        proven_at=document["proven_at"],
        token=None if token is None else TokenFacts(**token),
        trouble=None if trouble is None else Trouble(ErrorClass(trouble["error"]), trouble["detail"], trouble["since"]),
        failures=document["failures"],
        due_at=document["due_at"],
        claimed_until=document["claimed_until"],
        consent=None
        if consent is None
        else ConsentAttempt(**{**consent, "outcome": ConsentOutcome(consent["outcome"])}),
        consent_proven_at=document["consent_proven_at"],
        without=tuple(document.get("without", ())),
        proof_wanted=document["proof_wanted"],
    )
