"""Links into a cloud storage that hang on mails: asked of a folder's list where that spares requests."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import structlog

from backup_service.domain.mail import Message
from backup_service.ports import Mail
from graph_client.errors import BadResponse, BodyTooLarge, Forbidden, ItemUnreadable, NotFound, Refused, Unreachable

log = structlog.get_logger()

_NO_LIST = (BadResponse, BodyTooLarge, Forbidden, ItemUnreadable, NotFound, Refused)


class FolderReferences:
    """Which links (reference attachments) each mail carries, one folder after the other.

    MIME does not say, and asking mail by mail would cost every other mail a second request. So the list of the folder,
    which tells of a hundred mails at a time, is read as far as mails are wanted that it has not named yet, but never
    further than half of what asking for each of them would cost. It counts for the version (change key) it was of;
    for any other the mail itself is asked.
    """

    def __init__(self, mail: Mail, mailbox: str) -> None:
        self._mail = mail
        self._mailbox = mailbox
        self._folder = ""
        self._next: str | None = None
        self._over = False
        # By digest: a folder may hold a hundred thousand, and an id with its change key is 200 characters.
        self._told: dict[bytes, Sequence[Mapping[str, Any]]] = {}

    async def learn(self, folder: str, messages: Collection[Message]) -> None:
        """Somebody will ask for all of these messages of one folder."""
        if folder != self._folder:
            self._folder, self._next, self._over = folder, None, False
            self._told.clear()
        wanted = {_digest(message.id, message.change_key) for message in messages} - self._told.keys()
        for _ in range(len(wanted) // 2):
            if self._over or not wanted:
                return
            await self._read_on()
            wanted -= self._told.keys()

    async def of(self, message: Message) -> Sequence[Mapping[str, Any]]:
        """Name, content_type and size of each link. Raises what asking for them raises."""
        told = self._told.pop(_digest(message.id, message.change_key), None)
        return await self._mail.references(self._mailbox, message.id) if told is None else told

    async def _read_on(self) -> None:
        try:
            page = await self._mail.folder_references(self._mailbox, self._folder, self._next)
        except _NO_LIST as error:
            self._give_up(error)
        except Unreachable as error:
            if not error.status:
                raise
            self._give_up(error)
        else:
            told = {_digest(mail.id, mail.change_key): mail.references or _NONE for mail in page.mails}
            self._told.update(told)
            self._next, self._over = page.next_link, page.next_link is None

    def _give_up(self, error: Exception) -> None:
        self._over = True
        log.info(
            "the attachments of a folder cannot be listed; they are asked for mail by mail", cause=type(error).__name__
        )


_NONE: Sequence[Mapping[str, Any]] = ()


def _digest(message: str, change_key: str) -> bytes:
    return hashlib.blake2b(f"{message}\0{change_key}".encode(), digest_size=16).digest()
