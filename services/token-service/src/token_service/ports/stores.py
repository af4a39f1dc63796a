"""Where the service keeps what it knows."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Protocol

from contracts.contacts import Contacts
from contracts.events import Event
from contracts.names import Profile
from token_service.domain.connection import Connection
from token_service.domain.incident import Incident
from token_service.domain.offboarding import Offboarding
from token_service.domain.onboarding import Onboarding
from token_service.domain.permissions import PermissionRecord
from token_service.domain.tenant import RecoveryKey, TenantRecord


class PermissionRecords(Protocol):
    """Last check of each connection; every write is a compare-and-set on the version."""

    async def get(self, tenant: str, profile: Profile) -> PermissionRecord | None: ...

    async def everything(self) -> Sequence[PermissionRecord]:
        """Give all records of all tenants."""
        ...

    async def due(self, now: datetime, limit: int) -> Sequence[PermissionRecord]:
        """Give some records whose `due_at` has come."""
        ...

    async def save(self, record: PermissionRecord, events: Sequence[Event] = ()) -> PermissionRecord | None:
        """Store with its events in one write and give it with its new version; None when somebody was faster."""
        ...


class SlugTaken(Exception):
    """The slug belongs to another Entra tenant."""


class EntraTenantTaken(Exception):
    """The Entra tenant is registered under another slug."""


class Tenants(Protocol):
    """The register of tenants. Nothing is ever removed from it, and only recovery key and contacts are ever changed."""

    async def add(self, tenant: TenantRecord, events: Sequence[Event] = ()) -> None:
        """Add for ever, with `events`. Raises SlugTaken or EntraTenantTaken, also when two ask at the same moment."""
        ...

    async def get(self, slug: str) -> TenantRecord | None: ...

    async def set_recovery_key(self, slug: str, key: RecoveryKey, events: Sequence[Event] = ()) -> None:
        """Replace the recovery key of a tenant that exists."""
        ...

    async def set_contacts(self, slug: str, contacts: Contacts, events: Sequence[Event] = ()) -> None:
        """Replace the contacts of a tenant that exists."""
        ...

    async def page(self, after: str | None, limit: int) -> Sequence[TenantRecord]:
        """Give up to `limit` tenants behind the slug `after`, in the order of their slugs."""
        ...


class Connections(Protocol):
    """State of the connections; every write is a compare-and-set on the version."""

    async def get(self, tenant: str, profile: Profile) -> Connection | None: ...

    async def of_tenant(self, tenant: str) -> Sequence[Connection]:
        """Give all connections of a tenant, in the order of their profiles."""
        ...

    async def awaiting(self, state: str) -> Connection | None:
        """Give the connection whose last consent attempt has this hashed state, whatever became of it."""
        ...

    async def everything(self) -> Sequence[Connection]:
        """Give all connections of all tenants."""
        ...

    async def due(self, now: datetime, limit: int) -> Sequence[Connection]:
        """Give some connections whose `due_at` has come."""
        ...

    async def save(self, connection: Connection, events: Sequence[Event] = ()) -> Connection | None:
        """Store with its events in one write and give it with its new version.

        None when the stored version is not `connection.version` (0: nothing is stored): somebody was faster.
        """
        ...


class Incidents(Protocol):
    """The incidents of all tenants; every write is a compare-and-set on the version. None is ever removed."""

    async def get(self, tenant: str, incident: str) -> Incident | None: ...

    async def open_for(self, tenant: str, profile: Profile) -> Incident | None:
        """Give the open incident of the profile; there is one at most."""
        ...

    async def page(self, tenant: str, before: str | None, limit: int) -> Sequence[Incident]:
        """Give up to `limit` incidents of the tenant, newest first, older than the one with the id `before`."""
        ...

    async def all_open(self) -> Sequence[Incident]:
        """Give the open incidents of all tenants."""
        ...

    async def due(self, now: datetime, limit: int) -> Sequence[Incident]:
        """Give some incidents whose `due_at` has come."""
        ...

    async def save(self, incident: Incident, events: Sequence[Event] = ()) -> Incident | None:
        """Store with its events in one write and give it with its new version.

        None when the stored version is not `incident.version`, or another one of the profile is open.
        """
        ...


class Onboardings(Protocol):
    """How far tenants are; every write is a compare-and-set on the version."""

    async def get(self, tenant: str) -> Onboarding | None: ...

    async def known(self, tenants: Collection[str]) -> Collection[str]:
        """Those of these tenants that have one."""
        ...

    async def due(self, now: datetime, limit: int) -> Sequence[str]:
        """Some tenants whose `due_at` has come."""
        ...

    async def save(self, onboarding: Onboarding, events: Sequence[Event] = ()) -> Onboarding | None:
        """Store with its events in one write and give it with its new version; None: somebody was faster."""
        ...


class Offboardings(Protocol):
    """Records of offboardings. Nothing is ever removed; every write is a compare-and-set on the version."""

    async def get(self, tenant: str) -> Offboarding | None: ...

    async def save(self, offboarding: Offboarding, events: Sequence[Event] = ()) -> Offboarding | None:
        """Store with its events in one write and give it with its new version; None: somebody was faster."""
        ...
