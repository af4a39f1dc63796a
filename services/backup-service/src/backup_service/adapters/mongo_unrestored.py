"""All that restores could not bring back: ids and causes, beside the job, which keeps the first ones."""

from collections.abc import Sequence
from datetime import datetime

from backup_service.adapters.mongo_store import SCHEMA_VERSION, Store, key
from chassis.documents import SCHEMA
from contracts.views import ItemProblem, Listing

_AT_ONCE = 500
_IN_ONE_ANSWER = 200
"""Each is up to 1 KiB."""


class MongoUnrestored:
    """Written before the job says that it has ended. What a fenced worker wrote belongs to no session of the job."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def keep(
        self, tenant: str, job: str, session: str | None, problems: Sequence[ItemProblem], now: datetime
    ) -> None:
        for start in range(0, len(problems), _AT_ONCE):
            numbered = enumerate(problems[start : start + _AT_ONCE], start)
            named = [(f"{job}/{session}/{number:08d}", problem) for number, problem in numbered]
            documents = [
                {
                    "_id": key(tenant, name),
                    SCHEMA: SCHEMA_VERSION,
                    "tenant": tenant,
                    "id": name,
                    "at": now,
                    **problem.model_dump(mode="json"),
                }
                for name, problem in named
            ]
            await self._store.unrestored.insert_many(documents, ordered=False)

    async def page(self, tenant: str, job: str, cursor: str | None, limit: int) -> Listing[ItemProblem]:
        limit = min(limit, _IN_ONE_ANSWER)
        found = await self._store.jobs.find_one({"_id": key(tenant, job)}, {"session": 1})
        session = f"{job}/{(found or {}).get('session')}"
        # Ids of one session stand together; "0" is what comes after "/".
        after = max(cursor or "", session)
        narrow = {"tenant": tenant, "_id": {"$gt": key(tenant, after), "$lt": key(tenant, f"{session}0")}}
        rows = await self._store.unrestored.find(narrow).sort("_id", 1).limit(limit + 1).to_list(limit + 1)
        items = tuple(ItemProblem.model_validate(row) for row in rows[:limit])
        return Listing[ItemProblem](items=items, cursor=rows[limit - 1]["id"] if len(rows) > limit else None)
