"""The roles that a tenant's own directory gives its people, as sync-service knows them (ADR 0029).

A snapshot per person, forgotten when sync-service says that something of the person changed, and after a while in any
case, because an event may be lost. Without an answer nobody is let in on what was known once.
"""

import contextlib
from collections.abc import AsyncIterator

from chassis.clock import Clock
from contracts.events.employees import EmployeeEvent
from contracts.names import Role
from contracts.operations.base import ById
from contracts.operations.employees import EMPLOYEE_ROLES
from gateway.domain import Asking
from gateway.ports import Services

_MOST = 10_000
"""People remembered at a time; with more all are asked for anew."""


class TenantRoles:
    def __init__(self, services: Services, clock: Clock, max_age: float) -> None:
        self._services = services
        self._clock = clock
        self._max_age = max_age
        self._known: dict[tuple[str, str], tuple[float, frozenset[Role]]] = {}
        self._changes = 0
        """Events heard: an answer that one overtook is used, and not remembered."""

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Hear of changes while the block runs."""
        async with self._services.listen_employees(self._forget):
            yield

    async def of(self, tenant: str, person: str, asking: Asking) -> frozenset[Role]:
        """Give the roles; none of who has no record there. Raises ProblemError when sync-service does not answer."""
        now, known = self._clock.monotonic(), self._known.get((tenant, person))
        if known is not None and now - known[0] < self._max_age:
            return known[1]
        changes = self._changes
        answer = await self._services.ask(EMPLOYEE_ROLES, tenant, ById(id=person), asking)
        roles = frozenset(answer.roles)
        if changes == self._changes:
            if len(self._known) >= _MOST:
                self._known.clear()
            self._known[tenant, person] = (now, roles)
        return roles

    def _forget(self, event: EmployeeEvent) -> None:
        self._changes += 1
        self._known.pop((event.tenant, event.employee), None)
