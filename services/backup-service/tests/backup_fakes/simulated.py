"""The simulated tenant inside the test's own process: real adapters, the real client, no sockets; steps count."""

import random
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from urllib.parse import unquote

import httpx

from backup_fakes.fuse import Fuse
from backup_service.adapters.graph_restore import GraphRestore
from backup_service.adapters.graph_tenants import workloads
from backup_service.ports import Workloads
from graph_client import Budget, GraphClient, Limits, SystemClock
from graph_client.messages import Request, Response
from graph_simulator import consents, directory, folders
from graph_simulator.permissions import ROLE_NAMES
from graph_simulator.tokens import Tokens
from graph_simulator.web.app import Simulator, build

HOST = "https://graph.test"


class SimulatedTenant:
    """Implements ports.Tenants as far as backups go. `simulator.connection` is where people work in the mailboxes."""

    def __init__(self, state: Path, fuse: Fuse) -> None:
        self.simulator: Simulator = build(state, token_lifetime=timedelta(hours=1))
        self.connection = self.simulator.connection
        self.tenant = directory.create_tenant(self.connection, "contoso")
        self._tokens = {profile: self._token(profile) for profile in ("exchange-backup", "exchange-restore")}
        self._fuse = fuse
        self.asked: list[str] = []
        """Method and path of every request."""
        self.before: dict[str, Callable[[], object]] = {}
        """What people do just before the first request whose path matches; once."""

    def add_user(self, name: str) -> tuple[int, str]:
        """Key and id of a new user with a mailbox."""
        pk = directory.create_user(self.connection, self.tenant, name)
        folders.create_mailbox(self.connection, pk)
        return pk, self.connection.execute("SELECT id FROM user WHERE pk = ?", (pk,)).fetchone()["id"]

    def close(self) -> None:
        self.connection.close()

    @asynccontextmanager
    async def client(self, profile: str = "exchange-restore") -> AsyncIterator[GraphClient]:
        transport = httpx.ASGITransport(self.simulator)
        async with httpx.AsyncClient(transport=transport) as http:
            clock, rng = SystemClock(), random.Random(7)
            yield GraphClient(
                f"{HOST}/v1.0",
                _Issued(self._tokens[profile]),
                verify=None,  # type: ignore[arg-type] # the transport has no wire
                budget=Budget(clock, rng, Limits(backoff_base=0.001, backoff_cap=0.001)),
                clock=clock,
                rng=rng,
                transport=_InProcess(http, self._on_its_way),
            )

    @asynccontextmanager
    async def backup(self, tenant: str) -> AsyncIterator[Workloads]:
        async with self.client("exchange-backup") as client:
            yield workloads(client)

    @asynccontextmanager
    async def restore(self, tenant: str) -> AsyncIterator[GraphRestore]:
        async with self.client() as client:
            yield GraphRestore(client)

    def _on_its_way(self, request: Request) -> None:
        self._fuse.step()
        self.asked.append(f"{request.method} {request.path}")
        for pattern in [one for one in self.before if re.search(one, unquote(request.path))]:
            self.before.pop(pattern)()

    def _token(self, profile: str) -> str:
        app = directory.find_app(self.connection, self.tenant.id, profile)
        roles = [role for role, _ in consents.granted_roles(self.connection, app)]
        tokens: Tokens = self.simulator.tokens
        return tokens.issue(app, [ROLE_NAMES[role] for role in roles])


class _Issued:
    def __init__(self, token: str) -> None:
        self._token = token

    async def token(self) -> str:
        return self._token

    async def rejected(self, token: str) -> None:
        raise AssertionError("the simulator refused a fresh token")


class _InProcess:
    """Implements graph_client.rings.Transport."""

    def __init__(self, http: httpx.AsyncClient, notice: Callable[[Request], None]) -> None:
        self._http = http
        self._notice = notice

    async def send(self, request: Request) -> Response:
        self._notice(request)
        answer = await self._http.request(
            request.method, request.url, headers=dict(request.headers), content=request.content
        )
        return Response(answer.status_code, answer.headers, answer.content)
