"""What a tenant's onboarding hears about its backups."""

from datetime import timedelta
from typing import Any

from backup_fakes.asking import asking

from backup_service.adapters.mongo_protection import MongoProtection
from contracts.names import JobKind, JobState
from contracts.onboarding import Protection
from contracts.rpc import ChangeConfiguration, CreateConfiguration
from contracts.views import StorageTarget


async def ended(
    planner: Any, run: str, state: JobState, *, kind: JobKind = JobKind.BACKUP, tenant: str = "contoso"
) -> None:
    await planner.start(run, tenant=tenant, kind=kind)
    await planner.clock.advance(60)
    fields = {"state": state.value, "finished_at": planner.clock.now() if state.finished else None}
    await planner.store.runs.update_one({"id": run, "tenant": tenant}, {"$set": fields})


async def test_a_tenant_without_anything_has_nothing(planner: Any) -> None:
    assert await MongoProtection(planner.store).of("contoso", planner.clock.now()) == Protection(
        tenant="contoso", targets=0, configurations=0
    )


async def test_targets_configurations_and_the_next_run_are_told(planner: Any) -> None:
    look, at = MongoProtection(planner.store), planner.clock.now()
    await planner.catalogue.add_target(
        StorageTarget(
            tenant="contoso", id="t1", name="S3", endpoint="https://s3", prefix="", created_at=at, tested_at=at
        )
    )
    manual = CreateConfiguration(name="Mail", target="t1")
    await planner.configure.create("contoso", asking("req-1"), manual)
    found = await look.of("contoso", None)
    assert (found.targets, found.configurations, found.next_run_at) == (1, 1, None)
    nightly = manual.model_copy(update={"name": "Nightly", "schedule": "daily 02:00"})
    made = await planner.configure.create("contoso", asking("req-2"), nightly)
    assert (await look.of("contoso", None)).next_run_at == made.next_run_at is not None
    await planner.configure.change("contoso", asking("req-3"), ChangeConfiguration(id=made.id, paused=True))
    assert (await look.of("contoso", None)).next_run_at is None
    assert (await look.of("fabrikam", None)).targets == 0


async def test_the_first_good_run_and_the_last_failure_after_a_time_are_told(planner: Any) -> None:
    look = MongoProtection(planner.store)
    await ended(planner, "before", JobState.SUCCEEDED)
    consented = planner.clock.now()
    await ended(planner, "of-another", JobState.SUCCEEDED, tenant="fabrikam")
    await ended(planner, "no-backup", JobState.SUCCEEDED, kind=JobKind.VERIFY)
    assert (await look.of("contoso", consented)).test_backup is None
    await ended(planner, "failed-1", JobState.FAILED)
    await ended(planner, "failed-2", JobState.FAILED)
    await ended(planner, "going-on", JobState.RUNNING)
    found = await look.of("contoso", consented)
    assert found.test_backup is None
    assert found.last_failure is not None
    assert (found.last_failure.run, found.going_on) == ("failed-2", True)
    await ended(planner, "partial", JobState.PARTIAL)
    await ended(planner, "succeeded", JobState.SUCCEEDED)
    found = await look.of("contoso", consented)
    assert found.test_backup is not None
    assert (found.test_backup.run, found.test_backup.state) == ("partial", JobState.PARTIAL)
    later = found.test_backup.finished_at + timedelta(days=1)
    assert (await look.of("contoso", later)).test_backup is None
    assert (await look.of("contoso", None)).going_on is False
