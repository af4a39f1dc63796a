"""Retention from what people choose to what the repository keeps, on the real documents and the real engine."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from backup_fakes.asking import asking
from backup_fakes.engine import EngineInMemory
from backup_fakes.exchange import ANNA, Exchange
from backup_fakes.fuse import Fuse
from backup_fakes.mail import MemoryTenants

from backup_service.adapters.error_classes import Judgement
from backup_service.domain.jobs import Keeping
from backup_service.usecases.execute_job import ExecuteJob
from backup_service.usecases.manage import Manage
from backup_service.usecases.plan_run import PlanRun
from backup_service.usecases.reading.checkpoints import BackupPace
from backup_service.usecases.run_backup import RunBackup
from chassis.delivered import Delivered
from contracts.events import BackupRequested
from contracts.names import JobKind
from contracts.problem import ProblemError
from contracts.retention import OFFERS
from contracts.rpc import CreateConfiguration, CreateTarget, SetRetentionFloor
from contracts.views import BackupConfiguration, RestorePoint


class House:
    def __init__(self, planner: Any, exchange: Exchange) -> None:
        self.planner = planner
        self.engine = EngineInMemory(Fuse())
        self.retention = planner.retention
        self.manage = Manage(planner.catalogue, self.engine, planner.clock)
        tenants = MemoryTenants(exchange, Fuse())
        judge = Judgement(10.0)
        self._plan = PlanRun(
            planner.runs, planner.catalogue, tenants, planner.retention, planner.discover, judge=judge, slots=8
        )
        backup = RunBackup(
            tenants=tenants,
            repositories=self.engine,
            jobs=planner.jobs,
            lost=planner.discover.lost,
            points=planner.catalogue,
            clock=planner.clock,
            pace=BackupPace(parallel=1),
        )
        self._execute = ExecuteJob(
            planner.jobs, {JobKind.BACKUP: backup}, judge=judge, settle=planner.runs.settle, stopping=asyncio.Event()
        )
        self._runs = self._woken = 0

    async def configure(self, **retention: Any) -> BackupConfiguration:
        where = CreateTarget(id="t1", name="Our S3", endpoint="https://s3.example", bucket="backups")
        await self.manage.create_target("contoso", asking(), where)
        wanted = CreateConfiguration(name="Mail", target="t1", **retention)
        return await self.planner.configure.create("contoso", asking(f"req-{retention}"), wanted)

    async def back_up(self, configuration: BackupConfiguration) -> RestorePoint:
        await self.request(configuration)
        return await self.work()

    async def request(self, configuration: BackupConfiguration) -> None:
        self._runs += 1
        now, request = self.planner.clock.now(), f"request-{self._runs}"
        body = BackupRequested(tenant="contoso", at=now, request=request, configuration=configuration.id)
        await self._plan.backup_requested(Delivered(body, "gateway", request, "", 1))

    async def work(self) -> RestorePoint:
        for wake in self.planner.ledger.wakes()[self._woken :]:
            self._woken += 1
            await self._execute(Delivered(wake, "m365.job", "", "", 1))
        points = await self.planner.catalogue.restore_points("contoso", {"resource": ANNA}, None, 10)
        return points.items[0]


@pytest.fixture
def house(planner: Any, exchange: Exchange) -> House:
    inbox = exchange.add_folder(ANNA, "Inbox")
    exchange.add(ANNA, inbox, b"From: a@x\r\nSubject: hello\r\n\r\nbody\r\n")
    return House(planner, exchange)


@pytest.mark.parametrize(
    ("chosen", "stored", "days"),
    [
        ({}, "90d", 90),
        ({"retention_days": 365}, "365d", 365),
        ({"retention": "1y"}, "1y", 365),
        ({"retention": "hgb-10y", "retention_days": 30}, "hgb-10y", 3650),
        ({"retention": "30d,weekly=90d,monthly=1y,yearly=10y"}, "30d,weekly=90d,monthly=1y,yearly=10y", 30),
    ],
)
async def test_a_configuration_keeps_what_was_chosen(house: House, chosen: Any, stored: str, days: int) -> None:
    made = await house.configure(**chosen)
    assert (made.retention, made.retention_days) == (stored, days)


async def test_R_K3_what_is_offered_and_what_lies_between_can_be_chosen(house: House) -> None:  # noqa: N802 - the row
    between = ("31d", "45d", "89d", "18m", "2y", "7y", "9y", "3652d")
    for scheme in (*(offer.scheme for offer in OFFERS), *between):
        assert (await house.configure(retention=scheme)).retention == scheme
    for wrong in ("29d", "11y", "3661d"):
        with pytest.raises((ProblemError, ValueError)):  # the model's pattern knows the longest years
            await house.configure(retention=wrong)


@pytest.mark.parametrize("retention", ["29d", "1m", "9999d", "30d,monthly=9999d", "30d,monthly=1y,monthly=2y"])
async def test_what_no_tenant_may_choose_is_refused(house: House, retention: str) -> None:
    with pytest.raises(ProblemError) as refused:
        await house.configure(retention=retention)
    assert refused.value.problem.status == 422


async def test_a_configuration_below_the_tenants_floor_is_refused_in_plain_words(house: House) -> None:
    await house.retention.set_floor("contoso", asking(), SetRetentionFloor(period="1y"))
    with pytest.raises(ProblemError, match="90d is less than the tenant's least retention of 1y: choose a longer one"):
        await house.configure(retention="90d,yearly=10y")
    assert (await house.configure(retention="1y")).retention == "1y"


async def test_the_floor_is_thirty_days_until_somebody_sets_it(house: House) -> None:
    assert (await house.retention.floor("contoso")).model_dump() == {
        "tenant": "contoso",
        "period": "30d",
        "changes": (),
    }
    with pytest.raises(ProblemError, match="29d is less than the tenant's least retention of 30d"):
        await house.retention.set_floor("contoso", asking(), SetRetentionFloor(period="29d"))


async def test_every_change_of_the_floor_stays_on_record(house: House, planner: Any) -> None:
    for by, period in (("anna", "1y"), ("bert", "1y"), ("carl", "90d")):
        await planner.clock.advance(60)
        await house.retention.set_floor("contoso", asking(by=by), SetRetentionFloor(period=period))
    floor = await house.retention.floor("contoso")
    assert (floor.period, [(one.set_by, one.period) for one in floor.changes]) == (
        "90d",
        [("carl", "90d"), ("anna", "1y")],
    )
    assert (await house.retention.floor("fabrikam")).changes == ()


async def test_two_who_change_the_floor_at_once_are_both_on_record(house: House) -> None:
    async def change(by: str, period: str) -> None:
        await house.retention.set_floor("contoso", asking(by=by), SetRetentionFloor(period=period))

    await asyncio.gather(*(change(f"admin-{n}", f"{n}y") for n in range(1, 6)))
    floor = await house.retention.floor("contoso")
    assert {one.set_by for one in floor.changes} == {f"admin-{n}" for n in range(1, 6)}
    assert floor.period == floor.changes[0].period


async def test_a_restore_point_shows_its_class_and_date(house: House) -> None:
    point = await house.back_up(await house.configure(retention="30d,yearly=10y"))
    assert (point.retention_class, point.expires_at) == ("yearly=10y", datetime(2036, 3, 2, 8, tzinfo=UTC))
    assert point.immutable_until is None  # this storage locks nothing
    again = await house.back_up(await house.configure(retention="30d,yearly=10y"))
    assert again.retention_class == "30d"


async def test_a_floor_raised_later_lifts_what_existing_configurations_make(house: House, planner: Any) -> None:
    configuration = await house.configure(retention="30d")
    before = await house.back_up(configuration)
    await house.retention.set_floor("contoso", asking(), SetRetentionFloor(period="1y"))
    after = await house.back_up(configuration)
    assert (before.retention_class, after.retention_class) == ("30d", "floor=1y")
    known = await planner.catalogue.restore_point("contoso", before.id)
    assert known == before
    floors = (await house.engine.open("contoso", "t1")).custody.floors()
    assert [(str(one.period), one.set_by) for one in floors] == [("30d", "default"), ("1y", "anna")]


async def test_a_job_planned_before_a_change_does_not_change_it_back(house: House, planner: Any) -> None:
    configuration = await house.configure(retention="30d")
    await house.back_up(configuration)
    await planner.clock.advance(60)
    await house.request(configuration)
    await planner.clock.advance(60)
    await house.retention.set_floor("contoso", asking(), SetRetentionFloor(period="1y"))
    custody = (await house.engine.open("contoso", "t1")).custody
    newest = (await house.retention.floor("contoso")).changes[0]
    custody.set_floor(custody.current_floor().period.parse("1y"), by=newest.set_by, at=newest.set_at)
    assert (await house.work()).retention_class == "floor=1y"
    assert [str(one.period) for one in custody.floors()] == ["30d", "1y"]


async def test_a_job_of_the_release_before_names_days_alone(planner: Any) -> None:
    run = await planner.start()
    await planner.plan(run, "anna")
    await planner.runs.admit(8)
    claim = await planner.jobs.claim(planner.ledger.wakes()[0], 1)
    assert claim.keeping == Keeping("30d", "30d", "default", claim.keeping.floor_set_at)
