"""Events in, up to a batch at once: of the job family those of runs and of jobs, and recorded changes."""

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter

from chassis.bus import Bus
from chassis.delivered import Delivered
from chassis.delivery import DeliveryPolicy, subscribe_batch
from chassis.errors import RetryLater
from contracts.events import AnyJobEvent, AuditRecorded
from contracts.streams import MONITOR_AUDIT, MONITOR_LEDGER
from monitor_service.ports import Ledger, LedgerUnavailable
from monitor_service.ports.audit import Chains
from monitor_service.usecases import record_events
from monitor_service.usecases.audit import Begun, record_changes

_STORE_PAUSE = 2.0
"""Seconds until events are delivered again when the store is away; they wait on the bus, unharmed."""


def bind(bus: Bus, ledger: Ledger, policy: DeliveryPolicy, registry: CollectorRegistry) -> None:
    """Subscribe to the job history. Call before the broker starts."""
    events = Counter("m365_ledger_events", "Job events by what they did to the ledger.", ["result"], registry=registry)
    applied, stale, deferred = (events.labels(result) for result in ("applied", "stale", "deferred"))

    async def on_job_events(batch: Sequence[Delivered[AnyJobEvent]]) -> None:
        try:
            result = await record_events(ledger, [delivered.body.root for delivered in batch])
        except LedgerUnavailable as error:
            deferred.inc(len(batch))
            raise RetryLater(_STORE_PAUSE, str(error)) from error
        applied.inc(result.applied)
        stale.inc(result.stale)

    subscribe_batch(bus, MONITOR_LEDGER, AnyJobEvent, on_job_events, policy)


def bind_audit(bus: Bus, chains: Chains, begun: Begun, policy: DeliveryPolicy, registry: CollectorRegistry) -> None:
    """Subscribe to recorded changes; `begun` hears of each new tenant. Call before the broker starts."""
    appended = Counter("m365_audit_records", "Records appended to the audit chains.", registry=registry)

    async def on_changes(batch: Sequence[Delivered[AuditRecorded]]) -> None:
        try:
            appended.inc(await record_changes(chains, batch, begun))
        except LedgerUnavailable as error:
            raise RetryLater(_STORE_PAUSE, str(error)) from error

    subscribe_batch(bus, MONITOR_AUDIT, AuditRecorded, on_changes, policy)
