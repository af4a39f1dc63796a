"""The tenant's address book: the directory's delta of users, groups and organisational contacts."""

from typing import ClassVar

import structlog

from backup_engine.model import NewItem
from backup_service.domain.address_book import GROUP, KINDS, Entry
from backup_service.domain.change_page import ChangePage
from backup_service.ports import Workloads
from backup_service.usecases.reading.frame import Frame
from backup_service.usecases.uninterrupted import uninterrupted
from graph_client.errors import GraphError, NotFound, ResyncRequired

log = structlog.get_logger()


class AddressBookSource:
    """Reads the address book of a tenant.

    Its cursor: `links`, one per kind, and `whole`, the kinds whose round began without a link: such a round tells every
    entry in full. Any other round tells what changed of an entry and not what is empty, so each is read by its id.
    `full_look_at` is when everything was last listed anew: the directory has no change keys to compare.
    """

    kinds: ClassVar[frozenset[str]] = frozenset(KINDS)

    def __init__(self, workloads: Workloads, frame: Frame) -> None:
        self._book = workloads.address_book
        self._frame = frame
        self._links: dict[str, str] = frame.cursor.setdefault("links", {})
        self._whole: dict[str, int] = frame.cursor.setdefault("whole", {})
        self._done: dict[str, int] = frame.progress.setdefault("done", {})
        self._compares = False

    async def read(self) -> None:
        full = self._frame.progress.setdefault("full", self._frame.long_ago(self._frame.cursor.get("full_look_at")))
        for key in self._frame.again:
            known = self._frame.known(key)
            # Only the members of a group can fail; anything else is asked for because the storage has lost it.
            await self._refresh(known.kind if known else GROUP, key)
        for kind in KINDS:
            if kind in self._done:
                continue
            followed = kind in self._links and await self._read_changes(kind)
            if full or not followed:
                self._links.pop(kind, None)
                # After its changes were followed, whatever differs is what change tracking had missed.
                self._compares = followed
                await self._follow(kind)
                self._compares = False
            self._done[kind] = 1
        if full:
            self._frame.cursor["full_look_at"] = self._frame.now().isoformat()
        # The directory does not count its objects: what was found is the only denominator there is.
        self._frame.expected = self._frame.found()

    async def _read_changes(self, kind: str) -> bool:
        """Follow the stored link; False when it has expired."""
        try:
            await self._follow(kind)
        except ResyncRequired:
            log.info("delta cursor of the directory has expired; it is enumerated again", kind=kind)
            return False
        return True

    async def _follow(self, kind: str) -> None:
        link = self._links.get(kind)
        unseen: set[str] = set()
        if link is None:
            self._whole[kind] = 1
            unseen = {row.key for row in await uninterrupted(lambda: list(self._frame.keys(kind)))}
        # Whoever takes over in the middle of a re-enumeration cannot know what it has named: it starts again.
        resumable = not unseen
        async for page in self._book.changes(kind, link):
            await self._store_page(kind, page)
            unseen.difference_update(entry.id for entry in page.items)
            if page.delta_link:
                await self._frame.remove(unseen)
                self._frame.add("reconciled", len(unseen) if self._compares else 0)
                self._whole.pop(kind, None)
            if resumable or page.delta_link:
                self._links[kind] = page.link
            await self._frame.mark_progress()

    async def _store_page(self, kind: str, page: ChangePage[Entry]) -> None:
        gone = [key for key in page.removed if self._frame.known(key) is not None]
        await self._frame.remove(gone)
        for entry in page.items:
            if kind in self._whole:
                await self._store(entry)
            else:
                await self._refresh(kind, entry.id)
        await self._frame.flush()

    async def _refresh(self, kind: str, key: str) -> None:
        try:
            entry = await self._book.entry(kind, key)
        except NotFound:
            await self._remove(key)
            return
        await self._store(entry)

    async def _store(self, entry: Entry) -> None:
        if not entry.is_listed:
            await self._remove(entry.id)
            return
        if entry.kind == GROUP:
            try:
                entry = entry.with_members(await self._book.members(entry.id))
            except NotFound:
                await self._remove(entry.id)
                return
            except GraphError as error:
                self._frame.blame(entry.id, error)
                return
        known, version = self._frame.known(entry.id), entry.version()
        if known is None or known.version != version or entry.id in self._frame.again:
            await self._frame.put_page_item(NewItem(entry.id, entry.kind, version, "", {}), entry.body())
            self._frame.add("reconciled", int(self._compares))

    async def _remove(self, key: str) -> None:
        self._frame.gone(key)
        if self._frame.known(key) is not None:
            await self._frame.remove([key])
