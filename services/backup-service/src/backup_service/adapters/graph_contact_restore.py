"""Restoring contacts over Graph. Immutable ids on every request, as in the backup. The folder "" is the default folder.

Facts: learn.microsoft.com/graph/api/user-post-contacts, /graph/api/contactfolder-post-childfolders,
/graph/api/profilephoto-update.
"""

from collections.abc import Mapping
from typing import Any

from backup_service.adapters.graph_contacts import GraphContacts, contact_folder, contact_item
from backup_service.domain.contacts import Contact, image_type
from backup_service.domain.graph_message import ITEM_TAG, REPLACES_TAG, RESTORE_TAG
from backup_service.domain.restored_contact import CreatedContact
from graph_client import GraphClient
from graph_client.errors import NotFound, Refused

_PREFER = ('IdType="ImmutableId"',)
_PAGE = {"$top": "500"}


class GraphContactTarget:
    """Implements ports.ContactTarget."""

    def __init__(self, client: GraphClient) -> None:
        self._client = client
        self._reading = GraphContacts(client)

    async def has_folder(self, mailbox: str, folder: str) -> bool:
        try:
            await self._client.get(contact_folder(mailbox, folder), params={"$select": "id"})
        except NotFound:
            return False
        return True

    async def child(self, mailbox: str, parent: str, name: str) -> str | None:
        async for page in self._client.pages(_children(mailbox, parent), params={"$top": "250"}, prefer=_PREFER):
            for entry in page.items:
                if entry["displayName"].casefold() == name.casefold():
                    return str(entry["id"])
        return None

    async def ensure_folder(self, mailbox: str, parent: str, name: str) -> tuple[str, bool]:
        path = _children(mailbox, parent)
        # Not every Exchange refuses a twin, so it is looked for first.
        if found := await self.child(mailbox, parent, name):
            return found, False
        try:
            return str((await self._client.post(path, {"displayName": name}, prefer=_PREFER))["id"]), True
        except Refused as error:
            if error.code.lower() != "errorfolderexists":
                raise
        found = await self.child(mailbox, parent, name)
        if found is None:
            raise NotFound("a contact folder exists and is not listed", path=path)
        return found, False

    async def created(self, mailbox: str, folder: str, restore: str) -> list[CreatedContact]:
        wanted = " or ".join(f"id eq '{name}'" for name in (ITEM_TAG, REPLACES_TAG))
        params = {
            **_PAGE,
            "$select": "id",
            "$filter": f"singleValueExtendedProperties/any(p:p/id eq '{RESTORE_TAG}' and p/value eq '{restore}')",
            "$expand": f"singleValueExtendedProperties($filter={wanted})",
        }
        found: list[CreatedContact] = []
        async for page in self._client.pages(_contacts(mailbox, folder), params=params, prefer=_PREFER):
            for entry in page.items:
                tags = {each["id"]: each["value"] for each in entry.get("singleValueExtendedProperties") or ()}
                if tags.get(ITEM_TAG):
                    found.append(CreatedContact(entry["id"], tags[ITEM_TAG], tags.get(REPLACES_TAG, "")))
        return found

    async def present(self, mailbox: str, folder: str) -> list[Contact]:
        found: list[Contact] = []
        async for page in self._client.pages(_contacts(mailbox, folder), params=_PAGE, prefer=_PREFER):
            for entry in page.items:
                document = {name: value for name, value in entry.items() if "@" not in name}
                found.append(Contact(entry["id"], entry.get("changeKey", ""), folder, document))
        return found

    async def create(self, mailbox: str, folder: str, contact: Mapping[str, Any]) -> str:
        return str((await self._client.post(_contacts(mailbox, folder), dict(contact), prefer=_PREFER))["id"])

    async def put_photo(self, mailbox: str, contact: str, content: bytes) -> None:
        path = f"{contact_item(mailbox, contact)}/photo/$value"
        await self._client.put(path, content, image_type(content), prefer=_PREFER, fresh=True)

    async def remove(self, mailbox: str, contact: str) -> None:
        try:
            await self._client.delete(contact_item(mailbox, contact), prefer=_PREFER)
        except NotFound:
            return

    async def contact(self, mailbox: str, contact: str) -> Contact:
        return await self._reading.contact(mailbox, contact)

    async def photo(self, mailbox: str, contact: str) -> bytes | None:
        return await self._reading.photo(mailbox, contact)


def _contacts(mailbox: str, folder: str) -> str:
    return f"{contact_folder(mailbox, folder)}/contacts"


def _children(mailbox: str, parent: str) -> str:
    return f"{contact_folder(mailbox, parent)}/{'childFolders' if parent else 'contactFolders'}"
