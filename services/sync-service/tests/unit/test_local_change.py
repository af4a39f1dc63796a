"""Fields that exist here alone."""

from datetime import date

import pytest

from contracts.employee_changes import LocalChange
from contracts.employees import LocalFields, SyncSettings
from sync_service.domain.local_change import changed
from sync_service.domain.refusals import ChangeRefused

LISTS = SyncSettings(employee_types=("employee", "freelancer"), employee_statuses=("active", "left"))
BEFORE = LocalFields(employee_type="retired", entry_date=date(2024, 5, 1), gdpr_exempt=True, gdpr_reason="objection")
PREDECESSOR = LocalFields(employee_type="freelancer", remote_worker=True)


def test_what_is_not_given_stays_also_a_value_that_left_its_list() -> None:
    after = changed(BEFORE, None, LocalChange(remote_worker=True, employee_status="left"), LISTS)
    assert after == BEFORE.model_copy(update={"remote_worker": True, "employee_status": "left"})


def test_an_empty_text_clears() -> None:
    after = changed(
        BEFORE, None, LocalChange(employee_type="", entry_date="", gdpr_exempt=False, gdpr_reason=""), LISTS
    )
    assert after == LocalFields()


def test_what_is_offered_is_taken_over_and_then_changed() -> None:
    after = changed(LocalFields(), PREDECESSOR, LocalChange(take_offered=True, employee_status="active"), LISTS)
    assert after == PREDECESSOR.model_copy(update={"employee_status": "active"})


@pytest.mark.parametrize(
    ("change", "faults"),
    [
        (LocalChange(employee_type="retired"), {("employee_type", "not_in_list")}),
        (LocalChange(employee_status="gone"), {("employee_status", "not_in_list")}),
        (LocalChange(gdpr_reason="  "), {("gdpr_reason", "reason_required")}),
        (LocalChange(exit_date=date(2024, 4, 30)), {("exit_date", "exit_before_entry")}),
        (
            LocalChange(entry_date=date(2025, 1, 1), exit_date=date(2024, 1, 1), gdpr_reason=""),
            {("exit_date", "exit_before_entry"), ("gdpr_reason", "reason_required")},
        ),
        (LocalChange(take_offered=True), {("take_offered", "nothing_offered")}),
        (LocalChange(), {("", "nothing_given")}),
    ],
)
def test_every_field_that_is_wrong_is_named(change: LocalChange, faults: set[tuple[str, str]]) -> None:
    with pytest.raises(ChangeRefused) as refused:
        changed(BEFORE, None, change, LISTS)
    assert {(fault.field, fault.code) for fault in refused.value.faults} == faults


def test_the_day_of_entry_may_be_the_day_of_exit() -> None:
    assert changed(BEFORE, None, LocalChange(exit_date=date(2024, 5, 1)), LISTS).exit_date == date(2024, 5, 1)
