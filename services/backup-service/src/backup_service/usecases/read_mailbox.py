"""Read one mailbox into a session: the delta of every folder, what changed fetched once, checkpoints on the way."""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import structlog

from backup_engine.model import FailedItem, NewItem, PackRef, Skipped, Snapshot
from backup_engine.session import Session
from backup_service.domain.cursor import CursorUnreadable, MailCursor
from backup_service.domain.jobs import Claim
from backup_service.domain.mail import FOLDER, MAIL, ChangePage, Folder, Message
from backup_service.ports import Jobs, Mail
from backup_service.usecases.list_around import UNLISTABLE, list_around
from backup_service.usecases.retention import Keeper
from backup_service.usecases.uninterrupted import uninterrupted
from chassis.clock import Clock
from contracts.errors import ErrorClass
from contracts.events import Counts
from graph_client.errors import BodyTooLarge, Forbidden, ItemUnreadable, NotFound, ResyncRequired, Unreachable

log = structlog.get_logger()

_TOGETHER = 16
_BYTES_TOGETHER = 1 << 20


@dataclass(frozen=True)
class BackupPace:
    """When to checkpoint and to show progress; seconds and bytes. `parallel` mails are fetched at once."""

    checkpoint_seconds: float = 60.0
    checkpoint_bytes: int = 256 << 20
    progress_seconds: float = 1.0
    parallel: int = 4


class MailboxBackup:
    """One pass over one mailbox, writing into one session."""

    def __init__(
        self, claim: Claim, mail: Mail, session: Session, *, keeper: Keeper, jobs: Jobs, clock: Clock, pace: BackupPace
    ) -> None:
        self._claim = claim
        self._mail = mail
        self._session = session
        self._keeper = keeper
        self._jobs = jobs
        self._clock = clock
        self._pace = pace
        self._cursor = _cursor(session.cursor)
        self._cursor.belongs_to(claim.job)
        self._requests_before = self._cursor.tally.get("requests", 0)
        self._held = sum(1 for _ in session.keys(MAIL))
        # While reading, what the folders say there is; at the end, what was found.
        self._expected = 0
        self._failed: dict[str, FailedItem] = {}
        self._skipped: list[Skipped] = []
        self._shown_at = self._checkpoint_at = clock.monotonic()
        self._uncommitted = 0
        self._slots = asyncio.Semaphore(pace.parallel)
        # Read and not yet stored; nothing of it outlives a page.
        self._fetched: list[tuple[Message, bytes]] = []
        self._fetched_bytes = 0

    async def read_changes(self) -> None:
        """Bring the session's state to that of the mailbox."""
        await self._announce_adopted()
        folders = await self._mail.folders(self._claim.resource)
        self._expected = sum(folder.total for folder in folders)
        await uninterrupted(self._store_folders, folders)
        # What the storage has lost is asked for, too: unchanged at its source, so no delta names it.
        lost = await uninterrupted(self._session.unreadable)
        await self._retry_unread({**self._cursor.retry, **{row.key: "" for row in lost}})
        left = [folder for folder in folders if folder.id not in self._cursor.done]
        stored = await uninterrupted(self._stored_in, {folder.id for folder in left} - self._cursor.links.keys())
        for folder in left:
            await self._read_folder(folder, stored.get(folder.id, set()))
        await uninterrupted(self._apply_removals, {folder.id for folder in folders})

    async def commit(self) -> Snapshot:
        """Make the last checkpoint, so that its packs are announced, then the restore point."""
        found = self._found()
        if found != self._expected:
            # Mail that came or went during the run explains it; a gap that stays from run to run does not.
            log.warning("the mailbox counts other items than were found", counted=self._expected, found=found)
        self._expected = 0
        await self._checkpoint()
        now = self._clock.now()
        kept = await self._keeper.decide(now, complete=not self._failed)
        return await uninterrupted(
            self._session.commit,
            self._cursor.dump(),
            listed=self.counts().listed,
            skipped=self._skipped,
            failed=list(self._failed.values()),
            taken_at=now,
            label=self._claim.resource_name,
            expires_at=kept.expires_at,
            retention_class=kept.name,
        )

    async def hand_back(self) -> None:
        """One last checkpoint before leaving, so that the next worker goes on from here. Failing costs only time."""
        try:
            await self._checkpoint()
        except Exception as error:  # noqa: BLE001 - the job is handed back either way
            log.warning("no last checkpoint; the next worker goes on from the one before", reason=str(error))

    def counts(self) -> Counts:
        """What has been done so far, by this worker and those it took over from."""
        now = {
            "listed": max(self._found(), self._expected),
            "unchanged": max(0, self._held - self._cursor.tally.get("stored", 0)),
            "failed": len(self._failed),
            "skipped": len(self._skipped),
            "requests": self._requests_before + self._mail.requests,
        }
        return Counts(**{**self._cursor.tally, **now})

    def _found(self) -> int:
        """Items the mailbox has; one that failed and is held in an older version counts once."""
        unread = sum(1 for item in self._failed if self._session.known(item) is None)
        return self._held + unread + len(self._skipped)

    def _add(self, name: str, amount: int = 1) -> None:
        self._cursor.tally[name] = self._cursor.tally.get(name, 0) + amount

    def _store_folders(self, folders: list[Folder]) -> None:
        for folder in folders:
            meta = {"name": folder.name, "hidden": folder.hidden}
            known = self._session.known(folder.id)
            if known is None or (known.parent, dict(known.meta)) != (folder.parent, meta):
                self._session.put_record(folder.id, FOLDER, "", folder.parent, meta)

    async def _retry_unread(self, items: Collection[str]) -> None:
        """Items that could not be read before: no delta names them again, so they are asked for by id."""
        for item in items:
            try:
                message = await self._mail.message(self._claim.resource, item)
            except NotFound:
                self._gone(item)
            except (ItemUnreadable, Forbidden) as error:
                self._fail(item, error)
            else:
                await self._fetch(message)
        await self._store_fetched()

    async def _read_folder(self, folder: Folder, stored: set[str]) -> None:
        try:
            await self._follow(folder, self._cursor.links.get(folder.id), stored)
        except NotFound:
            # Deleted since the folders were listed; the next run sees a tree without it and removes its mail.
            log.info("folder is gone; its mail is removed at the next run")
        except ResyncRequired:
            log.info("delta cursor has expired; the folder is enumerated again")
            self._cursor.links.pop(folder.id, None)
            await self._follow(folder, None, await self._stored_of(folder))
        except Unreachable as error:
            if error.status != UNLISTABLE:
                raise
            await self._go_around(folder)
            return
        self._cursor.done.add(folder.id)

    async def _go_around(self, folder: Folder) -> None:
        """Some mail of the folder cannot be listed: store the others, and say which places are missing.

        No delta link comes of this, so the folder is listed again at every run until Exchange can list it; what is
        stored is not fetched again. Nor is the folder done: whoever takes over must find the missing places himself.
        """
        log.warning("a page of the folder cannot be listed; its mails are listed around the damaged ones")
        self._cursor.links.pop(folder.id, None)
        unseen, places = await self._stored_of(folder), list[int]()
        async for found in list_around(self._mail, self._claim.resource, folder.id):
            if isinstance(found, int):
                places.append(found)
            else:
                await self._store_page(folder, ChangePage(tuple(found), (), None, None))
                unseen.difference_update(message.id for message in found)
            await self._mark_progress()
        for item in unseen:
            self._cursor.retry.setdefault(item, self._claim.session)
        before = len(self._failed)
        await self._retry_unread(unseen)
        # A stored mail that fails by its id is one of the places; the others were never seen.
        for place in places[len(self._failed) - before :]:
            key = f"{folder.id}#{place}"
            detail = f"no page that shows mail {place + 1} of the folder, oldest first, can be listed"
            self._failed[key] = FailedItem(key, ErrorClass.CORRUPT_SOURCE_ITEM.value, detail)

    async def _stored_of(self, folder: Folder) -> set[str]:
        return (await uninterrupted(self._stored_in, {folder.id})).get(folder.id, set())

    async def _follow(self, folder: Folder, link: str | None, unseen: set[str]) -> None:
        """Take in what the link names; `unseen` is what a full enumeration must name to keep it."""
        # Whoever takes over in the middle of a re-enumeration cannot know what it has named: it starts again.
        resumable = not unseen
        async for page in self._mail.changes(self._claim.resource, folder.id, link):
            await self._store_page(folder, page)
            unseen.difference_update(message.id for message in page.messages)
            if page.delta_link:
                # A full enumeration names what is there, not what is gone: what it did not name has left the folder.
                self._cursor.moved_out.update(dict.fromkeys(unseen, folder.id))
            if resumable or page.delta_link:
                self._cursor.links[folder.id] = page.link
            await self._mark_progress()

    def _stored_in(self, folders: set[str]) -> dict[str, set[str]]:
        """What is stored per folder, in one pass over all rows."""
        found: dict[str, set[str]] = {}
        for row in self._session.keys(MAIL) if folders else ():
            if row.parent in folders:
                found.setdefault(row.parent, set()).add(row.key)
        return found

    async def _store_page(self, folder: Folder, page: ChangePage) -> None:
        for removed in page.removed:
            known = self._session.known(removed)
            if known is not None and known.parent == folder.id:
                self._cursor.moved_out[removed] = folder.id
        for message in page.messages:
            self._cursor.moved_out.pop(message.id, None)
        changed = [message for message in page.messages if not self._is_current(message)]
        async with asyncio.TaskGroup() as group:
            for message in changed:
                group.create_task(self._fetch(message))
        await self._store_fetched()

    def _is_current(self, message: Message) -> bool:
        known = self._session.known(message.id)
        return known is not None and (known.version, known.parent) == (message.change_key, message.folder)

    async def _fetch(self, message: Message) -> None:
        """Read one mail; it is stored together with others, because a thread for each costs more than storing it."""
        async with self._slots:
            try:
                body = await self._mail.mime(self._claim.resource, message.id)
            except NotFound:
                # Deleted between the listing and the read: not an error.
                self._gone(message.id)
                return
            except (ItemUnreadable, Forbidden, BodyTooLarge) as error:
                self._fail(message.id, error)
                return
            self._fetched.append((message, body))
            self._fetched_bytes += len(body)
            if len(self._fetched) >= _TOGETHER or self._fetched_bytes >= _BYTES_TOGETHER:
                await self._store_fetched()

    async def _store_fetched(self) -> None:
        fetched, self._fetched, self._fetched_bytes = self._fetched, [], 0
        if fetched:
            new = await uninterrupted(self._put, fetched)
            self._held += new  # in two steps: others may change it while this one waits
        for message, body in fetched:
            self._cursor.retry.pop(message.id, None)
            self._failed.pop(message.id, None)
            self._add("stored")
            self._add("bytes_read", len(body))
            self._uncommitted += len(body)

    def _put(self, fetched: list[tuple[Message, bytes]]) -> int:
        """In a thread; how many of the mails are new."""
        new = 0
        for message, body in fetched:
            new += self._session.known(message.id) is None
            item = NewItem(message.id, MAIL, message.change_key, message.folder, dict(message.sidecar))
            self._session.put_item(item, body)
        return new

    def _fail(self, item: str, error: Exception) -> None:
        """One bad item never costs its mailbox: it is listed, and asked for again at every run.

        An older version of the item that is stored already stays; the list says that it is not the newest.
        """
        self._failed[item] = FailedItem(item, _item_error(error).value, _reason(error))
        self._cursor.retry.setdefault(item, self._claim.session)

    def _gone(self, item: str) -> None:
        """Microsoft 365 does not know the item any more."""
        self._failed.pop(item, None)
        self._cursor.retry.pop(item, None)
        known = self._session.known(item)
        if known is not None:
            self._cursor.moved_out[item] = known.parent

    def _apply_removals(self, folders: set[str]) -> None:
        """Remove what left its folder and turned up nowhere else, and what lay in folders that are gone.

        An item that failed is there, though unread: the version that is stored stays.
        """
        gone: set[str] = set()
        for item, folder in self._cursor.moved_out.items():
            row = self._session.known(item)
            if row is not None and row.parent == folder:
                gone.add(item)
        lost_folders = {row.key for row in self._session.keys(FOLDER)} - folders
        for folder in lost_folders:
            gone.update(mail.key for mail in self._session.keys(MAIL, folder))
            self._cursor.links.pop(folder, None)
            self._session.remove(folder)
        gone -= self._failed.keys()
        for item in gone:
            self._session.remove(item)
            self._cursor.retry.pop(item, None)
        self._held -= len(gone)
        self._add("removed", len(gone))
        self._cursor.moved_out.clear()

    async def _mark_progress(self) -> None:
        now = self._clock.monotonic()
        due = now - self._checkpoint_at >= self._pace.checkpoint_seconds
        if due or self._uncommitted >= self._pace.checkpoint_bytes:
            await self._checkpoint()
        elif now - self._shown_at >= self._pace.progress_seconds:
            self._shown_at = now
            await self._jobs.progress(self._claim, self.counts(), "reading")

    async def _announce_adopted(self) -> None:
        """Whoever died after a checkpoint may not have told of its packs; told twice, they are told once."""
        if self._session.packs:
            await self._jobs.checkpointed(self._claim, 0, announced(self._session.packs), self.counts())

    async def _checkpoint(self) -> None:
        self._cursor.tally["requests"] = self._requests_before + self._mail.requests
        done = await uninterrupted(self._session.checkpoint, self._cursor.dump())
        self._add("bytes_stored", sum(pack.size for pack in done.packs))
        await self._jobs.checkpointed(self._claim, done.n, announced(done.packs), self.counts())
        self._checkpoint_at = self._shown_at = self._clock.monotonic()
        self._uncommitted = 0


def announced(packs: Sequence[PackRef]) -> list[tuple[str, int, str]]:
    """Packs as ports.Jobs tells of them."""
    return [(pack.key, pack.size, pack.sha256) for pack in packs]


def counts_of(snapshot: Snapshot) -> Counts:
    """What the worker that committed it had counted."""
    tally = _cursor(snapshot.cursor).tally
    return Counts(**{**tally, "unchanged": max(0, snapshot.items - tally.get("stored", 0))})


def _cursor(stored: bytes | None) -> MailCursor:
    """The cursor to go on from; an unreadable one costs a full enumeration, never data."""
    try:
        return MailCursor.load(stored)
    except CursorUnreadable as error:
        log.warning("stored cursor cannot be used; the mailbox is enumerated again", reason=str(error))
        return MailCursor()


def _reason(error: Exception) -> str:
    """What Graph said, without the address: that repeats the item's id."""
    code, text = getattr(error, "code", ""), getattr(error, "text", "")
    return ": ".join(part for part in (code, text) if part) or type(error).__name__


_ITEM_ERRORS: tuple[tuple[type[Exception], ErrorClass], ...] = (
    (Forbidden, ErrorClass.ACCESS_DENIED),
    (BodyTooLarge, ErrorClass.UNSUPPORTED_ITEM),
    (ItemUnreadable, ErrorClass.CORRUPT_SOURCE_ITEM),
)


def _item_error(error: Exception) -> ErrorClass:
    return next((code for kind, code in _ITEM_ERRORS if isinstance(error, kind)), ErrorClass.INTERNAL)
