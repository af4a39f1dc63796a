"""Which group gives which role, and what a person has after all groups were read."""

from collections.abc import Mapping

from contracts.names import Role

GROUP_ROLES: Mapping[Role, str] = {Role.ADMIN: "Admin", Role.HR: "HR", Role.ACCOUNTING: "Accounting"}
"""Roles that a group gives, and what {role} stands for in its name. User needs no group: everybody present is one."""


def group_name(pattern: str, tenant: str, role: Role) -> str:
    """The display name of the group that gives `role`."""
    return pattern.replace("{tenant}", tenant).replace("{role}", GROUP_ROLES[role])


def roles_of(user: str, members: Mapping[Role, frozenset[str]]) -> tuple[Role, ...]:
    """All roles of a present user, in the order of the enumeration."""
    return tuple(role for role in Role if role is Role.USER or user in members.get(role, frozenset()))
