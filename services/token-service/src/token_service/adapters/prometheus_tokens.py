"""Figures about tokens for Prometheus, taken from the stored state: any replica shows the same."""

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge

from chassis.clock import Clock
from contracts.names import TokenStatus
from token_service.domain.connection import RESULTS, Connection, Result
from token_service.ports import Connections


class TokenMetrics:
    """`refresh` is a sweep task; it reads the store at most every `interval` seconds."""

    def __init__(
        self, connections: Connections, clock: Clock, registry: CollectorRegistry, interval: float = 10.0
    ) -> None:
        self._connections = connections
        self._clock = clock
        self._interval = interval
        self._next = float("-inf")
        self._renewals = Counter(
            "m365_token_refreshes", "Attempts of this replica to get a token.", ["result"], registry=registry
        )
        for result in RESULTS:
            self._renewals.labels(result)
        self._expiry = Gauge(
            "m365_token_expiry_timestamp_seconds",
            "Unix time at which the stored access token ends.",
            ["tenant", "profile"],
            registry=registry,
        )
        self._status = Gauge(
            "m365_token_status",
            "State set of a connection's token, 1 for the current state.",
            ["tenant", "profile", "status"],
            registry=registry,
        )

        self._consent = Gauge(
            "m365_consent_effective_seconds",
            "From Microsoft's redirect of the last admin consent to its proof by a token and a call.",
            ["tenant", "profile"],
            registry=registry,
        )

    def count(self, result: Result) -> None:
        self._renewals.labels(result).inc()

    async def refresh(self) -> int:
        """Bring the gauges up to date; gives how many connections were read.

        Without the store the gauges vanish: an old "active" would be a false green.
        """
        now = self._clock.monotonic()
        if now < self._next:
            return 0
        try:
            found: Sequence[Connection] = await self._connections.everything()
        except Exception:
            self._expiry.clear()
            self._status.clear()
            self._consent.clear()
            raise
        for connection in found:
            self._show(connection)
        self._next = now + self._interval
        return len(found)

    def _show(self, connection: Connection) -> None:
        labels = (connection.tenant, connection.profile.value)
        if connection.token is not None:
            self._expiry.labels(*labels).set(connection.token.expires_at.timestamp())
        delay = None if connection.consent is None else connection.consent.effective_seconds
        if delay is not None:
            self._consent.labels(*labels).set(delay)
        current = connection.status(self._clock.now())
        for status in TokenStatus:
            self._status.labels(*labels, status.value).set(1 if status is current else 0)
