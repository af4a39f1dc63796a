"""Stream a restore point as a ZIP of EML, mbox or Maildir files: the stored bytes, nothing rebuilt."""

from collections.abc import Iterator

from backup_engine.exporting import ARCHIVES
from backup_service.ports import Catalogue, Repositories
from chassis.clock import Clock
from contracts.problem import not_found


class ExportMailbox:
    def __init__(self, catalogue: Catalogue, repositories: Repositories, clock: Clock) -> None:
        self._catalogue = catalogue
        self._repositories = repositories
        self._clock = clock

    async def __call__(self, tenant: str, ticket: str) -> Iterator[bytes]:
        """Chunks of the ZIP, to be read in a thread. Raises a not-found problem for anything but a fresh ticket."""
        opened = await self._catalogue.redeem(tenant, ticket, self._clock.now())
        if opened is None:
            raise not_found("download")
        point_id, export = opened
        point = await self._catalogue.restore_point(tenant, point_id)
        if point is None:
            raise not_found("download")
        configuration = await self._catalogue.configuration(tenant, point.configuration)
        if configuration is None:
            raise not_found("backup configuration of the restore point")
        repository = await self._repositories.open(tenant, configuration.target)
        return ARCHIVES[export](repository, f"{point.configuration}/{point.resource}", point.id)
