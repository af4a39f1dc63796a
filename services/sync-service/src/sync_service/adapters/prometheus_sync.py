"""Figures about the directory for Prometheus, taken from what is stored: any replica shows the same."""

from datetime import timedelta

from prometheus_client import CollectorRegistry, Gauge

from chassis.clock import Clock
from sync_service.domain.standing import Standing
from sync_service.ports import Employees, Standings


class SyncMetrics:
    """`refresh` is a sweep task; it reads the store at most every `interval` seconds."""

    def __init__(
        self,
        employees: Employees,
        standings: Standings,
        clock: Clock,
        registry: CollectorRegistry,
        *,
        stale_after: timedelta,
        interval: float = 60.0,
    ) -> None:
        self._employees = employees
        self._standings = standings
        self._clock = clock
        self._stale_after = stale_after
        self._interval = interval
        self._next = float("-inf")
        self._gauges = {
            name: Gauge(f"m365_directory_{name}", text, ["tenant"], registry=registry)
            for name, text in {
                "employees": "Employees who are present in Microsoft 365.",
                "stale_employees": "Of them, those not synchronised in time.",
                "admins": "Of them, enabled administrators of the tenant.",
                "last_sync_timestamp_seconds": "Unix time up to which the last finished sync covers everybody.",
                "sync_interval_seconds": "Seconds between two scheduled syncs; absent when the schedule is off.",
            }.items()
        }

    async def refresh(self) -> int:
        """Bring the gauges up to date; gives of how many tenants.

        Without the store the gauges vanish: yesterday's figures would be a false green.
        """
        now = self._clock.monotonic()
        if now < self._next:
            return 0
        try:
            found = {one.tenant: await self._figures(one) for one in await self._standings.everything()}
        except Exception:
            self._clear()
            raise
        self._clear()
        for tenant, figures in found.items():
            for name, value in figures.items():
                self._gauges[name].labels(tenant).set(value)
        self._next = now + self._interval
        return len(found)

    def _clear(self) -> None:
        for gauge in self._gauges.values():
            gauge.clear()

    async def _figures(self, standing: Standing) -> dict[str, float]:
        before = self._clock.now() - self._stale_after
        covered = standing.last_sync_at is not None and standing.last_sync_at >= before
        figures: dict[str, float] = {
            "employees": standing.numbers.present,
            "stale_employees": 0 if covered else await self._employees.unsynced(standing.tenant, before),
            "admins": standing.numbers.admins,
        }
        if standing.last_sync_at is not None:
            figures["last_sync_timestamp_seconds"] = standing.last_sync_at.timestamp()
        if standing.settings.every_hours is not None:
            figures["sync_interval_seconds"] = standing.settings.every_hours * 3600
        return figures
