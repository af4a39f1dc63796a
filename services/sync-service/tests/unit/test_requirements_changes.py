"""Rows S1 and S3 of the requirements, and every row of the error table as syncs and profile updates meet it."""

from collections.abc import Callable
from typing import Any

import pytest
from sync_fakes.service import TENANT, MemoryService

from chassis.rpc import Call
from contracts.caller import Caller
from contracts.employee_changes import ProfileChange, Refusal
from contracts.errors import EXPLANATIONS, ErrorClass
from contracts.names import HoldReason, JobState, Role, SyncKind
from contracts.operations import employees
from contracts.operations.base import ById
from contracts.problem import ProblemError
from graph_client.errors import Forbidden, GraphError, Throttled, TokenUnavailable, Unauthorized, Unreachable

ADMIN = Caller("admin@contoso", ("admin",), "request-1")


@pytest.fixture
async def service() -> MemoryService:
    made = MemoryService()
    made.profiles.add("anna", city="Köln")
    await made.sync()
    await made.clock.advance(60)
    return made


def call(question: Any) -> Call[Any]:
    return Call(TENANT, question, ADMIN)


async def update(service: MemoryService, request: str = "r1", **fields: Any) -> Any:
    question = employees.ChangeProfile(id="id-anna", request=request, change=ProfileChange(**fields))
    return await service.clock.run(service.app.changes.change_profile(call(question)))


async def refused(service: MemoryService, **fields: Any) -> Any:
    """The problem of an update that leaves the record as it was."""
    before = service.employee("id-anna")
    with pytest.raises(ProblemError) as found:
        await update(service, **fields)
    assert service.employee("id-anna") == before
    return found.value.problem


async def test_R_S1_microsoft_365_is_written_and_read_back_before_anything_is_stored_here(
    service: MemoryService,
) -> None:
    steps: list[str] = []
    service.fuse = steps.append
    answer = await update(service, city="Bonn")
    confirmed = steps.index("written")
    assert "employee" not in steps[:confirmed]
    assert [step for step in steps[confirmed:] if step in {"user", "employee"}] == ["user", "employee"]
    assert (answer.finished, answer.employee.fields.city) == (True, "Bonn")
    assert service.directory.users["id-anna"]["city"] == "Bonn"


async def test_R_S1_without_confirmation_nothing_is_stored_here(service: MemoryService) -> None:
    service.profiles.stale_reads = 1000
    assert (await refused(service, city="Bonn")).code == "not-visible"
    service.profiles.stale_reads = 0
    service.profiles.on_premises.add("id-anna")
    assert (await refused(service, city="Mainz", request="r2")).code == "directory-synchronised"


async def test_R_S1_a_record_is_of_the_object_id_whatever_the_address_is(service: MemoryService) -> None:
    """Renamed, it is the same person; another person with the address that became free is another record."""
    service.directory.put("id-anna", primary_mail="anna.berg@contoso.example")
    service.directory.put("id-other", primary_mail="anna@contoso.example")
    await service.sync()
    assert {user for _, user in service.employees.records} == {"id-anna", "id-other"} == set(service.directory.users)
    assert service.employee("id-anna").fields.primary_mail == "anna.berg@contoso.example"


async def test_R_S1_every_change_here_of_a_synchronised_field_is_a_change_there(service: MemoryService) -> None:
    """The audit log of Microsoft 365 is complete: one write there for each change here, and none here alone."""
    steps: list[str] = []
    service.fuse = steps.append
    for number, city in enumerate(("Bonn", "Mainz", "Trier")):
        await update(service, request=f"r{number}", city=city)
    await update(service, request="r2", city="Trier")
    logged = [entry for entry in service.employees.log.values() if entry.field == "city"]
    assert [entry.new for entry in sorted(logged, key=lambda one: one.version)] == ["Bonn", "Mainz", "Trier"]
    assert steps.count("written") == len(logged)


async def test_R_S3_one_who_is_not_imported_is_listed_chosen_loaded_and_created(service: MemoryService) -> None:
    bert = service.profiles.add("bert", city="Trier")
    listed = await service.app.changes.candidates(call(employees.CandidatesOf(q="be")))
    assert [one.id for one in listed.items] == [bert]
    made = await service.app.changes.import_one(call(ById(id=bert)))
    assert (made.id, made.fields, made.roles) == (bert, service.expected(bert), (Role.USER,))
    assert not (await service.app.changes.candidates(call(employees.CandidatesOf(q="be")))).items


async def test_R_S3_a_profile_is_validated_before_microsoft_365_is_asked(service: MemoryService) -> None:
    requests = service.directory.requests
    problem = await refused(service, display_name="", preferred_language="klingonisch!", city="Bonn")
    assert {fault["field"] for fault in problem.errors} == {"display_name", "preferred_language"}
    assert service.directory.requests == requests
    assert (await update(service, city="Bonn")).employee.fields == service.expected("id-anna")


HELD: list[tuple[ErrorClass, GraphError, HoldReason]] = [
    (ErrorClass.TOKEN_EXPIRED, Unauthorized("401 twice"), HoldReason.NO_VALID_TOKEN),
    (ErrorClass.NO_VALID_TOKEN, TokenUnavailable("expired"), HoldReason.NO_VALID_TOKEN),
    (ErrorClass.CONSENT_REQUIRED, Forbidden("no grant"), HoldReason.CONSENT_LOST),
    (ErrorClass.ACCESS_DENIED, Forbidden("permission missing"), HoldReason.CONSENT_LOST),
    (ErrorClass.RATE_LIMITED, Throttled(5.0), HoldReason.TENANT_THROTTLED),
]


@pytest.mark.parametrize(("row", "error", "reason"), HELD, ids=[row[0].value for row in HELD])
async def test_error_table_a_sync_waits_and_goes_on_by_itself(
    service: MemoryService, row: ErrorClass, error: GraphError, reason: HoldReason
) -> None:
    """A hold burns no attempt, so a sync of a throttled tenant is held where a single request would be retried."""
    service.directory.failing = lambda: error
    run = await service.sync()
    assert (run.state, run.hold, run.attempt, run.error) == (JobState.WAITING, reason, 0, None), row
    service.directory.failing = lambda: None
    await service.clock.advance(60)
    await service.work()
    assert service.runs.runs[TENANT, run.id].state is JobState.SUCCEEDED


async def test_error_table_connection_timeout_is_retried_and_then_fails(service: MemoryService) -> None:
    service.directory.failing = lambda: Unreachable("no answer")
    run = await service.sync()
    assert (run.state, run.attempt) == (JobState.WAITING, 1)
    while not service.runs.runs[TENANT, run.id].state.finished:
        await service.clock.advance(600)
        await service.work()
    assert service.runs.runs[TENANT, run.id].error is ErrorClass.CONNECTION_TIMEOUT


async def test_error_table_not_found_costs_the_user_and_not_the_sync(service: MemoryService) -> None:
    run = await service.sync(SyncKind.USERS, users=("id-anna", "id-nobody"))
    assert (run.state, run.counts.not_found, run.counts.listed) == (JobState.PARTIAL, 1, 2)


def _away(refusal: Refusal) -> Callable[[MemoryService], None]:
    return lambda service: setattr(service.profiles, "outage", refusal)


UPDATES: dict[ErrorClass, Callable[[MemoryService], None]] = {
    ErrorClass.TOKEN_EXPIRED: _away(Refusal.TOKEN_EXPIRED),
    ErrorClass.NO_VALID_TOKEN: _away(Refusal.NO_VALID_TOKEN),
    ErrorClass.RATE_LIMITED: _away(Refusal.RATE_LIMITED),
    ErrorClass.CONNECTION_TIMEOUT: _away(Refusal.CONNECTION_TIMEOUT),
    ErrorClass.CONSENT_REQUIRED: _away(Refusal.CONSENT_REQUIRED),
    ErrorClass.ACCESS_DENIED: lambda service: setattr(service.profiles, "roles", ("User.Read.All",)),
    ErrorClass.NOT_FOUND: lambda service: service.directory.delete("id-anna"),
}


@pytest.mark.parametrize("row", UPDATES)
async def test_error_table_an_update_is_refused_with_text_and_measure(service: MemoryService, row: ErrorClass) -> None:
    UPDATES[row](service)
    problem = await refused(service, city="Bonn")
    known = EXPLANATIONS[row]
    assert problem.code == row.value.replace("_", "-")
    assert problem.title == f"{known.title.en}: {known.cause.en}"
    assert known.remedy.en in problem.detail


def test_error_table_no_row_is_forgotten() -> None:
    assert UPDATES.keys() == {*(row for row, _, _ in HELD), ErrorClass.CONNECTION_TIMEOUT, ErrorClass.NOT_FOUND}
