"""Single profiles in Microsoft 365, over Graph.

Facts: learn.microsoft.com/graph/api/user-update (what is refused, and to whom), /graph/api/user-get,
/graph/api/user-list, /graph/api/user-list-transitivememberof.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from chassis.vault import VaultError
from contracts.employee_changes import Refusal
from graph_client import GraphClient, segment
from graph_client import errors as graph
from sync_service.adapters.graph_directory import GraphDirectory
from sync_service.adapters.graph_fields import NAMES, SELECT, directory_user
from sync_service.adapters.graph_tenants import GraphTenants
from sync_service.domain.directory_user import DirectoryUser
from sync_service.domain.profile_change import Values
from sync_service.domain.refusals import ChangeRefused
from sync_service.ports.profiles import ListedUser, UserList

_SENSITIVE = frozenset({"account_enabled", "business_phones", "mobile_number"})
"""Of who holds a directory role only an app with a higher one may change these."""
_LIST = "/users"
_PERMISSIONS = frozenset({Refusal.ACCESS_DENIED, Refusal.CONSENT_REQUIRED})


_MEANINGS: tuple[tuple[type[Exception], Refusal], ...] = (
    (graph.TokenUnavailable, Refusal.NO_VALID_TOKEN),
    (graph.Unauthorized, Refusal.TOKEN_EXPIRED),
    (graph.Forbidden, Refusal.ACCESS_DENIED),
    (graph.NotFound, Refusal.NOT_FOUND),
    (graph.Throttled, Refusal.RATE_LIMITED),
    (VaultError, Refusal.VAULT_UNREACHABLE),
)


class GraphProfileAccess:
    """Implements ports.profiles.ProfileAccess."""

    def __init__(self, tenants: GraphTenants) -> None:
        self._tenants = tenants

    @asynccontextmanager
    async def profiles(self, tenant: str) -> AsyncIterator["GraphProfiles"]:
        denied: ChangeRefused | None = None
        try:
            async with self._tenants.client(tenant) as client:
                try:
                    yield GraphProfiles(client)
                except ChangeRefused as error:
                    if error.refusal not in _PERMISSIONS or not isinstance(error.__cause__, graph.Forbidden):
                        raise
                    denied = error
                    raise error.__cause__ from None
        except graph.Forbidden:
            # The connection has seen it: roles granted meanwhile are in a newer token only, which it asks for.
            if denied is None:
                raise
            raise denied from None


class GraphProfiles:
    """Implements ports.profiles.Profiles on one client, that is, one tenant and the profile `directory`."""

    def __init__(self, client: GraphClient) -> None:
        self._client = client

    async def read(self, user: str) -> DirectoryUser:
        try:
            return directory_user(await self._client.get(_path(user), params={"$select": SELECT}))
        except (graph.GraphError, VaultError) as error:
            raise ChangeRefused(refusal(error, reading=True)) from error

    async def write(self, user: str, values: Values) -> None:
        try:
            await self._client.patch(_path(user), {NAMES[name]: _json(value) for name, value in values.items()})
        except (graph.Refused, graph.Forbidden) as error:
            raise ChangeRefused(await self._why(user, values, error)) from error
        except (graph.GraphError, VaultError) as error:
            raise ChangeRefused(refusal(error, reading=False)) from error

    async def groups_of(self, user: str) -> frozenset[str]:
        try:
            return await GraphDirectory(self._client).groups_of(user)
        except (graph.GraphError, VaultError) as error:
            raise ChangeRefused(refusal(error, reading=True)) from error

    async def listed(self, begins: str, link: str | None, limit: int) -> UserList:
        if link is not None and not urlsplit(link).path.endswith(_LIST):
            raise ValueError("the link leads elsewhere")
        params = None if link else {"$select": f"userPrincipalName,{SELECT}", "$top": str(limit), **_filter(begins)}
        try:
            page = await self._client.get(link or _LIST, params=params)
        except (graph.GraphError, VaultError) as error:
            raise ChangeRefused(refusal(error, reading=True)) from error
        users = (ListedUser(directory_user(one), str(one.get("userPrincipalName") or "")) for one in page["value"])
        return UserList(tuple(users), page.get("@odata.nextLink"))

    async def _why(self, user: str, values: Values, error: graph.GraphError) -> Refusal:
        """Graph has one code for several causes, so the user is looked at: who masters it, is it an administrator."""
        try:
            if isinstance(error, graph.Refused):
                found = await self._client.get(_path(user), params={"$select": "onPremisesSyncEnabled"})
                return Refusal.DIRECTORY_SYNCHRONISED if found.get("onPremisesSyncEnabled") else Refusal.VALUE
            if _SENSITIVE & values.keys() and await self._holds_a_role(user):
                return Refusal.ADMINISTRATOR
        except (graph.GraphError, VaultError) as another:
            return refusal(another, reading=True)
        return Refusal.ACCESS_DENIED

    async def _holds_a_role(self, user: str) -> bool:
        # An app that may not read roles is told their type and id all the same: /graph/permissions-overview.
        pages = self._client.pages(f"{_path(user)}/transitiveMemberOf", params={"$select": "id", "$top": "999"})
        found = [entry.get("@odata.type") async for page in pages for entry in page.items]
        return "#microsoft.graph.directoryRole" in found


def refusal(error: Exception, *, reading: bool) -> Refusal:
    """What a failed call means for who asked. An app that may not even read has lost its consent."""
    if isinstance(error, graph.Forbidden) and reading:
        return Refusal.CONSENT_REQUIRED
    return next((meaning for kind, meaning in _MEANINGS if isinstance(error, kind)), Refusal.CONNECTION_TIMEOUT)


def _filter(begins: str) -> dict[str, str]:
    if not begins:
        return {}
    quoted = begins.replace("'", "''")
    names = ("displayName", "givenName", "surname", "mail", "userPrincipalName")
    return {"$filter": " or ".join(f"startswith({name},'{quoted}')" for name in names)}


def _path(user: str) -> str:
    return f"/users/{segment(user)}"


def _json(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
