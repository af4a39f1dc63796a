"""Contacts of one mailbox: the delta of every contact folder, and the picture of each contact that changed."""

import asyncio
from collections.abc import Collection
from typing import ClassVar

import structlog

from backup_engine.model import ItemRow, NewItem
from backup_service.domain.change_page import ChangePage
from backup_service.domain.contacts import (
    CONTACT,
    CONTACT_FOLDER,
    DEFAULT,
    PHOTO,
    Contact,
    contact_of,
    image_type,
    photo_key,
)
from backup_service.ports import Workloads
from backup_service.usecases.item_errors import OF_A_CONTAINER, class_of, reason
from backup_service.usecases.reading.contact_folders import ContactFolders
from backup_service.usecases.reading.frame import Frame
from backup_service.usecases.reading.list_around import UNLISTABLE, list_around
from backup_service.usecases.uninterrupted import uninterrupted
from contracts.errors import ErrorClass
from graph_client.errors import DeltaLoop, GraphError, NotFound, ResyncRequired, Unreachable

log = structlog.get_logger()


class ContactSource:
    """Reads the contacts of one mailbox.

    Its cursor: `links`, one per folder, the default folder's under ""; `full_look_at`, when all folders were last
    compared as a whole. Its progress: `full`, the comparison of this job; `done`, the folders whose round is over;
    `moved_out`, ids that a folder reported as removed: moved ones turn up elsewhere under the same immutable id, so
    removals count at the end only.
    """

    kinds: ClassVar[frozenset[str]] = frozenset({CONTACT_FOLDER, CONTACT, PHOTO})

    def __init__(self, workloads: Workloads, frame: Frame) -> None:
        self._contacts = workloads.contacts
        self._frame = frame
        self._folders = ContactFolders(workloads.contacts, frame)
        self._links: dict[str, str] = frame.cursor.setdefault("links", {})
        self._done: dict[str, int] = frame.progress.setdefault("done", {})
        self._moved_out: dict[str, str] = frame.progress.setdefault("moved_out", {})
        self._slots = asyncio.Semaphore(frame.parallel)

    async def read(self) -> None:
        full = self._frame.progress.setdefault("full", self._frame.long_ago(self._frame.cursor.get("full_look_at")))
        folders = await self._folders.read()
        await self._retry_unread(self._frame.again)
        for folder in (DEFAULT, *folders):
            if folder not in self._done:
                await self._read_folder(folder, full=full)
        await self._apply_removals({*folders, self._folders.default})
        if full:
            self._frame.cursor["full_look_at"] = self._frame.now().isoformat()
        # Graph does not count the contacts of a folder: what was found is the only denominator there is.
        self._frame.expected = self._frame.found()

    async def _retry_unread(self, keys: Collection[str]) -> None:
        """Contacts and pictures that could not be read before: no delta names them again."""
        for key in dict.fromkeys(contact_of(key) for key in keys):
            try:
                contact = await self._contacts.contact(self._frame.resource, key)
            except NotFound:
                self._gone(key)
            except GraphError as error:
                self._frame.blame(key, error)
            else:
                await self._store(contact)
        await self._frame.flush()

    async def _read_folder(self, folder: str, *, full: bool) -> None:
        """One bad folder never costs its mailbox: it is listed as missing, and what is stored of it stays."""
        try:
            if await self._read_changes(folder, full=full):
                self._done[folder] = 1
        except OF_A_CONTAINER as error:
            # Where all of them are refused, asking for the folders says so.
            if folder in {DEFAULT, *(found.id for found in await self._folders.listed())}:
                self._frame.miss(folder or CONTACT_FOLDER, class_of(error), reason(error))
            else:
                log.info("contact folder is gone; its contacts are removed at the next run")

    async def _read_changes(self, folder: str, *, full: bool) -> bool:
        """Take in what changed; False when the folder had to be listed, and another run has to look again."""
        try:
            try:
                link = self._links.get(folder)
                await self._follow(folder, link, set() if link else await self._stored_in(folder))
                if full and link:
                    await self._compare(folder)
            except ResyncRequired:
                log.info("delta cursor has expired; the contact folder is enumerated again")
                self._links.pop(folder, None)
                await self._follow(folder, None, await self._stored_in(folder))
        except (DeltaLoop, ResyncRequired):
            log.warning("the contact folder's change tracking comes to no end; it is listed instead")
            await self._go_around(folder)
            return False
        except Unreachable as error:
            if error.status != UNLISTABLE:
                raise
            log.warning("a page of the contact folder cannot be listed; it is listed around the damaged ones")
            await self._go_around(folder)
            return False
        return True

    async def _go_around(self, folder: str) -> None:
        """List the folder without its delta; store what can be listed, and say which places are missing.

        No delta link comes of this, so the folder is listed again at every run until Exchange can list it.
        """
        self._links.pop(folder, None)
        unseen, places = await self._stored_in(folder), list[int]()
        async for found in list_around(self._contacts, self._frame.resource, folder):
            if isinstance(found, int):
                places.append(found)
            else:
                await self._store_page(folder, ChangePage(found))
                unseen.difference_update(contact.id for contact in found)
            await self._frame.mark_progress()
        self._frame.ask_again(unseen)
        before = len(self._frame.failed)
        await self._retry_unread(unseen)
        # A stored contact that fails by its id is one of the places; the others were never seen.
        for place in places[len(self._frame.failed) - before :]:
            detail = f"no page that shows contact {place + 1} of the folder, oldest first, can be listed"
            self._frame.miss(f"{folder or CONTACT_FOLDER}#{place}", ErrorClass.CORRUPT_SOURCE_ITEM, detail)

    async def _compare(self, folder: str) -> None:
        """Find what change tracking has missed, in both directions: ids and change keys against what is stored."""
        listed: dict[str, str] = {}
        async for page in self._contacts.change_keys(self._frame.resource, folder):
            listed.update(page)
        stored = {row.key: row.version for row in await uninterrupted(self._rows, self._folders.id_of(folder))}
        missed = {key for key, version in listed.items() if stored.get(key) != version}
        missed |= stored.keys() - listed.keys() - self._moved_out.keys()
        if missed:
            # What came, changed or went since the delta ended is no finding: the delta names it.
            missed -= await self._follow(folder, self._links.get(folder), set())
        missed -= self._frame.failed.keys()
        if missed:
            log.warning("change tracking had missed contacts of a folder", items=len(missed))
            self._frame.add("reconciled", len(missed))
            await self._retry_unread(sorted(missed))

    async def _follow(self, folder: str, link: str | None, unseen: set[str]) -> set[str]:
        """Take in what the link names, and give the ids; `unseen` is what a full enumeration must name to keep it."""
        # Whoever takes over in the middle of a re-enumeration cannot know what it has named: it starts again.
        resumable = not unseen
        named: set[str] = set()
        async for page in self._contacts.changes(self._frame.resource, folder, link):
            await self._store_page(folder, page)
            named.update(page.removed, (contact.id for contact in page.items))
            unseen.difference_update(contact.id for contact in page.items)
            if page.delta_link:
                # A full enumeration names what is there, not what is gone: what it did not name has left the folder.
                self._moved_out.update(dict.fromkeys(unseen, self._folders.id_of(folder)))
            if resumable or page.delta_link:
                self._links[folder] = page.link
            await self._frame.mark_progress()
        return named

    async def _stored_in(self, folder: str) -> set[str]:
        return {row.key for row in await uninterrupted(self._rows, self._folders.id_of(folder))}

    def _rows(self, folder: str) -> list[ItemRow]:
        return list(self._frame.keys(CONTACT, folder)) if folder else []

    async def _store_page(self, folder: str, page: ChangePage[Contact]) -> None:
        if folder == DEFAULT and page.items:
            await self._folders.learn_default(page.items[0].folder)
        for removed in page.removed:
            known = self._frame.known(removed)
            if known is not None and known.parent == self._folders.id_of(folder):
                self._moved_out[removed] = known.parent
        for contact in page.items:
            self._moved_out.pop(contact.id, None)
        changed = [contact for contact in page.items if not self._is_current(contact)]
        async with asyncio.TaskGroup() as group:
            for contact in changed:
                group.create_task(self._store(contact))
        await self._frame.flush()

    def _is_current(self, contact: Contact) -> bool:
        known = self._frame.known(contact.id)
        return known is not None and (known.version, known.parent) == (contact.change_key, contact.folder)

    async def _store(self, contact: Contact) -> None:
        """Keep the picture, then the contact: a contact that is stored as it is now has its picture, too."""
        async with self._slots:
            await self._store_photo(contact)
            item = NewItem(contact.id, CONTACT, contact.change_key, contact.folder, {})
            await self._frame.put_page_item(item, contact.body())

    async def _store_photo(self, contact: Contact) -> None:
        """Ask for it whatever the contact says: no property tells whether there is one."""
        key = photo_key(contact.id)
        try:
            photo = await self._contacts.photo(self._frame.resource, contact.id)
        except GraphError as error:
            self._frame.blame(key, error)
            return
        if photo is not None:
            picture = NewItem(key, PHOTO, contact.change_key, contact.id, {"content_type": image_type(photo)})
            await self._frame.put_item(picture, photo)
            return
        self._frame.gone(key)
        if self._frame.known(key) is not None:
            await self._frame.remove([key])

    def _gone(self, contact: str) -> None:
        """Microsoft 365 does not know the contact any more."""
        self._frame.gone(contact)
        self._frame.gone(photo_key(contact))
        known = self._frame.known(contact)
        if known is not None:
            self._moved_out[contact] = known.parent

    async def _apply_removals(self, folders: set[str]) -> None:
        """Remove what left its folder and turned up nowhere else, and what lay in folders that are gone."""
        gone, lost_folders = await uninterrupted(self._departed, folders)
        gone -= self._frame.failed.keys()
        pictures = [photo_key(key) for key in gone if self._frame.known(photo_key(key)) is not None]
        await self._frame.remove([*gone, *pictures])
        await self._frame.remove(lost_folders)
        for folder in lost_folders:
            self._links.pop(folder, None)
        self._moved_out.clear()

    def _departed(self, folders: set[str]) -> tuple[set[str], set[str]]:
        """In a thread: the contacts and the folders that are not there any more."""
        lost_folders = {row.key for row in self._frame.keys(CONTACT_FOLDER)} - folders
        gone = {row.key for folder in lost_folders for row in self._frame.keys(CONTACT, folder)}
        for contact, folder in self._moved_out.items():
            row = self._frame.known(contact)
            if row is not None and row.parent == folder:
                gone.add(contact)
        return gone, lost_folders
