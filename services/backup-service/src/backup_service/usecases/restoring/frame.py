"""What the sources of a restore share: what is wanted, the bytes of it, the problems and the numbers."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from backup_engine import IntegrityError, Repository
from backup_engine.model import ItemRow
from backup_service.domain import address_book
from backup_service.domain.calendar import EVENT
from backup_service.domain.contacts import CONTACT
from backup_service.domain.jobs import Claim
from backup_service.domain.mail import MAIL, Mailbox
from backup_service.domain.restore_order import RestoreOrder
from backup_service.ports import Jobs
from backup_service.usecases.item_errors import Suspicion
from backup_service.usecases.restoring.problems import Problems
from backup_service.usecases.restoring.supply import Supply, readable
from chassis.clock import Clock
from contracts.errors import ErrorClass
from contracts.events import Counts
from contracts.names import Source
from contracts.restoring import RestoredSource, RestoreReport
from graph_client.errors import (
    BadResponse,
    BodyTooLarge,
    Forbidden,
    GraphError,
    ItemUnreadable,
    NotFound,
    Refused,
    Unreachable,
)

RestoreOne = Callable[[ItemRow, bytes], Awaitable[None]]

_COSTS_ONE_ITEM: tuple[tuple[type[GraphError], ErrorClass], ...] = (
    (Refused, ErrorClass.INTERNAL),
    (BadResponse, ErrorClass.INTERNAL),
    (Unreachable, ErrorClass.INTERNAL),
    (NotFound, ErrorClass.NOT_FOUND),
    (ItemUnreadable, ErrorClass.CORRUPT_SOURCE_ITEM),
    (BodyTooLarge, ErrorClass.UNSUPPORTED_ITEM),
)
"""What may cost one item and not its mailbox."""

_ITEMS = frozenset({MAIL, EVENT, CONTACT, *address_book.KINDS})
"""Kinds of what people name; the others are containers and parts of these."""


@dataclass(frozen=True)
class RestorePace:
    """`parallel` items are restored at once; progress is shown every `progress_seconds`."""

    parallel: int = 4
    progress_seconds: float = 1.0


@dataclass
class Tally:
    """What became of the items of one source; the fields of contracts.restoring.RestoredSource."""

    source: Source
    selected: int = 0
    created: int = 0
    replaced: int = 0
    skipped: int = 0
    resumed: int = 0
    verified: int = 0
    failed: int = 0
    folders_created: int = 0


class RestoreFrame:
    """One restore point, or parts of it, into one mailbox.

    `tag` names the restore: what is created carries it, so that a repeated attempt finds what is there. `resumes` is
    False when no earlier attempt can have created anything. In a dry run (`order.dry_run`) nothing may be written.
    """

    def __init__(
        self,
        claim: Claim,
        order: RestoreOrder,
        repository: Repository,
        mailbox: Mailbox,
        *,
        jobs: Jobs,
        clock: Clock,
        pace: RestorePace,
        requests: Callable[[], int],
    ) -> None:
        self.order = order
        self.mailbox = mailbox.id
        self.tag = claim.run
        self.resumes = claim.previous is not None
        self.in_place = mailbox.id == claim.resource
        self._claim = claim
        self._repository = repository
        self._jobs = jobs
        self._clock = clock
        self._pace = pace
        self._requests = requests
        self._shown_at = clock.monotonic()
        self._tallies: list[Tally] = []
        self._problems = Problems()
        self._bytes = 0
        named = order.selection
        self._everything = not named.items and not named.folders
        self._items, self._folders = frozenset(named.items), frozenset(named.folders)
        self._unseen = set(named.items) | set(named.folders)
        self._refused: dict[Source, Forbidden] = {}
        self._suspicion = Suspicion()
        # When only items are named: these, and everything that is no item of its own.
        self._around: list[ItemRow] | None = None

    def tally(self, source: Source) -> Tally:
        """The numbers of one source, to be kept by it; `failed` is kept by `problem`."""
        self._tallies.append(Tally(source))
        return self._tallies[-1]

    async def containers(self, kind: str) -> dict[str, ItemRow]:
        """Every folder, calendar, … of the restore point, by key, whether it is wanted or not."""
        found = {row.key: row for row in await self.rows(kind)}
        self._unseen -= found.keys()
        return found

    def wanted_whole(self, containers: Mapping[str, ItemRow]) -> set[str]:
        """Keys of the containers that are wanted with all they hold, those below them included.

        What people had deleted for good comes back only to those who ask for it.
        """
        apart = _kept_apart(containers)
        return {key for key in containers if (self._everything and key not in apart) or self._is_below(key, containers)}

    async def wanted(self, kind: str, containers: Mapping[str, ItemRow]) -> list[ItemRow]:
        """The items to restore: named themselves, or within a container that is."""
        whole, apart = self.wanted_whole(containers), _kept_apart(containers)

        def is_wanted(row: ItemRow) -> bool:
            self._unseen.discard(row.key)
            everything = self._everything and row.parent not in apart
            return everything or row.key in self._items or row.parent in whole

        return await self.rows(kind, is_wanted)

    async def rows(self, kind: str, wanted: Callable[[ItemRow], bool] = lambda _row: True) -> list[ItemRow]:
        """Rows of a kind; one pass over the restore point, and one for all kinds when only items are named."""
        return await asyncio.to_thread(lambda: [row for row in self._all(kind) if wanted(row)])

    def _all(self, kind: str) -> Iterable[ItemRow]:
        """In a thread."""
        place = self.order.shard, self.order.restore_point
        if self._everything or self._folders:
            return self._repository.items(*place, kind)
        if self._around is None:
            # To give one mail back, every source would go through 100,000 rows, some of them twice.
            found = self._repository.items(*place)
            self._around = [row for row in found if row.kind not in _ITEMS or row.key in self._items]
        return (row for row in self._around if row.kind == kind)

    async def read(self, row: ItemRow) -> bytes:
        """The bytes of one row, such as an attachment's. Raises IntegrityError; `each` makes a problem of it."""
        return await asyncio.to_thread(self._repository.read, row)

    async def each(self, tally: Tally, rows: Sequence[ItemRow], restore: RestoreOne) -> None:
        """Restore rows with their bytes, a few at once, in the order of the packs.

        What only one item can help (damaged bytes, an answer of Graph about it) becomes its problem.
        """

        def damaged(row: ItemRow, error: IntegrityError) -> None:
            self.problem(tally, row.key, ErrorClass.INTEGRITY, f"what is stored is damaged: {error}")

        supply = Supply(readable(self._repository, rows, damaged))
        async with asyncio.TaskGroup() as group:
            for _ in range(self._pace.parallel):
                group.create_task(self._work(tally, supply, restore))

    async def _work(self, tally: Tally, supply: Supply, restore: RestoreOne) -> None:
        while (found := await supply.next()) is not None:
            row, body = found
            try:
                await restore(row, body)
                self._suspicion.cleared()
            except GraphError as error:
                self.problem(tally, row.key, self._cost_of_one_item(error), f"Microsoft 365 refused it: {error}")
            except IntegrityError as error:
                self.problem(tally, row.key, ErrorClass.INTEGRITY, f"what is stored is damaged: {error}")
            self._bytes += len(body)
            await self.show()

    def _cost_of_one_item(self, error: GraphError) -> ErrorClass:
        """The class of an error that is this item's alone. Raises the error if it is not.

        Without a usable answer nobody knows what was created: the job waits, and an attempt that looks first decides.
        """
        unsure = isinstance(error, Unreachable) and not self.resumes
        if isinstance(error, Forbidden) or unsure:
            raise error
        if not isinstance(error, NotFound) and not self._suspicion.falls_on_item(error):
            raise error
        return next(found for kind, found in _COSTS_ONE_ITEM if isinstance(error, kind))

    def problem(self, tally: Tally, key: str, error: ErrorClass, detail: str) -> None:
        """List an item that is not restored, or not as it was."""
        tally.failed += 1
        self._problems.add(key, error, detail)

    async def show(self) -> None:
        """Show progress if it is time; a sign of life. Raises SessionLost."""
        if self._clock.monotonic() - self._shown_at >= self._pace.progress_seconds:
            self._shown_at = self._clock.monotonic()
            await self._jobs.progress(self._claim, self.counts(), "restoring")

    def refuse(self, source: Source, error: Forbidden) -> None:
        """Microsoft 365 does not let this app into the workload of a source: none of its items is restored."""
        self._refused[source] = error

    def raise_if_all_refused(self) -> None:
        """A job that may do nothing of what it is asked for waits for the permission; otherwise it is told as missing.

        Raises Forbidden.
        """
        wanted = {tally.source: tally for tally in self._tallies if tally.selected}
        if wanted and wanted.keys() == self._refused.keys():
            raise next(iter(self._refused.values()))
        for source, error in self._refused.items():
            if source not in wanted:
                continue
            detail = f"{source.value} is not restored, a permission is missing: {error.code or error.text}"
            self.problem(wanted[source], source.value, ErrorClass.ACCESS_DENIED, detail)
            wanted[source].failed = wanted[source].selected

    def tell_unknown(self) -> None:
        """When all sources are through: ids of the order that the restore point does not know."""
        for key in sorted(self._unseen):
            self._problems.add(key, ErrorClass.NOT_FOUND, "the restore point has no such item")

    def counts(self) -> Counts:
        written = 0 if self.order.dry_run else sum(tally.created + tally.replaced for tally in self._tallies)
        return Counts(
            listed=sum(tally.selected for tally in self._tallies),
            stored=written,
            unchanged=sum(tally.resumed for tally in self._tallies),
            skipped=sum(tally.skipped for tally in self._tallies),
            failed=len(self._problems),
            bytes_read=self._bytes,
            requests=self._requests(),
            verified=sum(tally.verified for tally in self._tallies),
        )

    def report(self) -> RestoreReport:
        return RestoreReport(
            dry_run=self.order.dry_run,
            place=self.order.place,
            conflict=self.order.conflict,
            sources=tuple(RestoredSource(**vars(tally)) for tally in self._tallies),
            problems=len(self._problems),
        )

    @property
    def problems(self) -> Problems:
        return self._problems

    def _is_below(self, key: str, containers: Mapping[str, ItemRow]) -> bool:
        return any(above in self._folders for above in lineage(key, containers))


def lineage(key: str, containers: Mapping[str, ItemRow]) -> Iterator[str]:
    """The container, the one it lies in, and so on up; ends at one that is not known."""
    seen: set[str] = set()
    while key in containers and key not in seen:
        seen.add(key)
        yield key
        key = containers[key].parent


def _kept_apart(containers: Mapping[str, ItemRow]) -> set[str]:
    """The recoverable items (see reading.mail_folders)."""
    return {key for key, row in containers.items() if row.meta.get("recoverable")}
