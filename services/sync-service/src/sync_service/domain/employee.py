"""One employee: a pure value and the changes that are possible.

Each change gives the record as it is afterwards, the entries for the activity log and the events for other systems; all
of it is saved in one write. A change that changes nothing is None, so that nothing is logged twice.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from contracts.employees import Activity, LocalFields, SynchronisedFields
from contracts.events import EmployeeDeactivated, EmployeeImported, EmployeeRoleChanged, EmployeeUpdated, Event
from contracts.names import DirectoryState, Role

EVERYBODY = (Role.USER,)
"""What who is present is at least."""


@dataclass(frozen=True)
class Author:
    """Whose change it is: `by` a person's subject or the source that asked, `origin` what it was done with."""

    by: str
    origin: str


@dataclass(frozen=True)
class Reading:
    """For whom Microsoft 365 was asked, when, and when the answer is taken over."""

    author: Author
    read_at: datetime
    now: datetime


@dataclass(frozen=True)
class Employee:
    """`id` is the Entra object id; `version` 0 is not stored yet.

    `synced_at` is when Microsoft 365 was asked for what is here: nothing that was asked earlier may overwrite it.
    `offer_open`: the local fields of the predecessor may still be taken over.
    """

    tenant: str
    id: str
    fields: SynchronisedFields
    imported_at: datetime
    synced_at: datetime
    version: int = 0
    local: LocalFields = field(default_factory=LocalFields)
    roles: tuple[Role, ...] = EVERYBODY
    directory_state: DirectoryState = DirectoryState.PRESENT
    deleted_at: datetime | None = None
    predecessor: str | None = None
    successor: str | None = None
    offer_open: bool = False

    @property
    def present(self) -> bool:
        return self.directory_state is DirectoryState.PRESENT

    @property
    def mail(self) -> str | None:
        """The primary mail address as addresses are compared; None without one."""
        return self.fields.primary_mail.lower() if self.fields.primary_mail else None

    def is_stale(self, covered_at: datetime | None, before: datetime) -> bool:
        """True when neither it nor the whole tenant (`covered_at`) was synchronised since `before`."""
        known = self.synced_at if covered_at is None else max(self.synced_at, covered_at)
        return self.present and known < before


@dataclass(frozen=True)
class Change:
    """A record after a change, what the activity log says of it, and the events that tell it."""

    employee: Employee
    entries: tuple[Activity, ...]
    events: tuple[Event, ...]


def imported(tenant: str, user: str, fields: SynchronisedFields, reading: Reading) -> Change:
    """A record for a user who has none; the activity log gets one entry, not one for every field."""
    employee = Employee(tenant, user, fields, imported_at=reading.now, synced_at=reading.read_at, version=1)
    event = EmployeeImported(tenant=tenant, at=reading.now, employee=user, version=1)
    return Change(employee, (_entry(employee, reading.author, reading.now, "imported"),), (event,))


def refreshed(employee: Employee, fields: SynchronisedFields, reading: Reading) -> Change | None:
    """What Microsoft 365 has now; somebody who was deleted is back with the least role, the same record."""
    author, now = reading.author, reading.now
    differing = dict(_differences(employee.fields, fields))
    returned = not employee.present
    if not differing and not returned:
        return None
    after = replace(employee, fields=fields, synced_at=reading.read_at, version=employee.version + 1)
    entries: list[Activity] = []
    events: list[Event] = []
    if returned:
        after = replace(after, directory_state=DirectoryState.PRESENT, deleted_at=None, roles=EVERYBODY)
        entries.append(_entry(after, author, now, "restored"))
        events.append(_roles_event(employee, after, now))
    entries += [_entry(after, author, now, "updated", of=(name, *values)) for name, values in differing.items()]
    names = (*(("directory_state",) if returned else ()), *differing)
    return Change(after, tuple(entries), (_updated(after, now, names), *events))


def deactivated(employee: Employee, reading: Reading) -> Change | None:
    """Microsoft 365 has deleted the user: the record stays, marked and without roles."""
    if not employee.present:
        return None
    author, now = reading.author, reading.now
    after = replace(
        employee,
        directory_state=DirectoryState.DELETED,
        deleted_at=now,
        roles=(),
        synced_at=reading.read_at,
        version=employee.version + 1,
    )
    event = EmployeeDeactivated(tenant=after.tenant, at=now, employee=after.id, version=after.version)
    entries = (
        _entry(after, author, now, "deactivated"),
        _entry(after, author, now, "role-changed", of=("roles", list(employee.roles), [])),
    )
    return Change(after, entries, (event, _roles_event(employee, after, now)))


def with_roles(employee: Employee, roles: tuple[Role, ...], *, author: Author, now: datetime) -> Change | None:
    """The roles that groups give; who is deleted has none."""
    wanted = roles if employee.present else ()
    if set(wanted) == set(employee.roles):
        return None
    after = replace(employee, roles=wanted, version=employee.version + 1)
    entry = _entry(after, author, now, "role-changed", of=("roles", list(employee.roles), list(wanted)))
    return Change(after, (entry,), (_roles_event(employee, after, now),))


def linked(employee: Employee, predecessor: str, *, author: Author, now: datetime) -> Change:
    """The user had another object id before: the local fields of then are offered, never taken over unasked."""
    after = replace(employee, predecessor=predecessor, offer_open=True, version=employee.version + 1)
    entry = _entry(after, author, now, "linked", of=("predecessor", None, predecessor))
    return Change(after, (entry,), (_updated(after, now, ("predecessor",)),))


def succeeded(employee: Employee, successor: str, *, author: Author, now: datetime) -> Change:
    """The user was created anew with another object id."""
    after = replace(employee, successor=successor, version=employee.version + 1)
    entry = _entry(after, author, now, "linked", of=("successor", None, successor))
    return Change(after, (entry,), (_updated(after, now, ("successor",)),))


def edited(employee: Employee, local: LocalFields, *, author: Author, now: datetime) -> Change | None:
    """Fields that are kept here alone; with the first of them an offer of a predecessor's is settled."""
    differing = dict(_differences(employee.local, local))
    if not differing:
        return None
    after = replace(employee, local=local, offer_open=False, version=employee.version + 1)
    entries = tuple(_entry(after, author, now, "updated", of=(name, *values)) for name, values in differing.items())
    return Change(after, entries, (_updated(after, now, tuple(differing)),))


def _differences(
    before: SynchronisedFields | LocalFields, after: SynchronisedFields | LocalFields
) -> Iterator[tuple[str, tuple[Any, Any]]]:
    """Field, (old, new) as JSON values, for each that differs."""
    old: Mapping[str, Any] = before.model_dump(mode="json")
    for name, value in after.model_dump(mode="json").items():
        if old[name] != value:
            yield name, (old[name], value)


def _entry(
    after: Employee, author: Author, now: datetime, action: str, *, of: tuple[str, Any, Any] = ("", None, None)
) -> Activity:
    """`of` is a field with its old and new value; without one it is about the record as such."""
    name, old, new = of
    return Activity(
        id=f"{after.id}-{after.version}-{name or action}",
        employee=after.id,
        version=after.version,
        action=action,
        field=name,
        old=old,
        new=new,
        by=author.by,
        origin=author.origin,
        at=now,
    )


def _updated(after: Employee, now: datetime, names: tuple[str, ...]) -> Event:
    return EmployeeUpdated(tenant=after.tenant, at=now, employee=after.id, version=after.version, fields=names)


def _roles_event(before: Employee, after: Employee, now: datetime) -> Event:
    return EmployeeRoleChanged(
        tenant=after.tenant,
        at=now,
        employee=after.id,
        version=after.version,
        roles=after.roles,
        added=tuple(role for role in after.roles if role not in before.roles),
        removed=tuple(role for role in before.roles if role not in after.roles),
    )
