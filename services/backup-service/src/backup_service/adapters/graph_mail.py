"""Mail over Graph. Immutable ids on every request, so that a moved message keeps its identity.

Facts: learn.microsoft.com/graph/delta-query-messages, /graph/outlook-immutable-id, /graph/outlook-get-mime-message.
"""

from collections.abc import AsyncIterator, Mapping
from typing import Any

from backup_service.domain.mail import SIDECAR_FIELDS, ChangePage, Folder, Mailbox, Message
from graph_client import GraphClient, segment

_IMMUTABLE = 'IdType="ImmutableId"'
_SELECT = ",".join(("id", "changeKey", "parentFolderId", *SIDECAR_FIELDS))
_PAGE_SIZE = 200
_LARGEST_MAIL = 200 << 20
_TRIES_PER_LISTING = 2


class GraphMail:
    """Implements ports.Mail on one client, that is, one tenant and one app profile."""

    def __init__(self, client: GraphClient) -> None:
        self._client = client

    @property
    def requests(self) -> int:
        return self._client.counters.requests

    async def mailboxes(self) -> list[Mailbox]:
        params = {"$select": "id,userPrincipalName,mail,userType", "$top": "999"}
        return [
            Mailbox(user["id"], user.get("mail") or user["userPrincipalName"])
            async for page in self._client.pages("/users", params=params)
            for user in page.items
            if user.get("mail") and user.get("userType") != "Guest"
        ]

    async def folders(self, mailbox: str) -> list[Folder]:
        root = await self._client.get(f"{_user(mailbox)}/mailFolders/msgfolderroot", params={"$select": "id"})
        found: list[Folder] = []
        todo = [("", f"{_user(mailbox)}/mailFolders")]
        while todo:
            parent, path = todo.pop(0)
            async for page in self._client.pages(path, params=_FOLDER_QUERY, prefer=(_IMMUTABLE,)):
                for entry in page.items:
                    found.append(_folder(entry, parent, root["id"]))
                    if entry.get("childFolderCount"):
                        todo.append((entry["id"], f"{_user(mailbox)}/mailFolders/{segment(entry['id'])}/childFolders"))
        return found

    async def changes(self, mailbox: str, folder: str, link: str | None) -> AsyncIterator[ChangePage]:
        start = link or f"{_user(mailbox)}/mailFolders/{segment(folder)}/messages/delta"
        prefer = (_IMMUTABLE, f"odata.maxpagesize={_PAGE_SIZE}")
        params = None if link else {"$select": _SELECT}
        async for page in self._client.delta(start, params=params, prefer=prefer):
            yield ChangePage(
                tuple(_message(entry, folder) for entry in page.items),
                tuple(entry["id"] for entry in page.removed),
                page.next_link,
                page.delta_link,
            )

    async def listing(self, mailbox: str, folder: str, skip: int, top: int) -> list[Message]:
        params = {"$select": _SELECT, "$orderby": "receivedDateTime", "$top": str(top), "$skip": str(skip)}
        path = f"{_user(mailbox)}/mailFolders/{segment(folder)}/messages"
        page = await self._client.get(path, params=params, prefer=(_IMMUTABLE,), attempts=_TRIES_PER_LISTING)
        return [_message(entry, folder) for entry in page.get("value", ())]

    async def message(self, mailbox: str, message: str) -> Message:
        entry = await self._client.get(_item(mailbox, message), params={"$select": _SELECT}, prefer=(_IMMUTABLE,))
        return _message(entry, entry["parentFolderId"])

    async def mime(self, mailbox: str, message: str) -> bytes:
        # The short path: the one through the folder answers 405 for some items.
        path = f"{_item(mailbox, message)}/$value"
        return await self._client.read(path, max_bytes=_LARGEST_MAIL, prefer=(_IMMUTABLE,))


_FOLDER_QUERY = {
    "$select": "id,displayName,parentFolderId,childFolderCount,totalItemCount,isHidden",
    "includeHiddenFolders": "true",
    "$top": "250",
}


def _user(mailbox: str) -> str:
    return f"/users/{segment(mailbox)}"


def _item(mailbox: str, message: str) -> str:
    return f"{_user(mailbox)}/messages/{segment(message)}"


def _children(mailbox: str, parent: str) -> str:
    root = f"{_user(mailbox)}/mailFolders"
    return f"{root}/{segment(parent)}/childFolders" if parent else root


def _folder(entry: Mapping[str, Any], parent: str, root: str) -> Folder:
    above = parent or entry.get("parentFolderId") or ""
    return Folder(
        entry["id"],
        entry["displayName"],
        "" if above == root else above,
        bool(entry.get("isHidden")),
        int(entry.get("totalItemCount") or 0),
    )


def _message(entry: Mapping[str, Any], folder: str) -> Message:
    sidecar = {name: entry[name] for name in SIDECAR_FIELDS if name in entry}
    return Message(entry["id"], entry.get("changeKey", ""), folder, sidecar)
