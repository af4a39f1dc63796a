"""Employees in MongoDB, page-wise: one bulk of records, one of log entries, one of marks.

A record waits with its own events and log entries (`pending`, `unlogged`) until both are where they belong, so that a
crash between any two writes loses none and repeats none: their ids are derived.
"""

import asyncio
import re
import secrets
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from pymongo import ASCENDING, DESCENDING, InsertOne, UpdateOne
from pymongo.errors import BulkWriteError

from chassis import pending
from chassis.bus import Bus
from chassis.clock import Clock
from chassis.documents import Document
from contracts.employees import Activity
from contracts.names import DirectoryState, Role
from contracts.streams import EVT
from sync_service.adapters.employee_documents import activity_of, document, employee_of, entry
from sync_service.adapters.mongo_store import Store, key
from sync_service.domain.employee import Change, Employee
from sync_service.domain.keeping import apart
from sync_service.domain.roles import GROUP_ROLES
from sync_service.domain.standing import Numbers
from sync_service.ports import EmployeeFilter

SOURCE = "sync-service"
_ASSIGNED = tuple(role for role in Role if role is not Role.OPERATOR)
_DUPLICATE = 11000
_AT_ONCE = 32
"""Events on their way to the bus at the same time."""
_SETTLED_AT_ONCE = 100


class MongoEmployees:
    """Implements ports.Employees."""

    def __init__(self, store: Store, bus: Bus, clock: Clock, grace: float = 5.0) -> None:
        self._employees = store.employees
        self._activity = store.activity
        self._bus = bus
        self._clock = clock
        self._grace = timedelta(seconds=grace)

    async def get(self, tenant: str, user: str) -> Employee | None:
        found = await self._employees.find_one({"_id": key(tenant, user)})
        return None if found is None else employee_of(found)

    async def some(self, tenant: str, users: Collection[str]) -> Mapping[str, Employee]:
        wanted = {"_id": {"$in": [key(tenant, user) for user in users]}}
        return {employee.id: employee for employee in await self._all(wanted)}

    async def save(self, changes: Sequence[Change]) -> frozenset[str]:
        if not changes:
            return frozenset()
        mark, now = secrets.token_hex(8), self._clock.now()
        documents = [_waiting(change, mark, now) for change in changes]
        lost = await self._written([_write(found) for found in documents], documents, mark)
        await self._deliver([found for found in documents if found["_id"] not in lost])
        return frozenset(found["id"] for found in documents if found["_id"] in lost)

    async def _written(
        self, writes: Sequence["InsertOne[Document] | UpdateOne"], documents: Sequence[Document], mark: str
    ) -> set[str]:
        """Write and give the ids of the documents that somebody else was faster with."""
        try:
            result = await self._employees.bulk_write(list(writes), ordered=False)
            done = result.matched_count + result.inserted_count
        except BulkWriteError as error:
            if any(fault["code"] != _DUPLICATE for fault in error.details["writeErrors"]):
                raise
            done = error.details["nMatched"] + error.details["nInserted"]
        ids = [found["_id"] for found in documents]
        if done == len(ids):
            return set()
        ours = self._employees.find({"_id": {"$in": ids}, "mark": mark}, {"_id": 1})
        return set(ids) - {found["_id"] async for found in ours}

    async def settle(self) -> int:
        before = self._clock.now() - self._grace
        left = self._employees.find({pending.PENDING_SINCE: {"$lte": before}}).limit(_SETTLED_AT_ONCE)
        found = await left.to_list(_SETTLED_AT_ONCE)
        await self._deliver(found)
        return len(found)

    async def _deliver(self, documents: Sequence[Document]) -> None:
        """Log, publish, and take away what was waiting in these documents. Raises BusUnreachable."""
        entries = [item for found in documents for item in found["unlogged"]]
        if entries:
            await self._logged(entries)
        await self._publish([event for found in documents for event in found[pending.PENDING]])
        if documents:
            await self._employees.bulk_write([_taken(found) for found in documents], ordered=False)
            # A second writer may have added some in between; then the mark stays for the sweep.
            empty = {"_id": {"$in": [found["_id"] for found in documents]}, pending.PENDING: [], "unlogged": []}
            await self._employees.update_many(empty, {"$unset": {pending.PENDING_SINCE: ""}})

    async def _publish(self, events: Sequence[Mapping[str, Any]]) -> None:
        for start in range(0, len(events), _AT_ONCE):
            sent = events[start : start + _AT_ONCE]
            await asyncio.gather(*(self._published(event) for event in sent))

    async def _published(self, event: Mapping[str, Any]) -> None:
        await self._bus.publish_raw(event["subject"], event["body"].encode(), event["headers"], EVT)

    async def seen(self, tenant: str, users: Collection[str], read_at: datetime) -> None:
        narrow = {"_id": {"$in": [key(tenant, user) for user in users]}, "synced_at": {"$lt": read_at}}
        await self._employees.update_many(narrow, {"$set": {"synced_at": read_at}})

    async def unseen(self, tenant: str, before: datetime, limit: int) -> Sequence[Employee]:
        narrow = {"tenant": tenant, "directory_state": DirectoryState.PRESENT.value, "synced_at": {"$lt": before}}
        return await self._all(narrow, limit)

    async def elevated(self, tenant: str) -> Sequence[Employee]:
        return await self._all({"tenant": tenant, "roles": {"$in": [role.value for role in GROUP_ROLES]}})

    async def unlinked(self, tenant: str, after: str | None, limit: int) -> Sequence[Employee]:
        narrow: Document = {
            "tenant": tenant,
            "directory_state": DirectoryState.DELETED.value,
            "successor": None,
            "mail": {"$gt": ""},
        }
        return await self._all({**narrow, "id": {"$gt": after or ""}}, limit, sort="id")

    async def with_mail(self, tenant: str, mails: Collection[str]) -> Sequence[Employee]:
        present = {"tenant": tenant, "directory_state": DirectoryState.PRESENT.value}
        return await self._all({**present, "mail": {"$in": list(mails)}})

    async def page(self, tenant: str, wanted: EmployeeFilter, after: str | None, limit: int) -> Sequence[Employee]:
        narrow = {"tenant": tenant, **_narrow(wanted), "id": {"$gt": after or ""}}
        return await self._all(narrow, limit, sort="id")

    async def numbers(self, tenant: str) -> Numbers:
        # One walk through everybody, whose groups are few: a count for each figure would be seven.
        alike = {"state": "$directory_state", "roles": "$roles", "enabled": "$fields.account_enabled"}
        steps: list[Document] = [{"$match": {"tenant": tenant}}, {"$group": {"_id": alike, "count": {"$sum": 1}}}]
        groups = [(each["_id"], each["count"]) async for each in self._employees.aggregate(steps)]

        def those(met: Callable[[Document], bool]) -> int:
            return sum(count for alike, count in groups if met(alike))

        return Numbers(
            present=those(lambda one: one["state"] == DirectoryState.PRESENT.value),
            deleted=those(lambda one: one["state"] == DirectoryState.DELETED.value),
            admins=those(lambda one: Role.ADMIN.value in one["roles"] and bool(one["enabled"])),
            roles={role: those(lambda one, role=role: role.value in one["roles"]) for role in _ASSIGNED},  # type: ignore[misc] # bound at once
        )

    async def unsynced(self, tenant: str, since: datetime) -> int:
        present = {"tenant": tenant, "directory_state": DirectoryState.PRESENT.value}
        return await self._employees.count_documents({**present, "synced_at": {"$lt": since}})

    async def activity(self, tenant: str, user: str | None, after: str | None, limit: int) -> Sequence[Activity]:
        narrow: Document = {"tenant": tenant}
        if user is not None:
            narrow["employee"] = user
        if after is not None:
            last = await self._activity.find_one({"_id": key(tenant, after)}, {"order": 1})
            narrow["order"] = {"$lt": last["order"] if last is not None else ""}
        found = self._activity.find(narrow).sort("order", DESCENDING).limit(limit)
        return [activity_of(each) async for each in found]

    async def relog(self, tenant: str, entries: Sequence[Activity]) -> int:
        wanted = {"_id": {"$in": [key(tenant, each.id) for each in entries]}}
        taken = {found["id"]: found["at"] async for found in self._activity.find(wanted, {"id": 1, "at": 1})}
        back = [entry(tenant, apart(each)) for each in entries if taken.get(each.id) != each.at]
        return await self._logged(back) if back else 0

    async def _logged(self, entries: Sequence[Document]) -> int:
        """Write entries of the log; gives how many were not there."""
        try:
            return len((await self._activity.insert_many(entries, ordered=False)).inserted_ids)
        except BulkWriteError as error:
            if any(fault["code"] != _DUPLICATE for fault in error.details["writeErrors"]):
                raise
            return int(error.details["nInserted"])

    async def erase(self, tenant: str, user: str, known_before: datetime) -> int:
        narrow: Document = {"tenant": tenant, "employee": user}
        identity = {"_id": key(tenant, user)}
        await self._employees.delete_one({**identity, "imported_at": {"$lte": known_before}})
        again = await self._employees.find_one(identity, {"imported_at": 1})
        if again is not None:
            narrow["at"] = {"$lt": again["imported_at"]}
        return (await self._activity.delete_many(narrow)).deleted_count

    async def _all(self, narrow: Document, limit: int = 0, sort: str | None = None) -> list[Employee]:
        found = self._employees.find(narrow).limit(limit)
        if sort is not None:
            found = found.sort(sort, ASCENDING)
        return [employee_of(each) async for each in found]


def _waiting(change: Change, mark: str, now: datetime) -> Document:
    """The record as it is to be stored, with what is to be told of it."""
    tenant = change.employee.tenant
    return {
        **document(change.employee),
        "mark": mark,
        "unlogged": [entry(tenant, item) for item in change.entries],
        pending.PENDING: pending.waiting(change.events, SOURCE),
        pending.PENDING_SINCE: now,
    }


def _write(found: Document) -> "InsertOne[Document] | UpdateOne":
    if found["version"] == 1:
        return InsertOne(found)
    lists = {name: {"$each": found[name]} for name in ("unlogged", pending.PENDING)}
    fields = {name: value for name, value in found.items() if name != "_id" and name not in lists}
    return UpdateOne({"_id": found["_id"], "version": found["version"] - 1}, {"$set": fields, "$push": lists})


def _taken(found: Document) -> UpdateOne:
    pulled = {
        "unlogged": {"_id": {"$in": _ids(found["unlogged"], "_id")}},
        pending.PENDING: {"id": {"$in": _ids(found[pending.PENDING], "id")}},
    }
    return UpdateOne({"_id": found["_id"]}, {"$pull": pulled})


def _ids(items: Iterable[Mapping[str, Any]], name: str) -> list[Any]:
    return [item[name] for item in items]


def _narrow(wanted: EmployeeFilter) -> Document:
    narrow: Document = {}
    if wanted.begins:
        narrow["begins"] = {"$regex": f"^{re.escape(wanted.begins.lower())}"}
    if wanted.role is not None:
        narrow["roles"] = wanted.role.value
    if wanted.directory_state is not None:
        narrow["directory_state"] = wanted.directory_state.value
    if wanted.gdpr_exempt is not None:
        narrow["local.gdpr_exempt"] = wanted.gdpr_exempt
    if wanted.unsynced_since is not None:
        narrow |= {"directory_state": DirectoryState.PRESENT.value, "synced_at": {"$lt": wanted.unsynced_since}}
    if wanted.synced_since is not None:
        narrow["synced_at"] = {"$gte": wanted.synced_since}
    return narrow
