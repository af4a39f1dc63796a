"""Restoring over Graph: mail. Immutable ids on every request, as in the backup.

Facts: learn.microsoft.com/graph/api/user-post-mailfolders, /graph/api/singlevaluelegacyextendedproperty-get,
/graph/outlook-large-attachments.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from backup_service.adapters.graph_calendar_restore import GraphCalendarTarget
from backup_service.adapters.graph_contact_restore import GraphContactTarget
from backup_service.adapters.graph_mail import GraphMail
from backup_service.domain.graph_message import ITEM_TAG, REPLACES_TAG, RESTORE_TAG
from backup_service.domain.mail import SIDECAR_FIELDS, Mailbox, Message
from backup_service.domain.restored_mail import CreatedMail, PresentMail
from graph_client import GraphClient, segment
from graph_client.errors import NotFound, Refused

_PREFER = ('IdType="ImmutableId"',)
_PRESENT = ",".join(("id", "changeKey", *SIDECAR_FIELDS))
_CHUNK = 10 * 320 * 1024


_LARGEST_MAIL = 200 << 20
"""Bytes; what was restored is compared as a whole, one mail at a time and place."""


class GraphRestore:
    """Implements ports.RestoreTarget on one client, that is, one tenant and the profile for restores."""

    def __init__(self, client: GraphClient) -> None:
        self._client = client
        self.mail = GraphMailTarget(client)
        self.calendars = GraphCalendarTarget(client)
        self.contacts = GraphContactTarget(client)

    @property
    def requests(self) -> int:
        return self._client.counters.requests

    async def resolve(self, user: str) -> Mailbox:
        found = await self._client.get(f"/users/{segment(user)}", params={"$select": "id,userPrincipalName,mail"})
        # A user without a licence has no mailbox: 404 MailboxNotEnabledForRESTAPI.
        await self._client.get(f"/users/{segment(found['id'])}/mailFolders/msgfolderroot", params={"$select": "id"})
        return Mailbox(found["id"], found.get("mail") or found["userPrincipalName"])


class GraphMailTarget:
    """Implements ports.MailTarget."""

    def __init__(self, client: GraphClient) -> None:
        self._client = client
        self._reading = GraphMail(client, in_memory=_LARGEST_MAIL)

    async def folder(self, mailbox: str, name: str) -> str | None:
        try:
            found = await self._client.get(f"{_folders(mailbox)}/{segment(name)}", params={"$select": "id"})
        except NotFound:
            return None
        return str(found["id"])

    async def child(self, mailbox: str, parent: str, name: str) -> str | None:
        quoted = name.replace("'", "''")
        params = {"$select": "id,displayName", "includeHiddenFolders": "true", "$filter": f"displayName eq '{quoted}'"}
        async for page in self._client.pages(_children(mailbox, parent), params=params, prefer=_PREFER):
            for entry in page.items:
                if entry["displayName"].casefold() == name.casefold():
                    return str(entry["id"])
        return None

    async def ensure_folder(self, mailbox: str, parent: str, name: str, *, hidden: bool = False) -> tuple[str, bool]:
        path, body = _children(mailbox, parent), {"displayName": name, **({"isHidden": True} if hidden else {})}
        try:
            return str((await self._client.post(path, body, prefer=_PREFER))["id"]), True
        except Refused as error:
            if error.code.lower() != "errorfolderexists":
                raise
        found = await self.child(mailbox, parent, name)
        if found is None:
            raise NotFound("a folder exists and is not listed", path=path)
        return found, False

    async def created(self, mailbox: str, folder: str, restore: str) -> list[CreatedMail]:
        wanted = " or ".join(f"id eq '{name}'" for name in (ITEM_TAG, REPLACES_TAG))
        params = {
            "$select": "id",
            "$top": "500",
            "$filter": _has(RESTORE_TAG, restore),
            "$expand": f"singleValueExtendedProperties($filter={wanted})",
        }
        found: list[CreatedMail] = []
        async for page in self._client.pages(_messages(mailbox, folder), params=params, prefer=_PREFER):
            for entry in page.items:
                tags = {each["id"]: each["value"] for each in entry.get("singleValueExtendedProperties") or ()}
                if tags.get(ITEM_TAG):
                    found.append(CreatedMail(entry["id"], tags[ITEM_TAG], tags.get(REPLACES_TAG, "")))
        return found

    async def present(self, mailbox: str, folder: str, message_ids: Collection[str] | None) -> list[PresentMail]:
        found: list[PresentMail] = []
        for narrow in _narrowed(message_ids):
            params = {"$select": _PRESENT, "$top": "500", **narrow}
            async for page in self._client.pages(_messages(mailbox, folder), params=params, prefer=_PREFER):
                found += [_present(entry) for entry in page.items]
        return found

    async def create(self, mailbox: str, folder: str, message: Mapping[str, Any]) -> Message:
        made = await self._client.post(_messages(mailbox, folder), dict(message), prefer=_PREFER)
        return Message(made["id"], made.get("changeKey", ""), made.get("parentFolderId", ""), _sidecar(made))

    async def attach(
        self, mailbox: str, message: str, name: str, attachment: Mapping[str, Any], content: bytes
    ) -> None:
        item = {"attachmentType": "file", "name": name, "size": len(content), **attachment}
        path = f"{_item(mailbox, message)}/attachments/createUploadSession"
        session = await self._client.post(path, {"AttachmentItem": item}, prefer=_PREFER, fresh=True)
        for start in range(0, len(content), _CHUNK):
            part = content[start : start + _CHUNK]
            content_range = f"bytes {start}-{start + len(part) - 1}/{len(content)}"
            headers = {"Content-Range": content_range, "Content-Type": "application/octet-stream"}
            await self._client.put_bytes(session["uploadUrl"], part, headers, mailbox=mailbox)

    async def remove(self, mailbox: str, message: str) -> None:
        try:
            await self._client.delete(_item(mailbox, message), prefer=_PREFER)
        except NotFound:
            return

    async def message(self, mailbox: str, message: str) -> Message:
        return await self._reading.message(mailbox, message)

    async def mime(self, mailbox: str, message: str) -> bytes:
        return await self._reading.mime(mailbox, message)


def _narrowed(message_ids: Collection[str] | None) -> Iterable[dict[str, str]]:
    if message_ids is None:
        return [{}]
    quoted = [identity.replace("'", "''") for identity in sorted(message_ids)]
    return [{"$filter": f"internetMessageId eq '{identity}'"} for identity in quoted]


def _has(name: str, value: str) -> str:
    return f"singleValueExtendedProperties/any(p:p/id eq '{name}' and p/value eq '{value}')"


def _present(entry: Mapping[str, Any]) -> PresentMail:
    return PresentMail(entry["id"], entry.get("changeKey", ""), entry.get("internetMessageId") or "", _sidecar(entry))


def _sidecar(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {name: entry[name] for name in SIDECAR_FIELDS if name in entry}


def _folders(mailbox: str) -> str:
    return f"/users/{segment(mailbox)}/mailFolders"


def _children(mailbox: str, parent: str) -> str:
    return f"{_folders(mailbox)}/{segment(parent)}/childFolders" if parent else _folders(mailbox)


def _messages(mailbox: str, folder: str) -> str:
    return f"{_folders(mailbox)}/{segment(folder)}/messages"


def _item(mailbox: str, message: str) -> str:
    return f"/users/{segment(mailbox)}/messages/{segment(message)}"
