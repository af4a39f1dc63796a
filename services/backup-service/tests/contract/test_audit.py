"""Every change that somebody makes here is recorded in the same write, once, and reaches the bus."""

from typing import Any

import pytest
from backup_fakes.asking import asking
from backup_fakes.engine import EngineInMemory
from backup_fakes.fuse import Fuse
from pydantic import BaseModel

from backup_service.adapters.error_classes import Judgement
from backup_service.adapters.mongo_kept_documents import MongoKeptDocuments
from backup_service.entrypoints import rpc as answers
from backup_service.usecases.audit_seals import ReadSeals
from backup_service.usecases.legal_holds import HoldDesk
from backup_service.usecases.manage import Manage
from backup_service.usecases.plan_run import PlanRun
from chassis.delivered import Delivered
from chassis.pending import PendingEvents
from chassis.rpc import RpcServer
from contracts import rpc
from contracts.events import AuditRecorded, BackupRequested, RestoreRequested
from contracts.restoring import RestoreSelection
from contracts.views import RestorePoint

TARGET = rpc.CreateTarget(
    id="t1", name="S3", endpoint="https://s3.example", bucket="backups", region="eu", prefix="contoso/"
)


class Office:
    """The planner's questions as the gateway asks them, and what is on the bus after a sweep."""

    def __init__(self, planner: Any) -> None:
        self.planner = planner
        engine = EngineInMemory(Fuse())
        judge = Judgement(10.0)
        answers.bind(
            RpcServer(planner.broker.bus("backup-service", planner.clock)),
            planner.catalogue,
            Manage(planner.catalogue, engine, planner.clock),
            planner.configure,
            planner.retention,
            HoldDesk(planner.custody, planner.catalogue, engine, judge=judge, clock=planner.clock),
            MongoKeptDocuments(planner.store, planner.clock),
            ReadSeals(planner.catalogue, engine),
            planner.clock,
        )
        self.plan = PlanRun(
            planner.runs, planner.catalogue, None, planner.retention, planner.discover, judge=judge, slots=8
        )  # type: ignore[arg-type] # no run gets as far as asking Microsoft 365
        self.gateway = planner.broker.bus("gateway", planner.clock)
        self.asked = 0

    async def ask(self, operation: Any, question: BaseModel, request: str | None = None) -> Any:
        self.asked += 1
        return await self.gateway.ask(operation, "contoso", question, asking(request or f"r{self.asked}"))

    async def recorded(self) -> list[AuditRecorded]:
        await self.planner.clock.advance(60)
        bus = self.planner.broker.bus("backup-service", self.planner.clock)
        for collection in self.planner.store.announcing.values():
            await PendingEvents(collection, bus, self.planner.clock).sweep()
        stored = [one for one in self.planner.broker.stored if one.subject.endswith(".audit.recorded")]
        return [AuditRecorded.model_validate_json(one.body) for one in stored]


@pytest.fixture
async def office(planner: Any) -> Office:
    return Office(planner)


async def test_every_command_is_recorded_once_with_who_asked_and_what_changed(office: Office) -> None:
    await office.ask(rpc.TARGET_CREATE, TARGET)
    made = await office.ask(rpc.CONFIGURATION_CREATE, rpc.CreateConfiguration(name="Mail", target="t1"), "make")
    await office.ask(rpc.CONFIGURATION_CREATE, rpc.CreateConfiguration(name="Mail", target="t1"), "make")
    for _ in range(2):
        await office.ask(rpc.CONFIGURATION_CHANGE, rpc.ChangeConfiguration(id=made.id, paused=True))
    for _ in range(2):
        await office.ask(rpc.RETENTION_FLOOR_SET, rpc.SetRetentionFloor(period="60d"))
    hold = await office.ask(rpc.LEGAL_HOLD_PLACE, rpc.PlaceLegalHold(target="t1", reason="lawsuit"), "hold")
    for _ in range(2):
        await office.ask(rpc.LEGAL_HOLD_RELEASE, rpc.ReleaseLegalHold(id=hold.id, reason="settled"))
    await office.ask(rpc.TARGET_RECOVER, rpc.ById(id="t1"))
    point = RestorePoint(
        tenant="contoso", id="p1", configuration=made.id, resource="anna", resource_name="anna@x",
        taken_at=office.planner.clock.now(), expires_at=office.planner.clock.now(), complete=True,
        items=1, bytes=1, failed_items=0,
    )  # fmt: skip
    await office.planner.catalogue.add_restore_point(point)
    part = RestoreSelection(folders=("Inbox/Secret plans",))
    await office.ask(rpc.EXPORT_OPEN, rpc.OpenExport(restore_point="p1", selection=part))

    found = {record.action: record for record in await office.recorded()}
    assert len(await office.recorded()) == len(found) == 8
    assert {record.actor for record in found.values()} == {"anna"}
    assert {record.roles for record in found.values()} == {("admin",)}
    assert (found["configuration.create"].object, found["configuration.create"].request) == (made.id, "make")
    change = found["configuration.change"]
    assert (change.before, change.after) == ({"paused": "false"}, {"paused": "true"})
    floor = found["tenant.set-retention-floor"]
    assert (floor.before, floor.after) == ({"period": "30d"}, {"period": "60d"})
    assert found["target.create"].after["bucket"] == "backups"
    assert found["legal-hold.place"].after == {"target": "t1", "reason": "lawsuit"}
    assert found["legal-hold.release"].after == {"reason": "settled"}
    assert found["target.recover"].object == "t1"
    assert found["restore-point.export"].after == {"format": "eml", "whole": "false"}


async def test_who_asked_for_a_run_is_recorded_with_the_run(office: Office) -> None:
    now = office.planner.clock.now()
    facts = {"tenant": "contoso", "at": now, "request": "r1", "requester": "anna", "requester_roles": ("operator",)}
    backup = BackupRequested(**facts, configuration="c1")
    subject = backup.requested_by("gateway")
    for _ in range(2):
        await office.plan.backup_requested(Delivered(backup, subject, "ce-1", backup.type_name(), 1))
    restore = RestoreRequested(
        **facts, restore_point="p1", target_user="ben@x", selection=RestoreSelection(folders=("Inbox/Secret plans",))
    )
    await office.plan.restore_requested(Delivered(restore, restore.requested_by("crm"), "ce-2", restore.type_name(), 1))

    first, second = await office.recorded()
    assert (first.actor, first.roles, first.request) == ("anna", ("operator",), "r1")
    assert first.after["kind"] == "backup"
    assert (second.actor, second.roles, second.request) == ("source:crm", (), "ce-2")
    assert (second.after["requester"], second.after["target_user"]) == ("anna", "ben@x")
    assert "Secret plans" not in second.model_dump_json()
