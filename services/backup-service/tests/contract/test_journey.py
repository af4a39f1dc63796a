"""Planner and workers on the real documents: from a request to a restored mailbox, with a worker that dies."""

import asyncio
import subprocess
import sys
from typing import Any

import pytest
from backup_fakes.asking import asking
from backup_fakes.engine import EngineInMemory
from backup_fakes.exchange import ANNA, BERT, Exchange
from backup_fakes.fuse import Fuse
from backup_fakes.mail import MemoryTenants

from backup_engine.testing.faulty import SimulatedCrash
from backup_service.adapters.error_classes import Judgement
from backup_service.usecases.execute_job import ExecuteJob
from backup_service.usecases.manage import Manage
from backup_service.usecases.plan_run import PlanRun
from backup_service.usecases.reading.checkpoints import BackupPace
from backup_service.usecases.restoring.frame import RestorePace
from backup_service.usecases.restoring.run_restore import RunRestore
from backup_service.usecases.run_backup import RunBackup
from chassis.delivered import Delivered
from contracts.envelope import run_id
from contracts.events import BackupRequested, RestoreRequested
from contracts.names import JobKind, JobState
from contracts.rpc import CreateConfiguration, CreateTarget


class House:
    """The member's parts, wired as in app.py, with fakes where other houses begin."""

    def __init__(self, planner: Any, exchange: Exchange) -> None:
        self.planner = planner
        self.fuse = Fuse()
        self.engine = EngineInMemory(self.fuse)
        tenants = MemoryTenants(exchange, self.fuse)
        judge = Judgement(10.0)
        self.plan = PlanRun(
            planner.runs, planner.catalogue, tenants, planner.retention, planner.discover, judge=judge, slots=8
        )
        self.manage = Manage(planner.catalogue, self.engine, planner.clock)
        backup = RunBackup(
            tenants=tenants,
            repositories=self.engine,
            jobs=planner.jobs,
            lost=planner.discover.lost,
            points=planner.catalogue,
            clock=planner.clock,
            pace=BackupPace(checkpoint_bytes=1, parallel=1),
        )
        restore = RunRestore(tenants, self.engine, planner.jobs, clock=planner.clock, pace=RestorePace())
        self.execute = ExecuteJob(
            planner.jobs,
            {JobKind.BACKUP: backup, JobKind.RESTORE: restore},
            judge=judge,
            settle=planner.runs.settle,
            stopping=asyncio.Event(),
        )
        self._seen = 0

    async def work(self) -> None:
        """Deliver every wake-up that has come since the last time."""
        wakes = self.planner.ledger.wakes()[self._seen :]
        self._seen += len(wakes)
        for wake in wakes:
            await self.execute(Delivered(wake, "m365.job", "", "", 1))

    async def sweep(self) -> None:
        await self.planner.runs.requeue_due()
        await self.plan.due()
        await self.planner.runs.admit(8)

    async def run(self, request: str) -> Any:
        return await self.planner.catalogue.run("contoso", run_id("gateway", request))

    async def configure(self) -> str:
        target = CreateTarget(id="t1", name="Our S3", endpoint="https://s3.example", bucket="backups")
        await self.manage.create_target("contoso", asking(), target)
        wanted = CreateConfiguration(name="Mail", target="t1", retention_days=90)
        return (await self.planner.configure.create("contoso", asking("req"), wanted)).id


@pytest.fixture
def house(planner: Any, exchange: Exchange) -> House:
    for user in (ANNA, BERT):
        inbox = exchange.add_folder(user, "Inbox")
        for number in range(4):
            exchange.add(user, inbox, f"From: a@x\r\nSubject: {number}\r\n\r\nof {user}\r\n".encode())
    return House(planner, exchange)


def backup(house: House, configuration: str, request: str) -> Delivered[BackupRequested]:
    body = BackupRequested(tenant="contoso", at=house.planner.clock.now(), request=request, configuration=configuration)
    return Delivered(body, "m365.ext.v1.gateway.contoso.backup.requested", request, "", 1)


async def test_from_request_to_restored_mailbox(house: House, planner: Any, exchange: Exchange) -> None:
    configuration = await house.configure()
    await house.plan.backup_requested(backup(house, configuration, "r1"))
    await house.work()
    run = await house.run("r1")
    assert (run.state, run.succeeded, run.counts.listed, run.counts.stored) == (JobState.SUCCEEDED, 2, 8, 8)
    assert [name for name, _ in planner.ledger.events("run")] == ["queued", "started", "succeeded"]

    points = (await planner.catalogue.restore_points("contoso", {"resource": ANNA}, None, 10)).items
    before = len(exchange.letters[BERT])
    wish = RestoreRequested(
        tenant="contoso", at=planner.clock.now(), request="r2", restore_point=points[0].id, target_user=BERT
    )
    await house.plan.restore_requested(Delivered(wish, "m365.ext.v1.gateway.contoso.restore.requested", "r2", "", 1))
    await house.work()
    restored = await house.run("r2")
    assert (restored.state, restored.counts.verified) == (JobState.SUCCEEDED, 4)
    assert len(exchange.letters[BERT]) == before + 4


async def test_dead_worker_is_replaced_by_the_sweep(house: House, planner: Any, exchange: Exchange) -> None:
    configuration = await house.configure()
    await house.plan.backup_requested(backup(house, configuration, "r1"))
    house.fuse.renew(dies_at=45)
    with pytest.raises((SimulatedCrash, BaseExceptionGroup)):
        await house.work()
    house.fuse.renew()
    house.engine.forget()
    assert (await house.run("r1")).state is JobState.RUNNING
    for _ in range(3):
        await planner.clock.advance(151)
        await house.sweep()
        await house.work()
    run = await house.run("r1")
    assert (run.state, run.succeeded, run.counts.listed, run.counts.verified) == (JobState.SUCCEEDED, 2, 8, 8)
    assert len(set(planner.ledger.events("run"))) == len(planner.ledger.events("run")) == 3
    assert len((await planner.catalogue.restore_points("contoso", {}, None, 10)).items) == 2


async def test_every_pack_in_the_store_was_announced_once(house: House, planner: Any) -> None:
    configuration = await house.configure()
    await house.plan.backup_requested(backup(house, configuration, "r1"))
    await house.work()
    packs = sorted(key for key in house.engine.storage.objects if key.startswith("data/"))
    assert sorted(planner.ledger.chunks()) == packs


def test_process_without_a_name_says_which_there_are() -> None:
    done = subprocess.run([sys.executable, "-m", "backup_service"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "usage: python -m backup_service planner | worker\n")
