"""The directory of a tenant, over the profile `directory`."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from contracts.names import Profile
from graph_access import GraphAccess
from graph_client import GraphClient
from sync_service.adapters.graph_directory import GraphDirectory


class GraphTenants:
    """Implements ports.Directories."""

    def __init__(self, access: GraphAccess) -> None:
        self._access = access

    @asynccontextmanager
    async def open(self, tenant: str) -> AsyncIterator[GraphDirectory]:
        async with self.client(tenant) as client:
            yield GraphDirectory(client)

    def client(self, tenant: str) -> AbstractAsyncContextManager[GraphClient]:
        """A client of this tenant's Graph."""
        return self._access.client(tenant, Profile.DIRECTORY)

    def token_refreshed(self, tenant: str) -> None:
        """A new token lies in the vault."""
        self._access.token_refreshed(tenant, Profile.DIRECTORY)
