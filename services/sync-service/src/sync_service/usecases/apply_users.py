"""Bring records in step with users that Microsoft 365 told of."""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from chassis.clock import Clock
from contracts.employees import SyncCounts, SynchronisedFields
from sync_service.domain import employee as records
from sync_service.domain.directory_user import DirectoryUser
from sync_service.domain.employee import Author, Change, Employee, Reading
from sync_service.ports import Directory, Employees, UserPage


@dataclass(frozen=True)
class Circumstances:
    """For whom and how users are applied. `guests`: they get a record, too.

    `newcomers` is awaited before somebody new or back is saved: their groups have to be looked at afterwards.
    """

    tenant: str
    directory: Directory
    author: Author
    guests: bool
    newcomers: Callable[[], Awaitable[None]]


@dataclass
class _Outcome:
    """What becomes of some users: changes to save, and by object id the figure each belongs to."""

    reading: Reading
    changes: list[Change] = field(default_factory=list)
    figures: dict[str, str] = field(default_factory=dict)

    @property
    def equal(self) -> list[str]:
        return [identity for identity, figure in self.figures.items() if figure == "unchanged"]

    def counts(self) -> SyncCounts:
        return SyncCounts(listed=len(self.figures), **Counter(self.figures.values()))


class ApplyUsers:
    def __init__(self, employees: Employees, clock: Clock) -> None:
        self._employees = employees
        self._clock = clock

    async def page(self, page: UserPage, given: Circumstances, *, read_at: datetime, whole: bool) -> SyncCounts:
        """Apply what was told when Microsoft 365 was asked at `read_at`; `whole`: each user with everything.

        Who cannot be judged by that is asked for alone: somebody new or back of whom only a change was told, and
        somebody whose record is newer than this page.
        """
        told = {user.id: user for user in page.users}
        gone = frozenset(page.removed) - told.keys()
        known = await self._employees.some(given.tenant, told.keys() | gone)
        outcome = _Outcome(Reading(given.author, read_at, self._clock.now()))
        unsure: list[str] = []
        for user in told.values():
            record = known.get(user.id)
            if _unsure(record, read_at, whole=whole):
                unsure.append(user.id)
            else:
                told_whole = whole or user.told_whole
                fields = user.whole() if told_whole or record is None else user.over(record.fields)
                self._judge(outcome, user, record, fields, given)
        for identity in sorted(gone & known.keys()):
            if known[identity].synced_at > read_at:
                unsure.append(identity)
            else:
                self._remove(outcome, known[identity])
        lost = await self._save(outcome, given)
        return outcome.counts() + await self.singly((*unsure, *lost), given)

    async def singly(self, users: Iterable[str], given: Circumstances) -> SyncCounts:
        """Ask for each of these users and apply the answer; who is neither there nor here counts as not found."""
        total = SyncCounts()
        for identity in users:
            lost = frozenset([identity])
            while lost:
                outcome = await self._alone(identity, given)
                lost = await self._save(outcome, given)
            total = total + outcome.counts()
        return total

    async def _alone(self, identity: str, given: Circumstances) -> _Outcome:
        read_at = self._clock.now()
        user = await given.directory.user(identity)
        record = await self._employees.get(given.tenant, identity)
        outcome = _Outcome(Reading(given.author, read_at, self._clock.now()))
        if user is not None:
            self._judge(outcome, user, record, user.whole(), given)
        elif record is not None:
            self._remove(outcome, record)
        else:
            outcome.figures[identity] = "not_found"
        return outcome

    async def _save(self, outcome: _Outcome, given: Circumstances) -> frozenset[str]:
        """Save; give whose record somebody else changed meanwhile."""
        if {"created", "restored"} & set(outcome.figures.values()):
            await given.newcomers()
        lost = await self._employees.save(outcome.changes)
        for identity in lost:
            del outcome.figures[identity]
        await self._employees.seen(given.tenant, outcome.equal, outcome.reading.read_at)
        return lost

    def _judge(
        self,
        outcome: _Outcome,
        user: DirectoryUser,
        record: Employee | None,
        fields: SynchronisedFields,
        given: Circumstances,
    ) -> None:
        if record is not None:
            change = records.refreshed(record, fields, outcome.reading)
            outcome.changes += [change] if change is not None else []
            outcome.figures[user.id] = _figure(record, change)
        elif user.guest and not given.guests:
            outcome.figures[user.id] = "guests"
        elif not fields.primary_mail:
            outcome.figures[user.id] = "without_mail"
        else:
            outcome.changes.append(records.imported(given.tenant, user.id, fields, outcome.reading))
            outcome.figures[user.id] = "created"

    def _remove(self, outcome: _Outcome, record: Employee) -> None:
        change = records.deactivated(record, outcome.reading)
        outcome.changes += [change] if change is not None else []
        outcome.figures[record.id] = "unchanged" if change is None else "deactivated"


def _unsure(record: Employee | None, read_at: datetime, *, whole: bool) -> bool:
    if record is None:
        return not whole
    return record.synced_at > read_at or not (whole or record.present)


def _figure(record: Employee, change: Change | None) -> str:
    if change is None:
        return "unchanged"
    return "updated" if record.present else "restored"
