"""Questions: how healthy is a tenant."""

from datetime import timedelta

from chassis.clock import Clock
from chassis.rpc import Call, RpcServer
from contracts.problem import unavailable
from contracts.rpc import HEALTH_GET, Nothing
from contracts.views import HealthView, Listing
from monitor_service.domain.health import Verdict
from monitor_service.domain.tally import Tally
from monitor_service.ports import Ledger, LedgerUnavailable
from monitor_service.usecases import read_health


def bind(server: RpcServer, ledger: Ledger, clock: Clock, interval: timedelta) -> None:
    """Answer questions. Call before the broker starts."""

    async def on_health(call: Call[Nothing]) -> Listing[HealthView]:
        tenant = call.one_tenant()
        try:
            found = await read_health(ledger, clock, interval, tenant)
        except LedgerUnavailable as error:
            raise unavailable("the ledger cannot be read; try again shortly") from error
        judged = ((health.tally, health.verdict) for health in found)
        return Listing[HealthView](items=tuple(_view(tally, verdict) for tally, verdict in judged if verdict))

    server.answer(HEALTH_GET, on_health)


def _view(tally: Tally, verdict: Verdict) -> HealthView:
    return HealthView(
        tenant=tally.tenant,
        kind=tally.kind,
        health=verdict.health,
        failed=verdict.failed,
        partial=verdict.partial,
        succeeded=verdict.succeeded,
        failure_ratio=verdict.failure_ratio,
        partial_ratio=verdict.partial_ratio,
        last_success_at=tally.last_success_at,
        reason=verdict.reason.value,
    )
