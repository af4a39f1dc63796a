"""Verification, drills and maintenance, from the due time or a request to what people are shown, on real documents."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from backup_fakes.engine import EngineInMemory
from backup_fakes.exchange import ANNA, Exchange
from backup_fakes.fuse import Fuse
from backup_fakes.mail import MemoryTenants

from backup_engine.errors import StorageUnreachable
from backup_service.adapters.error_classes import Judgement
from backup_service.adapters.mongo_upkeep import MongoUpkeep
from backup_service.usecases.execute_job import ExecuteJob
from backup_service.usecases.plan_run import PlanRun
from backup_service.usecases.reading.checkpoints import BackupPace
from backup_service.usecases.run_backup import RunBackup
from backup_service.usecases.run_upkeep import RunDrill, RunMaintain, RunVerify, Upkeep, UpkeepPace
from backup_service.usecases.start_upkeep import StartUpkeep
from chassis.delivered import Delivered
from contracts.envelope import run_id
from contracts.errors import ErrorClass
from contracts.events import BackupRequested, VerifyRequested
from contracts.names import HoldReason, JobKind, JobState, Source, UpkeepKind
from contracts.views import BackupConfiguration, Job, RestorePoint, StorageTarget

DAY = 86_400.0
INTERVALS = {
    UpkeepKind.VERIFY: timedelta(days=1),
    UpkeepKind.RESTORE_DRILL: timedelta(days=7),
    UpkeepKind.MAINTAIN: timedelta(days=1),
}


class House:
    """Planner and worker on one database, the engine on objects in memory."""

    def __init__(self, planner: Any, exchange: Exchange, scratch: Path) -> None:
        self.planner = planner
        self.clock = planner.clock
        self.fuse = Fuse()
        self.engine = EngineInMemory(self.fuse)
        self.stopping = asyncio.Event()
        tenants = MemoryTenants(exchange, self.fuse)
        judge = Judgement(10.0)
        self.times = MongoUpkeep(planner.store)
        self.start = StartUpkeep(planner.runs, self.times, self.clock, INTERVALS)
        self.plan = PlanRun(
            planner.runs, planner.catalogue, tenants, planner.retention, planner.discover, judge=judge, slots=8
        )
        backup = RunBackup(
            tenants=tenants,
            repositories=self.engine,
            jobs=planner.jobs,
            lost=planner.discover.lost,
            points=planner.catalogue,
            clock=self.clock,
            pace=BackupPace(parallel=1),
        )
        pace = UpkeepPace(share=1.0, drill_items=3, scratch=scratch, progress_seconds=0.01)
        upkeep = Upkeep(self.engine, planner.jobs, self.times, clock=self.clock, pace=pace)
        kinds = {
            JobKind.BACKUP: backup,
            JobKind.VERIFY: RunVerify(upkeep),
            JobKind.RESTORE_DRILL: RunDrill(upkeep),
            JobKind.MAINTAIN: RunMaintain(upkeep),
        }
        self.execute = ExecuteJob(planner.jobs, kinds, judge=judge, settle=planner.runs.settle, stopping=self.stopping)
        self._seen = 0
        self._asked = 0

    @property
    def objects(self) -> dict[str, bytes]:
        return self.engine.storage.objects

    async def work(self) -> None:
        """Deliver every wake-up that has come since the last time."""
        wakes = self.planner.ledger.wakes()[self._seen :]
        self._seen += len(wakes)
        for wake in wakes:
            await self.execute(Delivered(wake, "m365.job", "", "", 1))

    async def back_up(self) -> RestorePoint:
        self._asked += 1
        wish = BackupRequested(tenant="contoso", at=self.clock.now(), request=f"b{self._asked}", configuration="c1")
        subject = wish.requested_by("crm")
        await self.plan.backup_requested(Delivered(wish, subject, wish.request, "", 1))
        await self.work()
        run = await self.planner.catalogue.run("contoso", run_id("crm", wish.request))
        assert run.state is JobState.SUCCEEDED
        return await self.newest()

    async def ask(self, kind: UpkeepKind, target: str = "t1", **more: bool) -> Any:
        """The run that a request from another system led to."""
        self._asked += 1
        wish = VerifyRequested(
            tenant="contoso", at=self.clock.now(), request=f"v{self._asked}", target=target, kind=kind, **more
        )
        await self.plan.verify_requested(Delivered(wish, wish.requested_by("crm"), wish.request, "", 1))
        await self.work()
        return await self.planner.catalogue.run("contoso", run_id("crm", wish.request))

    async def job(self, kind: UpkeepKind) -> Job:
        run = await self.ask(kind)
        (job,) = (await self.planner.catalogue.jobs("contoso", run.id, None, 10)).items
        return job  # type: ignore[no-any-return] # the planner of the fixtures is not typed

    async def newest(self) -> RestorePoint:
        found = (await self.planner.catalogue.restore_points("contoso", {}, None, 10)).items
        return found[0]  # type: ignore[no-any-return] # the planner of the fixtures is not typed

    def forget(self) -> None:
        """The next job opens the repository as another process would."""
        self.engine.forget()


@pytest.fixture
async def house(planner: Any, exchange: Exchange, tmp_path: Path) -> House:
    now = planner.clock.now()
    target = StorageTarget(
        tenant="contoso",
        id="t1",
        name="Archive",
        endpoint="https://s3.example",
        bucket="backups",
        region="eu",
        prefix="",
        created_at=now,
        tested_at=now,
    )
    await planner.catalogue.add_target(target)
    configuration = BackupConfiguration(
        tenant="contoso", id="c1", name="Mail", target="t1", sources=(Source.MAIL,), retention_days=90, created_at=now
    )
    await planner.catalogue.add_configuration(configuration)
    for user in [user for user in exchange.users if user != ANNA]:
        del exchange.users[user]
    inbox = exchange.add_folder(ANNA, "Inbox")
    for n in range(6):
        exchange.add(ANNA, inbox, f"Subject: {n}\r\n\r\nbody {n}\r\n".encode())
    return House(planner, exchange, tmp_path / "scratch")


async def test_verification_reads_everything_and_shows_it_on_the_restore_point(house: House) -> None:
    point = await house.back_up()
    assert [one.level for one in point.verified] == [0, 1]
    await house.clock.advance(60)
    job = await house.job(UpkeepKind.VERIFY)
    assert (job.state, job.resource_name) == (JobState.SUCCEEDED, "Archive")
    assert job.check is not None
    assert (job.check.level, job.check.covered, job.check.problems) == (2, job.check.denominator, ())
    assert job.check.denominator == job.check.population > 5
    assert (job.counts.listed, job.counts.verified) == (job.check.denominator, job.check.covered)
    level = (await house.newest()).verified[-1]
    assert (level.level, level.covered, level.denominator, level.problems) == (2, 6, 6, 0)
    assert level.at == house.clock.now() == job.check.read_since


async def test_a_restore_point_that_is_newer_than_the_verification_shows_none(house: House) -> None:
    await house.back_up()
    await house.clock.advance(60)
    await house.job(UpkeepKind.VERIFY)
    await house.clock.advance(60)
    assert [one.level for one in (await house.back_up()).verified] == [0, 1]


async def test_damage_fails_the_job_names_the_items_and_the_next_backup_repairs_them(house: House) -> None:
    point = await house.back_up()
    for name in [name for name in house.objects if name.startswith("data/")]:
        del house.objects[name]
    house.forget()
    await house.clock.advance(60)
    job = await house.job(UpkeepKind.VERIFY)
    assert (job.state, job.fatal is not None and job.fatal.error) == (JobState.FAILED, ErrorClass.INTEGRITY)
    assert job.check is not None
    assert (job.check.affected_items, len(job.item_errors)) == (6, 6)
    assert {error.error for error in job.item_errors} == {ErrorClass.INTEGRITY}
    assert all(point.id in error.detail for error in job.item_errors)
    level = (await house.newest()).verified[-1]
    assert (level.level, level.covered, level.denominator, level.problems) == (2, 0, 6, 6)
    house.forget()
    await house.back_up()
    house.forget()
    await house.clock.advance(60)
    again = await house.job(UpkeepKind.VERIFY)
    assert (again.state, again.item_errors) == (JobState.PARTIAL, ()), "the lost pack is known, nobody needs it"
    for old in (await house.planner.catalogue.restore_points("contoso", {}, None, 10)).items:
        assert (old.verified[-1].level, old.verified[-1].covered) == (2, 6)


async def test_a_drill_restores_a_sample_and_shows_it_on_the_restore_point(house: House) -> None:
    await house.back_up()
    job = await house.job(UpkeepKind.RESTORE_DRILL)
    assert job.state is JobState.SUCCEEDED
    assert job.check is not None
    assert (job.check.level, job.check.covered, job.check.denominator, job.check.population) == (3, 3, 3, 6)
    level = (await house.newest()).verified[-1]
    assert (level.level, level.covered, level.denominator) == (3, 3, 3)
    await house.job(UpkeepKind.RESTORE_DRILL)
    assert [one.level for one in (await house.newest()).verified] == [0, 1, 3], "the latest drill replaces the earlier"


async def test_a_drill_that_gets_nothing_back_fails(house: House) -> None:
    await house.back_up()
    for name in [name for name in house.objects if name.startswith("data/")]:
        house.objects[name] = bytes(len(house.objects[name]))
    house.forget()
    job = await house.job(UpkeepKind.RESTORE_DRILL)
    assert (job.state, len(job.item_errors)) == (JobState.FAILED, 3)
    assert job.fatal is not None
    assert job.fatal.detail == "0 of 3 items came back as they were stored"


async def test_maintenance_removes_what_has_expired(house: House) -> None:
    await house.back_up()
    await house.clock.advance(100 * DAY)
    await house.back_up()
    job = await house.job(UpkeepKind.MAINTAIN)
    assert job.state is JobState.SUCCEEDED
    assert job.maintenance is not None
    await house.clock.advance(2 * DAY)
    job = await house.job(UpkeepKind.MAINTAIN)
    assert job.maintenance is not None
    assert job.maintenance.packs > 0
    assert sum(name.startswith("snapshots/") for name in house.objects) == 1


async def test_each_kind_starts_at_its_interval_and_once_for_many_planners(house: House) -> None:
    await house.back_up()
    assert await house.start() == 0, "a new target is first due after one interval"
    await house.clock.advance(DAY)
    started = [await house.start() for _ in range(3)]
    assert sum(started) == 2  # verify and maintain
    await house.plan.due()
    await house.work()
    await house.clock.advance(6 * DAY)
    assert await house.start() == 3, "missed days are made up for by one run"
    kinds = [run.kind for run in (await house.planner.catalogue.runs("contoso", None, None, 20)).items]
    assert kinds.count(JobKind.VERIFY) == 2
    assert kinds.count(JobKind.RESTORE_DRILL) == 1


async def test_the_due_time_decides_the_run_so_that_two_planners_start_one(house: House) -> None:
    await house.start()
    await house.clock.advance(DAY)
    first = {kind: house.clock.now() for kind in UpkeepKind}
    due = await house.times.due(house.clock.now(), first)
    assert len(due) == 2
    await house.start()  # another planner was faster
    for upkeep in due:
        await house.times.done(upkeep, house.clock.now() + timedelta(days=90))
    assert await house.start() == 0
    await house.clock.advance(DAY)
    assert await house.start() == 2, "who came late did not push the next time away"


async def test_a_request_for_an_unknown_target_fails_the_run(house: House) -> None:
    run = await house.ask(UpkeepKind.VERIFY, target="t9")
    assert (run.state, run.fatal.error, run.target) == (JobState.FAILED, ErrorClass.NOT_FOUND, "t9")


async def test_storage_out_of_reach_holds_the_job(house: House) -> None:
    house.engine.error = StorageUnreachable("no answer")
    job = await house.job(UpkeepKind.VERIFY)
    assert job.state is JobState.WAITING
    assert job.hold is not None
    assert job.hold.reason is HoldReason.STORAGE_UNREACHABLE


async def test_two_kinds_of_one_target_do_not_wait_for_each_other(house: House) -> None:
    await house.back_up()
    house.engine.error = StorageUnreachable("no answer")
    await house.job(UpkeepKind.VERIFY)
    house.engine.error = None
    assert (await house.job(UpkeepKind.RESTORE_DRILL)).state is JobState.SUCCEEDED


async def test_a_worker_that_is_told_to_leave_hands_a_verification_back_unspent(house: House) -> None:
    await house.back_up()
    house.stopping.set()
    job = await house.job(UpkeepKind.VERIFY)
    assert (job.state, job.attempt) == (JobState.WAITING, 0)
    house.stopping.clear()
    await house.planner.runs.requeue_due()
    await house.work()
    (run,) = [one for one in (await house.planner.catalogue.runs("contoso", None, None, 9)).items if one.target]
    assert run.state is JobState.SUCCEEDED
