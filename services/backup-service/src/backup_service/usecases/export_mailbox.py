"""Stream a restore point as a ZIP of EML, mbox or Maildir files: the stored bytes, nothing rebuilt."""

from collections.abc import Iterator
from dataclasses import dataclass

from backup_engine.exporting import ARCHIVES
from backup_service.ports import Catalogue, Repositories
from chassis.clock import Clock
from contracts.names import ExportFormat
from contracts.problem import not_found
from contracts.views import RestorePoint

_BREAKS = frozenset('"/\\')
"""What a name of a file must not hold anywhere."""


@dataclass(frozen=True)
class Archive:
    """A ZIP: what to call it, and its bytes, to be read in a thread. Its length is known when it has been read."""

    filename: str
    chunks: Iterator[bytes]


def archive_name(point: RestorePoint, export: ExportFormat) -> str:
    """What a person sees in the folder of downloads: whose mail, from when, in which form."""
    kind = "" if export is ExportFormat.EML else f".{export}"
    name = f"{point.resource_name or point.resource}-{point.taken_at:%Y%m%dT%H%M%SZ}{kind}.zip"
    return "".join(
        letter if letter.isprintable() and letter not in _BREAKS else "_" for letter in name.replace("@", "_at_")
    )


class ExportMailbox:
    def __init__(self, catalogue: Catalogue, repositories: Repositories, clock: Clock) -> None:
        self._catalogue = catalogue
        self._repositories = repositories
        self._clock = clock

    async def __call__(self, tenant: str, ticket: str) -> Archive:
        """Open what a ticket is for. Raises a not-found problem for anything but a fresh one."""
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
        chunks = ARCHIVES[export](repository, f"{point.configuration}/{point.resource}", point.id)
        return Archive(archive_name(point, export), chunks)
