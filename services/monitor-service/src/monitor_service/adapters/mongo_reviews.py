"""Reviews in the document store. Which tenant is looked at when lies beside them, one small document per tenant.

Their events leave with the sweep: nobody waits for the announcement of a review, and the audit may be seconds behind.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Self

from pymongo import IndexModel

from chassis import pending
from chassis.documents import SCHEMA, Collection, Database, open_collection
from contracts.bus_users import MONITOR_SERVICE
from contracts.events import Event
from contracts.reviews import Review, ReviewState
from contracts.views import Listing
from monitor_service.adapters.mongo_ledger import reachable
from monitor_service.ports.reviews import Enrolment

_VERSION = 1
_AT_ONCE = 20
_LATE = "late_at"
"""When an open review is overdue; removed when that was said or it is done, so that the index stays small."""


class MongoReviews:
    """Implements `ports.reviews.Reviews`; safe for any number of replicas."""

    def __init__(self, reviews: Collection, enrolments: Collection) -> None:
        self.collection = reviews
        self._enrolments = enrolments

    @classmethod
    async def open(cls, db: Database) -> Self:
        """Make both collections ready for this release."""
        indexes = [
            IndexModel([("tenant", 1), ("due_at", -1), ("_id", -1)], name="newest"),
            IndexModel([(_LATE, 1)], name="late", sparse=True),
            IndexModel([(pending.PENDING_SINCE, 1)], name="pending", sparse=True),
        ]
        async with reachable():
            reviews = await open_collection(db, "reviews", _VERSION, {}, indexes)
            due = IndexModel([("next_at", 1)], name="due")
            return cls(reviews, await open_collection(db, "review_enrolments", _VERSION, {}, [due]))

    async def enrol(self, tenant: str, now: datetime) -> None:
        fresh = {SCHEMA: _VERSION, "since": now, "next_at": now}
        async with reachable():
            await self._enrolments.update_one({"_id": tenant}, {"$setOnInsert": fresh}, upsert=True)

    async def due(self, now: datetime) -> Sequence[Enrolment]:
        async with reachable():
            found = self._enrolments.find({"next_at": {"$lte": now}}).sort("next_at", 1).limit(_AT_ONCE)
            return [Enrolment(one["_id"], one["since"], one["next_at"]) async for one in found]

    async def looked(self, enrolment: Enrolment, next_at: datetime) -> None:
        mine = {"_id": enrolment.tenant, "next_at": enrolment.next_at}
        async with reachable():
            await self._enrolments.update_one(mine, {"$set": {"next_at": next_at}})

    async def known(self, tenant: str, review: str) -> bool:
        async with reachable():
            return await self.collection.find_one({"_id": _key(tenant, review)}, {"_id": 1}) is not None

    async def add(self, review: Review, events: Sequence[Event]) -> None:
        waiting = {_LATE: review.overdue_at} if review.state is ReviewState.OPEN else {}
        document = {SCHEMA: _VERSION, **_stored(review), **waiting}
        fresh = pending.new_document(document, events, MONITOR_SERVICE.name, review.due_at)
        async with reachable():
            name = {"_id": _key(review.tenant, review.id)}
            await self.collection.update_one(name, {"$setOnInsert": fresh}, upsert=True)

    async def overdue(self, now: datetime) -> Sequence[Review]:
        async with reachable():
            found = self.collection.find({_LATE: {"$lte": now}}).limit(_AT_ONCE)
            return [Review.model_validate(document) async for document in found]

    async def mark_overdue(self, review: Review, events: Sequence[Event]) -> None:
        change = {"$set": {"overdue": True}, "$unset": {_LATE: ""}}
        await self._change(review, {_LATE: {"$exists": True}}, change, events)

    async def complete(self, done: Review, events: Sequence[Event]) -> None:
        fields = {name: value for name, value in _stored(done).items() if name in _OF_COMPLETION}
        change = {"$set": fields, "$unset": {_LATE: ""}}
        await self._change(done, {"state": ReviewState.OPEN.value}, change, events)

    async def get(self, tenant: str, review: str) -> Review | None:
        async with reachable():
            document = await self.collection.find_one({"_id": _key(tenant, review)})
        return None if document is None else Review.model_validate(document)

    async def page(self, tenant: str, cursor: str | None, limit: int, *, open_only: bool) -> Listing[Review]:
        narrow: dict[str, Any] = {"tenant": tenant}
        if open_only:
            narrow["state"] = ReviewState.OPEN.value
        async with reachable():
            last = await self.collection.find_one({"_id": _key(tenant, cursor)}) if cursor else None
            if last is not None:
                same = {"due_at": last["due_at"], "_id": {"$lt": last["_id"]}}
                narrow["$or"] = [{"due_at": {"$lt": last["due_at"]}}, same]
            found = self.collection.find(narrow).sort([("due_at", -1), ("_id", -1)])
            documents = await found.limit(limit + 1).to_list(limit + 1)
        items = tuple(Review.model_validate(document) for document in documents[:limit])
        return Listing[Review](items=items, cursor=items[-1].id if len(documents) > limit else None)

    async def _change(
        self, review: Review, still: dict[str, Any], change: dict[str, Any], events: Sequence[Event]
    ) -> None:
        update = pending.with_events(change, events, MONITOR_SERVICE.name, events[0].at)
        async with reachable():
            await self.collection.update_one({"_id": _key(review.tenant, review.id), **still}, update)


_OF_COMPLETION = {"state", "completed_at", "completed_by", "note"}


def _key(tenant: str, review: str) -> str:
    """The tenant is part of it, so that no look-up can forget it."""
    return f"{tenant}/{review}"


def _stored(review: Review) -> dict[str, Any]:
    document = review.model_dump(mode="json")
    return document | {name: getattr(review, name) for name in ("due_at", "overdue_at", "completed_at")}
