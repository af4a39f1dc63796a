"""Who asks for much does not make those wait who ask for little; a restore waits for no backup."""

import asyncio
from typing import Any

import pytest

from backup_service.adapters.error_classes import Judgement
from backup_service.domain.jobs import Claim, Finished
from backup_service.usecases.execute_job import ExecuteJob
from chassis.delivered import Delivered
from contracts.events import Counts
from contracts.names import JobKind, JobState

SLOTS, SMALL = 8, 3
LARGE = [60, pytest.param(500, marks=pytest.mark.soak)]
"""Admitted jobs of a tenant; mailboxes of a small and of a large one."""


class Workers:
    """Places of workers; in each round every place executes the oldest wake-up of the kind it takes."""

    def __init__(self, planner: Any, places: int) -> None:
        self._planner = planner
        self._places = places
        self._taken = 0
        self.ended: list[tuple[int, Claim]] = []
        self._round = 0

    async def work(self, rounds: int) -> None:
        for _ in range(rounds):
            self._round += 1
            claims = [claim for _ in range(self._places) if (claim := await self._claim()) is not None]
            for claim in claims:
                await self._planner.jobs.conclude(claim, Finished(JobState.SUCCEEDED, Counts()))
                await self._planner.runs.admit_next(claim.tenant, claim.kind, SLOTS)
                self.ended.append((self._round, claim))

    async def _claim(self) -> Claim | None:
        wakes = self._planner.ledger.wakes()
        if len(wakes) == self._taken:
            return None
        claim: Claim = await self._planner.jobs.claim(wakes[self._taken], 1)
        self._taken += 1
        await self._planner.runs.admit_next(claim.tenant, claim.kind, SLOTS)
        return claim

    def last(self, tenant: str) -> int:
        return max(at for at, claim in self.ended if claim.tenant == tenant)


async def ask(planner: Any, tenant: str, mailboxes: int) -> None:
    run = await planner.start(f"run-of-{tenant}", tenant=tenant)
    await planner.plan(run, *(f"user-{n}" for n in range(mailboxes)))
    await planner.runs.admit(SLOTS)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("mailboxes", LARGE)
@pytest.mark.parametrize("places", [1, 2, 4, 8])
async def test_a_large_tenant_delays_a_tenant_of_3_by_no_more_than_twice_its_time_alone(
    planner: Any, places: int, mailboxes: int
) -> None:
    alone = -(-SMALL // places)
    workers = Workers(planner, places)
    await ask(planner, "large", mailboxes)
    await workers.work(1)
    await ask(planner, "small", SMALL)
    await workers.work(1 + 3 * alone)
    assert sum(claim.tenant == "small" for _, claim in workers.ended) == SMALL
    assert workers.last("small") - 1 <= 3 * alone
    assert sum(claim.tenant == "large" for _, claim in workers.ended) >= places


async def test_a_share_is_used_whole_without_the_sweep(planner: Any) -> None:
    """As jobs begin, the next ones come: no place stands empty until a planner looks."""
    workers = Workers(planner, 4)
    await ask(planner, "large", 24)
    await workers.work(6)
    assert len(workers.ended) == 24


async def test_a_restore_waits_for_no_backup_of_its_tenant(planner: Any) -> None:
    await ask(planner, "contoso", 20)
    run = await planner.start("restore", kind=JobKind.RESTORE)
    [job] = await planner.plan(run, "user-1")
    assert await planner.runs.admit(SLOTS) == 1
    assert planner.ledger.wakes()[-1].job == job.id


async def test_a_job_that_is_claimed_works_though_the_next_cannot_be_admitted(planner: Any) -> None:
    await ask(planner, "contoso", 1)

    async def done(_: Claim) -> Finished:
        return Finished(JobState.SUCCEEDED, Counts())

    async def documents_away(tenant: str, kind: JobKind) -> int:
        raise ConnectionError

    execute = ExecuteJob(
        planner.jobs,
        {JobKind.BACKUP: done},
        judge=Judgement(10.0),
        settle=planner.runs.settle,
        stopping=asyncio.Event(),
        admit=documents_away,
    )
    [wake] = planner.ledger.wakes()
    await execute(Delivered(wake, "m365.job", "", "", 1))
    assert (await planner.catalogue.run("contoso", "run-of-contoso")).state is JobState.SUCCEEDED
