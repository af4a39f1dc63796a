"""What of an employee is lost with the documents, and how it comes back into a directory that was synchronised anew."""

from dataclasses import replace
from datetime import datetime

from contracts.employees import Activity, LocalFields
from contracts.events import EmployeeImported, EmployeeUpdated
from contracts.names import DirectoryState
from contracts.operations.kept_directory import KeptEmployee
from sync_service.domain.employee import EVERYBODY, Author, Change, Employee

RECOVERY = Author("backup-service", "recovery")


def kept(employee: Employee) -> KeptEmployee | None:
    """What is worth keeping of a record; None when a sync alone would bring all of it back."""
    told_by_a_sync = replace(
        employee, local=LocalFields(), predecessor=None, successor=None, offer_open=False, deleted_at=None
    )
    if employee.present and employee == told_by_a_sync:
        return None
    return KeptEmployee(
        id=employee.id,
        fields=employee.fields,
        local=employee.local,
        directory_state=employee.directory_state,
        imported_at=employee.imported_at,
        deleted_at=employee.deleted_at,
        predecessor=employee.predecessor,
        successor=employee.successor,
        offer_open=employee.offer_open,
    )


def brought_back(tenant: str, known: Employee | None, lost: KeptEmployee, now: datetime) -> Change | None:
    """The record with what was lost; what has been said here since then is known better. None: nothing is new."""
    before = known or _unknown(tenant, lost)
    after = replace(
        before,
        local=lost.local if before.local == LocalFields() else before.local,
        imported_at=min(before.imported_at, lost.imported_at),
        predecessor=before.predecessor or lost.predecessor,
        successor=before.successor or lost.successor,
        offer_open=before.offer_open or (lost.offer_open and before.local == LocalFields()),
    )
    if known is not None and after == known:
        return None
    after = replace(after, version=before.version + 1)
    entry = Activity(
        id=f"{after.id}-{after.version}-recovered",
        employee=after.id,
        version=after.version,
        action="recovered",
        by=RECOVERY.by,
        origin=RECOVERY.origin,
        at=now,
    )
    facts = {"tenant": tenant, "at": now, "employee": after.id, "version": after.version}
    if known is None:
        return Change(after, (entry,), (EmployeeImported(**facts),))
    names = tuple(name for name in LocalFields.model_fields if getattr(after.local, name) != getattr(known.local, name))
    return Change(after, (entry,), (EmployeeUpdated(**facts, fields=names),))


def apart(entry: Activity) -> Activity:
    """The entry under an id that tells its time: the one it had is given again by a record that begins anew."""
    mark = f"-{int(entry.at.timestamp() * 1000)}"
    return entry if entry.id.endswith(mark) else entry.model_copy(update={"id": entry.id + mark})


def _unknown(tenant: str, lost: KeptEmployee) -> Employee:
    """As it was when it was kept; a sync of everybody follows, and asks for whoever it is not told of."""
    present = lost.directory_state is DirectoryState.PRESENT
    return Employee(
        tenant,
        lost.id,
        lost.fields,
        imported_at=lost.imported_at,
        synced_at=lost.imported_at,
        roles=EVERYBODY if present else (),
        directory_state=lost.directory_state,
        deleted_at=lost.deleted_at,
    )
