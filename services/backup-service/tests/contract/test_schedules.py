"""Schedules on real documents: what begins by itself, once, and what does not."""

from datetime import timedelta
from typing import Any

import pytest
from backup_fakes.asking import asking
from backup_fakes.exchange import Exchange
from backup_fakes.fuse import Fuse
from backup_fakes.mail import MemoryTenants

from backup_service.adapters.error_classes import Judgement
from backup_service.adapters.mongo_timetable import MongoTimetable
from backup_service.usecases.plan_run import PlanRun
from backup_service.usecases.start_scheduled import StartScheduled
from chassis.delivered import Delivered
from contracts.errors import ErrorClass
from contracts.events import BackupRequested
from contracts.names import JobState
from contracts.problem import ProblemError
from contracts.rpc import ChangeConfiguration, CreateConfiguration
from contracts.views import BackupConfiguration, Run, StorageTarget

DAY = 86_400.0


class House:
    """A planner, and another one on the same documents."""

    def __init__(self, planner: Any, exchange: Exchange) -> None:
        self.planner = planner
        self.clock = planner.clock
        self.plan = PlanRun(
            planner.runs,
            planner.catalogue,
            MemoryTenants(exchange, Fuse()),
            planner.retention,
            planner.discover,
            judge=Judgement(10.0),
            slots=8,
        )
        self.planners = [
            StartScheduled(planner.runs, MongoTimetable(planner.store), planner.clock, timedelta(minutes=1))
            for _ in range(2)
        ]

    async def configure(self, **wanted: Any) -> BackupConfiguration:
        now = self.clock.now()
        where = {"endpoint": "https://s3.example", "bucket": "b", "prefix": ""}
        await self.planner.catalogue.add_target(
            StorageTarget(tenant="contoso", id="t1", name="Our S3", **where, created_at=now, tested_at=now)
        )
        question = CreateConfiguration(name="Mail", target="t1", **wanted)
        made: BackupConfiguration = await self.planner.configure.create("contoso", asking("req"), question)
        return made

    async def change(self, configuration: BackupConfiguration, **wanted: Any) -> BackupConfiguration:
        question = ChangeConfiguration(id=configuration.id, **wanted)
        changed: BackupConfiguration = await self.planner.configure.change("contoso", asking(), question)
        return changed

    async def pass_time(self, seconds: float) -> int:
        """Both planners look; how many runs they started."""
        await self.clock.advance(seconds)
        return sum([await planner() for planner in self.planners])

    async def runs(self) -> list[Run]:
        return list((await self.planner.catalogue.runs("contoso", None, None, 100)).items)

    async def finish(self, run: Run) -> None:
        document = await self.planner.runs.get("contoso", run.id)
        await self.planner.runs.fail(document, ErrorClass.INTERNAL, "over")


@pytest.fixture
def house(planner: Any, exchange: Exchange) -> House:
    return House(planner, exchange)


async def test_a_strike_starts_one_run_however_many_planners_see_it(house: House) -> None:
    made = await house.configure(schedule="daily 02:00", time_zone="Europe/Berlin")
    assert made.next_run_at is not None
    assert made.next_run_at > house.clock.now()
    until = (made.next_run_at - house.clock.now()).total_seconds()
    assert await house.pass_time(until - 1) == 0
    assert await house.pass_time(2) == 1
    assert await house.pass_time(60) == 0
    [run] = await house.runs()
    assert run.configuration == made.id
    assert (
        await house.planner.catalogue.configuration("contoso", made.id)
    ).next_run_at == made.next_run_at + timedelta(days=1)


async def test_missed_strikes_are_made_up_for_by_one_run(house: House) -> None:
    made = await house.configure(schedule="daily 02:00")
    assert await house.pass_time(5 * DAY) == 1
    known = await house.planner.catalogue.configuration("contoso", made.id)
    assert known.next_run_at > house.clock.now()


async def test_a_strike_waits_for_the_run_that_goes_on(house: House) -> None:
    await house.configure(schedule="daily 02:00")
    assert await house.pass_time(DAY) == 1
    assert await house.pass_time(DAY) == 0
    assert await house.pass_time(60) == 0
    [first] = await house.runs()
    await house.finish(first)
    assert await house.pass_time(60) == 1


@pytest.mark.parametrize("change", [{"automatic": False}, {"paused": True}, {"schedule": ""}])
async def test_what_is_switched_off_does_not_begin_by_itself(house: House, change: dict[str, Any]) -> None:
    made = await house.configure(schedule="daily 02:00")
    changed = await house.change(made, **change)
    assert changed.next_run_at is None
    assert await house.pass_time(3 * DAY) == 0
    again = await house.change(made, automatic=True, paused=False, schedule="weekly sunday 03:30")
    assert again.next_run_at is not None
    assert again.next_run_at.isoweekday() == 7
    assert again.next_run_at > house.clock.now()
    assert await house.pass_time(7 * DAY) == 1


async def test_a_paused_configuration_says_so_when_it_is_asked_to_run(house: House) -> None:
    made = await house.configure()
    await house.change(made, paused=True)
    body = BackupRequested(tenant="contoso", at=house.clock.now(), request="r1", configuration=made.id)
    await house.plan.backup_requested(Delivered(body, "m365.ext.v1.gateway.contoso.backup.requested", "r1", "", 1))
    [run] = await house.runs()
    assert run.state is JobState.FAILED
    assert run.fatal is not None
    assert run.fatal.error is ErrorClass.CANCELLED
    assert "paused" in run.fatal.detail


@pytest.mark.parametrize(
    ("scope", "planned"),
    [
        ({}, {"anna@contoso.example", "bert@contoso.example"}),
        ({"include": ("anna@*",)}, {"anna@contoso.example"}),
        ({"exclude": ("ANNA@contoso.example",)}, {"bert@contoso.example"}),
    ],
)
async def test_a_run_is_about_the_mailboxes_of_its_scope(house: House, scope: Any, planned: set[str]) -> None:
    await house.configure(schedule="daily", **scope)
    assert await house.pass_time(DAY) == 1
    await house.plan.due()
    [run] = await house.runs()
    jobs = (await house.planner.catalogue.jobs("contoso", run.id, None, 10)).items
    assert {job.resource_name for job in jobs} == planned


async def test_a_scope_without_mailboxes_is_no_success(house: House) -> None:
    await house.configure(schedule="daily", include=("nobody@contoso.example",))
    await house.pass_time(DAY)
    await house.plan.due()
    [run] = await house.runs()
    assert (run.state, run.fatal and run.fatal.error) == (JobState.FAILED, ErrorClass.NOT_FOUND)


@pytest.mark.parametrize("wrong", [{"schedule": "0 2 30 2 *"}, {"schedule": "daily", "time_zone": "Mars/Olympus"}])
async def test_a_schedule_that_never_strikes_is_refused_and_nothing_is_saved(house: House, wrong: Any) -> None:
    with pytest.raises(ProblemError, match=r"strikes|time zone"):
        await house.configure(**wrong)
    made = await house.configure(schedule="daily")
    with pytest.raises(ProblemError, match=r"strikes|time zone"):
        await house.change(made, **wrong)
    assert await house.planner.catalogue.configuration("contoso", made.id) == made


async def test_a_change_keeps_what_it_does_not_name_and_the_floor(house: House) -> None:
    made = await house.configure(schedule="daily", exclude=("x@contoso.example",), retention="1y")
    changed = await house.change(made, name="Mail again", retention="90d")
    assert (changed.name, changed.retention, changed.retention_days) == ("Mail again", "90d", 90)
    assert (changed.schedule, changed.exclude, changed.next_run_at) == ("daily", made.exclude, made.next_run_at)
    with pytest.raises(ProblemError, match="least retention"):
        await house.change(made, retention="5d")
    with pytest.raises(ProblemError, match="configuration"):
        await house.planner.configure.change("fabrikam", asking(), ChangeConfiguration(id=made.id, paused=True))
