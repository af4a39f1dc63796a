"""What a source works against: its part of the cursor, the session, the ledger of what failed, the numbers."""

import asyncio
from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import datetime
from typing import Any

from backup_engine.model import FailedItem, ItemRow, Meta, NewItem, Skipped
from backup_engine.session import Session
from backup_service.domain.cursor import Section
from backup_service.domain.jobs import Claim
from backup_service.usecases.item_errors import Suspicion, class_of, reason
from backup_service.usecases.reading.checkpoints import BackupPace, Checkpoints
from backup_service.usecases.reading.streamed import Opened, streamed_again
from backup_service.usecases.uninterrupted import uninterrupted
from chassis.clock import Clock
from contracts.errors import ErrorClass
from contracts.events import Counts
from graph_client.errors import GraphError

_TOGETHER = 32
_BYTES_TOGETHER = 2 << 20
_QUICK = 2 * _BYTES_TOGETHER
"""Bytes up to which storing keeps the event loop for some 10 ms at most."""


class Frame:
    """One source's view of the reading of one resource.

    `cursor` and `progress` are documents of the source's own (JSON values): the first lasts from run to run, the
    second as long as the job. Both become durable together with the rows put before: move a link in them only after
    `flush`.
    """

    expected: int
    """Items the source says there are; the denominator while nothing better is known."""

    def __init__(
        self,
        claim: Claim,
        session: Session,
        section: Section,
        *,
        lost: Collection[str],
        held: int,
        pace: BackupPace,
        clock: Clock,
        checkpoints: Checkpoints,
        counts: Callable[[], Counts],
    ) -> None:
        self.claim = claim
        self.resource = claim.resource
        self.parallel = pace.parallel
        self._full_look_seconds = pace.full_look_seconds
        self._clock = clock
        self.cursor: dict[str, Any] = section.cursor
        self.progress: dict[str, Any] = section.progress
        self.expected = 0
        self.failed: dict[str, FailedItem] = {}
        self.skipped: dict[str, Skipped] = {}
        self._session = session
        self._section = section
        self._lost = lost
        self._held = held
        self._checkpoints = checkpoints
        self._counts = counts
        self._suspicion = Suspicion()
        # Threads that store side by side mostly wait for Python's lock, and for each other.
        self._storing = asyncio.Lock()
        self._streams = 0  # under way, each in a thread that stores
        # Fetched and not yet stored; nothing of it outlives a flush.
        self._waiting: list[tuple[NewItem, bytes, bool]] = []
        self._waiting_bytes = 0

    @property
    def again(self) -> list[str]:
        """Items to ask for by their ids, before anything else: no delta names them.

        What could not be read before, and what the storage has lost though it is unchanged at its source.
        """
        return [*{**self._section.retry, **dict.fromkeys(self._lost, "")}]

    def now(self) -> datetime:
        return self._clock.now()

    def long_ago(self, moment: str | None) -> bool:
        """Is it time for a full look? `moment` is when the last one was, in ISO 8601, None if there was none."""
        if moment is None:
            return True
        return (self.now() - datetime.fromisoformat(moment)).total_seconds() >= self._full_look_seconds

    def known(self, key: str) -> ItemRow | None:
        """The row as it is now: of the parent restore point, or as put since. What waits for `flush` is not seen."""
        return self._session.known(key)

    def keys(self, kind: str, parent: str | None = None) -> Iterator[ItemRow]:
        """All rows of a kind, optionally below one parent; many, so call it in a thread (`uninterrupted`)."""
        return self._session.keys(kind, parent)

    async def put_item(self, item: NewItem, body: bytes) -> None:
        """Keep an item with its bytes. Stored with its neighbours: a thread for each costs more than storing it."""
        await self._put(item, body, paged=False)

    async def put_page_item(self, item: NewItem, body: bytes) -> None:
        """Keep a small item, such as an event's JSON: many of them share a page in the repository."""
        await self._put(item, body, paged=True)

    async def put_stream(self, item: NewItem, open_: Opened) -> None:
        """Keep an item of any length as its bytes arrive. Raises what the stream raises, and has kept nothing then.

        A stream that breaks off is opened again a few times.
        """
        new = self._session.known(item.key) is None

        def put(arriving: Iterable[bytes]) -> int:
            return self._session.put_stream(item, arriving).size

        self._streams += 1
        try:
            size = await streamed_again(put, open_)
        finally:
            self._streams -= 1
        self._suspicion.cleared()
        self._held += new
        self._stored(item.key, size)

    async def update_meta(self, row: ItemRow, *, version: str, parent: str, meta: Meta) -> None:
        """Change what is known about a stored item and keep its bytes. If those could not be read, that stays so."""
        await self.flush()
        await uninterrupted(self._session.update_meta, row.key, version, parent, meta)
        self.add("stored")

    async def put_record(self, key: str, kind: str, parent: str, meta: Meta, version: str = "") -> None:
        """Keep something without bytes, such as a folder, if it is new or has changed."""
        known = self._session.known(key)
        if known is None or (known.version, known.parent, dict(known.meta)) != (version, parent, dict(meta)):
            await uninterrupted(self._session.put_record, key, kind, version, parent, meta)

    async def remove(self, keys: Collection[str]) -> None:
        """They are gone from the source: remove what is stored of them, and forget what failed of them."""
        bodies = await uninterrupted(self._remove, keys)
        for key in keys:
            self.gone(key)
        self._held -= bodies
        self.add("removed", bodies)

    def _remove(self, keys: Collection[str]) -> int:
        """In a thread; how many of them had bytes."""
        bodies = 0
        for key in keys:
            row = self._session.known(key)
            bodies += row is not None and row.has_body
            self._session.remove(key)
        return bodies

    def blame(self, key: str, error: GraphError) -> None:
        """List the item as failed if the error is its own. Raises the error if it is of Microsoft 365 as a whole."""
        if not self.is_of_one_item(error):
            raise error
        self.fail(key, error)

    def is_of_one_item(self, error: GraphError) -> bool:
        """No, where Graph is away or refuses the job; ask once per error: what happens in a row counts."""
        return self._suspicion.falls_on_item(error)

    def fail(self, key: str, error: Exception) -> None:
        """One bad item never costs its mailbox: it is listed, and is among `again` at every run.

        An older version of the item that is stored already stays; the list says that it is not the newest.
        """
        self.miss(key, class_of(error), reason(error))
        self._section.retry.setdefault(key, self.claim.session)

    def miss(self, key: str, error: ErrorClass, detail: str) -> None:
        """List something that is missing and that no id can be asked for again."""
        self.failed[key] = FailedItem(key, error.value, detail)

    def skip(self, key: str, error: ErrorClass, detail: str) -> None:
        """List something that is left out on purpose, with the cause; it makes no restore point partial."""
        self.skipped[key] = Skipped(key, error.value, detail)

    def gone(self, key: str) -> None:
        """Microsoft 365 does not know the item any more: nothing of it is asked for again."""
        self.failed.pop(key, None)
        self._section.retry.pop(key, None)

    def ask_again(self, keys: Iterable[str]) -> None:
        """Put them among `again` of whoever goes on from the next checkpoint."""
        for key in keys:
            self._section.retry.setdefault(key, self.claim.session)

    async def flush(self) -> None:
        """Store what was put; only then may a link that covers it move."""
        waiting, self._waiting = self._waiting, []
        size, self._waiting_bytes = self._waiting_bytes, 0
        if waiting:
            async with self._storing:
                if self._is_quick(size):
                    new = self._store(waiting)
                else:
                    new = await uninterrupted(self._store, waiting)
            self._held += new  # in two steps: others may change it while this one waits
        for item, body, _ in waiting:
            self._stored(item.key, len(body))

    async def mark_progress(self) -> None:
        """Between two steps, with everything flushed: a checkpoint if one is due, else a sign of life."""
        await self.flush()
        await self._checkpoints.due(self._counts)

    def add(self, name: str, amount: int = 1) -> None:
        """Count something that this job has done."""
        self._section.tally[name] = self._section.tally.get(name, 0) + amount

    def found(self) -> int:
        """Items the source has; one that failed and is held in an older version counts once."""
        unread = sum(1 for key in self.failed if self._session.known(key) is None)
        return self._held + unread + len(self.skipped)

    def figures(self) -> dict[str, int]:
        """What this job has done so far, by this worker and those it took over from."""
        tally = self._section.tally
        now = {
            "listed": max(self.found(), self.expected),
            "unchanged": max(0, self._held - tally.get("stored", 0)),
            "failed": len(self.failed),
            "skipped": len(self.skipped),
        }
        return {**tally, **now}

    async def _put(self, item: NewItem, body: bytes, *, paged: bool) -> None:
        self._suspicion.cleared()
        self._waiting.append((item, body, paged))
        self._waiting_bytes += len(body)
        if len(self._waiting) >= _TOGETHER or self._waiting_bytes >= _BYTES_TOGETHER:
            await self.flush()

    def _is_quick(self, size: int) -> bool:
        """Whether to store so many bytes on the event loop: it takes some milliseconds and waits for nobody.

        In a thread it takes longer, because loop and thread wait for Python's lock and for each other (ADR 0035).
        """
        return not self._streams and size <= _QUICK and self._session.has_room(size)

    def _store(self, waiting: list[tuple[NewItem, bytes, bool]]) -> int:
        """How many of the items are new."""
        new = 0
        for item, body, paged in waiting:
            new += item.key not in self._session
            put = self._session.put_page_item if paged else self._session.put_item
            put(item, body)
        return new

    def _stored(self, key: str, size: int) -> None:
        self.gone(key)  # from the lists of what is missing
        self.add("stored")
        self.add("bytes_read", size)
        self._checkpoints.took(size)
