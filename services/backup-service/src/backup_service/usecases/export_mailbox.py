"""Stream a restore point as a ZIP of EML files: the stored bytes, nothing rebuilt."""

import json
from collections.abc import Iterator

from zipstream import ZIP_STORED, ZipStream

from backup_engine import Repository
from backup_service.domain.export_names import mail_path
from backup_service.domain.mail import FOLDER, MAIL, folder_paths
from backup_service.domain.mime import subject_of
from backup_service.ports import Catalogue, Repositories
from chassis.clock import Clock
from contracts.problem import not_found

MANIFEST = "manifest.jsonl"
"""Last member: one JSON line per mail with path, original folder, SHA-256 and sidecar."""


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
        return zip_chunks(repository, f"{point.configuration}/{point.resource}", point.id)


def zip_chunks(repository: Repository, shard: str, restore_point: str) -> Iterator[bytes]:
    """The archive, built while it is read; one mail is in memory at a time. Blocking."""
    rows = list(repository.items(shard, restore_point))
    paths = folder_paths({row.key: (str(row.meta["name"]), row.parent) for row in rows if row.kind == FOLDER})
    archive = ZipStream(compress_type=ZIP_STORED)
    manifest: list[bytes] = []
    mails = repository.read_many(row for row in rows if row.kind == MAIL)
    for number, (row, body) in enumerate(mails, start=1):
        folder = paths.get(row.parent, ())
        name = mail_path(folder, number, subject_of(body))
        entry = {
            "path": name,
            "folder": list(folder),
            "sha256": row.sha256.hex() if row.sha256 else "",
            "size": row.size,
            "sidecar": dict(row.meta),
        }
        manifest.append(json.dumps(entry, ensure_ascii=False, sort_keys=True).encode() + b"\n")
        archive.add(body, name)
        yield from archive.all_files()
    archive.add(b"".join(manifest), MANIFEST)
    yield from archive
