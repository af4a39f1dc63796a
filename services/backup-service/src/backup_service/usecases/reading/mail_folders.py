"""The folders of a mailbox: the whole tree, hidden ones and recoverable items included, stored as records."""

from typing import Any

import structlog

from backup_service.domain.mail import FOLDER, Folder
from backup_service.ports import Mail
from backup_service.usecases.reading.frame import Frame
from backup_service.usecases.uninterrupted import uninterrupted
from contracts.errors import ErrorClass

log = structlog.get_logger()

ARCHIVE = "in-place-archive"
"""What is listed of a mailbox that has one: Graph gives no access to the mail in it."""


class MailFolders:
    """Its cursor: `well_known`, names by id, which never change, and `archive`; both from the last full look."""

    def __init__(self, mail: Mail, frame: Frame) -> None:
        self._mail = mail
        self._frame = frame

    async def read(self, *, full: bool) -> list[Folder]:
        """List the folders and keep what is new about them, parents first.

        A `full` look opens every folder: one may hold hidden folders only, and those do not count as children. In
        between, folders that are known to hold others are opened whatever they count.
        """
        resource = self._frame.resource
        stored = await uninterrupted(lambda: {row.key: row.parent for row in self._frame.keys(FOLDER)})
        if full:
            self._frame.cursor["well_known"] = await self._mail.well_known(resource)
            self._frame.cursor["archive"] = await self._mail.has_archive(resource)
        folders = await self._mail.folders(resource, parents=frozenset(stored.values()), full=full)
        deletions = await self._mail.deletions(resource)
        folders += [deletions] if deletions is not None else []
        folders += await self._overlooked(stored.keys() - {folder.id for folder in folders})
        for folder in folders:
            await self._frame.put_record(folder.id, FOLDER, folder.parent, self._meta(folder))
        if self._frame.cursor.get("archive"):
            detail = "the mailbox has an in-place archive; Microsoft Graph v1.0 gives no access to the mail in it"
            self._frame.skip(ARCHIVE, ErrorClass.UNSUPPORTED_ITEM, detail)
        self._frame.expected = sum(folder.total for folder in folders) + len(self._frame.skipped)
        return folders

    async def _overlooked(self, missing: set[str]) -> list[Folder]:
        """Folders that are stored and not listed: nothing is removed on the word of one listing."""
        asked = [await self._mail.folder_by_id(self._frame.resource, folder) for folder in sorted(missing)]
        found = [folder for folder in asked if folder is not None]
        if found:
            log.warning("folders exist that the mailbox did not list", folders=len(found))
        return found

    def _meta(self, folder: Folder) -> dict[str, Any]:
        meta: dict[str, Any] = {"name": folder.name, "hidden": folder.hidden}
        if name := self._frame.cursor.get("well_known", {}).get(folder.id):
            meta["well_known"] = name
        if folder.recoverable:
            meta["recoverable"] = True
        return meta
