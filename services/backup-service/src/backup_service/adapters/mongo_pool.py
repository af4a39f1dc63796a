"""Graph budgets common to all worker processes: a document per mailbox and per service, changed by compare-and-set.

The arithmetic is graph_client.pool's; here is only where its records live.
"""

from collections.abc import Mapping
from typing import Any

from pymongo.errors import ConnectionFailure, DuplicateKeyError

from backup_service.adapters.mongo_store import SCHEMA_VERSION, Store
from chassis.clock import Clock
from chassis.documents import SCHEMA
from graph_client import Draw, Limits, PoolUnreachable, Share, settle

_ATTEMPTS = 50


class BudgetUnreachable(PoolUnreachable, ConnectionFailure):
    """An outage of the documents, as chassis.outages knows it: the job is handed back, no attempt is to blame."""


class MongoPool:
    """Implements graph_client.Pool for one tenant."""

    def __init__(self, store: Store, clock: Clock, tenant: str, limits: Limits) -> None:
        self._budgets = store.graph_budgets
        self._clock = clock
        self._tenant = tenant
        self._limits = limits

    async def draw(self, service: str, mailbox: str | None, draw: Draw) -> Share:
        whole, own = self._key(service, None), self._key(service, mailbox)
        for _ in range(_ATTEMPTS):
            found = await self._read(whole, own)
            now = self._clock.now().timestamp()
            closed_for = max(0.0, found.get(whole, {}).get("closed_until", 0.0) - now)
            if mailbox is None:
                return Share(0, {}, closed_for)
            known = found.get(own, {})
            record, share = settle(known, draw, self._limits, now)
            if await self._write(own, known.get("revision", 0), record):
                return Share(share.places, share.allowed, max(share.closed_for, closed_for), share.wait)
        raise BudgetUnreachable("too many processes draw at once")

    async def close(self, service: str, mailbox: str | None, seconds: float) -> None:
        until = self._clock.now().timestamp() + seconds
        change = {
            "$max": {"closed_until": until},
            "$setOnInsert": {"tenant": self._tenant, "revision": 0, SCHEMA: SCHEMA_VERSION},
        }
        try:
            await self._budgets.update_one({"_id": self._key(service, mailbox)}, change, upsert=True)
        except DuplicateKeyError:
            # Another process has made the document at this very moment.
            await self._budgets.update_one({"_id": self._key(service, mailbox)}, {"$max": {"closed_until": until}})
        except ConnectionFailure as error:
            raise BudgetUnreachable(str(error)) from error

    async def _read(self, *keys: str) -> dict[str, dict[str, Any]]:
        try:
            return {entry["_id"]: entry async for entry in self._budgets.find({"_id": {"$in": list(keys)}})}
        except ConnectionFailure as error:
            raise BudgetUnreachable(str(error)) from error

    async def _write(self, key: str, revision: int, record: Mapping[str, Any]) -> bool:
        fields = {"holders": record["holders"], "spent": record["spent"], "revision": revision + 1}
        try:
            if (await self._budgets.update_one({"_id": key, "revision": revision}, {"$set": fields})).matched_count:
                return True
            if revision:
                return False
            await self._budgets.insert_one({"_id": key, "tenant": self._tenant, SCHEMA: SCHEMA_VERSION, **fields})
        except DuplicateKeyError:
            return False
        except ConnectionFailure as error:
            raise BudgetUnreachable(str(error)) from error
        return True

    def _key(self, service: str, mailbox: str | None) -> str:
        return f"{self._tenant}/{service}" if mailbox is None else f"{self._tenant}/{service}/{mailbox.lower()}"
