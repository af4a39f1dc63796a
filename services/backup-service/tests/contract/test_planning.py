"""From a request to jobs, on the documents as they are."""

import dataclasses
from typing import Any

import pytest
from backup_fakes.exchange import ANNA, BERT, Exchange
from backup_fakes.fuse import Fuse
from backup_fakes.mail import MemoryTenants

from backup_engine.errors import StorageDenied
from backup_service.adapters.error_classes import Judgement
from backup_service.adapters.mongo_jobs import new_job
from backup_service.domain.restore_order import RestoreOrder
from backup_service.usecases.plan_run import ADDRESS_BOOK, PlanRun
from chassis.delivered import Delivered
from chassis.errors import GiveUp
from contracts.envelope import run_id
from contracts.errors import ErrorClass
from contracts.events import BackupRequested, RestoreRequested
from contracts.names import HoldReason, JobKind, JobState, LeftOutReason, Source
from contracts.restoring import RestoreConflict, RestorePlace, RestoreSelection
from contracts.views import BackupConfiguration, RestorePoint
from graph_client.errors import Refused, TokenUnavailable

SLOTS = 8


@pytest.fixture
def plan(planner: Any, exchange: Exchange) -> PlanRun:
    tenants = MemoryTenants(exchange, Fuse())
    return PlanRun(
        planner.runs,
        planner.catalogue,
        tenants,
        planner.retention,
        planner.discover,
        judge=Judgement(10.0),
        slots=SLOTS,
    )


@pytest.fixture
async def configuration(planner: Any) -> BackupConfiguration:
    made = BackupConfiguration(
        tenant="contoso",
        id="c1",
        name="Mail",
        target="t1",
        sources=(Source.MAIL,),
        retention_days=90,
        created_at=planner.clock.now(),
    )
    await planner.catalogue.add_configuration(made)
    return made


def backup(planner: Any, request: str = "r1", tenant: str = "contoso") -> Delivered[BackupRequested]:
    body = BackupRequested(tenant=tenant, at=planner.clock.now(), request=request, configuration="c1")
    return Delivered(body, f"m365.ext.v1.gateway.{tenant}.backup.requested", request, "", 1)


def restore(planner: Any, point: str = "p1", request: str = "r9", **wishes: Any) -> Delivered[RestoreRequested]:
    into = {"target_user": "bert@contoso.example", "target_folder": "From backup"}
    body = RestoreRequested(
        tenant="contoso", at=planner.clock.now(), request=request, restore_point=point, **(wishes or into)
    )
    return Delivered(body, "m365.ext.v1.gateway.contoso.restore.requested", request, "", 1)


async def run_of(planner: Any, request: str = "r1", tenant: str = "contoso") -> Any:
    return await planner.catalogue.run(tenant, run_id("gateway", request))


async def jobs_of(planner: Any, run: Any) -> list[Any]:
    return list((await planner.catalogue.jobs(run.tenant, run.id, None, 100)).items)


async def add_point(planner: Any, point_id: str = "p1", resource: str = ANNA) -> None:
    point = RestorePoint(
        tenant="contoso",
        id=point_id,
        configuration="c1",
        resource=resource,
        resource_name="anna@contoso.example",
        taken_at=planner.clock.now(),
        expires_at=planner.clock.now(),
        complete=True,
        items=1,
        bytes=1,
    )
    await planner.catalogue.add_restore_point(point)


async def test_request_becomes_one_admitted_job_for_each_mailbox(
    planner: Any, plan: PlanRun, configuration: BackupConfiguration
) -> None:
    await plan.backup_requested(backup(planner))
    run = await run_of(planner)
    assert (run.state, run.jobs) == (JobState.RUNNING, 2)
    assert sorted(job.resource for job in await jobs_of(planner, run)) == [ANNA, BERT]
    claims = [await planner.jobs.claim(wake, 1) for wake in planner.ledger.wakes()]
    assert {(claim.target, claim.keeping.retention, claim.keeping.floor, claim.shard) for claim in claims} == {
        ("t1", "90d", "30d", f"c1/{ANNA}"),
        ("t1", "90d", "30d", f"c1/{BERT}"),
    }


async def test_a_job_reads_every_source_of_its_mailbox_and_the_address_book_has_a_job_of_its_own(
    planner: Any, plan: PlanRun, configuration: BackupConfiguration
) -> None:
    everything = configuration.model_copy(update={"id": "c2", "name": "All", "sources": tuple(Source)})
    await planner.catalogue.add_configuration(everything)
    body = BackupRequested(tenant="contoso", at=planner.clock.now(), request="r2", configuration="c2")
    await plan.backup_requested(Delivered(body, "m365.ext.v1.gateway.contoso.backup.requested", "r2", "", 1))
    claims = [await planner.jobs.claim(wake, 1) for wake in planner.ledger.wakes()]
    assert await planner.runs.admit(SLOTS) == 1, "the next one comes when others have begun"
    claims += [await planner.jobs.claim(wake, 1) for wake in planner.ledger.wakes()[len(claims) :]]
    of_a_mailbox = (Source.MAIL, Source.CALENDAR, Source.CONTACTS)
    assert {(claim.resource, claim.sources) for claim in claims} == {
        (ANNA, of_a_mailbox),
        (BERT, of_a_mailbox),
        (ADDRESS_BOOK, (Source.ADDRESS_BOOK,)),
    }


async def test_a_run_says_who_has_no_job_and_why(
    planner: Any, plan: PlanRun, configuration: BackupConfiguration, exchange: Exchange
) -> None:
    exchange.guests.add(BERT)
    await plan.backup_requested(backup(planner))
    run = await run_of(planner)
    assert (run.jobs, run.left_out_counts) == (1, {LeftOutReason.GUEST: 1})
    assert [(one.resource, one.name) for one in run.left_out] == [(BERT, "bert@contoso.example")]


async def test_request_delivered_twice_is_planned_once(
    planner: Any, plan: PlanRun, configuration: BackupConfiguration
) -> None:
    await plan.backup_requested(backup(planner))
    await plan.backup_requested(backup(planner))
    assert len(planner.ledger.wakes()) == 2
    assert planner.ledger.events("run") == [("queued", 1), ("started", 2)]


async def test_every_event_names_the_request_that_led_to_it(
    planner: Any, plan: PlanRun, configuration: BackupConfiguration
) -> None:
    await plan.backup_requested(backup(planner))
    for wake in planner.ledger.wakes():
        assert await planner.jobs.claim(wake, 1) is not None
    assert planner.ledger.causes() == {("run", "gateway", "r1"), ("job", "gateway", "r1")}


async def test_a_configuration_may_be_called_by_its_name(
    planner: Any, plan: PlanRun, configuration: BackupConfiguration
) -> None:
    request = backup(planner)
    named = request.body.model_copy(update={"configuration": "Mail"})
    await plan.backup_requested(dataclasses.replace(request, body=named))
    run = await run_of(planner)
    assert (run.configuration, run.state) == ("c1", JobState.RUNNING)


async def test_a_name_that_two_configurations_have_is_refused(
    planner: Any, plan: PlanRun, configuration: BackupConfiguration
) -> None:
    await planner.catalogue.add_configuration(configuration.model_copy(update={"id": "c2"}))
    request = backup(planner)
    named = request.body.model_copy(update={"configuration": "Mail"})
    with pytest.raises(GiveUp, match="not unique"):
        await plan.backup_requested(dataclasses.replace(request, body=named))
    assert await run_of(planner) is None


async def test_unknown_configuration_fails_the_run(planner: Any, plan: PlanRun) -> None:
    await plan.backup_requested(backup(planner))
    run = await run_of(planner)
    assert (run.state, run.fatal.error) == (JobState.FAILED, ErrorClass.NOT_FOUND)


async def test_configuration_of_another_tenant_is_unknown(
    planner: Any, plan: PlanRun, configuration: BackupConfiguration
) -> None:
    await plan.backup_requested(backup(planner, tenant="fabrikam"))
    assert (await run_of(planner, tenant="fabrikam")).state is JobState.FAILED


async def test_tenant_without_mailboxes_succeeds_with_nothing_to_do(
    planner: Any, plan: PlanRun, configuration: BackupConfiguration, exchange: Exchange
) -> None:
    exchange.users.clear()
    await plan.backup_requested(backup(planner))
    run = await run_of(planner)
    assert (run.state, run.jobs) == (JobState.SUCCEEDED, 0)


async def test_missing_token_holds_the_run_until_there_is_one(
    planner: Any, plan: PlanRun, configuration: BackupConfiguration, exchange: Exchange
) -> None:
    exchange.error = TokenUnavailable("expired")
    await plan.backup_requested(backup(planner))
    held = await planner.runs.get("contoso", run_id("gateway", "r1"))
    assert (held["state"], held["hold"]["reason"]) == (JobState.WAITING.value, HoldReason.NO_VALID_TOKEN.value)
    assert await plan.due() == 0
    exchange.error = None
    await planner.runs.resume_held("contoso", HoldReason.NO_VALID_TOKEN)
    assert await plan.due() == 1
    run = await planner.runs.get("contoso", run_id("gateway", "r1"))
    assert (run["state"], run["hold"]) == (JobState.RUNNING.value, None)


async def test_error_of_the_library_is_tried_again(
    planner: Any, plan: PlanRun, configuration: BackupConfiguration, exchange: Exchange
) -> None:
    exchange.error = Refused("400")
    await plan.backup_requested(backup(planner))
    assert (await run_of(planner)).state is JobState.WAITING
    exchange.error = None
    await planner.clock.advance(30)
    assert await plan.due() == 1
    assert (await run_of(planner)).state is JobState.RUNNING


async def test_denied_storage_ends_the_run(
    planner: Any, plan: PlanRun, configuration: BackupConfiguration, exchange: Exchange
) -> None:
    exchange.error = StorageDenied("key revoked")
    await plan.backup_requested(backup(planner))
    run = await run_of(planner)
    assert (run.state, run.fatal.error) == (JobState.FAILED, ErrorClass.STORAGE_DENIED)


async def test_second_run_starts_when_the_first_has_ended(
    planner: Any, plan: PlanRun, configuration: BackupConfiguration, exchange: Exchange
) -> None:
    del exchange.users[BERT]
    await plan.backup_requested(backup(planner, "r1"))
    await planner.clock.advance(1)
    await plan.backup_requested(backup(planner, "r2"))
    assert (await run_of(planner, "r2")).state is JobState.WAITING
    await planner.runs.fail(
        await planner.runs.get("contoso", run_id("gateway", "r1")), ErrorClass.INTERNAL, "ended for the test"
    )
    await planner.store.jobs.delete_many({})
    await planner.clock.advance(5)
    await plan.due()
    assert (await run_of(planner, "r2")).state is JobState.RUNNING


async def test_restore_carries_its_order_to_the_worker(
    planner: Any, plan: PlanRun, configuration: BackupConfiguration
) -> None:
    await add_point(planner)
    await plan.restore_requested(restore(planner))
    (wake,) = planner.ledger.wakes()
    order = (await planner.jobs.claim(wake, 1)).restore
    assert (order.shard, order.restore_point) == (f"c1/{ANNA}", "p1")
    assert (order.target_user, order.target_folder) == ("bert@contoso.example", "From backup")


async def test_restore_from_an_unknown_point_fails(planner: Any, plan: PlanRun) -> None:
    await plan.restore_requested(restore(planner, "unknown"))
    run = await run_of(planner, "r9")
    assert (run.state, run.fatal.error) == (JobState.FAILED, ErrorClass.NOT_FOUND)


async def test_settled_by_the_sweep_when_nobody_else_did(
    planner: Any, plan: PlanRun, configuration: BackupConfiguration, exchange: Exchange
) -> None:
    exchange.users.clear()
    await plan.backup_requested(backup(planner))
    document = await planner.runs.get("contoso", run_id("gateway", "r1"))
    unsettled = {"state": JobState.RUNNING.value, "due_at": planner.clock.now()}
    await planner.store.runs.update_one({"_id": document["_id"]}, {"$set": unsettled})
    assert await plan.due() == 1
    assert (await run_of(planner)).state is JobState.SUCCEEDED


async def test_a_restore_order_says_all_that_was_asked_for(
    planner: Any, plan: PlanRun, configuration: BackupConfiguration
) -> None:
    await add_point(planner)
    chosen = RestoreSelection(items=("AAkA",), folders=("AAMk",), sources=(Source.MAIL,))
    wishes = {"place": RestorePlace.ORIGINAL, "conflict": RestoreConflict.REPLACE, "dry_run": True}
    await plan.restore_requested(restore(planner, selection=chosen, **wishes))
    (wake,) = planner.ledger.wakes()
    claim = await planner.jobs.claim(wake, 1)
    # Nobody named: the mailbox it was taken of.
    assert claim.restore == RestoreOrder("c1", f"c1/{ANNA}", "p1", ANNA, selection=chosen, **wishes)


async def test_an_order_of_the_release_before_means_what_it_meant(planner: Any) -> None:
    order = {
        "configuration": "c1",
        "shard": "c1/a",
        "restore_point": "p1",
        "target_user": "bert@x",
        "target_folder": "",
    }
    run = await planner.start(kind=JobKind.RESTORE)
    await planner.runs.plan(run, [(ANNA, "anna@x", {"target": "t1", "restore": order})])
    await planner.runs.admit(SLOTS)
    (wake,) = planner.ledger.wakes()
    claim = await planner.jobs.claim(wake, 1)
    assert claim.restore == RestoreOrder("c1", "c1/a", "p1", "bert@x")
    assert (claim.restore.place, claim.restore.conflict, claim.restore.top) == ("folder", "copy", "Restored p1")


async def test_a_restore_is_woken_at_once_whatever_is_queued(
    planner: Any, plan: PlanRun, configuration: BackupConfiguration
) -> None:
    """500 backups of the tenant wait for their share; a restore is on its own durable before its request is acked."""
    run, now = await planner.start(configuration="c5"), planner.clock.now()
    waiting = [new_job(run, f"user-{n}", "", {"target": "t1"}, now) for n in range(500)]
    await planner.store.jobs.insert_many(waiting, ordered=False)
    assert await planner.runs.admit(SLOTS) == 2  # few before one begins
    for number in range(3):
        await add_point(planner, f"p{number}", f"user-{number}")
        planner.broker.stored.clear()
        await plan.restore_requested(restore(planner, f"p{number}", f"r{number}"))
        assert [wake.kind for wake in planner.ledger.wakes()] == [JobKind.RESTORE]


@pytest.mark.parametrize(
    ("conflicts", "woken"),
    [(("copy", "copy"), 2), (("skip", "copy"), 2), (("skip", "replace"), 1), (("replace", "replace"), 1)],
)
async def test_restores_of_a_mailbox_wait_for_each_other_only_when_both_look_at_what_is_there(
    planner: Any, plan: PlanRun, configuration: BackupConfiguration, conflicts: tuple[str, str], woken: int
) -> None:
    await add_point(planner)
    for number, conflict in enumerate(conflicts):
        await plan.restore_requested(restore(planner, request=f"r{number}", conflict=RestoreConflict(conflict)))
    assert len(planner.ledger.wakes()) == woken


async def test_a_dry_run_waits_for_nobody(planner: Any, plan: PlanRun, configuration: BackupConfiguration) -> None:
    await add_point(planner)
    for number in range(2):
        await plan.restore_requested(
            restore(planner, request=f"r{number}", conflict=RestoreConflict.SKIP, dry_run=number == 1)
        )
    assert len(planner.ledger.wakes()) == 2
