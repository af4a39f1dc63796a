"""Our side of the benchmark: what a worker does, on a Microsoft 365 that is a folder.

A backup is RunBackup, the use case a worker executes for a wake-up, with its verification at levels 0 and 1. Restores
and the full verification are the calls of the engine behind the product's own.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from engine_bench.drive import back_up_drive
from engine_bench.journal import Journal
from engine_bench.source import EVERYTHING, FolderTenants, identity

from backup_engine import Repository, Tuning
from backup_engine.exporting import letters
from backup_engine.exporting.formats import write_eml
from backup_engine.storage import LocalStorage, PrefixedStorage, RetryingStorage, S3Storage, Storage
from backup_engine.storage.measured import MeasuredStorage, Meter
from backup_engine.testing.keys import LocalKeyWrapper
from backup_service.domain.jobs import Claim, Keeping
from backup_service.settings import BackupSettings
from backup_service.usecases.reading.checkpoints import BackupPace
from backup_service.usecases.run_backup import RunBackup
from chassis.clock import SystemClock
from chassis.ids import new_ulid
from contracts.events import Counts
from contracts.names import JobKind, JobState

TENANT = "contoso"
DRIVE = "drive"
_CONFIGURATION = "nightly"
_JOBS = BackupSettings.model_fields["worker_jobs"].default
_KEY = bytes(range(32))  # stands for the vault's transit key


@dataclass(frozen=True)
class Place:
    """Where a repository lies and what it is a backup of. `local` is its folder; without it the S3 fields say where."""

    tree: str
    state: str
    local: str = ""
    endpoint: str = ""
    bucket: str = ""
    access_key: str = ""
    secret_key: str = ""
    ca_file: str = ""
    mailboxes: tuple[str, ...] = (EVERYTHING,)

    def storage(self) -> Storage:
        """Without the wrappers of the product."""
        if self.local:
            return LocalStorage(self.local)
        return S3Storage(self.endpoint, self.bucket, self.access_key, self.secret_key, ca_file=self.ca_file)


class OneRepository:
    """ports.Repositories for one place, wrapped as the service wraps it and metered below everything."""

    def __init__(self, storage: Storage, tuning: Tuning | None = None) -> None:
        self.meter = Meter()
        wrapped = PrefixedStorage(RetryingStorage(MeasuredStorage(storage, self.meter)), TENANT)
        self.repository = Repository.open_or_create(
            wrapped, LocalKeyWrapper(_KEY), tenant=TENANT, tuning=tuning or Tuning()
        )

    async def open(self, tenant: str, target: str) -> Repository:
        return self.repository

    async def probe(self, tenant: str, target: str, where: Any) -> Any:
        raise AssertionError("the target of the benchmark is known to work")


class Worker:
    """One process of the product, for the steps of the benchmark."""

    def __init__(self, place: Place, repositories: OneRepository) -> None:
        self._place = place
        self._tree = Path(place.tree)
        self._state = Path(place.state)
        self._state.mkdir(parents=True, exist_ok=True)
        self._has_drive = (self._tree / DRIVE).exists()
        self._repositories = repositories
        self._repository = repositories.repository
        self._clock = SystemClock()
        self._rng = random.SystemRandom()

    async def backup(self) -> Counts:
        """Every mailbox and the drive, as many at a time as a worker runs; what the mailboxes' jobs counted, summed."""
        with closing(Journal(self._state / "documents")) as journal:
            jobs: list[Callable[[], Awaitable[Counts]]] = [
                partial(self._back_up_mailbox, journal, mailbox) for mailbox in self._place.mailboxes
            ]
            if self._has_drive:
                jobs.append(self._back_up_drive)
            at_once = asyncio.Semaphore(_JOBS)

            async def in_turn(job: Callable[[], Awaitable[Counts]]) -> Counts:
                async with at_once:
                    return await job()

            return sum(await asyncio.gather(*map(in_turn, jobs)), start=Counts())

    async def _back_up_mailbox(self, journal: Journal, mailbox: str) -> Counts:
        run = RunBackup(
            tenants=FolderTenants(self._tree, self._state),
            repositories=self._repositories,
            jobs=journal,
            points=journal,
            lost=_nothing_lost,
            clock=self._clock,
            pace=BackupPace(),
        )
        finished = await run(self._claim(mailbox))
        assert finished.state is JobState.SUCCEEDED, finished.item_errors
        return finished.counts

    async def _back_up_drive(self) -> Counts:
        claim = self._claim(DRIVE)
        await asyncio.to_thread(back_up_drive, self._tree / DRIVE, self._repository, claim, self._clock)
        return Counts()

    def restore_all(self, folder: Path) -> int:
        """Every mail as the product exports it, in its folder, and every file of the drive. How many."""
        count = 0
        for mailbox in self._place.mailboxes:
            target = folder if mailbox == EVERYTHING else folder / mailbox
            target.mkdir(parents=True, exist_ok=True)
            shard = _shard(mailbox)
            write_eml(letters(self._repository, shard, self._newest(shard)), target)
            count += self._repository.snapshot(shard, self._newest(shard)).items
        return count + (self._restore_drive(folder / DRIVE) if self._has_drive else 0)

    def _restore_drive(self, folder: Path) -> int:
        folder.mkdir()
        shard = _shard(DRIVE)
        rows = list(self._repository.items(shard, self._newest(shard)))
        for row in rows:
            with (folder / row.key).open("xb") as file:
                file.writelines(self._repository.read_stream(row))
        return len(rows)

    def restore_one(self, path: str, target: Path) -> int:
        """One mail, asked for by the path it has in the tree."""
        mailbox = EVERYTHING if EVERYTHING in self._place.mailboxes else path.partition("/")[0]
        shard = _shard(mailbox)
        key = identity(path)
        row = next(row for row in self._repository.items(shard, self._newest(shard)) if row.key == key)
        return target.write_bytes(self._repository.read(row))

    def verify(self) -> int:
        """The product's full read in one step: every object whole, every reference followed; how many bytes."""
        session = new_ulid(self._clock, self._rng)
        found = self._repository.checks.rolling(at=self._clock.now(), session=session, share=1.0)
        assert found.report.good, found.report.problems
        return found.report.bytes

    def _newest(self, shard: str) -> str:
        return self._repository.snapshots(shard)[0].id

    def _claim(self, resource: str) -> Claim:
        session = new_ulid(self._clock, self._rng)
        return Claim(
            tenant=TENANT,
            job=f"job-{session}",
            run=f"run-{session}",
            kind=JobKind.BACKUP,
            configuration=_CONFIGURATION,
            target="bench",
            keeping=Keeping("30d", "30d", "default", self._clock.now()),
            resource=resource,
            resource_name=f"{resource}@corp.example",
            session=session,
            previous=None,
            attempt=0,
            first_started_at=self._clock.now(),
        )


async def _nothing_lost(tenant: str, resource: str, name: str) -> None:
    raise AssertionError(f"the tree has lost {name}")


def _shard(resource: str) -> str:
    return f"{_CONFIGURATION}/{resource}"
