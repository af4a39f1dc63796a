"""What the use cases need. Each Protocol has a real adapter and a fake, and one suite that both pass."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from pydantic import SecretStr

from contracts.contacts import Contacts
from contracts.errors import ErrorClass
from contracts.events import Event
from contracts.names import AdminRole, Answer, Profile
from contracts.offboarding import Holdings
from contracts.onboarding import Protection
from token_service.domain.connection import Connection
from token_service.domain.credential import Credential
from token_service.domain.incident import Incident
from token_service.domain.offboarding import Offboarding
from token_service.domain.onboarding import Onboarding
from token_service.domain.permissions import ConsentGiver, PermissionRecord
from token_service.domain.tenant import RecoveryKey, TenantRecord


@dataclass(frozen=True)
class Issued:
    """A new token and when it ends."""

    token: SecretStr
    expires_at: datetime


@dataclass(frozen=True)
class Refused:
    """The authority will not issue a token until somebody changes something; `detail` names its code."""

    error: ErrorClass
    detail: str


@dataclass(frozen=True)
class NoAnswer:
    """The authority did not answer usefully; trying again may help."""

    error: ErrorClass
    detail: str


Outcome = Issued | Refused | NoAnswer


class Authority(Protocol):
    """Microsoft's identity platform."""

    async def acquire(self, entra_tenant_id: str, client_id: str, credential: Credential) -> Outcome:
        """Ask for a token that was not handed out before; never raises for what the authority does."""
        ...


@dataclass(frozen=True)
class Effective:
    """Graph let the token into every workload that the profile is for.

    `without` are optional ones that it was not proven to let it into: name and Graph's code.
    """

    without: tuple[str, ...] = ()


@dataclass(frozen=True)
class NotEffective:
    """Graph refused the token in a workload of the profile; `detail` names it and Graph's code."""

    detail: str


@dataclass(frozen=True)
class Unproven:
    """Graph gave no usable answer, or there is nothing to try it on."""

    error: ErrorClass
    detail: str


Proof = Effective | NotEffective | Unproven


class Workloads(Protocol):
    """Microsoft Graph, asked one harmless call per workload that a profile is for."""

    async def prove(self, profile: Profile, token: SecretStr) -> Proof:
        """Try the token; never raises for what Graph does, and answers within seconds."""
        ...


@dataclass(frozen=True)
class Probed:
    """Whether Graph let a call through that needs one permission; `detail` is Graph's code, or why it is unknown."""

    answer: Answer
    detail: str = ""


class Probes(Protocol):
    """Microsoft Graph, asked one harmless call per permission."""

    async def try_each(self, permissions: Collection[str], token: SecretStr) -> Mapping[str, Probed]:
        """Try each permission by its name; never raises for what Graph does, and answers within seconds."""
        ...


@dataclass(frozen=True)
class Granted:
    """What the tenant's directory says an app was granted.

    Without a `principal_id` the tenant has no enterprise application of it, and nothing is granted. Permissions are
    names; one that Graph does not name is its id. `delegated` is None where delegated grants could not be read.
    """

    principal_id: str | None
    application: frozenset[str] = frozenset()
    delegated: frozenset[str] | None = None
    enabled: bool = True
    giver: ConsentGiver | None = None


@dataclass(frozen=True)
class Unreadable:
    """Grants could not be read: nothing is known of them. `detail` says why, without a secret.

    `rejected`: Graph does not take the token any more, and a new one may help.
    """

    detail: str
    rejected: bool = False


@dataclass(frozen=True)
class AppIdentity:
    """An app of one tenant and what it signs in with."""

    entra_tenant_id: str
    client_id: str
    credential: Credential


@dataclass(frozen=True)
class SignInBegun:
    """Where the person goes, and what is needed when they come back: code verifier, nonce and state, as one secret."""

    url: str
    kept: SecretStr


@dataclass(frozen=True)
class SignedIn:
    """A person whose id_token was validated; `scopes` are the delegated permissions of the token."""

    name: str
    scopes: frozenset[str]
    token: SecretStr


@dataclass(frozen=True)
class NotSignedIn:
    """Nobody signed in; `detail` names Microsoft's code or what was wrong, without a secret."""

    detail: str


class People(Protocol):
    """Microsoft's identity platform, where people sign in."""

    async def begin(
        self, app: AppIdentity, scopes: list[str], redirect_uri: str, state: str
    ) -> SignInBegun | NotSignedIn: ...

    async def finish(self, app: AppIdentity, kept: SecretStr, answer: Mapping[str, str]) -> SignedIn | NotSignedIn:
        """Redeem what the browser brought back; never raises for what the platform or the browser does."""
        ...


class PersonRoles(Protocol):
    """Microsoft Graph, asked for the person behind a token."""

    async def of(self, token: SecretStr) -> frozenset[AdminRole] | None:
        """Give the directory roles of the person that matter here; None when they could not be read."""
        ...


class Grants(Protocol):
    """The tenant's directory, as far as it tells what apps were granted."""

    async def read(self, client_id: str, token: SecretStr) -> Granted | Unreadable:
        """Read the grants of an app with a token of the directory profile; never raises for what Graph does."""
        ...


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


@dataclass(frozen=True)
class Disabled:
    """The app can sign in to the tenant no more."""


@dataclass(frozen=True)
class NotDisabled:
    """Microsoft Graph refuses to disable it; `detail` is its code."""

    detail: str


@dataclass(frozen=True)
class Unanswered:
    """Microsoft Graph gave no usable answer; trying again may help."""

    detail: str


@dataclass(frozen=True)
class RegisteredSecret:
    """A client secret of an app registration: its first characters, and its end."""

    hint: str
    ends_at: datetime


@dataclass(frozen=True)
class Registered:
    """What the app registration says of its client secrets."""

    secrets: tuple[RegisteredSecret, ...]


@dataclass(frozen=True)
class NotRead:
    """The app registration cannot be read: it lies in another tenant, or Microsoft Graph refuses it."""

    detail: str


class AppRegistrations(Protocol):
    """The app registrations and enterprise applications of a tenant, as the directory profile may see them."""

    async def disable(self, client_id: str, token: SecretStr) -> Disabled | NotDisabled | Unanswered:
        """Let the app sign in to this tenant no more; never raises for what Graph does, and answers within seconds."""
        ...

    async def secrets(self, client_id: str, token: SecretStr) -> Registered | NotRead | Unanswered:
        """Read when the app's client secrets end; never raises for what Graph does, and answers within seconds."""
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


class Announcements(Protocol):
    """Publishes events that were saved; what it misses the sweep publishes."""

    def soon(self, document_id: str) -> None:
        """Publish the pending events of a document (a connection, an onboarding) without making the caller wait."""
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


class Backups(Protocol):
    """backup-service, asked what onboarding depends on."""

    async def protection(self, tenant: str, ended_after: datetime | None) -> Protection | None:
        """Answer within seconds; None when there is no answer. `ended_after` as in `ProtectionOf`."""
        ...

    async def holdings(self, tenant: str, *, keys: bool) -> Holdings | None:
        """What is still held, with `keys` also what opens it; None when there is no answer."""
        ...


class Offboardings(Protocol):
    """Records of offboardings. Nothing is ever removed; every write is a compare-and-set on the version."""

    async def get(self, tenant: str) -> Offboarding | None: ...

    async def save(self, offboarding: Offboarding, events: Sequence[Event] = ()) -> Offboarding | None:
        """Store with its events in one write and give it with its new version; None: somebody was faster."""
        ...
