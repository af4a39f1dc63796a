"""Who asks, and what they may do: decided from the token and the one table, before anything is looked up."""

import re
from dataclasses import dataclass, replace
from typing import Self

from contracts.authorization import Route
from contracts.names import Role

_SLUG = re.compile(r"[a-z0-9-]{1,32}")
EVERY_TENANT = "*"


TENANT_ROLES = frozenset(Role) - {Role.OPERATOR}
"""Roles that a tenant's own directory decides. Operators are ours, and no directory makes them."""


@dataclass(frozen=True)
class Person:
    """Somebody's account in Entra ID: the claims `tid` and `oid`, in lower case."""

    entra_tenant_id: str
    object_id: str


@dataclass(frozen=True)
class Caller:
    """A person or machine, as the issuer's token describes it."""

    subject: str
    roles: frozenset[Role]
    tenants: frozenset[str]
    """Slugs; `*` stands for every tenant."""
    person: Person | None = None
    """None for machines, and for issuers that do not say who it is in Entra ID."""

    def covers(self, tenant: str) -> bool:
        """Say whether the token names this tenant; False for what cannot be a slug."""
        if _SLUG.fullmatch(tenant) is None:
            return False
        return self.covers_all() or tenant in self.tenants

    def covers_all(self) -> bool:
        """Say whether the token names every tenant, those of tomorrow included."""
        return EVERY_TENANT in self.tenants

    def may_use(self, route: Route) -> bool:
        """Say whether one of the roles is in the route's row of the table."""
        return not self.roles.isdisjoint(route.roles)

    def belongs_to(self, entra_tenant_id: str) -> bool:
        """Say whether the caller's account is in this Entra tenant."""
        return self.person is not None and self.person.entra_tenant_id == entra_tenant_id.lower()

    def as_known_there(self, directory: frozenset[Role]) -> Self:
        """Give the caller with the roles that count in its own tenant: those of its directory (ADR 0029).

        Whatever tenant roles the token claims do not count; only that it is an operator's does.
        """
        return replace(self, roles=(self.roles - TENANT_ROLES) | (directory & TENANT_ROLES))


@dataclass(frozen=True)
class Asking:
    """A caller and the id of this request; services recognise a repeat by the id."""

    caller: Caller
    request_id: str
