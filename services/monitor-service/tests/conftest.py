"""A ledger in memory that keeps the promises of `ports.Ledger`, a real SecantusDB, and events to feed them with."""

from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from motor.motor_asyncio import AsyncIOMotorClient

from chassis.delivered import Delivered
from chassis.ids import derived
from chassis.testing.servers import SecantusProcess
from contracts.audit_chain import GENESIS, AuditHead
from contracts.envelope import event_id
from contracts.events import EVENTS, JOB_EVENTS, AuditRecorded, Event, JobEvent
from contracts.names import JobKind
from contracts.reviews import Review, ReviewState
from contracts.views import Listing
from monitor_service.adapters.mongo_chains import MongoChains
from monitor_service.adapters.mongo_ledger import MongoLedger
from monitor_service.adapters.mongo_reviews import MongoReviews
from monitor_service.domain.entry import Entry, EntryKey
from monitor_service.domain.tally import Change, Tally
from monitor_service.ports import Ledger
from monitor_service.ports.audit import Chains
from monitor_service.ports.reviews import Enrolment, Reviews

START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
_MODELS = {model.NAME: model for model in JOB_EVENTS}
_NEEDED = {"failed": {"error": "internal"}, "held": {"reason": "no_valid_token"}}


class MemoryLedger:
    def __init__(self) -> None:
        self._tallies: dict[tuple[str, JobKind], Tally] = {}
        self._entries: dict[EntryKey, Entry] = {}

    async def open_tenant(self, tenant: str) -> None:
        for kind in JobKind:
            self._tallies.setdefault((tenant, kind), Tally(tenant, kind))

    async def tally(self, tenant: str, kind: JobKind) -> Tally | None:
        return self._tallies.get((tenant, kind))

    async def tallies(self, tenant: str | None = None) -> Sequence[Tally]:
        return [tally for tally in self._tallies.values() if tenant in {None, tally.tenant}]

    async def entries(self, keys: Sequence[EntryKey]) -> Mapping[EntryKey, Entry]:
        return {key: self._entries[key] for key in keys if key in self._entries}

    async def ended(self, tenant: str, scope: str, since: datetime) -> Sequence[Entry]:
        found = [
            entry
            for key, entry in self._entries.items()
            if (key.tenant, key.scope) == (tenant, scope) and entry.state.finished and entry.changed_at > since
        ]
        return sorted(found, key=lambda entry: entry.changed_at, reverse=True)

    async def commit(self, change: Change) -> bool:
        key = change.tally.tenant, change.tally.kind
        if key not in self._tallies or self._tallies[key].revision != change.tally.revision - 1:
            return False
        self._tallies[key] = change.tally
        self._entries |= {entry.key: entry for entry in change.entries}
        return True

    async def held_since(self, tenant: str, kind: JobKind, moment: datetime) -> bool:
        return any(
            entry.hold is not None and entry.first_at <= moment
            for entry in self._entries.values()
            if entry.key.tenant == tenant and entry.key.scope == "job" and entry.kind is kind
        )


@pytest.fixture(scope="session")
def secantus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecantusProcess]:
    directory: Path = tmp_path_factory.mktemp("documents")
    with SecantusProcess(directory) as running:
        yield running


@pytest.fixture
def open_database(secantus: SecantusProcess, request: pytest.FixtureRequest) -> Iterator[Callable[[], Any]]:
    """Opens the one database that belongs to the test, as often as wanted: each call is another replica's client."""
    clients: list[Any] = []

    def connect() -> Any:
        clients.append(AsyncIOMotorClient(secantus.url, tz_aware=True, w="majority", journal=True))
        return clients[-1][f"t{derived(request.node.nodeid)[:12]}"]

    yield connect
    for client in clients:
        client.close()


@pytest.fixture
def memory_ledger() -> type[MemoryLedger]:
    return MemoryLedger


@pytest.fixture(params=["memory", "mongo"])
async def ledger(request: pytest.FixtureRequest) -> AsyncIterator[Ledger]:
    """Every test with this fixture runs on the fake and on the real store."""
    if request.param == "memory":
        yield MemoryLedger()
    else:
        yield await MongoLedger.open(request.getfixturevalue("open_database")())


@pytest.fixture
def event() -> Callable[..., JobEvent]:
    """Makes `event("failed", "job-1", 3, minutes=5)`; everything else has a default."""

    def make(name: str, job: str = "job-1", version: int = 1, *, minutes: float = 0, **fields: Any) -> JobEvent:
        values = {
            "tenant": "contoso",
            "scope": "job",
            "id": job,
            "run": "run-1",
            "kind": "backup",
            "version": version,
            "at": START + timedelta(minutes=minutes),
            **_NEEDED.get(name, {}),
            **fields,
        }
        return _MODELS[name](**values)

    return make


class MemoryChains:
    def __init__(self) -> None:
        self.kept: dict[str, list[dict[str, Any]]] = {}

    async def head(self, tenant: str) -> AuditHead:
        chain = self.kept.get(tenant, [])
        end = chain[-1]["hash"] if chain else GENESIS
        return AuditHead(tenant=tenant, length=len(chain), hash=end)

    async def known(self, tenant: str, events: Collection[str]) -> Collection[str]:
        return {record["event"] for record in self.kept.get(tenant, []) if record["event"] in events}

    async def append(self, head: AuditHead, records: Sequence[Mapping[str, Any]]) -> bool:
        if await self.head(head.tenant) != head:
            return False
        self.kept.setdefault(head.tenant, []).extend(dict(record) for record in records)
        return True

    async def records(
        self, tenant: str, after: int | None, limit: int, *, oldest_first: bool
    ) -> Sequence[Mapping[str, Any]]:
        chain = self.kept.get(tenant, [])
        if oldest_first:
            return [record for record in chain if record["number"] > (after or 0)][:limit]
        return [record for record in reversed(chain) if after is None or record["number"] < after][:limit]


@pytest.fixture(params=["memory", "mongo"])
async def chains(request: pytest.FixtureRequest) -> AsyncIterator[Chains]:
    """Every test with this fixture runs on the fake and on the real store."""
    if request.param == "memory":
        yield MemoryChains()
    else:
        yield await MongoChains.open(request.getfixturevalue("open_database")())


@pytest.fixture
def change() -> Callable[..., Delivered[AuditRecorded]]:
    """Makes a recorded change as it is delivered; its number tells it from others."""

    def make(number: int, tenant: str = "contoso", **fields: Any) -> Delivered[AuditRecorded]:
        values = {"action": "configuration.change", "object": "nightly", "actor": "anna", "request": f"r{number}"}
        at = START + timedelta(minutes=number, microseconds=1)
        body = AuditRecorded(tenant=tenant, at=at, after={"name": f"Käse {number}"}, **{**values, **fields})
        return Delivered(body, body.subject(), event_id(body), body.type_name(), 1)

    return make


class MemoryReviews:
    """Keeps the events beside the reviews, as the documents do."""

    def __init__(self) -> None:
        self._reviews: dict[tuple[str, str], Review] = {}
        self._enrolments: dict[str, Enrolment] = {}
        self._late: set[tuple[str, str]] = set()
        self._events: list[Event] = []

    async def announced(self) -> list[Event]:
        return list(self._events)

    async def enrol(self, tenant: str, now: datetime) -> None:
        self._enrolments.setdefault(tenant, Enrolment(tenant, now, now))

    async def due(self, now: datetime) -> Sequence[Enrolment]:
        return [one for one in self._enrolments.values() if one.next_at <= now]

    async def looked(self, enrolment: Enrolment, next_at: datetime) -> None:
        if self._enrolments[enrolment.tenant] == enrolment:
            self._enrolments[enrolment.tenant] = replace(enrolment, next_at=next_at)

    async def known(self, tenant: str, review: str) -> bool:
        return (tenant, review) in self._reviews

    async def add(self, review: Review, events: Sequence[Event]) -> None:
        key = review.tenant, review.id
        if key not in self._reviews:
            self._reviews[key] = review
            self._events += events
            if review.state is ReviewState.OPEN:
                self._late.add(key)

    async def overdue(self, now: datetime) -> Sequence[Review]:
        return [self._reviews[key] for key in sorted(self._late) if self._reviews[key].overdue_at <= now]

    async def mark_overdue(self, review: Review, events: Sequence[Event]) -> None:
        key = review.tenant, review.id
        if key in self._late:
            self._late.discard(key)
            self._reviews[key] = self._reviews[key].model_copy(update={"overdue": True})
            self._events += events

    async def complete(self, done: Review, events: Sequence[Event]) -> None:
        key = done.tenant, done.id
        if self._reviews[key].state is ReviewState.OPEN:
            self._late.discard(key)
            self._reviews[key] = done.model_copy(update={"overdue": self._reviews[key].overdue})
            self._events += events

    async def get(self, tenant: str, review: str) -> Review | None:
        return self._reviews.get((tenant, review))

    async def page(self, tenant: str, cursor: str | None, limit: int, *, open_only: bool) -> Listing[Review]:
        found = sorted(
            (review for review in self._reviews.values() if review.tenant == tenant),
            key=lambda review: (review.due_at, review.id),
            reverse=True,
        )
        ids = [review.id for review in found]
        behind = found[ids.index(cursor) + 1 :] if cursor in ids else found
        shown = [review for review in behind if not open_only or review.state is ReviewState.OPEN]
        return Listing[Review](items=tuple(shown[:limit]), cursor=shown[limit - 1].id if len(shown) > limit else None)


class StoredReviews(MongoReviews):
    """The real store; a test may read which events wait in its documents."""

    async def announced(self) -> list[Event]:
        models = {event.type_name(): event for event in EVENTS}
        documents = await self.collection.find({}).to_list(None)
        waiting = [event for document in documents for event in document["pending"]]
        return [models[event["headers"]["ce-type"]].model_validate_json(event["body"]) for event in waiting]


@pytest.fixture(params=["memory", "mongo"])
async def reviews(request: pytest.FixtureRequest) -> AsyncIterator[Reviews]:
    """Every test with this fixture runs on the fake and on the real store."""
    if request.param == "memory":
        yield MemoryReviews()
    else:
        yield await StoredReviews.open(request.getfixturevalue("open_database")())


@pytest.fixture
def memory_reviews() -> type[MemoryReviews]:
    return MemoryReviews
