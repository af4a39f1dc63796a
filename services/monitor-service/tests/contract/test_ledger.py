"""What `ports.Ledger` promises, on the fake and on the real document store."""

from collections.abc import Callable
from datetime import timedelta

from contracts.events import JobEvent
from contracts.names import HoldReason, JobKind
from monitor_service.domain.entry import Outcome, key_of
from monitor_service.domain.tally import Tally, recorded
from monitor_service.ports import Ledger
from monitor_service.usecases import record_events

Make = Callable[..., JobEvent]


async def test_a_new_tenant_starts_with_zeros_for_every_kind_and_outcome(ledger: Ledger) -> None:
    await ledger.open_tenant("contoso")
    tallies = await ledger.tallies("contoso")
    assert {tally.kind for tally in tallies} == set(JobKind)
    assert all(tally.finished == dict.fromkeys(Outcome, 0) for tally in tallies)
    assert all(tally.held == dict.fromkeys(HoldReason, 0) for tally in tallies)


async def test_opening_a_tenant_again_keeps_its_sums(ledger: Ledger, event: Make) -> None:
    await record_events(ledger, [event("failed")])
    await ledger.open_tenant("contoso")
    tally = await ledger.tally("contoso", JobKind.BACKUP)
    assert tally is not None
    assert tally.finished[Outcome.FAILED] == 1


async def test_what_was_committed_is_read_back_unchanged(ledger: Ledger, event: Make) -> None:
    await ledger.open_tenant("contoso")
    told = event("partial", version=4, duration=12.5, counts={"listed": 3, "stored": 2, "failed": 1}, resource="u1")
    before = await ledger.tally("contoso", JobKind.BACKUP)
    assert before is not None
    change, _ = recorded(before, {}, [told])
    assert change is not None
    assert await ledger.commit(change)
    assert await ledger.tally("contoso", JobKind.BACKUP) == change.tally
    assert await ledger.entries([key_of(told)]) == {key_of(told): change.entries[0]}


async def test_a_change_on_top_of_an_old_revision_is_refused_whole(ledger: Ledger, event: Make) -> None:
    await ledger.open_tenant("contoso")
    before = await ledger.tally("contoso", JobKind.BACKUP)
    assert before is not None
    mine, _ = recorded(before, {}, [event("failed", "mine")])
    theirs, _ = recorded(before, {}, [event("failed", "theirs")])
    assert mine is not None
    assert theirs is not None
    assert await ledger.commit(theirs)
    assert not await ledger.commit(mine)
    assert await ledger.entries([key_of(event("failed", "mine"))]) == {}


async def test_a_tenant_is_not_in_the_answer_about_another(ledger: Ledger, event: Make) -> None:
    await record_events(ledger, [event("failed"), event("failed", tenant="fabrikam")])
    assert {tally.tenant for tally in await ledger.tallies("contoso")} == {"contoso"}
    assert {tally.tenant for tally in await ledger.tallies()} == {"contoso", "fabrikam"}


async def test_a_held_job_is_found_by_its_age_until_it_resumes(ledger: Ledger, event: Make) -> None:
    held = [event("queued", version=1), event("held", version=2, minutes=5)]
    await record_events(ledger, held)
    queued_at = held[0].at
    assert await ledger.held_since("contoso", JobKind.BACKUP, queued_at)
    assert not await ledger.held_since("contoso", JobKind.BACKUP, queued_at - timedelta(seconds=1))
    assert not await ledger.held_since("contoso", JobKind.RESTORE, queued_at)
    assert not await ledger.held_since("fabrikam", JobKind.BACKUP, queued_at)
    await record_events(ledger, [event("started", version=3, minutes=6)])
    assert not await ledger.held_since("contoso", JobKind.BACKUP, queued_at)


async def test_runs_are_told_apart_from_jobs_of_the_same_id(ledger: Ledger, event: Make) -> None:
    await record_events(ledger, [event("succeeded", "x"), event("succeeded", "x", scope="run", minutes=1)])
    tally = await ledger.tally("contoso", JobKind.BACKUP)
    assert tally is not None
    assert tally.finished[Outcome.SUCCEEDED] == 1
    assert tally.last_success_at == event("succeeded", minutes=1).at


async def test_nothing_is_known_of_a_tenant_never_seen(ledger: Ledger) -> None:
    assert await ledger.tally("contoso", JobKind.BACKUP) is None
    assert await ledger.tallies("contoso") == []
    assert Tally("contoso", JobKind.BACKUP).finished == dict.fromkeys(Outcome, 0)
