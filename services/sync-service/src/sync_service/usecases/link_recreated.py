"""Link who was deleted and created anew: another object id, the same mail address. Nothing is merged."""

from chassis.clock import Clock
from sync_service.domain.employee import Author, Employee, linked, succeeded
from sync_service.ports import Employees

_AT_ONCE = 500


class LinkRecreated:
    """Called when all of a round is applied: before, an address may have moved between two who both exist."""

    def __init__(self, employees: Employees, clock: Clock) -> None:
        self._employees = employees
        self._clock = clock

    async def __call__(self, tenant: str, author: Author) -> int:
        """Link all there are to link; gives how many."""
        made, after = 0, None
        while deleted := await self._employees.unlinked(tenant, after, _AT_ONCE):
            after = deleted[-1].id
            latest = {record.mail: record for record in sorted(deleted, key=_deleted_at)}
            for heir in await self._employees.with_mail(tenant, [mail for mail in latest if mail]):
                made += await self._link(heir, latest[heir.mail], author)
        return made

    async def _link(self, heir: Employee, predecessor: Employee, author: Author) -> bool:
        """The heir first: after a crash in between the predecessor is still unlinked, and found again."""
        now = self._clock.now()
        if heir.predecessor is None and heir.imported_at < predecessor.imported_at:
            return False  # the address moved to somebody who was here before
        if heir.predecessor is None:
            if await self._employees.save([linked(heir, predecessor.id, author=author, now=now)]):
                return False
        elif heir.predecessor != predecessor.id:
            return False
        return not await self._employees.save([succeeded(predecessor, heir.id, author=author, now=now)])


def _deleted_at(record: Employee) -> str:
    return "" if record.deleted_at is None else record.deleted_at.isoformat()
