"""Personal contacts, as the use cases need them."""

from collections.abc import AsyncIterator, Mapping
from typing import Any, Protocol

from backup_service.domain.change_page import ChangePage
from backup_service.domain.contacts import Contact, ContactFolder
from backup_service.domain.restored_contact import CreatedContact


class Contacts(Protocol):
    """A tenant's personal contacts. Raises the error tree of graph_client. Folder "" is the default folder."""

    async def folders(self, mailbox: str) -> list[ContactFolder]:
        """Every folder but the default one, parents before children."""
        ...

    async def default_folder(self, mailbox: str, folder: str) -> ContactFolder:
        """The default folder, whose id a contact in it has told."""
        ...

    def changes(self, mailbox: str, folder: str, link: str | None) -> AsyncIterator[ChangePage[Contact]]:
        """Go on from a stored link, or enumerate from the start. ResyncRequired when the link has expired."""
        ...

    async def listing(self, mailbox: str, folder: str, skip: int, top: int) -> list[Contact]:
        """`top` contacts of a folder after the first `skip`, oldest first; fewer only at the end.

        Gives up early: raises Unreachable with status 500 when one of them cannot be listed.
        """
        ...

    def change_keys(self, mailbox: str, folder: str) -> AsyncIterator[dict[str, str]]:
        """{contact id: change key} of all that is in a folder, page by page, without change tracking."""
        ...

    async def contact(self, mailbox: str, contact: str) -> Contact: ...

    async def photo(self, mailbox: str, contact: str) -> bytes | None:
        """The picture; None when the contact has none."""
        ...


class ContactTarget(Protocol):
    """Where contacts are restored to; the folder "" is the default one. Raises the error tree of graph_client."""

    async def has_folder(self, mailbox: str, folder: str) -> bool: ...

    async def child(self, mailbox: str, parent: str, name: str) -> str | None:
        """Id of the folder `name` below `parent`, whatever its case; None when there is none."""
        ...

    async def ensure_folder(self, mailbox: str, parent: str, name: str) -> tuple[str, bool]:
        """Id of the folder `name` below `parent`, and whether this call has created it."""
        ...

    async def created(self, mailbox: str, folder: str, restore: str) -> list[CreatedContact]:
        """What attempts of this restore have created in the folder."""
        ...

    async def present(self, mailbox: str, folder: str) -> list[Contact]: ...

    async def create(self, mailbox: str, folder: str, contact: Mapping[str, Any]) -> str: ...

    async def put_photo(self, mailbox: str, contact: str, content: bytes) -> None:
        """Give a contact its picture. Repeating is fine."""
        ...

    async def remove(self, mailbox: str, contact: str) -> None:
        """Delete a contact whose successor is proven. Repeating is fine."""
        ...

    async def contact(self, mailbox: str, contact: str) -> Contact: ...

    async def photo(self, mailbox: str, contact: str) -> bytes | None: ...
