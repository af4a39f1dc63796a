"""The simulated tenant inside the test's own process: the real adapter and client, no sockets."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx

from graph_client import Budget, GraphClient, Limits, SystemClock
from graph_client.messages import Request, Response
from graph_simulator import consents, directory, directory_objects
from graph_simulator.directory_objects import Kind, State
from graph_simulator.permissions import ROLE_NAMES
from graph_simulator.tokens import Tokens
from graph_simulator.web.app import Simulator, build
from sync_service.adapters.graph_directory import GraphDirectory
from sync_service.adapters.graph_fields import NAMES

HOST = "https://graph.test"


class SimulatedDirectory:
    """Implements ports.Directories for one tenant; `put` and the like are what an administrator does."""

    def __init__(self, state: Path) -> None:
        self.simulator: Simulator = build(state, token_lifetime=timedelta(hours=1))
        self.connection = self.simulator.connection
        self.tenant = directory.create_tenant(self.connection, "contoso")
        app = directory.find_app(self.connection, self.tenant.id, "directory")
        roles = [role for role, _ in consents.granted_roles(self.connection, app)]
        tokens: Tokens = self.simulator.tokens
        self._token = tokens.issue(app, [ROLE_NAMES[role] for role in roles])
        self.requests = 0

    def put(self, user: str, *, guest: bool = False, **fields: Any) -> str:
        """Create a user, or set some of its fields; gives its object id."""
        theirs = {NAMES[name]: list(value) if isinstance(value, tuple) else value for name, value in fields.items()}
        if user.count("-") == 4:
            row = directory.find_user(self.connection, self.tenant.id, user)
            directory_objects.update(self.connection, Kind.USER, row, theirs)
            return user
        profile = {"mail": None, "userType": "Guest" if guest else "Member", "displayName": user, **theirs}
        pk = directory.create_user(self.connection, self.tenant, user, **profile)
        return str(self.connection.execute("SELECT id FROM user WHERE pk = ?", (pk,)).fetchone()["id"])

    def delete(self, user: str) -> None:
        row = directory.find_user(self.connection, self.tenant.id, user)
        directory_objects.set_state(self.connection, Kind.USER, row, State.DELETED)

    def restore(self, user: str) -> None:
        row = self.connection.execute("SELECT * FROM user WHERE id = ?", (user,)).fetchone()
        directory_objects.set_state(self.connection, Kind.USER, row, State.LIVE)

    def add_group(self, name: str, *, security: bool = True) -> str:
        profile = {"displayName": name, "securityEnabled": security}
        return str(directory_objects.create(self.connection, self.tenant, Kind.GROUP, profile)["id"])

    def enrol(self, group: str, member: str, *, leave: bool = False) -> None:
        row = directory_objects.find(self.connection, self.tenant.id, Kind.GROUP, group)
        directory_objects.set_member(self.connection, row, member, member=not leave)

    def remove_group(self, group: str) -> None:
        row = directory_objects.find(self.connection, self.tenant.id, Kind.GROUP, group)
        directory_objects.set_state(self.connection, Kind.GROUP, row, State.PURGED)

    def void_links(self) -> None:
        """The next call with a token of change tracking is refused."""
        self.simulator.faults.add({"kind": "gone-delta", "count": 1})

    def close(self) -> None:
        self.connection.close()

    def token_refreshed(self, tenant: str) -> None:
        """Nothing is cached here."""

    @asynccontextmanager
    async def open(self, tenant: str) -> AsyncIterator[GraphDirectory]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(self.simulator)) as http:
            clock, rng = SystemClock(), random.Random(7)
            client = GraphClient(
                f"{HOST}/v1.0",
                self,
                verify=None,  # type: ignore[arg-type] # the transport has no wire
                budget=Budget(clock, rng, Limits(backoff_base=0.001, backoff_cap=0.001)),
                clock=clock,
                rng=rng,
                transport=_InProcess(http),
            )
            found = GraphDirectory(client)
            try:
                yield found
            finally:
                self.requests += found.requests

    async def token(self) -> str:
        return self._token

    async def rejected(self, token: str) -> None:
        raise AssertionError("the simulator refused a fresh token")


class _InProcess:
    """Implements graph_client.rings.Transport."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def send(self, request: Request) -> Response:
        answer = await self._http.request(
            request.method, request.url, headers=dict(request.headers), content=request.content
        )
        return Response(answer.status_code, answer.headers, answer.content)
