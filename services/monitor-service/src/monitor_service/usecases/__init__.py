"""What monitor-service does: record what happened, and say how healthy that is."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from chassis.clock import Clock
from contracts.events import JobEvent
from contracts.names import JobKind
from monitor_service.domain.entry import key_of
from monitor_service.domain.health import Expected, Verdict, judge
from monitor_service.domain.tally import Tally, recorded
from monitor_service.ports import Ledger


@dataclass(frozen=True)
class Recorded:
    """How many events changed the ledger and how many told nothing new."""

    applied: int = 0
    stale: int = 0


@dataclass(frozen=True)
class ClassHealth:
    """A tally and what it means now; None for a kind on demand that nobody asked for."""

    tally: Tally
    verdict: Verdict | None


def _class_of(event: JobEvent) -> tuple[str, str]:
    return event.tenant, event.kind


async def record_events(ledger: Ledger, events: Sequence[JobEvent]) -> Recorded:
    """Record a batch; repeating it, whole or in part and in any order, changes nothing more."""
    applied = 0
    for (tenant, _), group in groupby(sorted(events, key=_class_of), key=_class_of):
        applied += await _record_class(ledger, tenant, list(group))
    return Recorded(applied, len(events) - applied)


async def _record_class(ledger: Ledger, tenant: str, events: Sequence[JobEvent]) -> int:
    """Another replica may be faster; then its result is read and the rest is tried on top of it."""
    while True:
        tally = await ledger.tally(tenant, events[0].kind)
        if tally is None:
            await ledger.open_tenant(tenant)
            continue
        entries = await ledger.entries(sorted({key_of(event) for event in events}))
        change, applied = recorded(tally, entries, events)
        if change is None or await ledger.commit(change):
            return applied


async def read_health(ledger: Ledger, clock: Clock, expected: Expected, tenant: str | None = None) -> list[ClassHealth]:
    """Health of every kind of one tenant, or of all tenants that were seen, in a stable order.

    A kind of the tenant without any event yet is listed too.
    """
    tallies = {(tally.tenant, tally.kind): tally for tally in await ledger.tallies(tenant)}
    if tenant is not None:
        tallies |= {(tenant, kind): Tally(tenant, kind) for kind in JobKind if (tenant, kind) not in tallies}
    return [await _health(ledger, tallies[key], clock, expected) for key in sorted(tallies)]


async def _health(ledger: Ledger, tally: Tally, clock: Clock, expected: Expected) -> ClassHealth:
    now = clock.now()
    interval = expected.of(tally.kind)
    held = any(tally.held.values()) and await ledger.held_since(tally.tenant, tally.kind, now - interval)
    return ClassHealth(tally, judge(tally, now, interval, held_too_long=held))
