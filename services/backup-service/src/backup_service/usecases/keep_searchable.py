"""After a backup its mailbox is made searchable, so that nobody has to wait at the first question."""

import asyncio

import structlog

from backup_service.domain.jobs import Claim, Finished
from backup_service.ports import Repositories
from backup_service.ports.searching import SearchFiles
from backup_service.usecases.execute_job import Execute

log = structlog.get_logger()

_WAITING = 10_000  # mailboxes; one that finds no place is made searchable by the first question about it


class KeepSearchable:
    """Nothing here touches a job: what fails is made up for by the next backup, or by the first question."""

    def __init__(self, repositories: Repositories, files: SearchFiles) -> None:
        self._repositories = repositories
        self._files = files
        self._queue: asyncio.Queue[tuple[str, str, str]] = asyncio.Queue(_WAITING)
        self._waiting: set[tuple[str, str, str]] = set()

    def soon(self, tenant: str, target: str, shard: str) -> None:
        """Take note of a new restore point."""
        work = (tenant, target, shard)
        if work not in self._waiting and not self._queue.full():
            self._waiting.add(work)
            self._queue.put_nowait(work)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self.once()

    async def once(self) -> None:
        """Wait for the next mailbox and make it searchable."""
        work = await self._queue.get()
        self._waiting.discard(work)
        tenant, target, shard = work
        try:
            repository = await self._repositories.open(tenant, target)
            await self._files.prepare(repository, shard)
        except Exception as error:  # noqa: BLE001 - whatever it was, backups and the other mailboxes go on
            log.warning("a mailbox could not be made searchable yet", tenant=tenant, shard=shard, error=str(error))


class SearchableBackup:
    """A backup whose mailbox becomes searchable after its commit."""

    def __init__(self, backup: Execute, searchable: KeepSearchable) -> None:
        self._backup = backup
        self._searchable = searchable

    async def __call__(self, claim: Claim) -> Finished:
        finished = await self._backup(claim)
        self._searchable.soon(claim.tenant, claim.target, claim.shard)
        return finished
