"""Stream a restore point as a ZIP of EML files: the stored bytes, nothing rebuilt."""

from collections.abc import Iterator

from backup_engine.exporting import letters, zip_chunks
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
        point_id = await self._catalogue.redeem(tenant, ticket, self._clock.now())
        point = None if point_id is None else await self._catalogue.restore_point(tenant, point_id)
        if point is None:
            raise not_found("download")
        configuration = await self._catalogue.configuration(tenant, point.configuration)
        if configuration is None:
            raise not_found("backup configuration of the restore point")
        repository = await self._repositories.open(tenant, configuration.target)
        return zip_chunks(letters(repository, f"{point.configuration}/{point.resource}", point.id))
