"""Who asks, and what they may do: decided from the token and the one table, before anything is looked up."""

import re
from dataclasses import dataclass

from contracts.authorization import Route
from contracts.names import Role

_SLUG = re.compile(r"[a-z0-9-]{1,32}")
EVERY_TENANT = "*"


@dataclass(frozen=True)
class Caller:
    """A person or machine, as the issuer's token describes it."""

    subject: str
    roles: frozenset[Role]
    tenants: frozenset[str]
    """Slugs; `*` stands for every tenant."""

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


@dataclass(frozen=True)
class Asking:
    """A caller and the id of this request; services recognise a repeat by the id."""

    caller: Caller
    request_id: str
