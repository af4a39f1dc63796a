"""Events of sync-service about employees: ids and names of fields, never values.

What lies in a stream cannot be erased with the employee; values are asked for with the API (ADR 0028).
"""

from typing import ClassVar

from contracts.events.base import Event
from contracts.names import Role, Token


class EmployeeEvent(Event):
    """`employee` is the Entra object id; `version` grows with every saved change of the record."""

    DOMAIN: ClassVar[str] = "employee"

    employee: Token
    version: int

    def key(self) -> tuple[str, ...]:
        return (self.tenant, self.employee, str(self.version))


class EmployeeImported(EmployeeEvent):
    """A user of Microsoft 365 has a record here now."""

    NAME: ClassVar[str] = "imported"


class EmployeeUpdated(EmployeeEvent):
    """Fields of an employee changed; `directory_state` among them when the user was restored in Microsoft 365."""

    NAME: ClassVar[str] = "updated"

    fields: tuple[str, ...]


class EmployeeRoleChanged(EmployeeEvent):
    """The roles of an employee changed, because groups in Microsoft 365 did."""

    NAME: ClassVar[str] = "role-changed"

    roles: tuple[Role, ...]
    """All it has now; none when the user is deleted."""
    added: tuple[Role, ...] = ()
    removed: tuple[Role, ...] = ()


class EmployeeDeactivated(EmployeeEvent):
    """The user was deleted in Microsoft 365: the record stays, without roles."""

    NAME: ClassVar[str] = "deactivated"


class EmployeeErased(EmployeeEvent):
    """Everything held about an employee whom Microsoft 365 had deleted was erased: erase what you have, too."""

    NAME: ClassVar[str] = "erased"


class EmployeeLastAdminRemoved(Event):
    """The tenant had an administrator and has none now: operators look after it until Entra names one. Critical."""

    DOMAIN: ClassVar[str] = "employee"
    NAME: ClassVar[str] = "last-admin-removed"

    run: Token

    def key(self) -> tuple[str, ...]:
        return (self.tenant, self.run)
