"""Fields that exist here alone: what they may be."""

from typing import Any

from contracts.employee_changes import Fault, LocalChange, Refusal
from contracts.employees import LocalFields, SyncSettings
from sync_service.domain.refusals import ChangeRefused


def changed(
    local: LocalFields, offered: LocalFields | None, change: LocalChange, settings: SyncSettings
) -> LocalFields:
    """Give the fields after the change. Raises ChangeRefused with every field that is not as it has to be.

    A value that has left the tenant's lists stays where it is; it cannot be chosen anew.
    """
    given = change.model_dump(exclude={"version", "take_offered"}, exclude_none=True)
    if not given and not change.take_offered:
        raise ChangeRefused(Refusal.VALUE, (Fault(field="", code="nothing_given"),))
    if change.take_offered and offered is None:
        raise ChangeRefused(Refusal.VALUE, (Fault(field="take_offered", code="nothing_offered"),))
    begin = offered if change.take_offered and offered is not None else local
    after = LocalFields(**(begin.model_dump() | {name: _value(value) for name, value in given.items()}))
    if faults := [*_not_in_lists(given, settings), *_contradictions(after)]:
        raise ChangeRefused(Refusal.VALUE, tuple(faults))
    return after


def _value(given: Any) -> Any:
    return None if given == "" else given


def _not_in_lists(given: dict[str, Any], settings: SyncSettings) -> list[Fault]:
    lists = {"employee_type": settings.employee_types, "employee_status": settings.employee_statuses}
    return [
        Fault(field=name, code="not_in_list")
        for name, choices in lists.items()
        if given.get(name) and given[name] not in choices
    ]


def _contradictions(after: LocalFields) -> list[Fault]:
    found = []
    if after.gdpr_exempt and not after.gdpr_reason:
        found.append(Fault(field="gdpr_reason", code="reason_required"))
    if after.entry_date and after.exit_date and after.exit_date < after.entry_date:
        found.append(Fault(field="exit_date", code="exit_before_entry"))
    return found
