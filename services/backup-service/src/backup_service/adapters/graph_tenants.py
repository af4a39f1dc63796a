"""Microsoft 365 access per tenant: a connection per job, one token source per app profile, one budget per tenant."""

import random
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from backup_service.adapters.graph_address_book import GraphAddressBook
from backup_service.adapters.graph_calendars import GraphCalendars
from backup_service.adapters.graph_contacts import GraphContacts
from backup_service.adapters.graph_directory import GraphDirectory
from backup_service.adapters.graph_mail import GraphMail
from backup_service.adapters.graph_restore import GraphRestore
from backup_service.adapters.mongo_pool import MongoPool
from backup_service.adapters.mongo_store import Store
from backup_service.adapters.vault_tokens import VaultTokens
from backup_service.ports import Workloads
from chassis import telemetry
from chassis.bus import Bus
from chassis.clock import Clock
from chassis.vault import Vault
from contracts.names import Profile
from graph_client import Budget, GraphClient, Limits
from graph_client.errors import Forbidden


@dataclass(frozen=True)
class GraphAddress:
    """Where Graph is and how to reach it.

    `time_scale` is the factor on Graph's published windows, `mailbox_requests` what we allow ourselves in one of them.
    """

    url: str
    verify: ssl.SSLContext
    proxy: str | None = None
    time_scale: float = 1.0
    mailbox_requests: int = 10_000


class GraphTenants:
    """Implements ports.Tenants."""

    def __init__(self, vault: Vault, bus: Bus, store: Store, clock: Clock, address: GraphAddress) -> None:
        self._vault = vault
        self._bus = bus
        self._store = store
        self._clock = clock
        self._address = address
        self._limits = Limits(requests=address.mailbox_requests, time_scale=address.time_scale)
        self._rng = random.Random()  # noqa: S311 - jitter
        self._budgets: dict[str, Budget] = {}
        self._tokens: dict[tuple[str, Profile], VaultTokens] = {}

    @asynccontextmanager
    async def backup(self, tenant: str) -> AsyncIterator[Workloads]:
        async with self._connected(tenant, Profile.EXCHANGE_BACKUP) as client:
            yield workloads(client)

    @asynccontextmanager
    async def restore(self, tenant: str) -> AsyncIterator[GraphRestore]:
        async with self._connected(tenant, Profile.EXCHANGE_RESTORE) as client:
            yield GraphRestore(client)

    @asynccontextmanager
    async def _connected(self, tenant: str, profile: Profile) -> AsyncIterator[GraphClient]:
        # One span for all requests of a job: one per mail would bury what a trace is to show.
        with telemetry.span("graph", "client", tenant=tenant, profile=profile.value) as span:
            async with self._client(tenant, profile) as client:
                try:
                    yield client
                except Exception as error:
                    if _is_forbidden(error):
                        await self._tokens[tenant, profile].forbidden()
                    raise
                finally:
                    span.set_attribute("tenantkeep.requests", client.counters.requests)

    def token_refreshed(self, tenant: str, profile: Profile) -> None:
        """A new token lies in the vault."""
        tokens = self._tokens.get((tenant, profile))
        if tokens is not None:
            tokens.forget()

    def _client(self, tenant: str, profile: Profile) -> GraphClient:
        tokens = self._tokens.get((tenant, profile))
        if tokens is None:
            tokens = VaultTokens(self._vault, self._bus, self._clock, tenant, profile)
            self._tokens[tenant, profile] = tokens
        budget = self._budgets.get(tenant)
        if budget is None:
            # Backup and restore profile share one budget: it is the same mailboxes that carry the load.
            pool = MongoPool(self._store, self._clock, tenant, self._limits)
            budget = Budget(self._clock, self._rng, self._limits, pool)
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


def workloads(client: GraphClient) -> Workloads:
    """What a job reads over one client."""
    return Workloads(
        directory=GraphDirectory(client),
        mail=GraphMail(client),
        calendars=GraphCalendars(client),
        contacts=GraphContacts(client),
        address_book=GraphAddressBook(client),
        requests=lambda: client.counters.requests,
    )


def _is_forbidden(error: Exception) -> bool:
    group = error if isinstance(error, ExceptionGroup) else ExceptionGroup("one", [error])
    return group.subgroup(Forbidden) is not None
