"""Access to Microsoft 365 per tenant: a connection per run, one token source and one budget per tenant."""

import random
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from chassis import telemetry
from chassis.bus import Bus
from chassis.clock import Clock
from chassis.vault import Vault
from graph_client import Budget, GraphClient, Limits
from graph_client.errors import Forbidden
from sync_service.adapters.graph_directory import GraphDirectory
from sync_service.adapters.vault_tokens import VaultTokens


@dataclass(frozen=True)
class GraphAddress:
    """Where Graph is and how to reach it; `time_scale` is the factor on Graph's published windows."""

    url: str
    verify: ssl.SSLContext
    proxy: str | None = None
    time_scale: float = 1.0


class GraphTenants:
    """Implements ports.Directories."""

    def __init__(self, vault: Vault, bus: Bus, clock: Clock, address: GraphAddress, rng: random.Random) -> None:
        self._vault = vault
        self._bus = bus
        self._clock = clock
        self._address = address
        self._rng = rng
        self._limits = Limits(time_scale=address.time_scale)
        self._budgets: dict[str, Budget] = {}
        self._tokens: dict[str, VaultTokens] = {}

    @asynccontextmanager
    async def open(self, tenant: str) -> AsyncIterator[GraphDirectory]:
        async with self.client(tenant) as client:
            yield GraphDirectory(client)

    @asynccontextmanager
    async def client(self, tenant: str) -> AsyncIterator[GraphClient]:
        """A client of this tenant's Graph, with the token of the profile `directory`."""
        # One span for all requests of a run: one per page would bury what a trace is to show.
        with telemetry.span("graph", "client", tenant=tenant, profile="directory") as span:
            async with self._client(tenant) as client:
                try:
                    yield client
                except Forbidden:
                    await self._tokens[tenant].forbidden()
                    raise
                finally:
                    span.set_attribute("tenantkeep.requests", client.counters.requests)

    def token_refreshed(self, tenant: str) -> None:
        tokens = self._tokens.get(tenant)
        if tokens is not None:
            tokens.forget()

    def _client(self, tenant: str) -> GraphClient:
        tokens = self._tokens.setdefault(tenant, VaultTokens(self._vault, self._bus, self._clock, tenant))
        budget = self._budgets.setdefault(tenant, Budget(self._clock, self._rng, self._limits))
        return GraphClient(
            self._address.url,
            tokens,
            verify=self._address.verify,
            proxy=self._address.proxy,
            budget=budget,
            clock=self._clock,
            rng=self._rng,
        )
