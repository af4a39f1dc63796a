"""What is held of a tenant at its end, what forbids to shred it, and that nothing works for it any more."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from backup_fakes.asking import asking

from backup_service.adapters.engine_repositories import EngineRepositories
from backup_service.adapters.mongo_holdings import MongoHoldings
from backup_service.adapters.mongo_kept_documents import MongoKeptDocuments
from backup_service.adapters.mongo_protection import MongoProtection
from backup_service.adapters.mongo_upkeep import MongoUpkeep
from contracts.names import LegalHoldState, UpkeepKind
from contracts.offboarding import TargetKeys
from contracts.rpc import CreateConfiguration
from contracts.views import FloorChange, LegalHold, RestorePoint, StorageTarget


async def no_keys(target: StorageTarget) -> TargetKeys:
    return TargetKeys(target=target.id, name=target.name, endpoint=target.endpoint)


@pytest.fixture
def held(planner: Any) -> MongoHoldings:
    return MongoHoldings(planner.store, no_keys)


def target(at: datetime) -> StorageTarget:
    return StorageTarget(
        tenant="contoso", id="t1", name="S3", endpoint="https://s3", prefix="", created_at=at, tested_at=at
    )


async def points(planner: Any, taken: Sequence[datetime]) -> None:
    for number, at in enumerate(taken):
        await planner.catalogue.add_restore_point(
            RestorePoint(
                tenant="contoso", id=f"p{number}", configuration="c1", resource="anna", taken_at=at,
                expires_at=at + timedelta(days=3650), complete=True, items=1, bytes=1,
            )
        )  # fmt: skip


async def test_the_least_retention_covers_what_was_made_under_it(planner: Any, held: MongoHoldings) -> None:
    now = planner.clock.now()
    assert (await held.of("contoso", keys=False)).held_until is None
    await points(planner, [now - timedelta(days=40), now - timedelta(days=20)])
    found = await held.of("contoso", keys=False)
    assert (found.restore_points, found.newest_restore_point_at) == (2, now - timedelta(days=20))
    assert found.held_until == now + timedelta(days=10)  # 30 days, which hold for everybody
    year = FloorChange(period="365d", set_by="anna", set_at=now - timedelta(days=30))
    await planner.custody.change_retention_floor("contoso", year)
    assert (await held.of("contoso", keys=False)).held_until == now + timedelta(days=345)
    shorter = FloorChange(period="30d", set_by="anna", set_at=now - timedelta(days=1))
    await planner.custody.change_retention_floor("contoso", shorter)
    assert (await held.of("contoso", keys=False)).held_until == now + timedelta(days=345)
    assert (await held.of("fabrikam", keys=False)).held_until is None


@pytest.mark.parametrize("state", LegalHoldState)
async def test_every_hold_that_is_not_released_counts(planner: Any, held: MongoHoldings, state: LegalHoldState) -> None:
    now = planner.clock.now()
    hold = LegalHold(
        tenant="contoso", id="h1", target="t1", reason="lawsuit", placed_by="anna", placed_at=now, state=state
    )
    await planner.custody.add_legal_hold(hold, due_at=now)
    expected = 0 if state is LegalHoldState.RELEASED else 1
    assert (await held.of("contoso", keys=False)).legal_holds == expected


async def test_a_stopped_tenant_starts_nothing_and_its_storage_is_left_alone(planner: Any, held: MongoHoldings) -> None:
    now, stop = planner.clock.now(), MongoProtection(planner.store).stop
    upkeep, kept = MongoUpkeep(planner.store), MongoKeptDocuments(planner.store, planner.clock)
    first = dict.fromkeys(UpkeepKind, now)
    await planner.catalogue.add_target(target(now))
    nightly = CreateConfiguration(name="Nightly", target="t1", schedule="daily 02:00")
    made = await planner.configure.create("contoso", asking(), nightly)
    assert (await held.of("contoso", keys=False)).scheduled == 1
    await stop("contoso", stopped=True)
    assert (await held.of("contoso", keys=False)).scheduled == 0
    known = await planner.catalogue.configuration("contoso", made.id)
    assert (known.paused, known.next_run_at) == (True, None)
    assert list(await upkeep.due(now, first)) == []
    assert await kept.claim(timedelta(minutes=1)) is None
    await stop("contoso", stopped=False)
    assert len(await upkeep.due(now, first)) == len(UpkeepKind)
    assert await kept.claim(timedelta(minutes=1)) is not None
    assert (await planner.catalogue.configuration("contoso", made.id)).paused


async def test_keys_that_cannot_be_read_are_a_problem_and_not_none(planner: Any) -> None:
    class EmptyVault:
        async def kv_read(self, path: str) -> None:
            return None

    repositories = EngineRepositories(planner.store, EmptyVault(), None, None)  # type: ignore[arg-type] # nothing else is asked
    found = await repositories.keys_of(target(planner.clock.now()))
    assert found.problem == "StorageDenied"
