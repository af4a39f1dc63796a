"""Sync the users that a request names: their profiles alone, or their roles as well and who is not here yet."""

from contracts.employees import SyncCounts
from sync_service.domain.standing import Standing
from sync_service.ports import Employees
from sync_service.usecases.apply_users import ApplyUsers, Circumstances
from sync_service.usecases.assign_roles import AssignRoles
from sync_service.usecases.claim import Claim
from sync_service.usecases.link_recreated import LinkRecreated

_PHASE = "users"


async def _nothing() -> None:
    """Their groups are looked at in any case."""


def _left(claim: Claim) -> tuple[str, ...]:
    return claim.run.users[claim.run.counts.listed :]


def _circumstances(claim: Claim) -> Circumstances:
    guests = claim.standing.settings.guests
    return Circumstances(claim.tenant, claim.directory, claim.author, guests, newcomers=_nothing)


class SyncUsers:
    """The standing of the tenant, where bulk syncs stand, is read and left alone."""

    def __init__(self, employees: Employees, apply: ApplyUsers, link: LinkRecreated, roles: AssignRoles) -> None:
        self._employees = employees
        self._apply = apply
        self._link = link
        self._roles = roles

    async def __call__(self, claim: Claim) -> tuple[str, ...]:
        """Import and refresh; gives no warnings. A worker that takes over goes on behind the last one counted."""
        for user in _left(claim):
            await claim.count(await self.one(user, _circumstances(claim), claim.standing), _PHASE)
        await self._link(claim.tenant, claim.author)
        return ()

    async def profiles(self, claim: Claim) -> tuple[str, ...]:
        """Refresh who is here; anybody else counts as not found."""
        for user in _left(claim):
            if await self._employees.get(claim.tenant, user) is None:
                await claim.count(SyncCounts(listed=1, not_found=1), _PHASE)
            else:
                await claim.count(await self._apply.singly([user], _circumstances(claim)), _PHASE)
        return ()

    async def one(self, user: str, given: Circumstances, standing: Standing) -> SyncCounts:
        """Ask for one user, apply the answer and set the roles."""
        counts = await self._apply.singly([user], given)
        record = await self._employees.get(given.tenant, user)
        if record is None or not record.present:
            return counts
        changed = await self._roles.one(given.tenant, user, standing, given.directory, given.author)
        return counts + SyncCounts(role_changes=changed)
