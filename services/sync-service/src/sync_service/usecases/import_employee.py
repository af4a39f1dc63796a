"""Import single users, and load single employees anew."""

import base64
import binascii
from dataclasses import replace

from chassis.clock import Clock
from contracts.auditing import AuditAction, recorded
from contracts.caller import Caller
from contracts.employee_changes import Refusal, refused
from contracts.employees import SyncSettings
from contracts.names import Role
from contracts.operations.employees import Candidate, CandidatesOf
from contracts.problem import conflict, invalid
from contracts.views import Listing
from sync_service.domain.directory_user import DirectoryUser
from sync_service.domain.employee import (
    Author,
    Change,
    Employee,
    Reading,
    deactivated,
    imported,
    refreshed,
    with_roles,
)
from sync_service.domain.refusals import ChangeRefused
from sync_service.domain.roles import roles_of
from sync_service.domain.standing import Standing
from sync_service.ports import Employees, Standings
from sync_service.ports.profiles import ListedUser, ProfileAccess, Profiles
from sync_service.usecases.link_recreated import LinkRecreated

ORIGIN = "import"
_ATTEMPTS = 5
_PAGES = 5
"""Pages of Microsoft 365 looked through for one page of candidates."""


class ImportEmployee:
    def __init__(
        self, employees: Employees, standings: Standings, access: ProfileAccess, link: LinkRecreated, clock: Clock
    ) -> None:
        self._employees = employees
        self._standings = standings
        self._access = access
        self._link = link
        self._clock = clock

    async def __call__(self, tenant: str, user: str, caller: Caller) -> Employee:
        """Give the employee as Microsoft 365 has it now, with a record if there was none. Raises ProblemError."""
        try:
            for _ in range(_ATTEMPTS):
                found = await self._once(tenant, user, caller)
                if found is not None:
                    return found
        except ChangeRefused as error:
            raise refused(error.refusal, error.faults) from error
        raise conflict("the employee is being changed; try again shortly")

    async def _once(self, tenant: str, user: str, caller: Caller) -> Employee | None:
        """None when somebody was faster."""
        standing = await self._standings.get(tenant) or Standing(tenant)
        known, read_at = await self._employees.get(tenant, user), self._clock.now()
        author = Author(caller.subject, ORIGIN)
        async with self._access.profiles(tenant) as profiles:
            found = await self._found(profiles, user, known)
            groups = frozenset[str]() if found is None else await profiles.groups_of(user)
        reading = Reading(author, read_at, self._clock.now())
        change = self._change(standing, found, known, reading=reading, caller=caller)
        if change is not None and await self._employees.save([change]):
            return None
        await self._employees.seen(tenant, {user}, read_at)
        if known is None:
            await self._link(tenant, author)
        return await self._with_roles(user, groups, standing, author)

    async def _found(self, profiles: Profiles, user: str, known: Employee | None) -> DirectoryUser | None:
        """None when Microsoft 365 has deleted somebody who has a record."""
        try:
            return await profiles.read(user)
        except ChangeRefused as error:
            if error.refusal is Refusal.NOT_FOUND and known is not None:
                return None
            raise

    def _change(
        self,
        standing: Standing,
        found: DirectoryUser | None,
        known: Employee | None,
        *,
        reading: Reading,
        caller: Caller,
    ) -> Change | None:
        if known is not None:
            return deactivated(known, reading) if found is None else refreshed(known, found.whole(), reading)
        assert found is not None
        _check(found, standing.settings)
        tenant = standing.tenant
        change = imported(tenant, found.id, found.whole(), reading)
        audit = recorded(AuditAction.EMPLOYEE_IMPORT, found.id, tenant=tenant, caller=caller, at=reading.now)
        return replace(change, events=(*change.events, audit))

    async def _with_roles(
        self, user: str, groups: frozenset[str], standing: Standing, author: Author
    ) -> Employee | None:
        employee = await self._employees.get(standing.tenant, user)
        if employee is None:
            return None
        members = {role: frozenset([user]) for role, group in standing.role_groups.items() if group in groups}
        change = with_roles(employee, roles_of(user, members), author=author, now=self._clock.now())
        if change is None:
            return employee
        if await self._employees.save([change]):
            return None
        if Role.ADMIN in employee.roles and Role.ADMIN not in change.employee.roles:
            # Whether it was the last one is for a sync to see, which looks at everybody: at once.
            await self._standings.save(replace(standing, next_at=self._clock.now()))
        return change.employee

    async def candidates(self, tenant: str, question: CandidatesOf) -> Listing[Candidate]:
        """List users of Microsoft 365 who may be imported. A page may hold fewer than asked for, even none."""
        standing = await self._standings.get(tenant) or Standing(tenant)
        link, items = _link(question.cursor), list[Candidate]()
        try:
            async with self._access.profiles(tenant) as profiles:
                for _ in range(_PAGES):
                    page = await profiles.listed(question.q.strip(), link, question.limit)
                    items += await self._importable(tenant, page.users, standing.settings)
                    link = page.link
                    if link is None or items:
                        break
        except ChangeRefused as error:
            raise refused(error.refusal, error.faults) from error
        except ValueError as error:
            raise invalid("the cursor is none of this list") from error
        return Listing[Candidate](items=tuple(items), cursor=None if link is None else _cursor(link))

    async def _importable(self, tenant: str, users: tuple[ListedUser, ...], settings: SyncSettings) -> list[Candidate]:
        known = await self._employees.some(tenant, {one.user.id for one in users})
        return [
            _candidate(one)
            for one in users
            if one.user.id not in known
            and one.user.given.get("primary_mail")
            and (settings.guests or not one.user.guest)
        ]


def _check(found: DirectoryUser, settings: SyncSettings) -> None:
    """Only newcomers are asked for address and kind: who has a record keeps it."""
    if not found.given.get("primary_mail"):
        raise ChangeRefused(Refusal.NO_ADDRESS)
    if found.guest and not settings.guests:
        raise ChangeRefused(Refusal.GUEST)


def _candidate(listed: ListedUser) -> Candidate:
    fields = listed.user.whole()
    return Candidate(
        id=listed.user.id,
        display_name=fields.display_name or "",
        user_principal_name=listed.sign_in_name,
        primary_mail=fields.primary_mail or "",
        job_title=fields.job_title,
        account_enabled=fields.account_enabled,
        guest=bool(listed.user.guest),
    )


def _cursor(link: str) -> str:
    return base64.urlsafe_b64encode(link.encode()).decode().rstrip("=")


def _link(cursor: str | None) -> str | None:
    if cursor is None:
        return None
    try:
        return base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except (binascii.Error, ValueError) as error:
        raise invalid("the cursor is none of this list") from error
