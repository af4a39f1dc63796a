"""The simulated tenant as a process of its own: real sockets, TLS, the real client."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from backup_service.adapters.graph_restore import GraphRestore
from backup_service.adapters.graph_tenants import workloads
from backup_service.ports import Workloads
from graph_client import Budget, GraphClient, Limits, MemoryPool, SystemClock
from graph_simulator.testing import SimulatorProcess

_SCOPE = "https://graph.microsoft.com/.default"


class ServedTokens:
    """Client credentials of one app, asked for once; a refused token is replaced."""

    def __init__(self, server: SimulatorProcess, known: dict[str, Any], app: str) -> None:
        self._server = server
        self._url = f"{server.url}/{known['tenant_id']}/oauth2/v2.0/token"
        self._form = {"grant_type": "client_credentials", "scope": _SCOPE, **known["apps"][app]}
        self._token = ""
        self.refused = 0

    async def token(self) -> str:
        if not self._token:
            async with httpx.AsyncClient(verify=self._server.tls(), trust_env=False) as client:
                answer = await client.post(self._url, data=self._form)
            self._token = answer.raise_for_status().json()["access_token"]
        return self._token

    async def rejected(self, token: str) -> None:
        self.refused += 1
        self._token = ""


class ServedTenant:
    """ports.Tenants as far as mailboxes go, with one budget for all its clients, as workers have it.

    `known` is what seeding wrote of the tenant's apps. `patience` is the client's time-out in seconds.
    """

    def __init__(self, server: SimulatorProcess, known: dict[str, Any]) -> None:
        self.server = server
        self.tokens = {app: ServedTokens(server, known, app) for app in ("exchange-backup", "exchange-restore")}
        self.patience = 60.0
        clock, limits = SystemClock(), Limits(backoff_base=0.01, backoff_cap=0.05)
        self._budget = Budget(clock, random.Random(5), limits, MemoryPool(clock, limits))

    @asynccontextmanager
    async def client(self, app: str = "exchange-restore") -> AsyncIterator[GraphClient]:
        url, tls = self.server.graph_url, self.server.tls()
        timeout = httpx.Timeout(self.patience)
        async with GraphClient(url, self.tokens[app], verify=tls, budget=self._budget, timeout=timeout) as client:
            yield client

    @asynccontextmanager
    async def backup(self, tenant: str) -> AsyncIterator[Workloads]:
        async with self.client("exchange-backup") as client:
            yield workloads(client)

    @asynccontextmanager
    async def restore(self, tenant: str) -> AsyncIterator[GraphRestore]:
        async with self.client() as client:
            yield GraphRestore(client)
