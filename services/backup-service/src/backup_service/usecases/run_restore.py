"""Restore one mailbox into a user: create every mail as it was, read it back, compare.

A repeated or resumed restore makes no second copy: every created message carries a tag that names its item.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from backup_engine import IntegrityError, Repository
from backup_engine.exporting import folder_paths
from backup_engine.model import ItemRow
from backup_service.domain import mail_digest
from backup_service.domain.graph_message import new_message, upload_item
from backup_service.domain.item_errors import shown
from backup_service.domain.jobs import Claim, Finished, RestoreOrder
from backup_service.domain.mail import FOLDER, MAIL
from backup_service.domain.mime import parse
from backup_service.ports import Jobs, MailTarget, Repositories, Tenants
from chassis.clock import Clock
from contracts.errors import ErrorClass
from contracts.events import Counts
from contracts.names import JobState
from contracts.views import ItemProblem
from graph_client.errors import BadResponse, BodyTooLarge, GraphError, ItemUnreadable, NotFound, Refused

_TOGETHER = 16
_BYTES_TOGETHER = 16 << 20

_ITEM_ERRORS: dict[type[GraphError], ErrorClass] = {
    Refused: ErrorClass.INTERNAL,
    BadResponse: ErrorClass.INTERNAL,
    NotFound: ErrorClass.NOT_FOUND,
    ItemUnreadable: ErrorClass.CORRUPT_SOURCE_ITEM,
    BodyTooLarge: ErrorClass.UNSUPPORTED_ITEM,
}
"""What costs one item and not its mailbox."""


@dataclass(frozen=True)
class RestorePace:
    """`parallel` mails are created at once; progress is shown every `progress_seconds`."""

    parallel: int = 4
    progress_seconds: float = 1.0


class RunRestore:
    """Executes one claim. Raises what its ports raise; the caller judges it."""

    def __init__(
        self, tenants: Tenants, repositories: Repositories, jobs: Jobs, *, clock: Clock, pace: RestorePace
    ) -> None:
        self._tenants = tenants
        self._repositories = repositories
        self._jobs = jobs
        self._clock = clock
        self._pace = pace

    async def __call__(self, claim: Claim) -> Finished:
        order = claim.restore
        assert order is not None, "a restore job has an order"
        repository = await self._repositories.open(claim.tenant, claim.target)
        async with self._tenants.restore_mail(claim.tenant) as target:
            restore = _MailboxRestore(claim, order, repository, target, pace=self._pace)
            await restore.prepare()
            shown_at = self._clock.monotonic()
            async for _ in restore.batches():
                if self._clock.monotonic() - shown_at >= self._pace.progress_seconds:
                    shown_at = self._clock.monotonic()
                    await self._jobs.progress(claim, restore.counts(), "restoring")
            return restore.finished()


class _MailboxRestore:
    """One restore point into one mailbox."""

    def __init__(
        self, claim: Claim, order: RestoreOrder, repository: Repository, target: MailTarget, *, pace: RestorePace
    ) -> None:
        self._order = order
        # The tag names the run: the same order given twice on purpose makes two copies, a repeated run none.
        self._tag = claim.run
        self._repository = repository
        self._target = target
        self._pace = pace
        self._mailbox = ""
        self._rows: list[ItemRow] = []
        self._paths: dict[str, tuple[str, ...]] = {}
        self._folders: dict[tuple[str, ...], str] = {}
        self._there: dict[str, str] = {}
        self._problems: list[ItemProblem] = []
        self._created = self._found = self._verified = self._bytes = 0

    async def prepare(self) -> None:
        """Find the target, make the folders, and see what an earlier attempt has created."""
        self._mailbox = (await self._target.resolve(self._order.target_user)).id
        rows = await asyncio.to_thread(
            lambda: list(self._repository.items(self._order.shard, self._order.restore_point))
        )
        names = {row.key: (str(row.meta["name"]), row.parent) for row in rows if row.kind == FOLDER}
        self._paths = folder_paths(names)
        self._rows = [row for row in rows if row.kind == MAIL]
        top = self._order.target_folder or f"Restored {self._order.restore_point}"
        self._folders[()] = await self._target.ensure_folder(self._mailbox, "", top)
        for path in sorted(self._paths.values(), key=len):
            parent = self._folders[path[:-1]]
            self._folders[path] = await self._target.ensure_folder(self._mailbox, parent, path[-1])
        for folder in self._folders.values():
            self._there |= await self._target.restored(self._mailbox, folder, self._tag)

    async def batches(self) -> AsyncIterator[None]:
        """Restore a few mails at a time, in the order they lie in the packs."""
        reader = self._readable()
        slots = asyncio.Semaphore(self._pace.parallel)
        while batch := await asyncio.to_thread(_next_few, reader):
            async with asyncio.TaskGroup() as group:
                for row, body in batch:
                    group.create_task(self._restore(row, body, slots))
            yield

    def _readable(self) -> Iterator[tuple[ItemRow, bytes]]:
        """Every mail that the repository still gives whole; damaged ones become problems. Blocking."""
        left = {row.key: row for row in self._rows}
        try:
            for row, body in self._repository.read_many(self._rows):
                del left[row.key]
                yield row, body
        except IntegrityError:
            # One by one is slow, and it tells the damaged ones from the others.
            yield from self._undamaged(left.values())

    def _undamaged(self, rows: Iterable[ItemRow]) -> Iterator[tuple[ItemRow, bytes]]:
        for row in rows:
            try:
                body = self._repository.read(row)
            except IntegrityError as error:
                self._problem(row, ErrorClass.INTEGRITY, f"the stored mail is damaged: {error}")
            else:
                yield row, body

    async def _restore(self, row: ItemRow, body: bytes, slots: asyncio.Semaphore) -> None:
        async with slots:
            try:
                message = await self._ensure_message(row, body)
                different = await self._differences(row, body, message)
            except tuple(_ITEM_ERRORS) as error:
                self._problem(row, _ITEM_ERRORS[type(error)], f"Microsoft 365 refused the item: {error}")
                return
        self._bytes += len(body)
        if different:
            self._problem(row, ErrorClass.INTEGRITY, f"the restored mail differs in: {', '.join(different)}")
        else:
            self._verified += 1

    async def _ensure_message(self, row: ItemRow, body: bytes) -> str:
        mail = new_message(parse(body), row.meta, self._tag, row.key)
        known = self._there.get(row.key)
        if known is not None and not mail.uploads:
            self._found += 1
            return known
        if known is not None:
            # An earlier attempt may have died between creating it and uploading its large attachments.
            await self._target.remove(self._mailbox, known)
        folder = self._folders[self._paths.get(row.parent, ())]
        created = await self._target.create(self._mailbox, folder, mail.body)
        for attachment in mail.uploads:
            item = upload_item(attachment)
            await self._target.attach(self._mailbox, created, attachment.name, item, attachment.content)
        self._created += 1
        return created

    async def _differences(self, row: ItemRow, body: bytes, message: str) -> list[str]:
        """Names of what differs between the stored mail and the one that is now in the mailbox."""
        restored = await self._target.message(self._mailbox, message)
        mime = await self._target.mime(self._mailbox, message)
        paths = {folder: path for path, folder in self._folders.items()}

        def compare() -> list[str]:
            expected = mail_digest.facts(body, row.meta, self._paths.get(row.parent, ()))
            actual = mail_digest.facts(mime, restored.sidecar, paths.get(restored.folder, ("elsewhere",)))
            return mail_digest.differences(expected, actual)

        return await asyncio.to_thread(compare)

    def _problem(self, row: ItemRow, error: ErrorClass, detail: str) -> None:
        self._problems.append(ItemProblem(item=row.key, error=error, detail=detail))

    def counts(self) -> Counts:
        return Counts(
            listed=len(self._rows),
            stored=self._created,
            unchanged=self._found,
            failed=len(self._problems),
            bytes_read=self._bytes,
            requests=self._target.requests,
            verified=self._verified,
        )

    def finished(self) -> Finished:
        state = JobState.PARTIAL if self._problems else JobState.SUCCEEDED
        point = self._order.restore_point
        return Finished(state, self.counts(), point, item_errors=shown(self._problems))


def _next_few(reader: Iterator[tuple[ItemRow, bytes]]) -> list[tuple[ItemRow, bytes]]:
    """A few mails, fewer if they are large: their bytes are in memory together."""
    batch: list[tuple[ItemRow, bytes]] = []
    size = 0
    for row, body in islice(reader, _TOGETHER):
        batch.append((row, body))
        size += len(body)
        if size >= _BYTES_TOGETHER:
            break
    return batch
