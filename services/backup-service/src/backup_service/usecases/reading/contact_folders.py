"""The contact folders of a mailbox, stored as records."""

import structlog

from backup_service.domain.contacts import CONTACT_FOLDER, ContactFolder
from backup_service.ports.contacts import Contacts
from backup_service.usecases.reading.frame import Frame
from backup_service.usecases.uninterrupted import uninterrupted

log = structlog.get_logger()


class ContactFolders:
    """Its cursor: `default`, the id of the default folder, which is in no list, once a contact in it has told."""

    def __init__(self, contacts: Contacts, frame: Frame) -> None:
        self._contacts = contacts
        self._frame = frame

    async def read(self) -> list[str]:
        """List the folders and keep what is new about them; ids, parents first, without the default one."""
        stored = await uninterrupted(lambda: list(self._frame.keys(CONTACT_FOLDER)))
        if not self.default:
            self._frame.cursor["default"] = next((row.key for row in stored if row.meta["is_default"]), "")
        found = {folder.id: folder for folder in await self.listed()}
        if {row.key for row in stored} - found.keys() - {self.default}:
            # Nothing is removed on the word of one listing.
            found |= {folder.id: folder for folder in await self.listed()}
        for folder in found.values():
            await self._keep(folder)
        return list(found)

    async def listed(self) -> list[ContactFolder]:
        return await self._contacts.folders(self._frame.resource)

    async def learn_default(self, folder: str) -> None:
        """A contact has told the default folder's id."""
        if not self.default:
            self._frame.cursor["default"] = folder
            await self._keep(await self._contacts.default_folder(self._frame.resource, folder))

    @property
    def default(self) -> str:
        """Id of the default folder; empty while no contact has told it."""
        return str(self._frame.cursor.get("default", ""))

    def id_of(self, folder: str) -> str:
        return folder or self.default

    async def _keep(self, folder: ContactFolder) -> None:
        meta = {"name": folder.name, "is_default": folder.is_default}
        await self._frame.put_record(folder.id, CONTACT_FOLDER, folder.parent, meta)
