"""Restore mail: create every mail as it was, read it back, compare. Nothing is deleted before its successor is proven.

Named steps of one item: look around, create, upload, compare, delete the old one. After a crash at any of them the
tag on what was created says where to go on.
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from backup_engine.model import ItemRow
from backup_service.domain import mail_digest
from backup_service.domain.graph_message import NewMessage, Tags, new_message, upload_item
from backup_service.domain.mail import FOLDER, MAIL, Message
from backup_service.domain.mime import parse
from backup_service.domain.restored_mail import CreatedMail, PresentMail
from backup_service.ports import RestoreTarget
from backup_service.usecases.restoring.frame import RestoreFrame
from backup_service.usecases.restoring.mail_places import MailPlaces
from backup_service.usecases.restoring.mail_present import Present, is_unchanged, message_id
from contracts.errors import ErrorClass
from contracts.names import Source
from contracts.restoring import RestoreConflict
from graph_client.errors import NotFound, Refused

_ASKED_ONE_BY_ONE = 20
"""So many mails of a folder are looked up by their message ids; for more, listing the folder costs less."""


@dataclass(frozen=True)
class Made:
    """A message as Exchange answered when it was created; `uploaded` if attachments followed."""

    message: Message
    uploaded: bool


class MailRestore:
    """Implements SourceRestore for mail."""

    source: ClassVar = Source.MAIL

    def __init__(self, target: RestoreTarget, frame: RestoreFrame) -> None:
        self._frame = frame
        self._target = target.mail
        self._tally = frame.tally(self.source)
        self._places: dict[str, str | None] = {}
        self._created: dict[str, list[CreatedMail]] = defaultdict(list)
        self._present = Present(())

    async def restore(self) -> None:
        folders = await self._frame.containers(FOLDER)
        rows = await self._frame.wanted(MAIL, folders)
        self._tally.selected = len(rows)
        wanted = self._frame.wanted_whole(folders) | {row.parent for row in rows}
        if not wanted:
            return
        self._places = await MailPlaces(self._frame, self._tally, self._target, folders).find(wanted)
        await self._look_around(rows)
        changed = [row for row in rows if not is_unchanged(self._itself(row), row)]
        self._tally.skipped += len(rows) - len(changed)
        if not self._frame.order.dry_run:
            await self._frame.each(self._tally, changed, self._restore)
            return
        unclear = [row for row in changed if self._present.candidates(self._place(row), row)]
        self._tally.created += len(changed) - len(unclear)
        await self._frame.each(self._tally, unclear, self._foresee)

    async def _look_around(self, rows: Sequence[ItemRow]) -> None:
        """See what an earlier attempt has created and, where it matters, what is there already."""
        here: dict[str, list[ItemRow]] = defaultdict(list)
        for row in rows:
            if place := self._place(row):
                here[place].append(row)
        mine: set[str] = set()
        if self._frame.resumes:
            for place in here:
                for created in await self._target.created(self._frame.mailbox, place, self._frame.tag):
                    self._created[created.item].append(created)
                    mine.add(created.id)
        if self._frame.order.compares:
            self._present = Present({row.key for row in rows})
            for place, wanted in here.items():
                found = await self._present_in(place, wanted)
                self._present.add(place, [mail for mail in found if mail.id not in mine])

    async def _present_in(self, place: str, rows: Sequence[ItemRow]) -> list[PresentMail]:
        ids = {message_id(row) for row in rows}
        few = ids if len(ids) <= _ASKED_ONE_BY_ONE and "" not in ids else None
        return await self._target.present(self._frame.mailbox, place, few)

    async def _restore(self, row: ItemRow, body: bytes) -> None:
        if mine := self._created.get(row.key):
            await self._finish(row, body, mine)
            return
        old, same = await self._meant(row, body)
        if same:
            self._tally.skipped += 1
            return
        made = await self._create(row, body, replaces=old.id if old else "")
        # What Exchange answered is what it has stored, but for later uploads; before a deletion it is asked again.
        answered = None if made.uploaded or old is not None else made.message
        proven = await self._prove(row, body, made.message.id, answered)
        if old is not None and proven:
            await self._target.remove(self._frame.mailbox, old.id)
            self._tally.replaced += 1
        else:
            self._tally.created += 1

    async def _foresee(self, row: ItemRow, body: bytes) -> None:
        """What `_restore` would do, without doing it."""
        old, same = await self._meant(row, body)
        if same:
            self._tally.skipped += 1
        elif old is not None:
            self._tally.replaced += 1
        else:
            self._tally.created += 1

    async def _meant(self, row: ItemRow, body: bytes) -> tuple[PresentMail | None, bool]:
        """The mail that is to go for this one, and whether it, or another one, makes restoring superfluous."""
        replace = self._frame.order.conflict is RestoreConflict.REPLACE
        place = self._place(row)
        candidates = self._present.candidates(place, row)
        for mail in candidates:
            if await self._is_same(row, body, mail, with_state=replace) and self._present.take(mail):
                return mail, True
        own = self._present.itself(place, row)
        # Several of one message id, and none the item itself: nobody can say which one it is, so all of them stay.
        old = own if own or len(candidates) != 1 else candidates[0]
        return (old if replace and old is not None and self._present.take(old) else None), False

    async def _is_same(self, row: ItemRow, body: bytes, mail: PresentMail, *, with_state: bool) -> bool:
        """Equal in what was written; `with_state`: and in flags, categories, read state and dates, too."""
        try:
            mime = await self._target.mime(self._frame.mailbox, mail.id)
        except NotFound:
            return False

        def compare() -> bool:
            if not with_state:
                return not mail_digest.differences(mail_digest.content(body), mail_digest.content(mime))
            expected = mail_digest.facts(body, row.meta, ())
            return not mail_digest.differences(expected, mail_digest.facts(mime, mail.sidecar, ()))

        return await asyncio.to_thread(compare)

    async def _finish(self, row: ItemRow, body: bytes, mine: Sequence[CreatedMail]) -> None:
        """An attempt before this one has created it: keep a copy that is whole, and do what was left to do."""
        whole = await self._whole(row, body, mine)
        if whole is None:
            mail = await asyncio.to_thread(self._described, row, body)
            if not mail.uploads:
                await self._prove(row, body, mine[0].id)
                self._tally.resumed += 1
                return
            # It may have died before the large attachments were in. The new one first, then the unfinished go.
            made = await self._create(row, body, replaces=mine[0].replaces)
            proven = await self._prove(row, body, made.message.id)
            whole = CreatedMail(made.message.id, row.key, mine[0].replaces if proven else "")
            self._tally.created += 1
        else:
            self._tally.resumed += 1
            self._tally.verified += 1
        for other in mine:
            if other.id != whole.id:
                await self._target.remove(self._frame.mailbox, other.id)
        if whole.replaces:
            await self._target.remove(self._frame.mailbox, whole.replaces)

    async def _whole(self, row: ItemRow, body: bytes, mine: Sequence[CreatedMail]) -> CreatedMail | None:
        for created in mine:
            if not await self._differences(row, body, created.id):
                return created
        return None

    async def _create(self, row: ItemRow, body: bytes, replaces: str) -> Made:
        place = self._place(row)
        assert place is not None, "only a dry run leaves folders out"
        mail = await asyncio.to_thread(self._described, row, body, replaces)
        try:
            created = await self._target.create(self._frame.mailbox, place, mail.body)
        except Refused:
            if not mail.has_items:
                raise
            # Exchange does not take an attached mail as an item: its bytes as a file say the same.
            mail = await asyncio.to_thread(self._described, row, body, replaces, items=False)
            created = await self._target.create(self._frame.mailbox, place, mail.body)
        for attachment in mail.uploads:
            item = upload_item(attachment)
            await self._target.attach(self._frame.mailbox, created.id, attachment.name, item, attachment.content)
        return Made(created, bool(mail.uploads))

    def _described(self, row: ItemRow, body: bytes, replaces: str = "", *, items: bool = True) -> NewMessage:
        return new_message(parse(body), row.meta, Tags(self._frame.tag, row.key, replaces), items=items)

    async def _prove(self, row: ItemRow, body: bytes, message: str, answered: Message | None = None) -> bool:
        """Compare what is in the mailbox now with what is stored; a difference is named."""
        different = await self._differences(row, body, message, answered)
        if different:
            detail = f"the restored mail differs in: {', '.join(different)}"
            self._frame.problem(self._tally, row.key, ErrorClass.INTEGRITY, detail)
        else:
            self._tally.verified += 1
        return not different

    async def _differences(self, row: ItemRow, body: bytes, message: str, answered: Message | None = None) -> list[str]:
        restored = answered or await self._target.message(self._frame.mailbox, message)
        mime = await self._target.mime(self._frame.mailbox, message)

        def compare() -> list[str]:
            expected = mail_digest.facts(body, row.meta, (self._place(row) or "",))
            actual = mail_digest.facts(mime, restored.sidecar, (restored.folder,))
            return mail_digest.differences(expected, actual)

        return await asyncio.to_thread(compare)

    def _itself(self, row: ItemRow) -> PresentMail | None:
        return self._present.itself(self._place(row), row)

    def _place(self, row: ItemRow) -> str | None:
        return self._places[row.parent]
