"""Single import, fields kept here, what is held of a person, and the roles the gateway asks for."""

from datetime import date
from typing import Any

import pytest
from sync_fakes.service import TENANT, MemoryService

from chassis.rpc import Call
from contracts.caller import Caller
from contracts.employee_changes import LocalChange, ProfileChange, Refusal
from contracts.employees import LocalFields, SyncSettings
from contracts.names import DirectoryState, Role
from contracts.operations import employees
from contracts.operations.base import ById, Page
from contracts.problem import ProblemError
from sync_service.domain.standing import Standing

HR = Caller("hr@contoso", ("hr",), "request-1")


@pytest.fixture
def service() -> MemoryService:
    made = MemoryService()
    made.profiles.add("anna", jobTitle="Buchhaltung")
    made.profiles.add("bert")
    made.profiles.add("gast", userType="Guest")
    made.profiles.add("drucker", mail=None)
    return made


def call(question: Any) -> Call[Any]:
    return Call(TENANT, question, HR)


async def imported(service: MemoryService, user: str = "id-anna") -> Any:
    return await service.app.changes.import_one(call(ById(id=user)))


async def problem(awaited: Any) -> Any:
    with pytest.raises(ProblemError) as found:
        await awaited
    return found.value.problem


async def candidates(service: MemoryService, **asked: Any) -> list[str]:
    page = await service.app.changes.candidates(call(employees.CandidatesOf(**asked)))
    return [one.display_name for one in page.items]


async def test_candidates_are_those_with_an_address_who_have_no_record_yet(service: MemoryService) -> None:
    assert await candidates(service) == ["anna", "bert"]
    await imported(service)
    assert await candidates(service) == ["bert"]
    assert await candidates(service, q="AN") == []
    service.standings.standings[TENANT] = Standing(TENANT, version=1, settings=SyncSettings(guests=True))
    assert await candidates(service) == ["bert", "gast"]


async def test_candidates_come_page_by_page_and_a_full_page_of_known_ones_is_passed_over(
    service: MemoryService,
) -> None:
    for number in range(6):
        service.profiles.add(f"x{number}")
    for number in range(4):
        await imported(service, f"id-x{number}")
    seen, cursor = [], None
    for _ in range(10):
        page = await service.app.changes.candidates(call(employees.CandidatesOf(q="x", limit=2, cursor=cursor)))
        seen += [one.display_name for one in page.items]
        cursor = page.cursor
        if cursor is None:
            break
    assert seen == ["x4", "x5"]
    bad = await problem(service.app.changes.candidates(call(employees.CandidatesOf(cursor="aHR0cHM6Ly9ldmls"))))
    assert bad.code == "invalid"


async def test_one_is_imported_with_profile_and_roles(service: MemoryService) -> None:
    service.profiles.enrol("id-anna", "HR-people")
    service.standings.standings[TENANT] = Standing(TENANT, version=1, role_groups={Role.HR: "HR-people"})
    made = await imported(service)
    assert (made.fields, made.roles) == (service.expected("id-anna"), (Role.USER, Role.HR))
    assert service.told("id-anna") == ["imported", "role-changed"]
    audits = [event.action for event in service.employees.events if event.NAME == "recorded"]
    assert audits == ["employee.import"]
    entry = next(iter(service.employees.log.values()))
    assert (entry.action, entry.by, entry.origin) == ("imported", "hr@contoso", "import")


@pytest.mark.parametrize(
    ("user", "code"), [("id-gast", "guest"), ("id-drucker", "no-address"), ("id-nobody", "not-found")]
)
async def test_who_cannot_be_imported_is_refused_with_the_cause(service: MemoryService, user: str, code: str) -> None:
    assert (await problem(imported(service, user))).code == code
    assert not service.employees.records


@pytest.mark.parametrize(
    "outage",
    [Refusal.NO_VALID_TOKEN, Refusal.TOKEN_EXPIRED, Refusal.RATE_LIMITED, Refusal.CONNECTION_TIMEOUT],
)
async def test_an_outage_imports_nothing_and_is_named(service: MemoryService, outage: Refusal) -> None:
    service.profiles.outage = outage
    assert (await problem(imported(service))).code == outage.value.replace("_", "-")
    listed = service.app.changes.candidates(call(employees.CandidatesOf()))
    assert (await problem(listed)).code == outage.value.replace("_", "-")
    assert not service.employees.records


async def test_a_stale_one_is_refreshed_and_keeps_what_is_kept_here(service: MemoryService) -> None:
    await imported(service)
    await service.app.changes.change_local(call(local(employee_status="on leave")))
    await service.clock.advance(90_000)
    assert (await service.app.questions.employee_get(call(ById(id="id-anna")))).stale
    service.directory.put("id-anna", job_title="Leitung")
    made = await imported(service)
    assert (made.stale, made.fields.job_title, made.local.employee_status) == (False, "Leitung", "on leave")
    await service.clock.advance(90_000)
    assert not (await imported(service)).stale, "also when nothing has changed"
    assert [entry for entry in service.logged("id-anna") if entry[1] == "job_title"] == [
        ("updated", "job_title", "Buchhaltung", "Leitung")
    ]


async def test_refreshing_who_was_deleted_marks_it_and_takes_the_roles(service: MemoryService) -> None:
    await imported(service)
    service.directory.delete("id-anna")
    made = await imported(service)
    assert (made.directory_state, made.roles) == (DirectoryState.DELETED, ())


async def test_a_lost_admin_lets_a_sync_look_at_once(service: MemoryService) -> None:
    service.profiles.enrol("id-anna", "admins")
    service.standings.standings[TENANT] = Standing(TENANT, version=1, role_groups={Role.ADMIN: "admins"})
    assert Role.ADMIN in (await imported(service)).roles
    service.directory.enrol("admins", "id-anna", leave=True)
    assert Role.ADMIN not in (await imported(service)).roles
    assert service.standings.standings[TENANT].next_at == service.clock.now()


def local(user: str = "id-anna", **change: Any) -> employees.ChangeLocal:
    return employees.ChangeLocal(id=user, change=LocalChange(**change))


async def test_fields_kept_here_are_saved_here_alone_logged_and_told(service: MemoryService) -> None:
    await imported(service)
    requests = service.directory.requests
    made = await service.app.changes.change_local(call(local(remote_worker=True, entry_date=date(2024, 5, 1))))
    assert made.local == LocalFields(remote_worker=True, entry_date=date(2024, 5, 1))
    assert service.directory.requests == requests, "Microsoft 365 is not asked"
    assert sorted(service.logged("id-anna")[1:]) == [
        ("updated", "entry_date", None, "2024-05-01"),
        ("updated", "remote_worker", False, True),
    ]
    audit = next(e for e in service.employees.events if e.NAME == "recorded" and e.action.endswith("local"))
    assert audit.after == {"fields": '["entry_date", "remote_worker"]'}
    service.directory.put("id-anna", city="Bonn")
    await service.sync()
    assert service.employee("id-anna").local == made.local, "no sync touches them"


async def test_fields_kept_here_obey_the_lists_of_the_tenant_and_the_version(service: MemoryService) -> None:
    version = (await imported(service)).version
    wrong = await problem(service.app.changes.change_local(call(local(employee_type="emperor", gdpr_exempt=True))))
    assert (wrong.code, wrong.status) == ("value", 422)
    assert [fault["field"] for fault in wrong.errors] == ["employee_type", "gdpr_reason"]
    assert service.employee("id-anna").version == version
    await service.app.changes.change_local(call(local(remote_worker=True, version=version)))
    late = service.app.changes.change_local(call(local(remote_worker=False, version=version)))
    assert (await problem(late)).code == "conflict"
    assert (await problem(service.app.changes.change_local(call(local("id-nobody"))))).code == "not-found"


async def test_what_the_predecessor_had_is_offered_and_taken_over_when_asked(service: MemoryService) -> None:
    service.profiles.add("old", mail="anna@contoso.example")
    await imported(service, "id-old")
    await service.app.changes.change_local(call(local("id-old", employee_type="freelancer")))
    service.directory.delete("id-old")
    await imported(service, "id-old")
    await service.clock.advance(60)
    made = await imported(service)
    assert (made.predecessor, made.local, made.offered) == (
        "id-old",
        LocalFields(),
        LocalFields(employee_type="freelancer"),
    )
    taken = await service.app.changes.change_local(call(local(take_offered=True)))
    assert (taken.local.employee_type, taken.offered) == ("freelancer", None)


async def test_an_export_is_recorded(service: MemoryService) -> None:
    await imported(service)
    given = await service.app.changes.export(call(ById(id="id-anna")))
    assert given.fields == service.expected("id-anna")
    assert service.logged("id-anna")[-1] == ("exported", "", None, None)
    assert service.employees.events[-1].action == "employee.export"


async def test_an_erasure_leaves_nothing_but_its_record(service: MemoryService) -> None:
    await imported(service)
    await service.clock.run(
        service.app.change_profile(TENANT, "id-anna", ProfileChange(city="Bonn"), request="r1", caller=HR)
    )
    question = employees.EraseEmployee(id="id-anna", reason="asked for")
    assert (await problem(service.app.changes.erase(call(question)))).code == "conflict"
    service.directory.delete("id-anna")
    await imported(service)
    done = await service.app.changes.erase(call(question))
    assert (done.erased_by, done.reason, done.activities) == ("hr@contoso", "asked for", 4)
    assert not service.employees.records
    assert not service.employees.log
    assert not service.updates.stored
    assert [event.NAME for event in service.erasures.events] == ["erased", "recorded"]
    assert (await service.app.changes.erasure_list(call(Page()))).items == (done,)
    assert (await problem(service.app.changes.erase(call(question)))).code == "not-found"


async def test_an_erasure_whose_process_died_is_finished_and_spares_who_came_back(service: MemoryService) -> None:
    await imported(service)
    service.directory.delete("id-anna")
    await imported(service)
    service.fuse = _dies_before_erasing
    with pytest.raises(ConnectionError):
        await service.app.changes.erase(call(employees.EraseEmployee(id="id-anna", reason="asked for")))
    service.fuse = lambda _step: None
    service.restart()
    await service.clock.advance(60)
    assert await service.app.protect_data.sweep() == 1
    assert not service.employees.records
    await service.clock.advance(60)
    service.profiles.add("anna")
    await imported(service)
    assert await service.app.protect_data.sweep() == 0
    assert service.logged("id-anna") == [("imported", "", None, None)]


def _dies_before_erasing(step: str) -> None:
    if step == "erase":
        raise ConnectionError


async def test_roles_are_those_of_the_record_and_nobody_has_none(service: MemoryService) -> None:
    await imported(service)
    assert (await service.app.changes.roles(call(ById(id="id-anna")))).roles == (Role.USER,)
    assert (await service.app.changes.roles(call(ById(id="id-bert")))).roles == ()
    service.directory.delete("id-anna")
    await imported(service)
    assert (await service.app.changes.roles(call(ById(id="id-anna")))).roles == ()
