"""What the use cases ask of Microsoft: sign-in, Graph, consent, app registrations."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from pydantic import SecretStr

from contracts.errors import ErrorClass
from contracts.names import AdminRole, Answer, Profile
from token_service.domain.credential import Credential
from token_service.domain.permissions import ConsentGiver


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
    """The authority did not answer usefully; trying again may help, not sooner than `retry_after` seconds from now."""

    error: ErrorClass
    detail: str
    retry_after: float = 0.0


Outcome = Issued | Refused | NoAnswer


class Authority(Protocol):
    """Microsoft's identity platform."""

    async def acquire(self, entra_tenant_id: str, client_id: str, credential: Credential) -> Outcome:
        """Ask for a token that was not handed out before; never raises for what the authority does.

        Raises VaultError when a key in the vault is to sign and the vault does not.
        """
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
        """Redeem what the browser brought back; never raises for what the platform or the browser does.

        Raises VaultError when a key in the vault is to sign and the vault does not.
        """
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
    """A client secret of an app registration: its first characters (empty: not told), and its end."""

    hint: str
    ends_at: datetime


@dataclass(frozen=True)
class RegisteredCertificate:
    """A certificate of an app registration: its SHA-1 in hex, upper case (empty: not told), and its end."""

    thumbprint: str
    ends_at: datetime


@dataclass(frozen=True)
class Registered:
    """What the app registration says of what the app may sign in with."""

    secrets: tuple[RegisteredSecret, ...] = ()
    certificates: tuple[RegisteredCertificate, ...] = ()


@dataclass(frozen=True)
class NotRead:
    """The app registration cannot be read: it lies in another tenant, or Microsoft Graph refuses it."""

    detail: str


class AppRegistrations(Protocol):
    """The app registrations and enterprise applications of a tenant, as the directory profile may see them."""

    async def disable(self, client_id: str, token: SecretStr) -> Disabled | NotDisabled | Unanswered:
        """Let the app sign in to this tenant no more; never raises for what Graph does, and answers within seconds."""
        ...

    async def credentials(self, client_id: str, token: SecretStr) -> Registered | NotRead | Unanswered:
        """Read what the app may sign in with, and until when; never raises for what Graph does.

        Answers within seconds.
        """
        ...
