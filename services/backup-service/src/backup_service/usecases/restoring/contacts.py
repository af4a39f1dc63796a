"""Restore contacts: create each as it was, with its picture, read it back, compare. Old ones go last, if at all.

After a crash at any step the tag on what was created says where to go on.
"""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from backup_engine.model import ItemRow
from backup_service.domain.contacts import CONTACT, CONTACT_FOLDER, PHOTO, Contact
from backup_service.domain.graph_message import Tags
from backup_service.domain.restored_contact import (
    CreatedContact,
    by_item,
    differences,
    facts,
    new_contact,
    same_person,
)
from backup_service.ports import RestoreTarget
from backup_service.ports.contacts import ContactTarget
from backup_service.usecases.restoring.contact_places import ContactPlaces
from backup_service.usecases.restoring.frame import RestoreFrame, Tally
from contracts.errors import ErrorClass
from contracts.names import Source
from contracts.restoring import RestoreConflict


class ContactRestore:
    """Implements SourceRestore for contacts."""

    source: ClassVar = Source.CONTACTS

    def __init__(self, target: RestoreTarget, frame: RestoreFrame) -> None:
        self._frame = frame
        self._target = target

    async def restore(self) -> None:
        folders = await self._frame.containers(CONTACT_FOLDER)
        rows = await self._frame.wanted(CONTACT, folders)
        wanted = self._frame.wanted_whole(folders) | {row.parent for row in rows}
        if not wanted:
            return
        tally = self._frame.tally(self.source)
        tally.selected = len(rows)
        contacts = self._target.contacts
        places = await ContactPlaces(self._frame, tally, contacts, folders).find(wanted)
        photos = {row.parent: row for row in await self._frame.rows(PHOTO)}
        await _Contacts(self._frame, tally, contacts, places, photos).restore(rows)


class _Contacts:
    """The contacts of one restore, once their folders are known."""

    def __init__(
        self,
        frame: RestoreFrame,
        tally: Tally,
        target: ContactTarget,
        places: Mapping[str, str | None],
        photos: Mapping[str, ItemRow],
    ) -> None:
        self._frame = frame
        self._tally = tally
        self._target = target
        self._places = places
        self._photos = photos
        self._created: dict[str, list[CreatedContact]] = {}
        self._present: dict[str, list[Contact]] = defaultdict(list)
        self._replace = frame.order.conflict is RestoreConflict.REPLACE

    async def restore(self, rows: Sequence[ItemRow]) -> None:
        await self._look_around(rows)
        changed = [row for row in rows if not self._is_unchanged(row)]
        self._tally.skipped += len(rows) - len(changed)
        await self._frame.each(self._tally, changed, self._foresee if self._frame.order.dry_run else self._restore)

    async def _look_around(self, rows: Sequence[ItemRow]) -> None:
        """See what an earlier attempt has created and, where it matters, what is there already."""
        here = {place for row in rows if (place := self._places[row.parent]) is not None}
        mine: list[CreatedContact] = []
        if self._frame.resumes:
            for place in here:
                mine += await self._target.created(self._frame.mailbox, place, self._frame.tag)
            self._created = by_item(mine)
        if self._frame.order.compares:
            ours = {created.id for created in mine}
            for place in here:
                found = await self._target.present(self._frame.mailbox, place)
                self._present[place] = [contact for contact in found if contact.id not in ours]

    def _is_unchanged(self, row: ItemRow) -> bool:
        """The very contact is there as it was: no request, and it stands for no other item."""
        itself = self._itself(row)
        if itself is None or itself.change_key != row.version:
            return False
        self._here(row).remove(itself)
        return True

    async def _restore(self, row: ItemRow, body: bytes) -> None:
        document: dict[str, Any] = json.loads(body)
        if mine := self._created.get(row.key):
            await self._finish(row, document, mine)
            return
        old, same = await self._meant(row, document)
        if same:
            self._tally.skipped += 1
            return
        place = self._places[row.parent]
        assert place is not None, "only a dry run leaves folders out"
        tags = Tags(self._frame.tag, row.key, old.id if old else "")
        created = await self._target.create(self._frame.mailbox, place, new_contact(document, tags))
        proven = await self._complete(row, document, created)
        if old is not None and proven:
            await self._target.remove(self._frame.mailbox, old.id)
            self._tally.replaced += 1
        else:
            self._tally.created += 1

    async def _foresee(self, row: ItemRow, body: bytes) -> None:
        """What `_restore` would do, without doing it."""
        old, same = await self._meant(row, json.loads(body))
        if same:
            self._tally.skipped += 1
        elif old is not None:
            self._tally.replaced += 1
        else:
            self._tally.created += 1

    async def _meant(self, row: ItemRow, document: Mapping[str, Any]) -> tuple[Contact | None, bool]:
        """The contact that is to go for this one, and whether it, or another one, makes restoring superfluous."""
        here = self._here(row)
        for contact in [found for found in here if facts(found.document) == facts(document)]:
            # Two workers of this job may look at one contact at the same time: it is taken before anybody waits.
            here.remove(contact)
            if not self._replace or await self._has_its_photo(row, contact):
                return contact, True
            here.append(contact)
        itself = self._itself(row)
        alike = [found for found in here if same_person(found.document, document)]
        # Several of one name, and none the contact itself: nobody can say which one it is, so all of them stay.
        old = itself or (alike[0] if len(alike) == 1 else None)
        if not self._replace or old is None:
            return None, False
        here.remove(old)
        return old, False

    async def _has_its_photo(self, row: ItemRow, contact: Contact) -> bool:
        return await self._target.photo(self._frame.mailbox, contact.id) == await self._photo(row)

    async def _finish(self, row: ItemRow, document: Mapping[str, Any], mine: Sequence[CreatedContact]) -> None:
        """An attempt before this one has created it: do what was left to do."""
        first, *others = mine
        proven = await self._complete(row, document, first.id)
        self._tally.resumed += 1
        for other in others:
            await self._target.remove(self._frame.mailbox, other.id)
        if proven and first.replaces:
            await self._target.remove(self._frame.mailbox, first.replaces)

    async def _complete(self, row: ItemRow, document: Mapping[str, Any], created: str) -> bool:
        """Give the new contact its picture, and compare what is in the mailbox now with what is stored."""
        photo = await self._photo(row)
        if photo is not None:
            await self._target.put_photo(self._frame.mailbox, created, photo)
        restored = await self._target.contact(self._frame.mailbox, created)
        different = differences(facts(document), facts(restored.document))
        if photo is not None and await self._target.photo(self._frame.mailbox, created) != photo:
            different.append("photo")
        if different:
            detail = f"the restored contact differs in: {', '.join(different)}"
            self._frame.problem(self._tally, row.key, ErrorClass.INTEGRITY, detail)
        else:
            self._tally.verified += 1
        return not different

    async def _photo(self, row: ItemRow) -> bytes | None:
        photo = self._photos.get(row.key)
        return None if photo is None else await self._frame.read(photo)

    def _itself(self, row: ItemRow) -> Contact | None:
        return next((found for found in self._here(row) if found.id == row.key), None)

    def _here(self, row: ItemRow) -> list[Contact]:
        place = self._places[row.parent]
        return [] if place is None else self._present[place]
