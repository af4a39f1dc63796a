"""Mail over Graph. Immutable ids on every request, so that a moved message keeps its identity.

Facts: learn.microsoft.com/graph/delta-query-messages, /graph/outlook-immutable-id, /graph/outlook-get-mime-message.
"""

import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, TypeVar

from backup_service.domain.change_page import ChangePage
from backup_service.domain.mail import SIDECAR_FIELDS, Folder, MailReferences, Message, ReferencesPage
from graph_client import GraphClient, segment
from graph_client.errors import NotFound

T = TypeVar("T")
_IMMUTABLE = 'IdType="ImmutableId"'
_SELECT = ",".join(("id", "changeKey", "parentFolderId", *SIDECAR_FIELDS))
_PAGE_SIZE = 200
_LISTED = 1000
_IN_MEMORY = 16 << 20
"""Bytes of a mail that is read whole, four of them at a time; Exchange delivers up to 150 MB."""
_TRIES_PER_LISTING = 2
_EXPANDED = 100
_EXPANDED_BYTES = 8 << 20
"""Far more than the names of a page's attachments; with their contents it would be more than a worker can hold."""


class GraphMail:
    """Implements ports.Mail on one client, that is, one tenant and one app profile."""

    def __init__(self, client: GraphClient, *, in_memory: int = _IN_MEMORY) -> None:
        self._client = client
        self._in_memory = in_memory
        self._deletions: dict[str, str] = {}
        """By mailbox, the folder with the recoverable items, where one is known."""

    @property
    def requests(self) -> int:
        return self._client.counters.requests

    async def folders(self, mailbox: str, *, parents: Collection[str] = (), full: bool = True) -> list[Folder]:
        found: list[Folder] = []
        todo = [("", _children(mailbox, ""))]
        while todo:
            parent, path = todo.pop(0)
            async for page in self._client.pages(path, params=_FOLDER_QUERY, prefer=(_IMMUTABLE,)):
                for entry in page.items:
                    found.append(_folder(entry, parent))
                    if full or entry.get("childFolderCount") or entry["id"] in parents:
                        todo.append((entry["id"], _children(mailbox, entry["id"])))
        return found

    async def folder_by_id(self, mailbox: str, folder: str) -> Folder | None:
        entry = await self._found(mailbox, folder)
        if entry is None:
            return None
        root = await self._found(mailbox, "msgfolderroot") or {}
        parent = entry.get("parentFolderId") or ""
        return _folder(entry, "" if parent == root.get("id") else parent)

    async def well_known(self, mailbox: str) -> dict[str, str]:
        found = {name: await self._found(mailbox, name) for name in _WELL_KNOWN}
        return {entry["id"]: name for name, entry in found.items() if entry is not None}

    async def deletions(self, mailbox: str) -> Folder | None:
        entry = await self._found(mailbox, _DELETIONS)
        if entry is not None:
            self._deletions[mailbox] = entry["id"]
        # What contains it, the root of all recoverable items, cannot be reached.
        return None if entry is None else dataclasses.replace(_folder(entry, ""), hidden=True, recoverable=True)

    async def has_archive(self, mailbox: str) -> bool:
        return await self._found(mailbox, _ARCHIVE_ROOT) is not None

    async def _found(self, mailbox: str, folder: str) -> Mapping[str, Any] | None:
        """A folder by its id or well-known name."""
        path = f"{_user(mailbox)}/mailFolders/{segment(folder)}"
        try:
            return await self._client.get(path, params={"$select": _FOLDER_QUERY["$select"]}, prefer=(_IMMUTABLE,))
        except NotFound:
            return None

    async def changes(self, mailbox: str, folder: str, link: str | None) -> AsyncIterator[ChangePage[Message]]:
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
        async def get(item: str) -> Any:
            return await self._client.get(item, params={"$select": _SELECT}, prefer=(_IMMUTABLE,))

        entry = await self._of_item(mailbox, message, get)
        return _message(entry, entry["parentFolderId"])

    async def _of_item(self, mailbox: str, message: str, get: Callable[[str], Awaitable[T]]) -> T:
        """What is deleted for good may not be found but through its folder."""
        try:
            return await get(_item(mailbox, message))
        except NotFound:
            if mailbox not in self._deletions:
                raise
        return await get(self._deleted(mailbox, message))

    def _deleted(self, mailbox: str, message: str) -> str:
        folder = segment(self._deletions[mailbox])
        return f"{_user(mailbox)}/mailFolders/{folder}/messages/{segment(message)}"

    async def change_keys(self, mailbox: str, folder: str) -> AsyncIterator[dict[str, str]]:
        path = f"{_user(mailbox)}/mailFolders/{segment(folder)}/messages"
        params = {"$select": "id,changeKey", "$top": str(_LISTED)}
        async for page in self._client.pages(path, params=params, prefer=(_IMMUTABLE,)):
            yield {entry["id"]: entry.get("changeKey", "") for entry in page.items}

    async def mime(self, mailbox: str, message: str) -> bytes:
        # The short path: the one through the folder answers 405 for some items.
        async def read(item: str) -> bytes:
            return await self._client.read(f"{item}/$value", max_bytes=self._in_memory, prefer=(_IMMUTABLE,))

        return await self._of_item(mailbox, message, read)

    @asynccontextmanager
    async def mime_stream(self, mailbox: str, message: str) -> AsyncIterator[AsyncIterator[bytes]]:
        async with AsyncExitStack() as stack:

            async def open_(item: str) -> AsyncIterator[bytes]:
                return await stack.enter_async_context(self._client.stream(f"{item}/$value", prefer=(_IMMUTABLE,)))

            yield await self._of_item(mailbox, message, open_)

    async def references(self, mailbox: str, message: str) -> list[dict[str, Any]]:
        # Without contentBytes: of the other attachments nothing is wanted here. The list is never paged.
        params = {"$select": "id,name,contentType,size"}

        async def get(item: str) -> Any:
            return await self._client.get(f"{item}/attachments", params=params, prefer=(_IMMUTABLE,))

        found = await self._of_item(mailbox, message, get)
        return _references(found.get("value", ()))

    async def folder_references(self, mailbox: str, folder: str, link: str | None) -> ReferencesPage:
        # A list honours the nested $select, a delta does not and would deliver the files (docs-contrib#8431).
        params = {
            "$select": "id,changeKey",
            "$expand": "attachments($select=id,name,contentType,size)",
            "$filter": "receivedDateTime ge 1900-01-01T00:00:00Z and hasAttachments eq true",
            "$orderby": "receivedDateTime desc",
            "$top": str(_EXPANDED),
        }
        page = await self._client.page(
            link or f"{_user(mailbox)}/mailFolders/{segment(folder)}/messages",
            params=None if link else params,
            prefer=(_IMMUTABLE,),
            attempts=_TRIES_PER_LISTING,
            max_bytes=_EXPANDED_BYTES,
        )
        return ReferencesPage(tuple(_mail_references(entry) for entry in page.items), page.next_link)


_WELL_KNOWN = (
    "inbox",
    "drafts",
    "sentitems",
    "deleteditems",
    "junkemail",
    "outbox",
    "archive",
    "conversationhistory",
)
_DELETIONS = "recoverableitemsdeletions"
_ARCHIVE_ROOT = "archivemsgfolderroot"
_REFERENCE = "#microsoft.graph.referenceAttachment"
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


def _folder(entry: Mapping[str, Any], parent: str) -> Folder:
    return Folder(
        entry["id"],
        entry["displayName"],
        parent,
        bool(entry.get("isHidden")),
        int(entry.get("totalItemCount") or 0),
    )


def _mail_references(entry: Mapping[str, Any]) -> MailReferences:
    return MailReferences(entry["id"], entry.get("changeKey", ""), _references(entry.get("attachments", ())))


def _references(attachments: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [
        {"name": entry.get("name"), "content_type": entry.get("contentType"), "size": entry.get("size")}
        for entry in attachments
        if entry.get("@odata.type") == _REFERENCE
    ]


def _message(entry: Mapping[str, Any], folder: str) -> Message:
    sidecar = {name: entry[name] for name in SIDECAR_FIELDS if name in entry}
    return Message(entry["id"], entry.get("changeKey", ""), folder, sidecar)
