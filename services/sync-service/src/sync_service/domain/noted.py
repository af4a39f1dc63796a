"""What happened with a record without changing a field of it."""

from dataclasses import replace
from datetime import datetime

from contracts.employees import Activity
from contracts.events import Event
from sync_service.domain.employee import Author, Change, Employee


def noted(employee: Employee, action: str, *, author: Author, now: datetime, events: tuple[Event, ...]) -> Change:
    """An entry in the activity log, and events that tell of it."""
    after = replace(employee, version=employee.version + 1)
    entry = Activity(
        id=f"{after.id}-{after.version}-{action}",
        employee=after.id,
        version=after.version,
        action=action,
        by=author.by,
        origin=author.origin,
        at=now,
    )
    return Change(after, (entry,), events)
