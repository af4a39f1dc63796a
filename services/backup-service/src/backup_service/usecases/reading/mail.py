"""Mail of one mailbox: the delta of every folder, and what changed fetched once."""

import asyncio
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import ClassVar

import structlog

from backup_service.domain.change_page import ChangePage
from backup_service.domain.mail import FOLDER, MAIL, Folder, Message
from backup_service.ports import Workloads
from backup_service.usecases.item_errors import OF_A_CONTAINER, class_of, reason
from backup_service.usecases.reading.frame import Frame
from backup_service.usecases.reading.list_around import UNLISTABLE, list_around
from backup_service.usecases.reading.mail_content import MailContent
from backup_service.usecases.reading.mail_folders import MailFolders
from backup_service.usecases.uninterrupted import uninterrupted
from contracts.errors import ErrorClass
from graph_client.errors import DeltaLoop, GraphError, NotFound, ResyncRequired, Unreachable

log = structlog.get_logger()

_TOGETHER = 20_000  # mails of the folders that are compared at a time; in memory are their ids


class MailSource:
    """Reads the mail of one mailbox.

    Its cursor: `links`, one per folder, a nextLink inside a round, a deltaLink between rounds; `full_look_at`, when
    the mailbox was last compared as a whole. Its progress: `full`, the comparison of this job; `done`, the folders that
    are over; `moved_out`, ids that a folder reported as removed. A message that moved appears elsewhere under the same
    immutable id, so removals count only at the end of the run.
    """

    kinds: ClassVar[frozenset[str]] = frozenset({FOLDER, MAIL})

    def __init__(self, workloads: Workloads, frame: Frame) -> None:
        self._mail = workloads.mail
        self._frame = frame
        self._folders = MailFolders(workloads.mail, frame)
        self._content = MailContent(workloads.mail, frame)
        self._links: dict[str, str] = frame.cursor.setdefault("links", {})
        self._done: dict[str, int] = frame.progress.setdefault("done", {})
        self._moved_out: dict[str, str] = frame.progress.setdefault("moved_out", {})

    async def read(self) -> None:
        full = self._frame.progress.setdefault("full", self._frame.long_ago(self._frame.cursor.get("full_look_at")))
        folders = await self._folders.read(full=full)
        await self._ask_again()
        left = [folder for folder in folders if folder.id not in self._done]
        stored = await uninterrupted(self._stored_in, {folder.id for folder in left} - self._links.keys())
        for group in grouped(left) if full else ([folder] for folder in left):
            whole = [folder for folder in group if await self._read_folder(folder, stored.get(folder.id, set()))]
            if full:
                await self._compare_all(whole)
            self._done.update((folder.id, 1) for folder in whole)
        await self._apply_removals({folder.id for folder in folders})
        if full:
            self._frame.cursor["full_look_at"] = self._frame.now().isoformat()

    async def _ask_again(self) -> None:
        """What no delta names: read it again by its id, even if it is stored in this version."""
        for item in self._frame.again:
            await self._ask_for(item, always=True)
        await self._frame.flush()

    async def _ask_for_all(self, items: Collection[str]) -> None:
        if items:
            await self._frame.mark_progress()
        for item in sorted(items):
            await self._ask_for(item)
        await self._frame.flush()

    async def _ask_for(self, item: str, *, always: bool = False) -> None:
        try:
            message = await self._mail.message(self._frame.resource, item)
        except NotFound:
            self._gone(item)
        except GraphError as error:
            self._frame.blame(item, error)
        else:
            self._moved_out.pop(item, None)
            await self._take(message, always=always)

    async def _take(self, message: Message, *, always: bool = False) -> None:
        there = await (self._content.fetch(message) if always else self._content.take(message))
        if not there:
            self._gone(message.id)

    async def _read_folder(self, folder: Folder, stored: set[str]) -> bool:
        """Take in what changed; False when some of it cannot be listed, and another run has to look again.

        One bad folder never costs its mailbox: it is listed as missing, and what is stored of it stays.
        """
        try:
            return await self._read_changes(folder, stored)
        except OF_A_CONTAINER as error:
            if isinstance(error, NotFound) and await self._mail.folder_by_id(self._frame.resource, folder.id) is None:
                log.info("folder is gone; its mail is removed at the next run")
                return True
            # Where all of them are refused, asking for the folders says so.
            await self._mail.folders(self._frame.resource, full=False)
            self._frame.miss(folder.id, class_of(error), reason(error))
            return False

    async def _read_changes(self, folder: Folder, stored: set[str]) -> bool:
        try:
            try:
                await self._follow(folder, self._links.get(folder.id), stored)
            except ResyncRequired:
                log.info("delta cursor has expired; the folder is enumerated again")
                self._links.pop(folder.id, None)
                await self._follow(folder, None, await self._stored_of(folder))
        except (DeltaLoop, ResyncRequired):
            log.warning("the folder's change tracking comes to no end; it is listed instead")
            return await self._go_around(folder)
        except Unreachable as error:
            if error.status != UNLISTABLE:
                raise
            log.warning("a page of the folder cannot be listed; its mails are listed around the damaged ones")
            return await self._go_around(folder)
        return True

    async def _go_around(self, folder: Folder) -> bool:
        """List the folder without its delta; store what can be listed, and say which places are missing.

        No delta link comes of this, so the folder is listed again at every run until Exchange can list it; what is
        stored is not fetched again. Nor is a folder with missing places done: whoever takes over must find them
        himself.
        """
        self._links.pop(folder.id, None)
        unseen, places = await self._stored_of(folder), list[int]()
        async for found in list_around(self._mail, self._frame.resource, folder.id):
            if isinstance(found, int):
                places.append(found)
            else:
                await self._store_page(folder, ChangePage(found))
                unseen.difference_update(message.id for message in found)
            await self._frame.mark_progress()
        self._frame.ask_again(unseen)
        before = len(self._frame.failed)
        for item in sorted(unseen):
            await self._ask_for(item, always=True)
        await self._frame.flush()
        # A stored mail that fails by its id is one of the places; the others were never seen.
        for place in places[len(self._frame.failed) - before :]:
            detail = f"no page that shows mail {place + 1} of the folder, oldest first, can be listed"
            self._frame.miss(f"{folder.id}#{place}", ErrorClass.CORRUPT_SOURCE_ITEM, detail)
        return not places

    async def _follow(self, folder: Folder, link: str | None, unseen: set[str], *, remember: bool = False) -> set[str]:
        """Take in what the link names; `unseen` is what a full enumeration must name to keep it.

        Gives the ids that were named if somebody wants them: of `unseen`, or to `remember` all of them.
        """
        # Whoever takes over in the middle of a re-enumeration cannot know what it has named: it starts again.
        resumable = not unseen
        named: set[str] = set()
        async for page in self._mail.changes(self._frame.resource, folder.id, link):
            await self._store_page(folder, page)
            ids = {*page.removed, *(message.id for message in page.items)}
            named |= ids if remember else ids & unseen
            if page.delta_link:
                # What a full enumeration did not name has left the folder, or was overlooked: ask before believing it.
                await self._ask_for_all(unseen - named)
            if resumable or page.delta_link:
                self._links[folder.id] = page.link
            await self._frame.mark_progress()
        return named

    async def _store_page(self, folder: Folder, page: ChangePage[Message]) -> None:
        for removed in page.removed:
            known = self._frame.known(removed)
            if known is not None and known.parent == folder.id:
                self._moved_out[removed] = folder.id
        for message in page.items:
            self._moved_out.pop(message.id, None)
        await self._content.expect(folder.id, page.items)
        left = iter(page.items)

        async def take_one_by_one() -> None:
            for message in left:
                await self._take(message)

        async with asyncio.TaskGroup() as group:
            for _ in range(min(self._frame.parallel, len(page.items))):
                group.create_task(take_one_by_one())
        await self._frame.flush()

    async def _compare_all(self, folders: Sequence[Folder]) -> None:
        stored = await uninterrupted(self._stored_in, {folder.id for folder in folders})
        for folder in folders:
            await self._compare(folder, stored.get(folder.id, set()))

    async def _compare(self, folder: Folder, stored: set[str]) -> None:
        """Find what change tracking has missed, in both directions: ids and change keys against what is stored."""
        missed: set[str] = set()
        try:
            async for page in self._mail.change_keys(self._frame.resource, folder.id):
                # Page by page, so that no list of all ids of a large folder lies in memory.
                missed |= await uninterrupted(self._changed, folder, page)
                stored.difference_update(page)
        except NotFound:
            return
        except Unreachable as error:
            if error.status != UNLISTABLE:
                raise
            log.warning("a folder could not be compared: a page of it cannot be listed")
            return
        missed |= await uninterrupted(self._vanished, folder, stored)
        if missed and folder.id in self._links:
            # What came, changed or went since the delta ended is no finding: the delta names it.
            missed -= await self._follow(folder, self._links[folder.id], set(), remember=True)
        for item in sorted(missed - self._frame.failed.keys()):
            await self._ask_for(item)
            self._frame.add("reconciled")
        await self._frame.mark_progress()
        if missed:
            log.warning("change tracking had missed items of a folder", items=len(missed))

    def _changed(self, folder: Folder, listed: Mapping[str, str]) -> set[str]:
        """In a thread: what is listed and not stored like that."""
        found = set()
        for item, change_key in listed.items():
            known = self._frame.known(item)
            if known is None or (known.parent, known.version) != (folder.id, change_key):
                found.add(item)
        return found

    def _vanished(self, folder: Folder, unlisted: set[str]) -> set[str]:
        """In a thread: what is stored and was not listed."""
        return {
            item
            for item in unlisted - self._moved_out.keys()
            # The comparison of another folder may have found it there meanwhile.
            if (row := self._frame.known(item)) is not None and row.parent == folder.id
        }

    def _gone(self, item: str) -> None:
        """Microsoft 365 does not know the item any more."""
        self._frame.gone(item)
        known = self._frame.known(item)
        if known is not None:
            self._moved_out[item] = known.parent

    async def _stored_of(self, folder: Folder) -> set[str]:
        return (await uninterrupted(self._stored_in, {folder.id})).get(folder.id, set())

    def _stored_in(self, folders: Collection[str]) -> dict[str, set[str]]:
        """What is stored per folder, in one pass over all rows."""
        found: dict[str, set[str]] = {}
        for row in self._frame.keys(MAIL) if folders else ():
            if row.parent in folders:
                found.setdefault(row.parent, set()).add(row.key)
        return found

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


def grouped(folders: Sequence[Folder]) -> Iterator[list[Folder]]:
    """Folders that together hold some 20,000 mails, so that one pass over all rows serves them all.

    A pass for each folder costs folders times rows: half of the CPU of the first backup of 5,000 mails in 200 folders.
    """
    group: list[Folder] = []
    for folder in folders:
        group.append(folder)
        if sum(one.total for one in group) >= _TOGETHER:
            yield group
            group = []
    if group:
        yield group
