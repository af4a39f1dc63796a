"""State of the connections in MongoDB; each write is one document, its events included."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

from pymongo import ASCENDING, IndexModel

from chassis import pending
from chassis.clock import Clock
from chassis.documents import Collection, Database, Document, Migration, open_collection, upgraded
from chassis.versioned import VersionedDocuments
from contracts.errors import ErrorClass
from contracts.events import Event
from contracts.names import ConsentOutcome, ConsentSource, CredentialKind, ExpirySource, Profile, RecordEnd
from token_service.domain.connection import Connection, ConsentAttempt, TokenFacts, Trouble
from token_service.domain.records import CredentialExpiry, KeyOffer, Note, Retirement, TokenRecord

_NAME = "connections"
_VERSION = 4


def _with_consent(document: Document) -> Document:
    missing = document["trouble"] is not None and document["trouble"]["error"] == ErrorClass.CONSENT_REQUIRED.value
    return {**document, "consent": None, "consent_proven_at": None, "proof_wanted": missing}


def _with_records(document: Document) -> Document:
    """Who generated what was not recorded before, and nothing is made up for it."""
    return {"without": (), **document, "records": (), "notes": (), "retired": None}


def _with_keys(document: Document) -> Document:
    """No key was made in the vault before; the thumbprints of certificates that came from outside were not kept."""
    return {"keys": 0, "key": None, "offered": None, "spent_keys": (), **document}


_MIGRATIONS: dict[int, Migration] = {1: _with_consent, 2: _with_records, 3: _with_keys}
_SERVICE = "token-service"


class MongoConnections:
    """`_id` is `<tenant>/<profile>`."""

    def __init__(self, collection: Collection, clock: Clock) -> None:
        self.collection = collection
        self._documents = VersionedDocuments(collection, clock, schema=_VERSION, source=_SERVICE)

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
        return saved if await self._documents.save(connection.id, _stored(saved), events) else None


def _stored(connection: Connection) -> Document:
    return _plain(asdict(connection))


def _plain(document: Document) -> Document:
    """Codes as their words: the driver knows no enumerations."""
    return {name: _value(value) for name, value in document.items()}


def _value(value: Any) -> Any:
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, dict):
        return _plain(value)
    if isinstance(value, list | tuple):
        return [_value(inner) for inner in value]
    return value


def _connection(stored: Document) -> Connection:
    document = upgraded(stored, _VERSION, _MIGRATIONS, _NAME)
    expiry, offered = document.get("expiry"), document["offered"]
    token, trouble, consent, retired = (document[name] for name in ("token", "trouble", "consent", "retired"))
    return Connection(
        tenant=document["tenant"],
        profile=Profile(document["profile"]),
        version=document["version"],
        client_id=document["client_id"],
        intake=document["intake"],
        proven_at=document["proven_at"],
        token=None if token is None else TokenFacts(**token),
        trouble=None if trouble is None else Trouble(**{**trouble, "error": ErrorClass(trouble["error"])}),
        failures=document["failures"],
        due_at=document["due_at"],
        claimed_until=document["claimed_until"],
        consent=None
        if consent is None
        else ConsentAttempt(**{**consent, "outcome": ConsentOutcome(consent["outcome"])}),
        consent_proven_at=document["consent_proven_at"],
        without=tuple(document["without"]),
        proof_wanted=document["proof_wanted"],
        records=tuple(_record(record) for record in document["records"]),
        notes=tuple(Note(**note) for note in document["notes"]),
        expiry=None if expiry is None else CredentialExpiry(**{**expiry, "source": ExpirySource(expiry["source"])}),
        retired=None if retired is None else Retirement(**{**retired, "end": RecordEnd(retired["end"])}),
        keys=document["keys"],
        key=document["key"],
        offered=None if offered is None else KeyOffer(**offered),
        spent_keys=tuple(document["spent_keys"]),
    )


def _record(stored: Document) -> TokenRecord:
    source, ended = stored["consent_source"], stored["ended"]
    codes = {
        "credential": CredentialKind(stored["credential"]),
        "consent_source": None if source is None else ConsentSource(source),
        "ended": None if ended is None else RecordEnd(ended),
    }
    return TokenRecord(**{**stored, **codes})
