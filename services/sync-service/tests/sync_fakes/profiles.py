"""Microsoft 365 as a profile update sees it: in memory, and the simulated tenant inside this process."""

import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx

from contracts.employee_changes import Refusal
from graph_client import Budget, GraphClient, Limits, SystemClock
from graph_client.errors import TokenUnavailable, Unreachable
from graph_client.messages import Request, Response
from graph_simulator import directory, directory_objects
from graph_simulator.directory_objects import Kind
from graph_simulator.tokens import Tokens
from graph_simulator.web.app import build
from graph_simulator.web.directory_control import create_user
from sync_fakes.directory import MemoryDirectory
from sync_service.adapters.graph_fields import NAMES
from sync_service.adapters.graph_profiles import GraphProfiles
from sync_service.domain.directory_user import DirectoryUser
from sync_service.domain.profile_change import Values
from sync_service.domain.refusals import ChangeRefused
from sync_service.ports.profiles import ListedUser, UserList

HOST = "https://graph.test"
MAY_WRITE = ("GroupMember.Read.All", "User.Read.All", "User.ReadWrite.All")
MAY_READ = MAY_WRITE[:2]
_SENSITIVE = {"account_enabled", "business_phones", "mobile_number"}


class MemoryProfiles:
    """Implements ports.profiles on a directory in memory, and refuses what Entra ID refuses.

    Keeps the promises of GraphProfiles on the simulator. Every request is a step of the directory's.
    """

    def __init__(self, directory: MemoryDirectory | None = None) -> None:
        self.directory = directory or MemoryDirectory()
        self.administrators: set[str] = set()
        self.on_premises: set[str] = set()
        self.roles = MAY_WRITE
        self.stale_reads = 0
        self.outage: Refusal | None = None
        self._before: dict[str, DirectoryUser] = {}

    def add(self, name: str, *, admin: bool = False, **properties: Any) -> str:
        user, mail = f"id-{name}", f"{name}@contoso.example"
        ours = {mine: properties[theirs] for mine, theirs in NAMES.items() if theirs in properties}
        fields = {"display_name": name, "primary_mail": mail, **ours}
        self.directory.put(user, guest=properties.get("userType") == "Guest", **fields)
        if admin:
            self.administrators.add(user)
        if properties.get("onPremisesSyncEnabled"):
            self.on_premises.add(user)
        return user

    def delete(self, user: str) -> None:
        self.directory.delete(user)

    def enrol(self, user: str, group: str) -> None:
        self.directory.add_group(group, group)
        self.directory.enrol(group, user)

    @asynccontextmanager
    async def profiles(self, tenant: str) -> AsyncIterator["MemoryProfiles"]:
        yield self

    async def read(self, user: str) -> DirectoryUser:
        self._admitted("User.Read.All", Refusal.CONSENT_REQUIRED)
        found = await self.directory.user(user)
        if found is None:
            raise ChangeRefused(Refusal.NOT_FOUND)
        if self.stale_reads and user in self._before:
            self.stale_reads -= 1
            return self._before[user]
        return found

    async def write(self, user: str, values: Values) -> None:
        self._admitted("User.ReadWrite.All", Refusal.ACCESS_DENIED)
        self.directory.step("write")
        found = await self.directory.user(user)
        if found is None:
            raise ChangeRefused(Refusal.NOT_FOUND)
        if user in self.on_premises:
            raise ChangeRefused(Refusal.DIRECTORY_SYNCHRONISED)
        if user in self.administrators and _SENSITIVE & values.keys():
            raise ChangeRefused(Refusal.ADMINISTRATOR)
        self._before[user] = found
        self.directory.put(user, **values)
        self.directory.step("written")

    async def groups_of(self, user: str) -> frozenset[str]:
        self._admitted("GroupMember.Read.All", Refusal.CONSENT_REQUIRED)
        return await self.directory.groups_of(user)

    async def listed(self, begins: str, link: str | None, limit: int) -> UserList:
        self._admitted("User.Read.All", Refusal.CONSENT_REQUIRED)
        if link is not None and not link.isdigit():
            raise ValueError("the link leads elsewhere")
        users = [await self.read(user) for user in self.directory.users]
        found = [ListedUser(one, f"{one.id.removeprefix('id-')}@contoso.onmicrosoft.com") for one in users]
        meant = [one for one in found if _begins(one, begins.lower())]
        start = int(link or 0)
        more = str(start + limit) if start + limit < len(meant) else None
        return UserList(tuple(meant[start : start + limit]), more)

    def _admitted(self, role: str, without: Refusal) -> None:
        if self.outage is not None:
            raise ChangeRefused(self.outage)
        if role not in self.roles:
            raise ChangeRefused(without)


def _begins(one: ListedUser, begin: str) -> bool:
    names = ("display_name", "first_name", "last_name", "primary_mail")
    texts = [one.sign_in_name, *(one.user.given.get(name) or "" for name in names)]
    return any(text.lower().startswith(begin) for text in texts)


class SimulatedProfiles:
    """The real adapter and client against the simulator, without a socket."""

    def __init__(self, state: Path) -> None:
        self._simulator = build(state, token_lifetime=timedelta(hours=1))
        self._connection = self._simulator.connection
        self._tenant = directory.create_tenant(self._connection, "contoso")
        self.roles = MAY_WRITE
        self.outage: Refusal | None = None
        self.groups: dict[str, str] = {}
        """Object ids by name."""

    @property
    def stale_reads(self) -> int:
        return sum(rule.remaining or 0 for rule in self._simulator.faults.rules())

    @stale_reads.setter
    def stale_reads(self, count: int) -> None:
        self._simulator.faults.add({"kind": "stale-read", "count": count})

    def add(self, name: str, *, admin: bool = False, **properties: Any) -> str:
        content = {"name": name, "admin": admin, "mailbox": False, "properties": {"displayName": name, **properties}}
        return str(create_user(self._connection, self._tenant, content)["id"])

    def enrol(self, user: str, group: str) -> None:
        properties = {"displayName": group, "securityEnabled": True}
        row = directory_objects.create(self._connection, self._tenant, Kind.GROUP, properties)
        directory_objects.set_member(self._connection, row, user, member=True)
        self.groups[group] = row["id"]

    def delete(self, user: str) -> None:
        row = directory.find_user(self._connection, self._tenant.id, user)
        directory_objects.set_state(self._connection, Kind.USER, row, directory_objects.State.DELETED)

    async def read(self, user: str) -> DirectoryUser:
        async with self._profiles() as profiles:
            return await profiles.read(user)

    async def groups_of(self, user: str) -> frozenset[str]:
        async with self._profiles() as profiles:
            return await profiles.groups_of(user)

    async def listed(self, begins: str, link: str | None, limit: int) -> UserList:
        async with self._profiles() as profiles:
            return await profiles.listed(begins, link, limit)

    async def write(self, user: str, values: Values) -> None:
        async with self._profiles() as profiles:
            await profiles.write(user, values)

    def close(self) -> None:
        self._connection.close()

    @asynccontextmanager
    async def _profiles(self) -> AsyncIterator[GraphProfiles]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(self._simulator)) as http:
            clock, rng = SystemClock(), random.Random(7)
            yield GraphProfiles(
                GraphClient(
                    f"{HOST}/v1.0",
                    self,
                    verify=None,  # type: ignore[arg-type] # the transport has no wire
                    budget=Budget(clock, rng, Limits(backoff_base=0.001, backoff_cap=0.001)),
                    clock=clock,
                    rng=rng,
                    transport=_InProcess(http, self),
                )
            )

    async def token(self) -> str:
        if self.outage is Refusal.NO_VALID_TOKEN:
            raise TokenUnavailable("expired")
        app = directory.find_app(self._connection, self._tenant.id, "directory")
        tokens: Tokens = self._simulator.tokens
        return tokens.issue(app, list(self.roles)) if self.outage is not Refusal.TOKEN_EXPIRED else "no-token-of-ours"

    async def rejected(self, token: str) -> None:
        """A test that wants a 401 wants it twice."""


class _InProcess:
    """Implements graph_client.rings.Transport."""

    def __init__(self, http: httpx.AsyncClient, tenant: SimulatedProfiles) -> None:
        self._http = http
        self._tenant = tenant

    async def send(self, request: Request) -> Response:
        match self._tenant.outage:
            case Refusal.RATE_LIMITED:
                return Response(429, httpx.Headers({"retry-after": "120"}), json.dumps({}).encode())
            case Refusal.CONNECTION_TIMEOUT:
                raise Unreachable("connection refused", sent=False)
        answer = await self._http.request(
            request.method, request.url, headers=dict(request.headers), content=request.content
        )
        return Response(answer.status_code, answer.headers, answer.content)
