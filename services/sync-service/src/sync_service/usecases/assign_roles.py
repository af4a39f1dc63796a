"""Give everybody the roles that groups in Microsoft 365 give them."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

from chassis.clock import Clock
from contracts.names import Role
from sync_service.domain.employee import Author, with_roles
from sync_service.domain.roles import GROUP_ROLES, group_name, roles_of
from sync_service.domain.standing import Standing
from sync_service.ports import Directory, Employees

_AT_ONCE = 200


@dataclass(frozen=True)
class RoleGroups:
    """The group of each role, where there is one; `warnings` name roles with several groups of the same name."""

    groups: Mapping[Role, str]
    warnings: tuple[str, ...]


class AssignRoles:
    def __init__(self, employees: Employees, clock: Clock) -> None:
        self._employees = employees
        self._clock = clock

    async def find(self, standing: Standing, directory: Directory) -> RoleGroups:
        """Find the groups by name; one that was found before stays, as long as it has the name.

        Several of a name give nobody a role: who can create groups could make himself an administrator.
        """
        groups, warnings = {}, []
        for role in GROUP_ROLES:
            name = group_name(standing.settings.group_pattern, standing.tenant, role)
            pinned = standing.role_groups.get(role)
            if pinned is not None and await directory.group_is_named(pinned, name):
                groups[role] = pinned
                continue
            found = await directory.groups_named(name)
            if len(found) == 1:
                groups[role] = found[0]
            elif found:
                warnings.append(f"ambiguous_group_{role.value}")
        return RoleGroups(groups, tuple(warnings))

    async def everybody(
        self, tenant: str, found: RoleGroups, directory: Directory, author: Author
    ) -> AsyncIterator[int]:
        """Read all members and set the roles that differ; gives of how many people, some hundred at a time."""
        members = {role: await directory.members(group) for role, group in found.groups.items()}
        concerned = sorted({e.id for e in await self._employees.elevated(tenant)}.union(*members.values()))
        for start in range(0, len(concerned), _AT_ONCE):
            yield await self._set(tenant, concerned[start : start + _AT_ONCE], members, author)

    async def one(self, tenant: str, user: str, standing: Standing, directory: Directory, author: Author) -> int:
        """Set the roles of one user by the groups that were found before."""
        if not standing.role_groups:
            return 0
        own = await directory.groups_of(user)
        members = {role: frozenset([user]) for role, group in standing.role_groups.items() if group in own}
        return await self._set(tenant, [user], members, author)

    async def _set(self, tenant: str, users: list[str], members: Mapping[Role, frozenset[str]], author: Author) -> int:
        changed, waiting = 0, frozenset(users)
        while waiting:
            known = await self._employees.some(tenant, waiting)
            wanted = [
                change
                for record in known.values()
                if (change := with_roles(record, roles_of(record.id, members), author=author, now=self._clock.now()))
            ]
            waiting = await self._employees.save(wanted)
            changed += len(wanted) - len(waiting)
        return changed
