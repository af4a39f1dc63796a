"""What is known of employees here alone survives the loss of the documents, as far as it was kept."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from sync_fakes.service import TENANT, MemoryService

from chassis.rpc import Call
from contracts.caller import Caller, itself
from contracts.employee_changes import LocalChange
from contracts.employees import Activity, LocalFields, SyncSettings
from contracts.names import JobState, Role, SyncKind
from contracts.operations import directory, employees
from contracts.operations.kept_directory import BringBack, BroughtBack, KeptEmployee, KeptOf
from contracts.problem import ProblemError
from sync_service.usecases import keep_directory

HR = Caller("hr@contoso", ("hr",), "request-1")


def call(question: Any) -> Call[Any]:
    return Call(TENANT, question, HR)


@pytest.fixture
async def service() -> MemoryService:
    """Four people: of anna something is known here, bert was deleted, carl created anew, dora erased."""
    made = MemoryService()
    for name in ("anna", "bert", "carl", "dora", "emil"):
        made.directory.put(name, display_name=name, primary_mail=f"{name}@x.example")
    made.directory.add_group("g-hr", "KlarKonform-contoso-HR")
    made.directory.enrol("g-hr", "anna")
    await made.sync()
    await made.clock.advance(60)
    for user in ("anna", "carl"):
        change = LocalChange(employee_type="freelancer", gdpr_exempt=True, gdpr_reason="court", entry_date="2026-01-01")
        await made.app.changes.change_local(call(employees.ChangeLocal(id=user, change=change)))
    for name in ("bert", "carl", "dora"):
        made.directory.delete(name)
    made.directory.put("carl-2", display_name="carl", primary_mail="carl@x.example")
    await made.sync()
    await made.clock.advance(60)
    await made.app.changes.erase(call(employees.EraseEmployee(id="dora", reason="asked for")))
    await made.app.questions.settings_set(call(directory.ChangeSyncSettings(every_hours=12, employee_types=("a", "b"))))
    return made


async def exported(service: MemoryService) -> tuple[list[KeptEmployee], BringBack]:
    """Everything worth keeping, and the part that ends its bringing back."""
    found, cursor = [], None
    while True:
        page = await service.app.keeping.export(call(KeptOf(cursor=cursor)))
        found += page.employees
        if (cursor := page.cursor) is None:
            break
    assert page.life is not None
    last = BringBack(life=page.life, settings=page.settings, role_groups=page.role_groups, last=True)
    return found, last


async def parts(service: MemoryService) -> list[BringBack]:
    found, last = await exported(service)
    log = (await service.app.questions.activity_list(call(directory.ActivityOf()))).items
    erased = (await service.app.changes.erasure_list(call(employees.Page()))).items
    return [
        BringBack(life=last.life, erasures=erased),
        BringBack(life=last.life, employees=tuple(found)),
        BringBack(life=last.life, activity=log),
        last,
    ]


async def back(service: MemoryService, kept: list[BringBack]) -> BroughtBack:
    total = BroughtBack()
    for part in kept:
        done = await service.app.keeping.bring_back(call(part))
        total = BroughtBack(employees=total.employees + done.employees, activity=total.activity + done.activity)
    return total


def lost(service: MemoryService) -> MemoryService:
    """The same tenant in Microsoft 365, and nothing here."""
    again = MemoryService()
    again.directory.users, again.directory.groups = dict(service.directory.users), service.directory.groups
    for user in again.directory.users:
        again.directory.put(user)
    again.clock = service.clock
    again.restart()
    return again


async def test_only_what_a_sync_would_not_bring_back_is_kept(service: MemoryService) -> None:
    found, last = await exported(service)
    assert {one.id: one.directory_state.value for one in found} == {
        "anna": "present",
        "bert": "deleted",
        "carl": "deleted",
        "carl-2": "present",
    }
    assert last.settings is not None
    assert (last.settings.every_hours, last.role_groups) == (12, {Role.HR: "g-hr"})
    assert (await exported(service))[0] == found, "a sync more changes nothing of it"


async def test_a_tenant_without_any_sync_has_nothing_to_keep() -> None:
    page = await MemoryService().app.keeping.export(call(KeptOf()))
    assert (page.life, page.employees, page.cursor) == (None, (), None)


async def test_a_page_fits_into_a_message_and_none_is_left_out(
    service: MemoryService, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = (await exported(service))[0]
    monkeypatch.setattr(keep_directory, "_MOST", 1)
    assert (await exported(service))[0] == whole
    monkeypatch.setattr(keep_directory, "_LOOKED_AT", 1)
    assert (await exported(service))[0] == whole


@pytest.mark.parametrize("synced_first", [True, False])
async def test_what_was_lost_comes_back_and_equals_what_was(service: MemoryService, synced_first: bool) -> None:  # noqa: FBT001 - a parameter
    kept, before = await parts(service), dict(service.employees.records)
    again = lost(service)
    if synced_first:
        await again.sync()
    await again.clock.advance(60)
    done = await back(again, kept)
    assert done.employees == 4
    assert await again.app.request.due() == 1, "a sync of everybody follows at once"
    await again.work()
    (run,) = [run for run in again.runs.runs.values() if run.by == "schedule"]
    assert run.state is JobState.SUCCEEDED

    def shown(record: Any) -> Any:
        return replace(record, version=0, synced_at=record.imported_at)

    for user in ("anna", "bert", "carl", "carl-2"):
        assert shown(again.employee(user)) == shown(before[TENANT, user]), user
    assert (TENANT, "dora") not in again.employees.records
    assert again.standings.standings[TENANT].settings == service.standings.standings[TENANT].settings
    assert await again.app.changes.erasure_list(call(employees.Page())) == await service.app.changes.erasure_list(
        call(employees.Page())
    )
    entries = {(one.employee, one.action, one.field, one.at) for one in again.employees.log.values()}
    assert {(one.employee, one.action, one.field, one.at) for one in service.employees.log.values()} <= entries


async def test_bringing_back_twice_and_into_what_was_never_lost_changes_nothing(service: MemoryService) -> None:
    kept = await parts(service)
    assert await back(service, kept) == BroughtBack()
    again = lost(service)
    await again.sync()
    await back(again, kept)
    records, log = dict(again.employees.records), dict(again.employees.log)
    assert await back(again, kept) == BroughtBack()
    assert (again.employees.records, again.employees.log) == (records, log)


async def test_a_part_may_be_repeated_before_the_last_one(service: MemoryService) -> None:
    kept = await parts(service)
    again = lost(service)
    await again.sync()
    await again.clock.advance(60)
    first = await back(again, kept[:-1])
    assert (first.employees, first.activity > 0) == (4, True)
    assert await back(again, kept[:-1]) == BroughtBack()


async def test_what_was_said_here_since_is_known_better(service: MemoryService) -> None:
    kept = await parts(service)
    again = lost(service)
    await again.sync()
    await again.app.changes.change_local(call(employees.ChangeLocal(id="anna", change=LocalChange(remote_worker=True))))
    settings = again.app.questions._settings
    await settings(TENANT, directory.ChangeSyncSettings(guests=True), itself("sync-service"))
    await back(again, kept)
    assert again.employee("anna").local == LocalFields(remote_worker=True)
    assert again.standings.standings[TENANT].settings == SyncSettings(guests=True)


async def test_who_was_deleted_meanwhile_is_asked_for_and_marked(service: MemoryService) -> None:
    kept = await parts(service)
    again = lost(service)
    again.directory.delete("anna")
    await again.sync(SyncKind.FULL)
    await again.clock.advance(60)
    await back(again, kept)
    await again.app.request.due()
    await again.work()
    anna = again.employee("anna")
    assert (anna.present, anna.roles, anna.local.entry_date) == (False, (), date(2026, 1, 1))


async def test_an_erasure_holds_for_what_is_brought_back(service: MemoryService) -> None:
    """What was kept before the erasure may still hold the person."""
    kept = await parts(service)
    dora = KeptEmployee.model_validate({**kept[1].employees[1].model_dump(), "id": "dora"})
    entry = Activity(id="dora-1-imported", employee="dora", version=1, action="imported", by="x", origin="sync",
                     at=dora.imported_at)  # fmt: skip
    again = lost(service)
    stale = [kept[0], BringBack(life=kept[0].life, employees=(dora,), activity=(entry,)), kept[-1]]
    assert await back(again, stale) == BroughtBack()
    assert not again.employees.records
    assert not again.employees.log


async def test_after_bringing_back_a_new_life_is_kept(service: MemoryService) -> None:
    kept = await parts(service)
    again = lost(service)
    await again.sync()
    fresh = again.standings.standings[TENANT].life
    await back(again, kept)
    renewed = (await exported(again))[1].life
    assert len({fresh, kept[0].life, renewed}) == 3
    assert set(again.standings.standings[TENANT].recovered) == {fresh, kept[0].life}


async def changed_meanwhile(service: MemoryService, times: int) -> tuple[MemoryService, BroughtBack]:
    """Anna is brought back while others save her record first, so many times."""
    found, last = await exported(service)
    again = lost(service)
    await again.sync()
    left = iter(range(times))

    def disturb(step: str) -> None:
        if step == "employee" and next(left, None) is not None:
            record = again.employee("anna")
            again.employees.records[TENANT, "anna"] = replace(record, version=record.version + 1)

    again.fuse = disturb
    return again, await back(
        again, [BringBack(life=last.life, employees=tuple(one for one in found if one.id == "anna"))]
    )


async def test_a_record_that_others_change_meanwhile_is_read_again(service: MemoryService) -> None:
    again, brought = await changed_meanwhile(service, times=4)
    assert brought.employees == 1
    assert again.employee("anna").local.gdpr_reason == "court"


async def test_a_record_that_others_change_all_the_time_is_left_for_a_repeat(service: MemoryService) -> None:
    with pytest.raises(ProblemError, match="changed all the time"):
        await changed_meanwhile(service, times=5)
