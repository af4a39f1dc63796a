"""The rows of the requirements about directory sync that the sync itself fulfils; profile updates have their own."""

from datetime import timedelta
from typing import Any

import pytest
from sync_fakes.service import TENANT, MemoryService

from chassis.bus import Caller
from chassis.rpc import Call
from chassis.testing.clock import START
from contracts.employees import LocalFields, SyncSettings
from contracts.errors import EXPLANATIONS, ErrorClass
from contracts.names import HoldReason, JobState, Role, SyncKind
from contracts.operations import directory
from contracts.operations.base import ById, Nothing
from graph_client.errors import Forbidden, GraphError, Throttled, TokenUnavailable, Unreachable
from sync_service.domain.employee import Author, edited

FIELDS: dict[str, Any] = {
    "display_name": "Anna Berg",
    "first_name": "Anna",
    "last_name": "Berg",
    "primary_mail": "anna@contoso.example",
    "job_title": "Buyer",
    "department": "Purchase",
    "mobile_number": "+49 170 1",
    "business_phones": ("+49 228 1",),
    "office_location": "3.14",
    "street": "Adenauerallee 1",
    "city": "Bonn",
    "postal_code": "53113",
    "country": "Germany",
    "preferred_language": "de-DE",
    "account_enabled": True,
}


@pytest.fixture
def service() -> MemoryService:
    made = MemoryService()
    made.directory.put("anna", **FIELDS)
    return made


def call(question: Any) -> Call[Any]:
    return Call(TENANT, question, Caller("hr@contoso", ("hr",), "r-1"))


async def shown(service: MemoryService, user: str = "anna") -> Any:
    return await service.app.questions.employee_get(call(ById(id=user)))


async def test_R_S2_a_bulk_sync_takes_everybody_with_a_mail_address_and_the_run_is_finished(
    service: MemoryService,
) -> None:
    service.directory.put("room", display_name="Room")
    service.directory.add_group("g", "KlarKonform-contoso-HR")
    service.directory.enrol("g", "anna")
    asked = directory.StartSync(request="by-hand", kind=SyncKind.FULL)
    started = await service.app.questions.sync_start(call(asked))
    assert (await service.app.questions.sync_start(call(asked))).id == started.id
    await service.work()
    run = await service.app.questions.sync_get(call(ById(id=started.id)))
    assert (run.state, run.counts.created, run.counts.without_mail) == (JobState.SUCCEEDED, 1, 1)
    assert (await shown(service)).roles == (Role.USER, Role.HR)


@pytest.mark.parametrize(("name", "value"), FIELDS.items())
async def test_R_S4_a_synchronised_field_follows_microsoft_365(service: MemoryService, name: str, value: Any) -> None:
    await service.sync()
    assert getattr((await shown(service)).fields, name) == value
    other = {"account_enabled": False, "business_phones": ("+49 30 2",)}.get(name, "other@contoso.example")
    await service.clock.advance(60)
    service.directory.put("anna", **{name: other})
    await service.sync()
    assert getattr((await shown(service)).fields, name) == other
    assert service.logged("anna")[-1][:2] == ("updated", name)


async def test_R_S5_no_sync_touches_what_is_kept_here_alone(service: MemoryService) -> None:
    await service.sync()
    local = LocalFields(employee_type="freelancer", remote_worker=True, gdpr_exempt=True, gdpr_reason="court order")
    change = edited(service.employee("anna"), local, author=Author("hr@contoso", "local"), now=service.clock.now())
    assert change is not None
    await service.employees.save([change])
    for step in (lambda: service.directory.put("anna", city="Köln"), lambda: service.directory.delete("anna")):
        step()
        await service.clock.advance(60)
        await service.sync(SyncKind.FULL)
        assert (await shown(service)).local == local


@pytest.mark.parametrize(("part", "role"), [("Admin", Role.ADMIN), ("HR", Role.HR), ("Accounting", Role.ACCOUNTING)])
async def test_R_S6_a_group_gives_its_role_beside_user(service: MemoryService, part: str, role: Role) -> None:
    service.directory.add_group("g", f"KlarKonform-contoso-{part}")
    service.directory.add_group("u", "KlarKonform-contoso-User")
    service.directory.enrol("g", "anna")
    await service.sync()
    assert set((await shown(service)).roles) == {Role.USER, role}
    service.directory.enrol("g", "anna", leave=True)
    await service.clock.advance(60)
    await service.sync()
    assert (await shown(service)).roles == (Role.USER,)


async def test_R_S6_the_pattern_is_the_tenants_choice(service: MemoryService) -> None:
    service.directory.add_group("g", "M365 Admin")
    service.directory.enrol("g", "anna")
    await service.sync()
    assert (await shown(service)).roles == (Role.USER,)
    wanted = directory.ChangeSyncSettings(group_pattern="M365 {role}")
    assert (await service.app.questions.settings_set(call(wanted))).group_pattern == "M365 {role}"
    await service.sync()
    assert (await shown(service)).roles == (Role.ADMIN, Role.USER)


async def test_R_S7_a_change_is_in_the_log_and_in_what_is_read(service: MemoryService) -> None:
    await service.sync()
    service.directory.put("anna", city="Köln")
    await service.clock.advance(60)
    await service.sync()
    [entry, _] = (await service.app.questions.activity_list(call(directory.ActivityOf(employee="anna")))).items
    assert (entry.field, entry.old, entry.new, entry.by, entry.origin) == ("city", "Bonn", "Köln", "crm", "sync")
    assert (await shown(service)).fields.city == "Köln"


async def test_R_S8_several_attempts_are_made_when_the_connection_fails(service: MemoryService) -> None:
    service.directory.failing = lambda: Unreachable("no answer")
    run = await service.sync()
    attempts = 1
    while run.state is JobState.WAITING:
        assert run.hold is None
        await service.clock.advance(600)
        await service.work()
        run = service.runs.runs[TENANT, run.id]
        attempts += 1
    assert (run.state, run.error, attempts) == (JobState.FAILED, ErrorClass.CONNECTION_TIMEOUT, 5)
    assert EXPLANATIONS[ErrorClass.CONNECTION_TIMEOUT].title.en == "Connection timeout"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (TokenUnavailable("expired"), HoldReason.NO_VALID_TOKEN),
        (Forbidden("no"), HoldReason.CONSENT_LOST),
        (Throttled(5.0), HoldReason.TENANT_THROTTLED),
    ],
)
async def test_R_S8_a_sync_without_a_valid_token_is_postponed_and_goes_on(
    service: MemoryService, error: GraphError, reason: HoldReason
) -> None:
    service.directory.failing = lambda: error
    run = await service.sync()
    assert (run.state, run.hold, run.attempt) == (JobState.WAITING, reason, 0)
    for _ in range(20):
        await service.clock.advance(60)
        await service.work()
    service.directory.failing = lambda: None
    if reason is HoldReason.TENANT_THROTTLED:
        await service.clock.advance(60)
    else:
        await service.app.request.token_refreshed(TENANT)
    await service.work()
    assert service.runs.runs[TENANT, run.id].state is JobState.SUCCEEDED
    told = [event.NAME for event in service.runs.events if event.scope == "run"]  # type: ignore[attr-defined] # a job's
    assert told == ["queued", "started", "held", "started", "succeeded"]


async def test_R_S9_the_time_of_the_last_sync_is_shown_and_after_a_day_everybody_is_stale(
    service: MemoryService,
) -> None:
    await service.sync()
    overview = await service.app.questions.sync_overview(call(Nothing()))
    assert (overview.last_sync_at, overview.stale, overview.present) == (START, 0, 1)
    assert ((await shown(service)).synced_at, (await shown(service)).stale) == (START, False)
    await service.clock.advance(timedelta(days=1, seconds=1).total_seconds())
    overview = await service.app.questions.sync_overview(call(Nothing()))
    listed = await service.app.questions.employee_list(call(directory.EmployeesOf(stale=True)))
    assert (overview.stale, (await shown(service)).stale, [one.id for one in listed.items]) == (1, True, ["anna"])
    await service.sync(SyncKind.USERS, users=("anna",))
    overview = await service.app.questions.sync_overview(call(Nothing()))
    listed = await service.app.questions.employee_list(call(directory.EmployeesOf(stale=False)))
    assert (overview.stale, (await shown(service)).stale, [one.id for one in listed.items]) == (0, False, ["anna"])


async def test_R_S10_the_first_token_starts_the_first_sync_and_the_clock_the_next_ones(service: MemoryService) -> None:
    await service.app.request.token_refreshed(TENANT)
    await service.app.request.token_refreshed(TENANT)
    await service.work()
    assert [(run.by, run.kind, run.state) for run in service.runs.runs.values()] == [
        ("onboarding", SyncKind.FULL, JobState.SUCCEEDED)
    ]
    await service.clock.advance(timedelta(hours=6).total_seconds())
    assert (await service.app.request.due(), await service.app.request.due()) == (1, 0)
    await service.work()
    assert [run.by for run in service.runs.runs.values()] == ["onboarding", "schedule"]


async def test_R_S10_scheduled_syncs_do_not_pile_up_behind_one_that_is_held(service: MemoryService) -> None:
    await service.app.request.token_refreshed(TENANT)
    service.directory.failing = lambda: TokenUnavailable("expired")
    await service.work()
    for _ in range(5):
        await service.clock.advance(timedelta(hours=6).total_seconds())
        await service.app.request.due()
        await service.work()
    assert len(service.runs.runs) == 1


async def test_R_S10_single_users_are_synced_at_once(service: MemoryService) -> None:
    service.directory.add_group("g", "KlarKonform-contoso-HR")
    await service.sync()
    service.directory.put("bert", primary_mail="bert@contoso.example")
    service.directory.put("anna", city="Köln")
    service.directory.enrol("g", "bert")
    await service.clock.advance(60)
    run = await service.sync(SyncKind.PROFILE, users=("anna", "bert"))
    assert (run.state, run.counts.updated, run.counts.not_found) == (JobState.PARTIAL, 1, 1)
    assert (await shown(service)).fields.city == "Köln"
    run = await service.sync(SyncKind.USERS, users=("anna", "bert"))
    assert (run.state, run.counts.created, run.counts.unchanged) == (JobState.SUCCEEDED, 1, 1)
    assert (await shown(service, "bert")).roles == (Role.USER, Role.HR)


async def test_R_S10_a_schedule_that_is_off_starts_nothing(service: MemoryService) -> None:
    await service.sync()
    settings = await service.app.questions.settings_set(call(directory.ChangeSyncSettings(every_hours=0)))
    assert settings == SyncSettings(every_hours=None)
    await service.clock.advance(timedelta(days=30).total_seconds())
    assert await service.app.request.due() == 0
    overview = await service.app.questions.sync_overview(call(Nothing()))
    assert (overview.next_sync_at, overview.stale) == (None, 1)
