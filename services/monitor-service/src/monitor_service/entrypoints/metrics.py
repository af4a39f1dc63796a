"""Metrics of the ledger: read from the store at every scrape, or the scrape fails. Old values are never served.

Every replica exports the same values, so rules take `max by (…)` and differences (`x - x offset 1d`), not `rate()`.
"""

from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route

from chassis.clock import Clock
from chassis.health import Check
from chassis.health import application as probes
from contracts.names import Health
from monitor_service.domain.health import Expected
from monitor_service.ports import Ledger, LedgerUnavailable
from monitor_service.usecases import ClassHealth, read_health


def application(
    ledger: Ledger, clock: Clock, expected: Expected, checks: Mapping[str, Check], registry: CollectorRegistry
) -> Starlette:
    """The probes of every service, with a /metrics that adds the ledger to the process's own `registry`."""

    async def metrics(_request: Request) -> Response:
        try:
            found = await read_health(ledger, clock, expected)
        except LedgerUnavailable as error:
            return PlainTextResponse(f"{error}\n", HTTPStatus.SERVICE_UNAVAILABLE)
        ledger_registry = CollectorRegistry()
        ledger_registry.register(_Families(found))
        return Response(generate_latest(registry) + generate_latest(ledger_registry), media_type=CONTENT_TYPE_LATEST)

    return Starlette(routes=[Route("/metrics", metrics), Mount("/", probes(checks, registry))])


class _Families(Collector):
    """What one read of the ledger says."""

    def __init__(self, found: Sequence[ClassHealth]) -> None:
        self._found = found

    def collect(self) -> Iterable[Metric]:
        yield self._finished()
        yield self._health()
        yield self._held()
        yield self._last_success()

    def _finished(self) -> Metric:
        family = CounterMetricFamily(
            "m365_jobs_finished",
            "Finished jobs by outcome; cancelled is no part of any ratio.",
            labels=("tenant", "kind", "outcome"),
        )
        for tally in (found.tally for found in self._found):
            for outcome, count in tally.finished.items():
                family.add_metric((tally.tenant, tally.kind, outcome), count)
        return family

    def _health(self) -> Metric:
        family = GaugeMetricFamily(
            "m365_job_health",
            "Health of the jobs of 24 hours as a state set: 1 for the current state.",
            labels=("tenant", "kind", "health"),
        )
        for tally, verdict in ((found.tally, found.verdict) for found in self._found if found.verdict):
            for health in Health:
                family.add_metric((tally.tenant, tally.kind, health), verdict.health is health)
        return family

    def _held(self) -> Metric:
        family = GaugeMetricFamily(
            "m365_jobs_held", "Jobs that are held now, by reason.", labels=("tenant", "kind", "reason")
        )
        for tally in (found.tally for found in self._found):
            for reason, count in tally.held.items():
                family.add_metric((tally.tenant, tally.kind, reason), count)
        return family

    def _last_success(self) -> Metric:
        family = GaugeMetricFamily(
            "m365_last_success_timestamp_seconds",
            "Unix time of the newest run that succeeded entirely, 0 if none yet.",
            labels=("tenant", "kind"),
        )
        for tally in (found.tally for found in self._found):
            moment = tally.last_success_at
            family.add_metric((tally.tenant, tally.kind), 0 if moment is None else moment.timestamp())
        return family
