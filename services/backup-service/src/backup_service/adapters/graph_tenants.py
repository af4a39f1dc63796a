"""Microsoft 365 per tenant: what a job reads and writes, over the profiles of Exchange."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from backup_service.adapters.graph_address_book import GraphAddressBook
from backup_service.adapters.graph_calendars import GraphCalendars
from backup_service.adapters.graph_contacts import GraphContacts
from backup_service.adapters.graph_directory import GraphDirectory
from backup_service.adapters.graph_mail import GraphMail
from backup_service.adapters.graph_restore import GraphRestore
from backup_service.ports import Workloads
from contracts.names import Profile
from graph_access import GraphAccess
from graph_client import GraphClient


class GraphTenants:
    """Implements ports.Tenants."""

    def __init__(self, access: GraphAccess) -> None:
        self._access = access

    @asynccontextmanager
    async def backup(self, tenant: str) -> AsyncIterator[Workloads]:
        async with self._access.client(tenant, Profile.EXCHANGE_BACKUP) as client:
            yield workloads(client)

    @asynccontextmanager
    async def restore(self, tenant: str) -> AsyncIterator[GraphRestore]:
        async with self._access.client(tenant, Profile.EXCHANGE_RESTORE) as client:
            yield GraphRestore(client)

    def token_refreshed(self, tenant: str, profile: Profile) -> None:
        """A new token lies in the vault."""
        self._access.token_refreshed(tenant, profile)


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
