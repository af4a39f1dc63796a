"""A bulk sync: who is created, updated, marked, brought back, linked and left out, and at what cost."""

from datetime import timedelta

import pytest
from sync_fakes.service import TENANT, MemoryService

from chassis.testing.clock import START
from contracts.events import JobProgressed
from contracts.names import DirectoryState, JobState, Role, SyncKind

ADMINS = "KlarKonform-Contoso-Admin"


@pytest.fixture
def service() -> MemoryService:
    made = MemoryService()
    for name in ("anna", "bert", "carl", "dora"):
        made.directory.put(name, display_name=name.title(), primary_mail=f"{name}@contoso.example")
    return made


async def synced(service: MemoryService, kind: SyncKind = SyncKind.INCREMENTAL) -> None:
    await service.clock.advance(60)
    run = await service.sync(kind)
    assert run.state is JobState.SUCCEEDED, run.detail


async def test_everybody_with_a_mail_address_is_created(service: MemoryService) -> None:
    service.directory.put("printer", display_name="Printer")
    service.directory.put("guest", guest=True, primary_mail="guest@elsewhere.example")
    run = await service.sync()
    assert run.state is JobState.SUCCEEDED
    assert {user for _, user in service.employees.records} == {"anna", "bert", "carl", "dora"}
    assert (run.counts.listed, run.counts.created, run.counts.without_mail, run.counts.guests) == (6, 4, 1, 1)
    assert service.employee("anna").fields == service.expected("anna")
    assert service.employee("anna").roles == (Role.USER,)
    assert service.logged("anna") == [("imported", "", None, None)]
    assert service.told() == ["imported"] * 4


async def test_an_unchanged_directory_costs_two_requests_and_no_write(service: MemoryService) -> None:
    await synced(service)
    requests, writes = service.directory.requests, service.employees.writes
    await synced(service)
    assert service.directory.requests - requests == 2
    assert service.employees.writes == writes


async def test_a_change_is_taken_over_and_logged_once(service: MemoryService) -> None:
    await synced(service)
    service.directory.put("anna", department="Sales", display_name="Anna B.")
    await synced(service)
    await synced(service, SyncKind.FULL)
    assert service.employee("anna").fields == service.expected("anna")
    assert sorted(service.logged("anna")[1:]) == [
        ("updated", "department", None, "Sales"),
        ("updated", "display_name", "Anna", "Anna B."),
    ]
    assert service.told("anna") == ["imported", "updated"]


async def test_a_disabled_account_stays_present(service: MemoryService) -> None:
    await synced(service)
    service.directory.put("anna", account_enabled=False)
    await synced(service)
    anna = service.employee("anna")
    assert (anna.fields.account_enabled, anna.directory_state, anna.roles) == (
        False,
        DirectoryState.PRESENT,
        (Role.USER,),
    )
    assert service.told("anna") == ["imported", "updated"]


@pytest.mark.parametrize("kind", [SyncKind.INCREMENTAL, SyncKind.FULL])
async def test_who_is_deleted_is_kept_and_marked_and_loses_its_roles(service: MemoryService, kind: SyncKind) -> None:
    await synced(service)
    service.directory.delete("anna")
    await synced(service, kind)
    anna = service.employee("anna")
    assert (anna.directory_state, anna.roles, anna.fields.display_name) == (DirectoryState.DELETED, (), "Anna")
    assert service.told("anna") == ["imported", "deactivated", "role-changed"]
    assert service.employee("bert").present


async def test_who_is_restored_keeps_the_record(service: MemoryService) -> None:
    await synced(service)
    service.directory.delete("anna")
    await synced(service)
    service.directory.put("anna", display_name="Anna", primary_mail="anna@contoso.example")
    await synced(service)
    assert service.employee("anna").present
    assert service.employee("anna").roles == (Role.USER,)
    assert service.logged("anna")[-1] == ("restored", "", None, None)
    assert len(service.employees.records) == 4


async def test_who_was_away_between_two_syncs_has_the_fields_that_came_back(service: MemoryService) -> None:
    """Deleted, restored and stripped of a field meanwhile: nothing tells that the field had a value."""
    service.directory.put("anna", department="Sales")
    await synced(service)
    service.directory.delete("anna")
    service.directory.put("anna", display_name="Anna", primary_mail="anna@contoso.example")
    await synced(service)
    assert service.employee("anna").fields == service.expected("anna")
    assert service.logged("anna")[-1] == ("updated", "department", "Sales", None)


async def test_who_is_created_anew_gets_a_record_that_is_linked(service: MemoryService) -> None:
    await synced(service)
    service.directory.put("anna-2", display_name="Anna", primary_mail="Anna@contoso.example")
    service.directory.delete("anna")
    await synced(service)
    old, new = service.employee("anna"), service.employee("anna-2")
    assert (old.successor, new.predecessor, new.offer_open, new.local) == ("anna-2", "anna", True, old.local)
    await synced(service, SyncKind.FULL)
    assert [entry[:2] for entry in service.logged("anna-2")] == [("imported", ""), ("linked", "predecessor")]


async def test_an_address_that_moved_links_nobody(service: MemoryService) -> None:
    await synced(service)
    service.directory.put("anna", primary_mail="anna.b@contoso.example")
    service.directory.put("anna-2", display_name="Other Anna", primary_mail="anna@contoso.example")
    await synced(service)
    assert service.employee("anna-2").predecessor is None


async def test_roles_follow_groups_and_groups_in_them(service: MemoryService) -> None:
    directory = service.directory
    directory.add_group("g-admin", ADMINS)
    directory.add_group("g-team", "Team")
    directory.add_group("g-hr", "klarkonform-contoso-hr")
    directory.enrol("g-admin", "g-team")
    directory.enrol("g-team", "anna")
    directory.enrol("g-hr", "anna")
    directory.enrol("g-hr", "bert")
    await synced(service)
    assert service.employee("anna").roles == (Role.ADMIN, Role.USER, Role.HR)
    assert service.employee("bert").roles == (Role.USER, Role.HR)
    directory.enrol("g-team", "anna", leave=True)
    directory.enrol("g-team", "carl")
    await synced(service)
    assert service.employee("anna").roles == (Role.USER, Role.HR)
    assert service.employee("carl").roles == (Role.ADMIN, Role.USER)
    assert service.logged("anna")[-1] == ("role-changed", "roles", ["admin", "user", "hr"], ["user", "hr"])
    assert service.told("carl") == ["imported", "role-changed"]


async def test_two_groups_of_one_name_give_nobody_a_role(service: MemoryService) -> None:
    service.directory.add_group("g-1", ADMINS)
    service.directory.add_group("g-2", ADMINS)
    service.directory.enrol("g-2", "anna")
    run = await service.sync()
    assert run.warnings == ("ambiguous_group_admin",)
    assert service.employee("anna").roles == (Role.USER,)


async def test_a_second_group_of_the_name_changes_nothing_once_the_first_is_known(service: MemoryService) -> None:
    service.directory.add_group("g-1", ADMINS)
    service.directory.enrol("g-1", "anna")
    await synced(service)
    service.directory.add_group("g-2", ADMINS)
    service.directory.enrol("g-2", "bert")
    await synced(service)
    assert service.employee("anna").roles == (Role.ADMIN, Role.USER)
    assert service.employee("bert").roles == (Role.USER,)


async def test_a_group_that_gives_mail_and_no_rights_gives_no_role(service: MemoryService) -> None:
    service.directory.add_group("g-1", ADMINS, security=False)
    service.directory.enrol("g-1", "anna")
    await synced(service)
    assert service.employee("anna").roles == (Role.USER,)


async def test_the_last_admin_goes_like_any_other_and_is_told_of(service: MemoryService) -> None:
    service.directory.add_group("g-admin", ADMINS)
    service.directory.enrol("g-admin", "anna")
    await synced(service)
    assert service.standings.events == []
    service.directory.enrol("g-admin", "anna", leave=True)
    await synced(service)
    assert service.employee("anna").roles == (Role.USER,)
    assert [event.NAME for event in service.standings.events] == ["last-admin-removed"]
    await synced(service)
    assert len(service.standings.events) == 1


async def test_a_void_cursor_leads_to_everybody(service: MemoryService) -> None:
    await synced(service)
    service.directory.put("anna", department="Sales")
    service.directory.delete("bert")
    service.directory.void_links()
    await synced(service)
    assert service.employee("anna").fields.department == "Sales"
    assert not service.employee("bert").present
    assert service.employee("carl").present


async def test_everybody_is_listed_once_a_week_whatever_change_tracking_says(service: MemoryService) -> None:
    await synced(service)
    service.directory.users["anna"]["department"] = "Sales"  # a change that is never told
    await synced(service)
    assert service.employee("anna").fields.department is None
    await service.clock.advance(timedelta(days=7).total_seconds())
    await synced(service)
    assert service.employee("anna").fields.department == "Sales"


async def test_the_end_of_a_sync_is_recorded_and_the_next_one_planned(service: MemoryService) -> None:
    run = await service.sync()
    standing = service.standings.standings[TENANT]
    assert (standing.last_sync_at, standing.next_at) == (START, START + timedelta(hours=6))
    assert (run.started_at, run.finished_at, run.counts.requests) == (START, START, service.directory.requests)
    assert [event.NAME for event in service.runs.events] == ["queued", "queued", "started", "started"] + [
        "succeeded"
    ] * 2


async def test_how_far_a_sync_is_is_told_from_time_to_time(service: MemoryService) -> None:
    def slow(step: str) -> None:
        service.clock._elapsed += 0.6 if step == "users told" else 0.0

    for number in range(20):
        service.directory.put(f"person{number:02}", primary_mail=f"person{number:02}@contoso.example")
    service.fuse = slow
    run = await service.sync()
    marks = [event for event in service.runs.events if isinstance(event, JobProgressed)]
    assert [mark.counts.listed for mark in marks if mark.scope == "run"] == [6, 12, 18, 24]
    assert {(mark.id, mark.phase, mark.expected) for mark in marks} == {(run.id, "listing", None)}
    assert [mark.scope for mark in marks] == ["run", "job"] * 4
    versions = [mark.version for mark in marks if mark.scope == "run"]
    assert versions == sorted(set(versions))
    assert versions[-1] < run.version


async def test_of_named_users_it_is_known_how_many_there_are(service: MemoryService) -> None:
    def slow(step: str) -> None:
        service.clock._elapsed += 1.0 if step == "user" else 0.0

    service.fuse = slow
    await service.sync(SyncKind.USERS, users=("anna", "bert"))
    marks = [event for event in service.runs.events if isinstance(event, JobProgressed) and event.scope == "run"]
    assert [(mark.counts.listed, mark.expected, mark.phase) for mark in marks] == [(1, 2, "users"), (2, 2, "users")]
