"""How far the protection of a tenant is, for its onboarding, and its end: counts, the next run, how runs ended."""

from datetime import datetime
from typing import Any

from backup_service.adapters.mongo_store import STOPPED, Store
from chassis.documents import Document
from contracts.names import JobKind, JobState
from contracts.onboarding import BackupOutcome, Protection

_GOOD = (JobState.SUCCEEDED, JobState.PARTIAL)
_FIRST, _LAST = 1, -1


class MongoProtection:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def of(self, tenant: str, ended_after: datetime | None) -> Protection:
        """`ended_after`: look for backup runs that ended later; None: do not look for runs."""
        mine = {"tenant": tenant}
        scheduled = await self._store.configurations.find_one(
            {**mine, "paused": {"$ne": True}, "next_run_at": {"$ne": None}},
            {"next_run_at": 1},
            sort=[("next_run_at", 1)],
        )
        runs = {} if ended_after is None else await self._runs({**mine, "kind": JobKind.BACKUP.value}, ended_after)
        return Protection(
            tenant=tenant,
            targets=await self._store.targets.count_documents(mine),
            configurations=await self._store.configurations.count_documents(mine),
            next_run_at=None if scheduled is None else scheduled["next_run_at"],
            **runs,
        )

    async def stop(self, tenant: str, *, stopped: bool) -> None:
        """Pause every configuration, and leave the storage alone; else look after the storage again.

        Configurations stay paused: which of them is to run again is for people to say.
        """
        await self._store.targets.update_many({"tenant": tenant}, {"$set": {STOPPED: stopped}})
        if stopped:
            paused = {"$set": {"paused": True, "next_run_at": None}}
            await self._store.configurations.update_many({"tenant": tenant}, paused)

    async def _runs(self, backups: dict[str, Any], ended_after: datetime) -> dict[str, Any]:
        unfinished = {"state": {"$in": [state.value for state in JobState if not state.finished]}}
        return {
            "test_backup": await self._ended(backups, ended_after, _GOOD, _FIRST),
            "last_failure": await self._ended(backups, ended_after, (JobState.FAILED,), _LAST),
            "going_on": await self._store.runs.find_one({**backups, **unfinished}, {"_id": 1}) is not None,
        }

    async def _ended(
        self, backups: dict[str, Any], after: datetime, states: tuple[JobState, ...], order: int
    ) -> BackupOutcome | None:
        wanted = {**backups, "state": {"$in": [state.value for state in states]}, "finished_at": {"$gt": after}}
        found: Document | None = await self._store.runs.find_one(wanted, sort=[("finished_at", order)])
        if found is None:
            return None
        return BackupOutcome(run=found["id"], state=JobState(found["state"]), finished_at=found["finished_at"])
