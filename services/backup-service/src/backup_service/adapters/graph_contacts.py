"""Personal contacts over Graph. Immutable ids on every request, so that a moved contact keeps its identity.

Facts: learn.microsoft.com/graph/api/contact-delta, /graph/api/user-list-contactfolders, /graph/api/profilephoto-get.
"""

from collections.abc import AsyncIterator, Mapping
from typing import Any

from backup_service.domain.change_page import ChangePage
from backup_service.domain.contacts import DEFAULT, Contact, ContactFolder
from graph_client import GraphClient, segment
from graph_client.errors import NotFound

_IMMUTABLE = 'IdType="ImmutableId"'
_PAGE_SIZE = 200
_LISTED = 1000
_LARGEST_PHOTO = 20 << 20
_TRIES_PER_LISTING = 2


class GraphContacts:
    """Implements ports.Contacts on one client, that is, one tenant and one app profile."""

    def __init__(self, client: GraphClient) -> None:
        self._client = client

    async def folders(self, mailbox: str) -> list[ContactFolder]:
        found: list[ContactFolder] = []
        todo = [(DEFAULT, f"{_user(mailbox)}/contactFolders")]
        while todo:
            parent, path = todo.pop(0)
            async for page in self._client.pages(path, params={"$top": "250"}, prefer=(_IMMUTABLE,)):
                for entry in page.items:
                    found.append(ContactFolder(entry["id"], entry["displayName"], parent))
                    todo.append((entry["id"], f"{contact_folder(mailbox, entry['id'])}/childFolders"))
        return found

    async def default_folder(self, mailbox: str, folder: str) -> ContactFolder:
        entry = await self._client.get(contact_folder(mailbox, folder), prefer=(_IMMUTABLE,))
        return ContactFolder(entry["id"], entry["displayName"], "", is_default=True)

    async def changes(self, mailbox: str, folder: str, link: str | None) -> AsyncIterator[ChangePage[Contact]]:
        prefer = (_IMMUTABLE, f"odata.maxpagesize={_PAGE_SIZE}")
        async for page in self._client.delta(
            link or f"{contact_folder(mailbox, folder)}/contacts/delta", prefer=prefer
        ):
            yield ChangePage(
                tuple(_contact(entry, folder) for entry in page.items),
                tuple(entry["id"] for entry in page.removed),
                page.next_link,
                page.delta_link,
            )

    async def listing(self, mailbox: str, folder: str, skip: int, top: int) -> list[Contact]:
        params = {"$orderby": "createdDateTime", "$top": str(top), "$skip": str(skip)}
        path = f"{contact_folder(mailbox, folder)}/contacts"
        page = await self._client.get(path, params=params, prefer=(_IMMUTABLE,), attempts=_TRIES_PER_LISTING)
        return [_contact(entry, folder) for entry in page.get("value", ())]

    async def change_keys(self, mailbox: str, folder: str) -> AsyncIterator[dict[str, str]]:
        path = f"{contact_folder(mailbox, folder)}/contacts"
        params = {"$select": "id,changeKey", "$top": str(_LISTED)}
        async for page in self._client.pages(path, params=params, prefer=(_IMMUTABLE,)):
            yield {entry["id"]: entry.get("changeKey", "") for entry in page.items}

    async def contact(self, mailbox: str, contact: str) -> Contact:
        entry = await self._client.get(contact_item(mailbox, contact), prefer=(_IMMUTABLE,))
        return _contact(entry, entry["parentFolderId"])

    async def photo(self, mailbox: str, contact: str) -> bytes | None:
        path = f"{contact_item(mailbox, contact)}/photo/$value"
        try:
            return await self._client.read(path, max_bytes=_LARGEST_PHOTO, prefer=(_IMMUTABLE,))
        except NotFound:
            return None


def _user(mailbox: str) -> str:
    return f"/users/{segment(mailbox)}"


def contact_folder(mailbox: str, folder: str) -> str:
    """Address of a contact folder; what belongs to the default one ("") hangs on the user."""
    return f"{_user(mailbox)}/contactFolders/{segment(folder)}" if folder else _user(mailbox)


def contact_item(mailbox: str, contact: str) -> str:
    return f"{_user(mailbox)}/contacts/{segment(contact)}"


def _contact(entry: Mapping[str, Any], folder: str) -> Contact:
    document = {name: value for name, value in entry.items() if "@" not in name}
    return Contact(entry["id"], entry.get("changeKey", ""), entry.get("parentFolderId") or folder, document)
