"""A profile update: Microsoft 365 first, read back, then here; whatever is refused, late, repeated or killed."""

import asyncio
from typing import Any

import pytest
from sync_fakes.service import TENANT, MemoryService

from contracts.caller import Caller
from contracts.employee_changes import REFUSALS, ProfileChange, Refusal
from contracts.errors import ErrorClass
from contracts.problem import ProblemError
from sync_service.domain.profile_update import Step
from sync_service.usecases.change_profile import UpdatePace

ADMIN = Caller("admin@contoso", ("admin",), "request-1")
BONN = ProfileChange(city="Bonn")


class Killed(BaseException):
    """The process is gone: nothing of it runs any more."""


@pytest.fixture
async def service() -> MemoryService:
    made = MemoryService()
    for name in ("anna", "bert"):
        made.profiles.add(name, city="Köln", jobTitle="Buchhaltung")
    await made.sync()
    await made.clock.advance(60)
    return made


async def change(
    service: MemoryService, wish: ProfileChange = BONN, *, user: str = "id-anna", request: str = "r1", by: Any = ADMIN
) -> bool:
    call = service.app.change_profile(TENANT, user, wish, request=request, caller=by)
    return await service.clock.run(call)


async def refused(service: MemoryService, wish: ProfileChange = BONN, **more: Any) -> str:
    before = service.employee(more.get("user", "id-anna"))
    with pytest.raises(ProblemError) as problem:
        await change(service, wish, **more)
    after = service.employee(more.get("user", "id-anna"))
    assert (after.fields, after.version) == (before.fields, before.version), "the local record stays what it was"
    return problem.value.problem.code


def equal(service: MemoryService, user: str = "id-anna") -> bool:
    return service.employee(user).fields == service.expected(user)


async def test_a_change_is_written_read_back_saved_logged_and_told(service: MemoryService) -> None:
    assert await change(service, ProfileChange(city="Bonn", business_phones=("+49 228 1",), job_title=""))
    assert service.directory.users["id-anna"]["city"] == "Bonn"
    assert equal(service)
    assert sorted(service.logged("id-anna")[1:], key=lambda one: one[1]) == [
        ("updated", "business_phones", [], ["+49 228 1"]),
        ("updated", "city", "Köln", "Bonn"),
        ("updated", "job_title", "Buchhaltung", None),
    ]
    entry = next(one for one in service.employees.log.values() if one.field == "city")
    assert (entry.by, entry.origin) == ("admin@contoso", "profile")
    assert service.told("id-anna") == ["imported", "updated"]
    audit = next(event for event in service.employees.events if event.NAME == "recorded")
    assert (audit.action, audit.object, audit.actor) == ("employee.change-profile", "id-anna", "admin@contoso")
    assert "Bonn" not in audit.model_dump_json(), "of a person's data the names of fields alone"
    assert service.employee("id-anna").synced_at == service.clock.now()


async def test_what_others_changed_meanwhile_is_taken_over_as_theirs(service: MemoryService) -> None:
    service.directory.put("id-anna", job_title="Leitung")
    await change(service)
    assert equal(service)
    who = {entry.field: entry.by for entry in service.employees.log.values() if entry.action == "updated"}
    assert who == {"city": "admin@contoso", "job_title": "microsoft-365"}


async def test_a_change_that_is_seen_late_is_waited_for(service: MemoryService) -> None:
    service.profiles.stale_reads = 5
    await change(service)
    assert equal(service)
    assert len([entry for entry in service.logged("id-anna") if entry[1] == "city"]) == 1


async def test_a_change_that_is_not_seen_in_time_is_not_saved_and_the_next_sync_brings_it(
    service: MemoryService,
) -> None:
    service.profiles.stale_reads = 1000
    assert await refused(service) == "not-visible"
    service.profiles.stale_reads = 0
    await service.clock.advance(60)
    await service.sync()
    assert equal(service)


async def test_an_answer_does_not_wait_longer_than_a_question_may_take(service: MemoryService) -> None:
    service.app.change_profile._pace = UpdatePace(patience=0.0)
    service.profiles.stale_reads = 5
    assert not await change(service), "it goes on"
    assert not equal(service)
    await service.clock.run(service.app.background.drain(5.0))
    assert await change(service), "the same request tells that it is done"
    assert equal(service)


@pytest.mark.parametrize(
    ("wish", "code"),
    [
        (ProfileChange(primary_mail="x@contoso.example"), "primary-mail"),
        (ProfileChange(business_phones=("1", "2")), "business-phones"),
        (ProfileChange(display_name=""), "value"),
    ],
)
async def test_what_microsoft_365_cannot_keep_is_refused_unasked(
    service: MemoryService, wish: ProfileChange, code: str
) -> None:
    requests = service.directory.requests
    assert await refused(service, wish) == code
    assert service.directory.requests == requests


async def test_each_cause_of_a_refusal_is_named(service: MemoryService) -> None:
    service.profiles.on_premises.add("id-anna")
    assert await refused(service) == "directory-synchronised"
    service.profiles.on_premises.clear()
    service.profiles.administrators.add("id-anna")
    assert await refused(service, ProfileChange(account_enabled=False), request="r2") == "administrator"
    service.profiles.roles = service.profiles.roles[:2]
    assert await refused(service, request="r3") == "access-denied"
    service.directory.delete("id-anna")
    service.profiles.roles = (*service.profiles.roles, "User.ReadWrite.All")
    assert await refused(service, request="r4") == "not-found"
    await service.sync()
    assert await refused(service, request="r5") == "deactivated"
    with pytest.raises(ProblemError, match="not found"):
        await change(service, user="id-nobody", request="r6")


_ERROR_TABLE = [Refusal(error.value) for error in ErrorClass if error.value in set(Refusal)]


@pytest.mark.parametrize("outage", [one for one in _ERROR_TABLE if REFUSALS[one].status == 503])
async def test_an_outage_is_named_leaves_the_record_and_is_over_when_it_is_over(
    service: MemoryService, outage: Refusal
) -> None:
    service.profiles.outage = outage
    assert await refused(service) == outage.value.replace("_", "-")
    service.profiles.outage = None
    assert await change(service), "the same request may be repeated"
    assert equal(service)


async def test_a_repeated_request_changes_nothing_more(service: MemoryService) -> None:
    await change(service)
    service.directory.put("id-anna", city="Berlin")
    assert await change(service)
    assert service.directory.users["id-anna"]["city"] == "Berlin"
    service.profiles.on_premises.add("id-bert")
    assert await refused(service, user="id-bert") == "directory-synchronised"
    service.profiles.on_premises.clear()
    assert await refused(service, user="id-bert") == "directory-synchronised", "a refusal stays what it was"


async def test_an_older_version_is_a_conflict(service: MemoryService) -> None:
    version = service.employee("id-anna").version
    await change(service, ProfileChange(city="Bonn", version=version))
    assert await refused(service, ProfileChange(city="Mainz", version=version), request="r2") == "conflict"
    assert service.directory.users["id-anna"]["city"] == "Bonn"


async def test_updates_of_one_user_do_not_interleave_and_those_of_others_do(service: MemoryService) -> None:
    seen: list[str] = []
    service.fuse = lambda step: seen.append(step) if step in {"write", "update done"} else None
    service.profiles.stale_reads = 2

    async def both() -> None:
        await asyncio.gather(
            *(
                service.app.change_profile(TENANT, "id-anna", ProfileChange(city=city), request=city, caller=ADMIN)
                for city in ("Bonn", "Mainz", "Trier")
            )
        )

    await service.clock.run(both())
    assert seen == ["write", "update done"] * 3
    assert equal(service)
    cities = [entry[2:] for entry in service.logged("id-anna") if entry[1] == "city"]
    assert [old for old, _ in cities] == ["Köln", *[new for _, new in cities[:-1]]], "each saw the one before"


STEPS = 14


@pytest.mark.parametrize("dies_at", range(STEPS))
async def test_a_process_that_dies_at_any_step_leaves_no_lie_and_no_lock(service: MemoryService, dies_at: int) -> None:
    """Afterwards the record equals Microsoft 365, is logged once, and the next update gets through."""
    died = await _killed(service, dies_at)
    if dies_at == STEPS - 1:
        assert not died, "the last one must be beyond the last step"
    service.restart()
    await service.clock.advance(61)
    await service.clock.run(service.app.change_profile.resume())
    assert all(update.step.finished for update in service.updates.stored.values())
    await service.sync()
    assert equal(service)
    city = [entry for entry in service.employees.log.values() if entry.field == "city"]
    assert len(city) == (service.directory.users["id-anna"]["city"] == "Bonn")
    assert await change(service, ProfileChange(city="Mainz"), request="r2")
    assert equal(service)


async def test_what_a_dead_process_had_written_is_still_the_askers_change(service: MemoryService) -> None:
    service.fuse = _dies_when("written")
    await _run_until_killed(service)
    service.restart()
    await service.clock.advance(61)
    await service.clock.run(service.app.change_profile.resume())
    [entry] = [entry for entry in service.employees.log.values() if entry.field == "city"]
    assert (entry.by, entry.new) == ("admin@contoso", "Bonn")
    assert service.updates.stored[TENANT, "id-anna"].step is Step.DONE


async def test_what_a_dead_process_had_not_written_is_told_as_interrupted(service: MemoryService) -> None:
    service.fuse = _dies_when("write")
    await _run_until_killed(service)
    service.restart()
    await service.clock.advance(61)
    await service.clock.run(service.app.change_profile.resume())
    assert await refused(service) == "interrupted"
    assert service.directory.users["id-anna"]["city"] == "Köln"


async def _killed(service: MemoryService, dies_at: int) -> bool:
    steps = iter(range(1000))

    def fuse(_step: str) -> None:
        if next(steps) >= dies_at:
            raise Killed

    service.fuse = fuse
    return await _run_until_killed(service)


def _dies_when(wanted: str) -> Any:
    dead: list[str] = []

    def fuse(step: str) -> None:
        if step == wanted or dead:
            dead.append(step)
            raise Killed

    return fuse


async def _run_until_killed(service: MemoryService) -> bool:
    died = False
    try:
        await change(service)
    except (Killed, ProblemError):
        died = True
    died = died or any(not update.step.finished for update in service.updates.stored.values())
    service.fuse = lambda _step: None
    return died
