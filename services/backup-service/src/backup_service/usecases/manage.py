"""Short commands: storage targets, backup configurations, export tickets."""

import secrets
from collections.abc import Collection
from datetime import timedelta

from backup_service.ports import Catalogue, Repositories
from backup_service.usecases.export_mailbox import archive_name
from backup_service.usecases.reading.sources import READERS
from backup_service.usecases.retention import Retention
from chassis.clock import Clock
from chassis.ids import derived
from contracts.names import Source
from contracts.problem import invalid, not_found
from contracts.rpc import CreateConfiguration, CreatedTarget, CreateTarget, OpenExport
from contracts.views import BackupConfiguration, DownloadTicket, StorageTarget

TICKET_LIFE = timedelta(minutes=5)


class Manage:
    """Each command is idempotent by its request id."""

    def __init__(
        self,
        catalogue: Catalogue,
        repositories: Repositories,
        retention: Retention,
        clock: Clock,
        readable: Collection[Source] = READERS,
    ) -> None:
        self._catalogue = catalogue
        self._retention = retention
        self._repositories = repositories
        self._clock = clock
        self._readable = readable

    async def create_target(self, tenant: str, wanted: CreateTarget) -> CreatedTarget:
        """Test the connection; save the target only if every step held."""
        where = wanted.model_dump(exclude={"id", "name"})
        steps = await self._repositories.probe(tenant, wanted.id, where)
        if not all(step.ok for step in steps):
            return CreatedTarget(target=None, steps=steps)
        now = self._clock.now()
        target = StorageTarget(tenant=tenant, **wanted.model_dump(), created_at=now, tested_at=now)
        await self._catalogue.add_target(target)
        return CreatedTarget(target=target, steps=steps)

    async def create_configuration(
        self, tenant: str, request_id: str, wanted: CreateConfiguration
    ) -> BackupConfiguration:
        if await self._catalogue.target(tenant, wanted.target) is None:
            raise invalid("the storage target does not exist; create it first")
        unread = [source.value for source in wanted.sources if source not in self._readable]
        if unread:
            raise invalid(f"this release cannot back up {', '.join(unread)}")
        identity = derived(tenant, "configuration", request_id)
        retention = await self._retention.configured(tenant, wanted)
        configuration = BackupConfiguration(
            tenant=tenant, id=identity, **{**wanted.model_dump(), **retention}, created_at=self._clock.now()
        )
        await self._catalogue.add_configuration(configuration)
        return await self._catalogue.configuration(tenant, identity) or configuration

    async def open_export(self, tenant: str, wanted: OpenExport) -> DownloadTicket:
        """A single-use ticket for the download of a restore point."""
        point = await self._catalogue.restore_point(tenant, wanted.restore_point)
        if point is None:
            raise not_found("restore point")
        secret = secrets.token_urlsafe(32)
        expires_at = self._clock.now() + TICKET_LIFE
        await self._catalogue.add_ticket(tenant, point.id, wanted.format, secret, expires_at)
        return DownloadTicket(ticket=secret, expires_at=expires_at, filename=archive_name(point, wanted.format))
