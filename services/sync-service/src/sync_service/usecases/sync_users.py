"""Sync the users that a request names, and import those who are not here yet."""

from contracts.employees import SyncCounts
from sync_service.domain.standing import Standing
from sync_service.ports import Employees
from sync_service.usecases.apply_users import ApplyUsers, Circumstances
from sync_service.usecases.assign_roles import AssignRoles
from sync_service.usecases.claim import Claim
from sync_service.usecases.link_recreated import LinkRecreated


async def _nothing() -> None:
    """Their groups are looked at in any case."""


class SyncUsers:
    """The standing of the tenant, where bulk syncs stand, is read and left alone."""

    def __init__(self, employees: Employees, apply: ApplyUsers, link: LinkRecreated, roles: AssignRoles) -> None:
        self._employees = employees
        self._apply = apply
        self._link = link
        self._roles = roles

    async def __call__(self, claim: Claim) -> tuple[str, ...]:
        for user in claim.run.users[claim.run.counts.listed :]:
            given = Circumstances(
                claim.tenant, claim.directory, claim.author, claim.standing.settings.guests, newcomers=_nothing
            )
            await claim.count(await self.one(user, given, claim.standing))
        await self._link(claim.tenant, claim.author)
        return ()

    async def one(self, user: str, given: Circumstances, standing: Standing) -> SyncCounts:
        """Ask for one user, apply the answer and set the roles."""
        counts = await self._apply.singly([user], given)
        record = await self._employees.get(given.tenant, user)
        if record is None or not record.present:
            return counts
        changed = await self._roles.one(given.tenant, user, standing, given.directory, given.author)
        return counts + SyncCounts(role_changes=changed)
