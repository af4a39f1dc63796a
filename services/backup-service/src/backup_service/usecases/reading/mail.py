"""Mail of one mailbox: the delta of every folder, and what changed fetched once."""

import asyncio
from collections.abc import Collection
from typing import ClassVar

import structlog

from backup_engine.model import NewItem
from backup_service.domain.mail import FOLDER, MAIL, ChangePage, Folder, Message
from backup_service.ports import Workloads
from backup_service.usecases.reading.frame import Frame
from backup_service.usecases.reading.list_around import UNLISTABLE, list_around
from backup_service.usecases.uninterrupted import uninterrupted
from contracts.errors import ErrorClass
from graph_client.errors import BodyTooLarge, Forbidden, ItemUnreadable, NotFound, ResyncRequired, Unreachable

log = structlog.get_logger()


class MailSource:
    """Reads the mail of one mailbox.

    Its cursor: `links`, one per folder, a nextLink inside a round, a deltaLink between rounds. Its progress: `done`,
    the folders whose round is over, and `moved_out`, ids that a folder reported as removed. A message that moved
    appears elsewhere under the same immutable id, so removals count only at the end of the run.
    """

    kinds: ClassVar[frozenset[str]] = frozenset({FOLDER, MAIL})

    def __init__(self, workloads: Workloads, frame: Frame) -> None:
        self._mail = workloads.mail
        self._frame = frame
        self._links: dict[str, str] = frame.cursor.setdefault("links", {})
        self._done: dict[str, int] = frame.progress.setdefault("done", {})
        self._moved_out: dict[str, str] = frame.progress.setdefault("moved_out", {})
        self._slots = asyncio.Semaphore(frame.parallel)

    async def read(self) -> None:
        folders = await self._mail.folders(self._frame.resource)
        self._frame.expected = sum(folder.total for folder in folders)
        for folder in folders:
            meta = {"name": folder.name, "hidden": folder.hidden}
            await self._frame.put_record(folder.id, FOLDER, folder.parent, meta)
        await self._retry_unread(self._frame.again)
        left = [folder for folder in folders if folder.id not in self._done]
        stored = await uninterrupted(self._stored_in, {folder.id for folder in left} - self._links.keys())
        for folder in left:
            await self._read_folder(folder, stored.get(folder.id, set()))
        await self._apply_removals({folder.id for folder in folders})

    async def _retry_unread(self, items: Collection[str]) -> None:
        """Items that could not be read before: no delta names them again, so they are asked for by id."""
        for item in items:
            try:
                message = await self._mail.message(self._frame.resource, item)
            except NotFound:
                self._gone(item)
            except (ItemUnreadable, Forbidden) as error:
                self._frame.fail(item, error)
            else:
                await self._fetch(message)
        await self._frame.flush()

    async def _read_folder(self, folder: Folder, stored: set[str]) -> None:
        try:
            await self._follow(folder, self._links.get(folder.id), stored)
        except NotFound:
            # Deleted since the folders were listed; the next run sees a tree without it and removes its mail.
            log.info("folder is gone; its mail is removed at the next run")
        except ResyncRequired:
            log.info("delta cursor has expired; the folder is enumerated again")
            self._links.pop(folder.id, None)
            await self._follow(folder, None, await self._stored_of(folder))
        except Unreachable as error:
            if error.status != UNLISTABLE:
                raise
            await self._go_around(folder)
            return
        self._done[folder.id] = 1

    async def _go_around(self, folder: Folder) -> None:
        """Some mail of the folder cannot be listed: store the others, and say which places are missing.

        No delta link comes of this, so the folder is listed again at every run until Exchange can list it; what is
        stored is not fetched again. Nor is the folder done: whoever takes over must find the missing places himself.
        """
        log.warning("a page of the folder cannot be listed; its mails are listed around the damaged ones")
        self._links.pop(folder.id, None)
        unseen, places = await self._stored_of(folder), list[int]()
        async for found in list_around(self._mail, self._frame.resource, folder.id):
            if isinstance(found, int):
                places.append(found)
            else:
                await self._store_page(folder, ChangePage(tuple(found), (), None, None))
                unseen.difference_update(message.id for message in found)
            await self._frame.mark_progress()
        self._frame.ask_again(unseen)
        before = len(self._frame.failed)
        await self._retry_unread(unseen)
        # A stored mail that fails by its id is one of the places; the others were never seen.
        for place in places[len(self._frame.failed) - before :]:
            detail = f"no page that shows mail {place + 1} of the folder, oldest first, can be listed"
            self._frame.miss(f"{folder.id}#{place}", ErrorClass.CORRUPT_SOURCE_ITEM, detail)

    async def _stored_of(self, folder: Folder) -> set[str]:
        return (await uninterrupted(self._stored_in, {folder.id})).get(folder.id, set())

    async def _follow(self, folder: Folder, link: str | None, unseen: set[str]) -> None:
        """Take in what the link names; `unseen` is what a full enumeration must name to keep it."""
        # Whoever takes over in the middle of a re-enumeration cannot know what it has named: it starts again.
        resumable = not unseen
        async for page in self._mail.changes(self._frame.resource, folder.id, link):
            await self._store_page(folder, page)
            unseen.difference_update(message.id for message in page.messages)
            if page.delta_link:
                # A full enumeration names what is there, not what is gone: what it did not name has left the folder.
                self._moved_out.update(dict.fromkeys(unseen, folder.id))
            if resumable or page.delta_link:
                self._links[folder.id] = page.link
            await self._frame.mark_progress()

    def _stored_in(self, folders: set[str]) -> dict[str, set[str]]:
        """What is stored per folder, in one pass over all rows."""
        found: dict[str, set[str]] = {}
        for row in self._frame.keys(MAIL) if folders else ():
            if row.parent in folders:
                found.setdefault(row.parent, set()).add(row.key)
        return found

    async def _store_page(self, folder: Folder, page: ChangePage) -> None:
        for removed in page.removed:
            known = self._frame.known(removed)
            if known is not None and known.parent == folder.id:
                self._moved_out[removed] = folder.id
        for message in page.messages:
            self._moved_out.pop(message.id, None)
        changed = [message for message in page.messages if not self._is_current(message)]
        async with asyncio.TaskGroup() as group:
            for message in changed:
                group.create_task(self._fetch(message))
        await self._frame.flush()

    def _is_current(self, message: Message) -> bool:
        known = self._frame.known(message.id)
        return known is not None and (known.version, known.parent) == (message.change_key, message.folder)

    async def _fetch(self, message: Message) -> None:
        async with self._slots:
            try:
                body = await self._mail.mime(self._frame.resource, message.id)
            except NotFound:
                # Deleted between the listing and the read: not an error.
                self._gone(message.id)
                return
            except (ItemUnreadable, Forbidden, BodyTooLarge) as error:
                self._frame.fail(message.id, error)
                return
            item = NewItem(message.id, MAIL, message.change_key, message.folder, dict(message.sidecar))
            await self._frame.put_item(item, body)

    def _gone(self, item: str) -> None:
        """Microsoft 365 does not know the item any more."""
        self._frame.gone(item)
        known = self._frame.known(item)
        if known is not None:
            self._moved_out[item] = known.parent

    async def _apply_removals(self, folders: set[str]) -> None:
        """Remove what left its folder and turned up nowhere else, and what lay in folders that are gone.

        An item that failed is there, though unread: the version that is stored stays.
        """
        gone, lost_folders = await uninterrupted(self._departed, folders)
        await self._frame.remove(gone - self._frame.failed.keys())
        await self._frame.remove(lost_folders)
        for folder in lost_folders:
            self._links.pop(folder, None)
        self._moved_out.clear()

    def _departed(self, folders: set[str]) -> tuple[set[str], set[str]]:
        """In a thread: the mails and the folders that are not there any more."""
        lost_folders = {row.key for row in self._frame.keys(FOLDER)} - folders
        gone = {mail.key for folder in lost_folders for mail in self._frame.keys(MAIL, folder)}
        for item, folder in self._moved_out.items():
            row = self._frame.known(item)
            if row is not None and row.parent == folder:
                gone.add(item)
        return gone, lost_folders
