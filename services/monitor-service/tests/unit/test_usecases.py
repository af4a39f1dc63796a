"""Recording and judging, on the ledger in memory and on the real one."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

from chassis.testing.clock import ManualClock
from contracts.events import JobEvent
from contracts.names import Health, HoldReason, JobKind
from monitor_service.domain.entry import Outcome
from monitor_service.domain.health import Expected, Reason
from monitor_service.ports import Ledger
from monitor_service.usecases import Recorded, read_health, record_events

Make = Callable[..., JobEvent]
INTERVAL = timedelta(hours=26)
EXPECTED = Expected(runs=INTERVAL, drills=timedelta(days=8))


async def backup_of(ledger: Ledger, clock: ManualClock) -> tuple[Health, Reason]:
    found = await read_health(ledger, clock, EXPECTED, "contoso")
    verdict = next(each.verdict for each in found if each.tally.kind is JobKind.BACKUP)
    return verdict.health, verdict.reason


async def test_events_that_tell_nothing_new_are_counted_as_stale(ledger: Ledger, event: Make) -> None:
    batch = [event("queued", version=1), event("succeeded", version=3), event("succeeded", version=3)]
    assert await record_events(ledger, batch) == Recorded(applied=2, stale=1)
    assert await record_events(ledger, [*batch, event("started", version=2)]) == Recorded(applied=0, stale=4)


async def test_only_jobs_count_in_ratios_and_only_runs_in_freshness(ledger: Ledger, event: Make) -> None:
    await record_events(
        ledger,
        [
            *(event("succeeded", f"job-{n}") for n in range(10)),
            event("failed", "job-10"),
            event("partial", "run-1", scope="run"),
        ],
    )
    clock = ManualClock()
    assert await backup_of(ledger, clock) == (Health.HEALTHY, Reason.NONE)
    found = await read_health(ledger, clock, EXPECTED, "contoso")
    backup = next(each for each in found if each.tally.kind is JobKind.BACKUP)
    assert backup.verdict.finished == 11
    assert backup.tally.last_success_at is None
    assert backup.tally.last_run_at == clock.now()


async def test_health_turns_unknown_when_no_run_follows(ledger: Ledger, event: Make) -> None:
    await record_events(ledger, [event("succeeded"), event("succeeded", "run-1", scope="run")])
    clock = ManualClock()
    assert await backup_of(ledger, clock) == (Health.HEALTHY, Reason.NONE)
    await clock.advance(INTERVAL.total_seconds() + 1)
    assert await backup_of(ledger, clock) == (Health.UNKNOWN, Reason.NO_RUN_IN_INTERVAL)


async def test_a_job_held_for_longer_than_an_interval_makes_health_unknown(ledger: Ledger, event: Make) -> None:
    await record_events(ledger, [event("queued", "stuck", version=1), event("held", "stuck", version=2)])
    clock = ManualClock()
    await clock.advance(INTERVAL.total_seconds() + 1)
    fresh = INTERVAL.total_seconds() / 60
    await record_events(
        ledger, [event("succeeded", minutes=fresh), event("succeeded", "run-1", scope="run", minutes=fresh)]
    )
    assert await backup_of(ledger, clock) == (Health.UNKNOWN, Reason.HELD_TOO_LONG)
    # The hold is looked at again and again; telling it anew must not make it young.
    await record_events(ledger, [event("held", "stuck", version=3, minutes=fresh)])
    assert await backup_of(ledger, clock) == (Health.UNKNOWN, Reason.HELD_TOO_LONG)
    await record_events(ledger, [event("succeeded", "stuck", version=4, minutes=fresh)])
    assert await backup_of(ledger, clock) == (Health.HEALTHY, Reason.NONE)


async def test_held_jobs_are_counted_by_reason_until_they_resume(ledger: Ledger, event: Make) -> None:
    async def held() -> dict[HoldReason, int]:
        tally = await ledger.tally("contoso", JobKind.BACKUP)
        assert tally is not None
        return {reason: count for reason, count in tally.held.items() if count}

    await record_events(ledger, [event("held", f"job-{n}", version=2) for n in range(3)])
    assert await held() == {HoldReason.NO_VALID_TOKEN: 3}
    await record_events(ledger, [event("held", "job-0", version=3, reason="storage_unreachable")])
    assert await held() == {HoldReason.NO_VALID_TOKEN: 2, HoldReason.STORAGE_UNREACHABLE: 1}
    await record_events(ledger, [event("started", f"job-{n}", version=4) for n in range(3)])
    assert await held() == {}


async def test_jobs_that_wait_or_run_are_counted_until_they_end(ledger: Ledger, event: Make) -> None:
    async def unfinished() -> int:
        tally = await ledger.tally("contoso", JobKind.BACKUP)
        assert tally is not None
        return tally.unfinished

    await record_events(ledger, [event("queued", f"job-{n}") for n in range(3)])
    assert await unfinished() == 3
    await record_events(ledger, [event("started", "job-0", 2), event("failed", "job-1", 2)])
    assert await unfinished() == 2
    await record_events(ledger, [event("succeeded", "job-2", 3), event("started", "job-2", 2)])
    assert await unfinished() == 1


async def test_of_a_tenant_without_events_only_what_is_expected_is_unknown(ledger: Ledger) -> None:
    found = await read_health(ledger, ManualClock(), EXPECTED, "contoso")
    assert [each.tally.kind for each in found] == sorted(JobKind)
    verdicts = {each.tally.kind: each.verdict for each in found}
    assert verdicts[JobKind.BACKUP].health is Health.UNKNOWN
    assert verdicts[JobKind.RESTORE] is None
    assert verdicts[JobKind.VERIFY] is None, "there may be no storage target to verify"


async def test_two_replicas_with_the_same_events_count_them_once(ledger: Ledger, event: Make) -> None:
    events = [event("failed", f"job-{n}", version=2) for n in range(40)]
    batches = [events[n : n + 10] for n in range(0, 40, 10)]
    await asyncio.gather(*(record_events(ledger, batch) for batch in batches + batches[::-1]))
    tally = await ledger.tally("contoso", JobKind.BACKUP)
    assert tally is not None
    assert tally.finished[Outcome.FAILED] == 40
