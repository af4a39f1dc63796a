"""The repository of a target holds what only documents know, and gives it back after they were lost."""

import asyncio
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

import structlog
from pydantic import ValidationError

from backup_engine import Repository, RepositoryError, Snapshot
from backup_service.ports import Repositories
from backup_service.ports.custody import AuditHeads, KeptDocuments, Registrations
from backup_service.usecases.audit_seals import seals_of
from backup_service.usecases.keep_employees import KeepEmployees
from chassis.clock import Clock
from chassis.vault import VaultError
from contracts.problem import ProblemError
from contracts.views import BackupConfiguration, RestorePoint, StorageTarget, TargetRecovery

log = structlog.get_logger()

OURS = "backup-service"
THEIRS = "token-service"
_VOLATILE = {"exported_at", "recovery", "recovery_key", "tested_at"}
_RETRY = timedelta(minutes=5)
"""After a failure, and after a worker died in the middle."""


class KeepDocuments:
    """One target at a time; every step may be repeated."""

    def __init__(
        self,
        kept: KeptDocuments,
        repositories: Repositories,
        registrations: Registrations,
        audit_heads: AuditHeads,
        clock: Clock,
        *,
        employees: KeepEmployees,
        interval: timedelta,
        new_id: Callable[[], str],
    ) -> None:
        self._kept = kept
        self._repositories = repositories
        self._registrations = registrations
        self._audit_heads = audit_heads
        self._employees = employees
        self._clock = clock
        self._interval = interval
        self._new_id = new_id

    async def due(self) -> int:
        """Look after one target that is due; how many were."""
        target = await self._kept.claim(_RETRY)
        if target is None:
            return 0
        try:
            repository = await self._repositories.open(target.tenant, target.id)
            if target.recovery is not None and target.recovery.state == "waiting":
                await self._recover(target, target.recovery, repository)
            await self._export(target, repository)
        except (RepositoryError, VaultError, ProblemError) as error:
            await self._failed(target, error)
        return 1

    async def _failed(self, target: StorageTarget, error: Exception) -> None:
        log.warning(
            "export of documents failed; tried again", tenant=target.tenant, target=target.id, reason=str(error)
        )
        if target.recovery is not None and target.recovery.state == "waiting":
            told = {"state": "failed", "finished_at": self._clock.now(), "detail": str(error)}
            await self._kept.recovered(target, target.recovery.model_copy(update=told))

    async def _export(self, target: StorageTarget, repository: Repository) -> None:
        """Sealed, into the tenant's own repository; unchanged documents make no new version."""
        configurations = await self._kept.configurations_of(target)
        documents: dict[str, dict[str, Any]] = {
            THEIRS: (await self._registrations(target.tenant)).model_dump(mode="json")
        }
        if configurations:  # a target that was just added knows nothing worth keeping yet
            documents[OURS] = {
                "target": target.model_dump(mode="json", exclude=_VOLATILE),
                "configurations": [c.model_dump(mode="json", exclude={"last_run"}) for c in configurations],
            }
        for service, document in documents.items():
            await asyncio.to_thread(repository.documents.put, service, self._new_id(), document)
        silent = None
        for others in (self._employees.export, self._seal):
            try:
                await others(target.tenant, repository)
            except ProblemError as error:  # one service that is silent keeps nothing of the other's back
                silent = error
        if silent is not None:
            raise silent
        now = self._clock.now()
        await self._kept.kept(target, now, now + self._interval)

    async def _seal(self, tenant: str, repository: Repository) -> None:
        """Dated by the day: a repeat of the same day seals nothing twice."""
        now = self._clock.now()
        seal = {**(await self._audit_heads(tenant)).model_dump(mode="json"), "sealed_on": now.date().isoformat()}
        await asyncio.to_thread(repository.documents.put, seals_of(now), self._new_id(), seal)

    async def _recover(self, target: StorageTarget, recovery: TargetRecovery, repository: Repository) -> None:
        """Configurations with their ids, so that backups go on where they ended; restore points as storage has them."""
        versions = await asyncio.to_thread(repository.documents.versions, OURS)
        configurations = _configurations(target, versions)
        for configuration in configurations:
            await self._kept.bring_back(configuration)
        snapshots = await asyncio.to_thread(repository.snapshots)
        points = [point for snapshot in snapshots if (point := _restore_point(target.tenant, snapshot)) is not None]
        await self._kept.relist(points)
        employees = await self._employees.bring_back(target.tenant, repository)
        done = recovery.model_copy(
            update={
                "state": "done",
                "finished_at": self._clock.now(),
                "configurations": len(configurations),
                "restore_points": len(points),
                "employees": employees,
            }
        )
        await self._kept.recovered(target, done)
        log.info("documents brought back", tenant=target.tenant, target=target.id, restore_points=len(points))


def _configurations(target: StorageTarget, versions: Iterable[dict[str, Any]]) -> list[BackupConfiguration]:
    """Each as its newest version says, on `target`, which is where its repository lies now."""
    found: dict[str, BackupConfiguration] = {}
    for version in versions:
        for document in version.get("configurations", ()):
            try:
                configuration = BackupConfiguration.model_validate({**document, "target": target.id})
            except ValidationError as error:
                log.warning("a configuration of an export is passed over", errors=error.error_count())
                continue
            if configuration.tenant == target.tenant:
                found.setdefault(configuration.id, configuration)
    return list(found.values())


def _restore_point(tenant: str, snapshot: Snapshot) -> RestorePoint | None:
    """As the repository knows it: without verification, which the next one brings; None for a shard of others."""
    configuration, _, resource = snapshot.shard.partition("/")
    if not resource:
        return None
    return RestorePoint(
        tenant=tenant,
        id=snapshot.id,
        configuration=configuration,
        resource=resource,
        resource_name=snapshot.label,
        taken_at=snapshot.taken_at,
        expires_at=snapshot.expires_at,
        complete=snapshot.complete,
        items=snapshot.items,
        bytes=snapshot.bytes,
        failed_items=len(snapshot.failed),
        retention_class=snapshot.retention_class,
        immutable_until=snapshot.locked_until,
    )
