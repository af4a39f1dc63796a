"""Open incidents for Prometheus, taken from the stored state: any replica shows the same."""

from prometheus_client import CollectorRegistry, Gauge

from chassis.clock import Clock
from token_service.ports import Incidents


class IncidentMetrics:
    """`refresh` is a sweep task; it reads the store at most every `interval` seconds."""

    def __init__(self, incidents: Incidents, clock: Clock, registry: CollectorRegistry, interval: float = 10.0) -> None:
        self._incidents = incidents
        self._clock = clock
        self._interval = interval
        self._next = float("-inf")
        self._open = Gauge(
            "m365_security_incident_open",
            "1 while a token of the profile may be in wrong hands and its incident is not closed.",
            ["tenant", "profile"],
            registry=registry,
        )

    async def refresh(self) -> int:
        """Bring the gauge up to date; gives how many incidents are open."""
        now = self._clock.monotonic()
        if now < self._next:
            return 0
        found = await self._incidents.all_open()
        self._open.clear()
        for incident in found:
            self._open.labels(incident.tenant, incident.profile.value).set(1)
        self._next = now + self._interval
        return len(found)
