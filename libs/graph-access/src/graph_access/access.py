"""Access to Microsoft Graph per tenant: a client per piece of work, one token source per app profile, one budget."""

import random
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from chassis import telemetry
from chassis.bus import Bus
from chassis.clock import Clock
from chassis.vault import Vault
from contracts.names import Profile
from graph_access.vault_tokens import VaultTokens
from graph_client import Budget, GraphClient, Limits
from graph_client.errors import Forbidden
from graph_client.pool import Pool


@dataclass(frozen=True)
class GraphAddress:
    """Where Graph is, how to reach it, and what we allow ourselves there."""

    url: str
    verify: ssl.SSLContext
    proxy: str | None = None
    limits: Limits = field(default_factory=Limits)


class GraphAccess:
    """`pool` gives a tenant's budget a place that all processes share; without one it is this process's alone."""

    def __init__(
        self,
        vault: Vault,
        bus: Bus,
        clock: Clock,
        address: GraphAddress,
        *,
        rng: random.Random,
        pool: Callable[[str], Pool | None] = lambda _tenant: None,
    ) -> None:
        self._vault = vault
        self._bus = bus
        self._clock = clock
        self._address = address
        self._rng = rng
        self._pool = pool
        self._budgets: dict[str, Budget] = {}
        self._tokens: dict[tuple[str, Profile], VaultTokens] = {}

    @asynccontextmanager
    async def client(self, tenant: str, profile: Profile) -> AsyncIterator[GraphClient]:
        """A client of the tenant's Graph; a Forbidden that leaves the block has token-service look at the token."""
        tokens = self._tokens_of(tenant, profile)
        # One span for all requests of the work: one per item would bury what a trace is to show.
        with telemetry.span("graph", "client", tenant=tenant, profile=profile.value) as span:
            async with self._client(tokens, tenant) as client:
                try:
                    yield client
                except Exception as error:
                    if _is_forbidden(error):
                        await tokens.forbidden()
                    raise
                finally:
                    span.set_attribute("tenantkeep.requests", client.counters.requests)

    def token_refreshed(self, tenant: str, profile: Profile) -> None:
        """A new token lies in the vault."""
        tokens = self._tokens.get((tenant, profile))
        if tokens is not None:
            tokens.forget()

    def _tokens_of(self, tenant: str, profile: Profile) -> VaultTokens:
        found = self._tokens.get((tenant, profile))
        if found is None:
            found = VaultTokens(self._vault, self._bus, self._clock, tenant, profile)
            self._tokens[tenant, profile] = found
        return found

    def _client(self, tokens: VaultTokens, tenant: str) -> GraphClient:
        budget = self._budgets.get(tenant)
        if budget is None:
            # All profiles of a tenant share one budget: it is the same mailboxes that carry the load.
            budget = Budget(self._clock, self._rng, self._address.limits, self._pool(tenant))
            self._budgets[tenant] = budget
        return GraphClient(
            self._address.url,
            tokens,
            verify=self._address.verify,
            proxy=self._address.proxy,
            budget=budget,
            clock=self._clock,
            rng=self._rng,
        )


def _is_forbidden(error: Exception) -> bool:
    group = error if isinstance(error, ExceptionGroup) else ExceptionGroup("one", [error])
    return group.subgroup(Forbidden) is not None
