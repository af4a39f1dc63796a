"""A bulk sync: one round through users, then what follows from it, each step saved before the next begins.

    pages      every page is applied, then the link to the next one is saved
    unseen     of a whole round: who was not listed is asked for alone, and is gone or is not
    links      who was created anew is linked to who was deleted
    roles      when groups or people changed: the members of the groups of roles
    close      the round is over: time of the last sync, next run, the last administrator

A worker that dies leaves the round where it is; who takes over repeats at most one page, which changes nothing twice.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta

from contracts.employees import SyncCounts
from contracts.events import EmployeeLastAdminRemoved
from contracts.names import SyncKind
from sync_service.domain.standing import Round, Standing
from sync_service.ports import CursorExpired, Employees, UserPage
from sync_service.usecases.apply_users import ApplyUsers, Circumstances
from sync_service.usecases.assign_roles import AssignRoles, RoleGroups
from sync_service.usecases.claim import Claim, taken
from sync_service.usecases.link_recreated import LinkRecreated

_AT_ONCE = 100
_RESTARTS = 3
"""How often a round may begin anew because its cursor is void."""


@dataclass(frozen=True)
class Steps:
    """What a round is made of."""

    apply: ApplyUsers
    link: LinkRecreated
    roles: AssignRoles


class SyncEverybody:
    """`whole_every` is how often everybody is listed although change tracking works: it may have missed something."""

    def __init__(self, employees: Employees, steps: Steps, whole_every: timedelta) -> None:
        self._employees = employees
        self._steps = steps
        self._whole_every = whole_every

    async def __call__(self, claim: Claim) -> tuple[str, ...]:
        """Do what is left of the run's round; gives warnings. Raises ClaimLost and what Microsoft 365 raises.

        A round that was left open covers only what was so when it began: another one follows. One whose first page was
        never saved begins anew: who was on that page and is gone by now would be told of by nobody.
        """
        await claim.advance(lambda standing: taken(standing, claim.run.session))
        current = claim.standing.round
        wanted = claim.run.kind is SyncKind.FULL and (current is None or current.run != claim.run.id)
        unlisted = current is not None and claim.standing.link is None
        if wanted or unlisted:
            current = None
            await claim.advance(lambda standing: _begun(standing.wanting_everybody(), claim, whole=True))
        warnings = await self._round(claim)
        return warnings if current is None else await self._round(claim)

    async def _round(self, claim: Claim) -> tuple[str, ...]:
        if claim.standing.round is None:
            await self._begin(claim)
        await self._listed(claim)
        if _open(claim.standing).whole:
            await self._unseen(claim)
        await self._steps.link(claim.tenant, claim.author)
        found = await self._roles(claim)
        await self._close(claim, found)
        return () if found is None else found.warnings

    async def _begin(self, claim: Claim) -> None:
        last = claim.standing.last_whole_at
        if claim.standing.link is None or last is None or last + self._whole_every <= claim.now():
            await claim.advance(lambda standing: _begun(standing.wanting_everybody(), claim, whole=True))
        else:
            await claim.advance(lambda standing: _begun(standing, claim, whole=False))

    async def _listed(self, claim: Claim) -> None:
        for _ in range(_RESTARTS):
            if _open(claim.standing).listed:
                return
            try:
                await self._pages(claim)
            except CursorExpired:
                await claim.advance(lambda standing: _begun(standing.wanting_everybody(), claim, whole=True))
        if not _open(claim.standing).listed:
            raise CursorExpired

    async def _pages(self, claim: Claim) -> None:
        whole, given = _open(claim.standing).whole, _circumstances(claim)
        read_at = claim.now()
        async for page in claim.directory.pages(claim.standing.link):
            counts = await self._steps.apply.page(page, given, read_at=read_at, whole=whole)
            await claim.advance(_past(page))
            await claim.count(counts, "listing")
            read_at = claim.now()

    async def _unseen(self, claim: Claim) -> None:
        # The clock of who began the round may be ahead of ours.
        given, since = _circumstances(claim), min(_open(claim.standing).started_at, claim.now())
        while missing := await self._employees.unseen(claim.tenant, since, _AT_ONCE):
            counts = await self._steps.apply.singly([record.id for record in missing], given)
            await claim.count(counts, "missing")

    async def _roles(self, claim: Claim) -> RoleGroups | None:
        """Set roles if anything says that they may differ; None when nothing does."""
        try:
            since = await claim.directory.groups_since(claim.standing.groups_link)
        except CursorExpired:
            since = replace(await claim.directory.groups_since(None), changed=True)
        due = claim.standing.roles_due or since.changed or claim.standing.groups_link is None
        await claim.advance(lambda standing: replace(standing, groups_link=since.link, roles_due=due))
        if not due:
            return None
        found = await self._steps.roles.find(claim.standing, claim.directory)
        async for changed in self._steps.roles.everybody(claim.tenant, found, claim.directory, claim.author):
            await claim.count(SyncCounts(role_changes=changed), "roles")
        return found

    async def _close(self, claim: Claim, found: RoleGroups | None) -> None:
        await claim.count(SyncCounts(), "closing")  # the requests since the last page
        numbers, round_ = await self._employees.numbers(claim.tenant), _open(claim.standing)
        now = claim.now()

        def closed(standing: Standing) -> Standing:
            after = replace(
                standing,
                round=None,
                numbers=numbers,
                last_sync_at=round_.started_at,
                last_whole_at=round_.started_at if round_.whole else standing.last_whole_at,
            )
            if found is not None:
                after = replace(after, role_groups=found.groups, roles_due=False)
            return after.scheduled(now)

        lost_all = claim.standing.numbers.admins > 0 and numbers.admins == 0
        event = EmployeeLastAdminRemoved(tenant=claim.tenant, at=now, run=claim.run.id)
        await claim.advance(closed, (event,) if lost_all else ())


def _open(standing: Standing) -> Round:
    assert standing.round is not None  # it was begun
    return standing.round


def _begun(standing: Standing, claim: Claim, *, whole: bool) -> Standing:
    return replace(standing, round=Round(run=claim.run.id, started_at=claim.now(), whole=whole))


def _past(page: UserPage) -> Callable[[Standing], Standing]:
    """The standing after a page was applied."""

    def after(standing: Standing) -> Standing:
        listed = page.delta_link is not None
        return replace(standing, link=page.delta_link or page.next_link, round=replace(_open(standing), listed=listed))

    return after


def _circumstances(claim: Claim) -> Circumstances:
    return Circumstances(
        tenant=claim.tenant,
        directory=claim.directory,
        author=claim.author,
        guests=claim.standing.settings.guests,
        newcomers=_newcomers(claim),
    )


def _newcomers(claim: Claim) -> Callable[[], Awaitable[None]]:
    async def note() -> None:
        if not claim.standing.roles_due:
            await claim.advance(lambda standing: replace(standing, roles_due=True))

    return note
