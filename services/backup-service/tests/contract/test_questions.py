"""Every question that names backup-service has an answer, of the asker's tenant only."""

from pathlib import Path
from typing import Any

import pytest
from backup_fakes.engine import EngineInMemory
from backup_fakes.fuse import Fuse

from backup_service.adapters.error_classes import Judgement
from backup_service.adapters.mongo_holdings import MongoHoldings
from backup_service.adapters.mongo_kept_documents import MongoKeptDocuments
from backup_service.adapters.mongo_protection import MongoProtection
from backup_service.adapters.search_shelf import SearchShelf
from backup_service.entrypoints import rpc as answers
from backup_service.usecases.audit_seals import ReadSeals
from backup_service.usecases.browse import Browse
from backup_service.usecases.legal_holds import HoldDesk
from backup_service.usecases.manage import Manage
from chassis.bus import Bus
from chassis.rpc import RpcServer
from contracts import rpc
from contracts.caller import Caller
from contracts.offboarding import TargetKeys
from contracts.operations.offboarding import StopProtection
from contracts.problem import ProblemError
from contracts.views import StorageTarget

CALLER = Caller("anna", ("operator",), "request-1")
TARGET = rpc.CreateTarget(id="t1", name="Our S3", endpoint="https://s3.example", bucket="backups")
QUESTIONS: dict[str, Any] = {
    "target.create": TARGET,
    "target.renew": rpc.RenewTarget(id="unknown", credentials="new"),
    "configuration.create": rpc.CreateConfiguration(name="Mail", target="t1"),
    "retention-floor.set": rpc.SetRetentionFloor(period="1y"),
    "legal-hold.place": rpc.PlaceLegalHold(target="t1", reason="lawsuit"),
    "legal-hold.release": rpc.ReleaseLegalHold(id="unknown", reason="settled"),
    "configuration.change": rpc.ChangeConfiguration(id="unknown", paused=True),
    "protection.stop": StopProtection(stopped=True),
    "job.list": rpc.JobsOf(run="run-1"),
    "restore.problems": rpc.ProblemsOf(job="unknown"),
    "export.open": rpc.OpenExport(restore_point="unknown"),
    "browse.folders": rpc.FoldersOf(restore_point="unknown"),
    "browse.items": rpc.ItemsOf(restore_point="unknown", folder="f"),
    "browse.item": rpc.OneItem(restore_point="unknown", item="i"),
    "browse.message": rpc.OneItem(restore_point="unknown", item="i"),
    "browse.search": rpc.SearchItems(restore_point="unknown", q="word"),
    "browse.compare": rpc.Compare(restore_point="unknown", other="another"),
}
OURS = [operation for operation in rpc.OPERATIONS if operation.service == "backup-service"]


async def keys_of(target: StorageTarget) -> TargetKeys:
    return TargetKeys(target=target.id, name=target.name, endpoint=target.endpoint, transit_keys=("tenant-contoso",))


@pytest.fixture
def gateway(planner: Any, tmp_path: Path) -> Bus:
    manage = Manage(planner.catalogue, EngineInMemory(Fuse()), planner.clock)
    server = RpcServer(planner.broker.bus("backup-service", planner.clock))
    desk = HoldDesk(
        planner.custody, planner.catalogue, EngineInMemory(Fuse()), judge=Judgement(10.0), clock=planner.clock
    )
    answers.bind(
        server,
        planner.catalogue,
        manage,
        planner.configure,
        planner.retention,
        desk,
        MongoKeptDocuments(planner.store, planner.clock),
        ReadSeals(planner.catalogue, EngineInMemory(Fuse())),
        planner.clock,
    )
    protection = MongoProtection(planner.store)
    answers.bind_protection(server, protection.of)
    answers.bind_offboarding(server, protection.stop, MongoHoldings(planner.store, keys_of).of)
    files = SearchShelf(tmp_path, limit=1 << 20, patience=1.0, new_id=lambda: "01ARZ3NDEKTSV4RRFFQ0000001")
    answers.bind_browsing(server, Browse(planner.catalogue, EngineInMemory(Fuse()), files, judge=Judgement(10.0)))
    return planner.broker.bus("gateway", planner.clock)


def question(operation: Any) -> Any:
    if operation.name in QUESTIONS:
        return QUESTIONS[operation.name]
    return rpc.ById(id="unknown") if operation.request is rpc.ById else operation.request()


@pytest.mark.parametrize("operation", OURS, ids=[operation.name for operation in OURS])
async def test_question_is_answered(gateway: Bus, operation: Any) -> None:
    await gateway.ask(rpc.TARGET_CREATE, "contoso", TARGET, CALLER)
    look_up = (
        operation.request is rpc.ById
        or operation
        in {rpc.TARGET_RENEW, rpc.EXPORT_OPEN, rpc.LEGAL_HOLD_RELEASE, rpc.CONFIGURATION_CHANGE, rpc.RESTORE_PROBLEMS}
        or operation.name.startswith("browse.")
    )
    if look_up:
        with pytest.raises(ProblemError) as raised:
            await gateway.ask(operation, "contoso", question(operation), CALLER)
        assert raised.value.problem.status == 404
    else:
        assert isinstance(await gateway.ask(operation, "contoso", question(operation), CALLER), operation.response)


async def test_look_ups_find_what_is_there_for_its_tenant_alone(gateway: Bus, planner: Any) -> None:
    await gateway.ask(rpc.TARGET_CREATE, "contoso", TARGET, CALLER)
    made = await gateway.ask(rpc.CONFIGURATION_CREATE, "contoso", QUESTIONS["configuration.create"], CALLER)
    run = await planner.start(configuration=made.id)
    (job,) = await planner.plan(run, "anna")
    for operation, identity in (
        (rpc.CONFIGURATION_GET, made.id),
        (rpc.RUN_GET, "run-1"),
        (rpc.JOB_GET, job.id),
    ):
        found = await gateway.ask(operation, "contoso", rpc.ById(id=identity), CALLER)
        assert found.id == identity
        with pytest.raises(ProblemError):
            await gateway.ask(operation, "fabrikam", rpc.ById(id=identity), CALLER)
    jobs = await gateway.ask(rpc.JOB_LIST, "contoso", rpc.JobsOf(run="run-1"), CALLER)
    assert [one.id for one in jobs.items] == [job.id]
    runs = await gateway.ask(rpc.RUN_LIST, "contoso", rpc.RunsOf(configuration="another"), CALLER)
    assert runs.items == ()
