"""One mail: its MIME, in memory or streamed, and what the MIME does not carry."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from backup_engine.model import ItemRow, NewItem
from backup_service.domain.mail import MAIL, Message
from backup_service.ports import Mail
from backup_service.usecases.reading.frame import Frame
from backup_service.usecases.reading.mail_references import FolderReferences
from graph_client.errors import BodyTooLarge, GraphError, NotFound


class MailContent:
    """Puts mails into the frame."""

    def __init__(self, mail: Mail, frame: Frame) -> None:
        self._mail = mail
        self._frame = frame
        self._references = FolderReferences(mail, frame.resource)

    async def expect(self, folder: str, messages: Sequence[Message]) -> None:
        """Prepare to take messages of one folder: what many of them are to be asked for is learned at once."""
        asked = []
        for one in messages:
            if one.sidecar.get("hasAttachments"):
                known = self._frame.known(one.id)
                if known is None or _may_have_other_content(one, known):
                    asked.append(one)
        await self._references.learn(folder, asked)

    async def take(self, message: Message) -> bool:
        """Keep a message as it was told of; what is stored already is not fetched. False: it is not there any more."""
        known = self._frame.known(message.id)
        if known is None or _may_have_other_content(message, known):
            return await self.fetch(message)
        if known.parent != message.folder or any(known.meta.get(k) != v for k, v in message.sidecar.items()):
            # The stored MIME is the message's: what is known about it is all that changes.
            meta = {**known.meta, **message.sidecar}
            await self._frame.update_meta(known, version=known.version, parent=message.folder, meta=meta)
        return True

    async def fetch(self, message: Message) -> bool:
        """Read a mail and keep it, or list why it cannot be read. False: it is not there any more."""
        try:
            return await self._fetch(message)
        except GraphError as error:
            self._frame.blame(message.id, error)
            return True

    async def _fetch(self, message: Message) -> bool:
        try:
            if message.partial:
                message = await self._mail.message(self._frame.resource, message.id)
            await self._keep(message)
        except NotFound:
            # Deleted between the listing and the read is no error. But Exchange says so of mails that exist, too.
            try:
                message = await self._mail.message(self._frame.resource, message.id)
            except NotFound:
                self._frame.gone(message.id)
                return False
            await self._read_again(message)
        return True

    async def _read_again(self, message: Message) -> None:
        try:
            await self._keep(message)
        except NotFound as error:
            self._frame.fail(message.id, error)

    async def _keep(self, message: Message) -> None:
        meta: dict[str, Any] = dict(message.sidecar)
        if meta.get("hasAttachments") and (links := await self._references.of(message)):
            meta["references"] = [dict(link) for link in links]
        item = NewItem(message.id, MAIL, message.change_key, message.folder, meta)
        try:
            body = await self._mail.mime(self._frame.resource, message.id)
        except BodyTooLarge:
            # Passed on as it arrives: a few of them at once would fill the memory of a worker.
            await self._frame.put_stream(item, partial(self._mail.mime_stream, self._frame.resource, message.id))
        else:
            await self._frame.put_item(item, body)


def _may_have_other_content(message: Message, known: ItemRow) -> bool:
    """Be careful: only an equal change key, or word that the read state alone has changed, spares the fetching."""
    if not message.partial:
        return message.change_key != known.version
    # A draft's text changes without anybody sending it: nothing less than its change key says that it did not.
    return bool(known.meta.get("isDraft"))
