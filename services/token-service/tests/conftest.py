"""Fakes that pass the same suites as the real adapters (tests/contract), and a wired app around them."""

import dataclasses
import random
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from chassis.rpc import Call
from chassis.testing.clock import ManualClock
from chassis.testing.vault import MemoryVault
from chassis.vault import SignaturePadding, Vault, VaultUnreachable
from contracts import rpc, tokens, views
from contracts.caller import Caller
from contracts.contacts import Contacts
from contracts.errors import ErrorClass
from contracts.events import Event, TokenRefreshed
from contracts.names import Answer, JobState, Profile
from contracts.offboarding import Holdings
from contracts.onboarding import BackupOutcome, Protection
from contracts.operations import tokens as asked
from contracts.profiles import PROFILES
from token_service.adapters.transit_keys import TransitKeys
from token_service.app import App, Ports, build_with
from token_service.domain.connection import Connection, RenewalPolicy
from token_service.domain.credential import ClientCertificate, ClientSecret, Credential, VaultKey
from token_service.domain.incident import Incident
from token_service.domain.offboarding import Offboarding
from token_service.domain.onboarding import LookPolicy, Onboarding
from token_service.domain.permissions import CheckPolicy, PermissionRecord
from token_service.domain.tenant import RecoveryKey, TenantRecord
from token_service.entrypoints.offboarding import OffboardingQuestions
from token_service.incident_app import Looks, build_incidents
from token_service.life_app import OnboardingApp, build_onboarding
from token_service.permission_app import PermissionApp, build_permissions
from token_service.ports import (
    Disabled,
    Effective,
    EntraTenantTaken,
    Granted,
    Issued,
    NoAnswer,
    NotDisabled,
    NotRead,
    Outcome,
    Probed,
    Proof,
    Refused,
    Registered,
    SlugTaken,
    Unanswered,
    Unreadable,
)
from token_service.usecases.living_tenants import LivingTenants
from token_service.usecases.offboard import Offboard

CONTOSO = "11111111-1111-1111-1111-111111111111"
FABRIKAM = "22222222-2222-2222-2222-222222222222"


class MemoryTenants:
    def __init__(self) -> None:
        self._records: dict[str, TenantRecord] = {}
        self.events: dict[str, list[Event]] = {}

    async def add(self, tenant: TenantRecord, events: Sequence[Event] = ()) -> None:
        if tenant.slug in self._records:
            raise SlugTaken(tenant.slug)
        if any(known.entra_tenant_id == tenant.entra_tenant_id for known in self._records.values()):
            raise EntraTenantTaken(tenant.entra_tenant_id)
        self._records[tenant.slug] = tenant
        self.events[tenant.slug] = list(events)

    async def get(self, slug: str) -> TenantRecord | None:
        return self._records.get(slug)

    async def set_recovery_key(self, slug: str, key: RecoveryKey, events: Sequence[Event] = ()) -> None:
        if slug in self._records:
            self._records[slug] = dataclasses.replace(self._records[slug], recovery_key=key)
            self.events[slug].extend(events)

    async def set_contacts(self, slug: str, contacts: Contacts, events: Sequence[Event] = ()) -> None:
        if slug in self._records:
            self._records[slug] = dataclasses.replace(self._records[slug], contacts=contacts)
            self.events[slug].extend(events)

    async def page(self, after: str | None, limit: int) -> Sequence[TenantRecord]:
        return [self._records[slug] for slug in sorted(self._records) if after is None or slug > after][:limit]


class MemoryConnections:
    """Keeps the events beside the states, as the documents do."""

    def __init__(self) -> None:
        self._stored: dict[str, Connection] = {}
        self.events: dict[str, list[Event]] = {}

    async def get(self, tenant: str, profile: Profile) -> Connection | None:
        return self._stored.get(f"{tenant}/{profile}")

    async def of_tenant(self, tenant: str) -> Sequence[Connection]:
        found = [connection for connection in self._stored.values() if connection.tenant == tenant]
        return sorted(found, key=lambda connection: connection.profile)

    async def awaiting(self, state: str) -> Connection | None:
        known = self._stored.values()
        return next((found for found in known if found.consent is not None and found.consent.state == state), None)

    async def everything(self) -> Sequence[Connection]:
        return list(self._stored.values())

    async def due(self, now: datetime, limit: int) -> Sequence[Connection]:
        return [connection for connection in self._stored.values() if connection.is_due(now)][:limit]

    async def save(self, connection: Connection, events: Sequence[Event] = ()) -> Connection | None:
        known = self._stored.get(connection.id)
        if (0 if known is None else known.version) != connection.version:
            return None
        saved = dataclasses.replace(connection, version=connection.version + 1)
        self._stored[connection.id] = saved
        self.events.setdefault(connection.id, []).extend(events)
        return saved


class MemoryOnboardings:
    """Keeps the events beside the states, as the documents do."""

    def __init__(self) -> None:
        self._stored: dict[str, Onboarding] = {}
        self.events: dict[str, list[Event]] = {}

    async def get(self, tenant: str) -> Onboarding | None:
        return self._stored.get(tenant)

    async def known(self, tenants: Collection[str]) -> Collection[str]:
        return {tenant for tenant in tenants if tenant in self._stored}

    async def due(self, now: datetime, limit: int) -> Sequence[str]:
        due = sorted((one for one in self._stored.values() if one.due_at <= now), key=lambda one: one.due_at)
        return [one.tenant for one in due][:limit]

    async def save(self, onboarding: Onboarding, events: Sequence[Event] = ()) -> Onboarding | None:
        known = self._stored.get(onboarding.tenant)
        if (0 if known is None else known.version) != onboarding.version:
            return None
        saved = dataclasses.replace(onboarding, version=onboarding.version + 1)
        self._stored[onboarding.tenant] = saved
        self.events.setdefault(onboarding.tenant, []).extend(events)
        return saved


class MemoryOffboardings:
    """Keeps the events beside the records, as the documents do."""

    def __init__(self) -> None:
        self._stored: dict[str, Offboarding] = {}
        self.events: dict[str, list[Event]] = {}

    async def get(self, tenant: str) -> Offboarding | None:
        return self._stored.get(tenant)

    async def save(self, offboarding: Offboarding, events: Sequence[Event] = ()) -> Offboarding | None:
        known = self._stored.get(offboarding.tenant)
        if (0 if known is None else known.version) != offboarding.version:
            return None
        saved = dataclasses.replace(offboarding, version=offboarding.version + 1)
        self._stored[offboarding.tenant] = saved
        self.events.setdefault(offboarding.tenant, []).extend(events)
        return saved


class FakeBackups:
    """A backup-service of which a test says what it knows; None: it does not answer."""

    def __init__(self) -> None:
        self.knows: Protection | None = Protection(tenant="contoso", targets=0, configurations=0)
        self.ran: list[BackupOutcome] = []
        self.held: Holdings | None = Holdings(tenant="contoso", restore_points=0, legal_holds=0, scheduled=0, running=0)

    def configured(self, next_run_at: datetime | None) -> None:
        self.knows = Protection(tenant="contoso", targets=1, configurations=1, next_run_at=next_run_at)

    def finished(self, at: datetime, state: JobState = JobState.SUCCEEDED) -> BackupOutcome:
        """A run by schedule ended."""
        self.configured(at + timedelta(days=1))
        outcome = BackupOutcome(run=f"run-{len(self.ran) + 1}", state=state, finished_at=at)
        self.ran.append(outcome)
        return outcome

    async def holdings(self, tenant: str, *, keys: bool) -> Holdings | None:
        return self.held if keys or self.held is None else self.held.model_copy(update={"targets": ()})

    async def protection(self, tenant: str, ended_after: datetime | None) -> Protection | None:
        if self.knows is None:
            return None
        late = [run for run in self.ran if ended_after is not None and run.finished_at > ended_after]
        good = [run for run in late if run.state is not JobState.FAILED]
        bad = [run for run in late if run.state is JobState.FAILED]
        return self.knows.model_copy(
            update={"test_backup": good[0] if good else None, "last_failure": bad[-1] if bad else None}
        )


class FakeAuthority:
    """An Entra with a few tenants; `apps` maps (tenant id, client id) to the secret."""

    def __init__(self, clock: ManualClock, vault: Vault) -> None:
        self._clock = clock
        self._vault = vault
        self.certificates: set[str] = set()
        """What was uploaded to any app (PEM)."""
        self.tenants = {CONTOSO, FABRIKAM}
        self.apps = {(CONTOSO, "app-1"): "right", (CONTOSO, "app-2"): "right-2", (FABRIKAM, "app-1"): "right-3"}
        self.lifetime = 3600.0
        self.down = False
        self.consented = True
        self.asked = 0
        self.before_answer: Callable[[], object] | None = None

    async def acquire(self, entra_tenant_id: str, client_id: str, credential: Credential) -> Outcome:
        self.asked += 1
        await self._clock.sleep(0)
        if self.before_answer is not None:
            hook, self.before_answer = self.before_answer, None
            await hook()  # type: ignore[misc]
        if self.down:
            return NoAnswer(ErrorClass.CONNECTION_TIMEOUT, "HTTP 503")
        if entra_tenant_id not in self.tenants:
            return Refused(ErrorClass.NO_VALID_TOKEN, "the Entra tenant is unknown to Microsoft's sign-in")
        secret = self.apps.get((entra_tenant_id, client_id))
        if secret is None or not self.consented:
            return Refused(ErrorClass.CONSENT_REQUIRED, "unauthorized_client AADSTS700016")
        unproven = await self._unproven(credential, secret)
        if unproven is not None:
            return unproven
        token = f"token-{client_id}-{self.asked}"
        return Issued(SecretStr(token), self._clock.now() + timedelta(seconds=self.lifetime))

    async def _unproven(self, credential: Credential, secret: str) -> Refused | None:
        number = "AADSTS700027"
        match credential:
            case ClientSecret(value=value):
                good, number = value == secret, "AADSTS7000215"
            case ClientCertificate(private_key=key):
                good = key == f"key of {secret}"
            case VaultKey(certificate=certificate, key=name):
                if not await self._vault.transit_has_key(name):
                    return Refused(ErrorClass.NO_VALID_TOKEN, "the key is not in the vault any more")
                await self._vault.transit_sign(name, b"assertion", "pss")
                good = certificate in self.certificates
        return None if good else Refused(ErrorClass.TOKEN_EXPIRED, f"invalid_client {number}")


class FakeWorkloads:
    """A Graph that lets every token in, until a test says otherwise."""

    def __init__(self) -> None:
        self.proof: Proof = Effective()
        self.tried: list[str] = []

    async def prove(self, profile: Profile, token: SecretStr) -> Proof:
        self.tried.append(token.get_secret_value())
        return self.proof


class MemoryIncidents:
    """Keeps the events beside the states, as the documents do."""

    def __init__(self) -> None:
        self._stored: dict[str, Incident] = {}
        self.events: list[Event] = []

    async def get(self, tenant: str, incident: str) -> Incident | None:
        return self._stored.get(f"{tenant}/{incident}")

    async def open_for(self, tenant: str, profile: Profile) -> Incident | None:
        found = await self.all_open()
        return next((known for known in found if (known.tenant, known.profile) == (tenant, profile)), None)

    async def page(self, tenant: str, before: str | None, limit: int) -> Sequence[Incident]:
        mine = [known for known in self._stored.values() if known.tenant == tenant]
        mine.sort(key=lambda known: known.id, reverse=True)
        return [known for known in mine if before is None or known.id < before][:limit]

    async def all_open(self) -> Sequence[Incident]:
        return [known for known in self._stored.values() if known.is_open]

    async def due(self, now: datetime, limit: int) -> Sequence[Incident]:
        known = self._stored.values()
        return [found for found in known if found.due_at is not None and found.due_at <= now][:limit]

    async def save(self, incident: Incident, events: Sequence[Event] = ()) -> Incident | None:
        known = self._stored.get(incident.key)
        if (0 if known is None else known.version) != incident.version:
            return None
        if known is None and await self.open_for(incident.tenant, incident.profile) is not None:
            return None
        saved = dataclasses.replace(incident, version=incident.version + 1)
        self._stored[incident.key] = saved
        self.events.extend(events)
        return saved


class FakeRegistrations:
    """A directory that lets no app change another, until a test says otherwise."""

    def __init__(self) -> None:
        self.answer: Disabled | NotDisabled | Unanswered = NotDisabled("Authorization_RequestDenied")
        self.asked: list[tuple[str, str]] = []
        self.registered: Registered | NotRead | Unanswered = NotRead("Request_ResourceNotFound")

    async def credentials(self, client_id: str, token: SecretStr) -> Registered | NotRead | Unanswered:
        return self.registered

    async def disable(self, client_id: str, token: SecretStr) -> Disabled | NotDisabled | Unanswered:
        self.asked.append((client_id, token.get_secret_value()))
        return self.answer


class MemoryPermissions:
    """Keeps the events beside the records, as the documents do."""

    def __init__(self) -> None:
        self._stored: dict[str, PermissionRecord] = {}
        self.events: list[Event] = []

    async def get(self, tenant: str, profile: Profile) -> PermissionRecord | None:
        return self._stored.get(f"{tenant}/{profile}")

    async def everything(self) -> Sequence[PermissionRecord]:
        return list(self._stored.values())

    async def due(self, now: datetime, limit: int) -> Sequence[PermissionRecord]:
        return [one for one in self._stored.values() if one.due_at is not None and one.due_at <= now][:limit]

    async def save(self, record: PermissionRecord, events: Sequence[Event] = ()) -> PermissionRecord | None:
        known = self._stored.get(record.id)
        if (0 if known is None else known.version) != record.version:
            return None
        self._stored[record.id] = dataclasses.replace(record, version=record.version + 1)
        self.events.extend(events)
        return self._stored[record.id]


class FakeGrants:
    """Grants app-1 all that exchange-backup asks for, until a test says otherwise; app-2 is that of the directory."""

    def __init__(self) -> None:
        self.answer: Granted | Unreadable | None = None
        self.asked: list[str] = []
        self.rejects: str | None = None
        """A token that Graph does not take any more."""

    async def read(self, client_id: str, token: SecretStr) -> Granted | Unreadable:
        self.asked.append(client_id)
        if token.get_secret_value() == self.rejects:
            return Unreadable("InvalidAuthenticationToken", rejected=True)
        profile = Profile.DIRECTORY if client_id == "app-2" else Profile.EXCHANGE_BACKUP
        if self.answer is not None and profile is Profile.EXCHANGE_BACKUP:
            return self.answer
        return Granted("principal-1", PROFILES[profile].allowed, frozenset())


class FakeProbes:
    """A Graph that lets every call through but those of `refused`; `silent` ones are not answered."""

    def __init__(self) -> None:
        self.refused: set[str] = set()
        self.silent: set[str] = set()

    async def try_each(self, permissions: Collection[str], token: SecretStr) -> Mapping[str, Probed]:
        return {name: self._one(name) for name in permissions}

    def _one(self, name: str) -> Probed:
        if name in self.silent:
            return Probed(Answer.UNKNOWN, "ReadTimeout")
        return Probed(Answer.NO, "ErrorAccessDenied") if name in self.refused else Probed(Answer.YES)


class BreakableVault(MemoryVault):
    """A vault that may be away."""

    down = False
    keeps_keys = False
    """It goes away just before a key is destroyed."""

    async def kv_read(self, path: str) -> tuple[dict[str, object], int] | None:
        if self.down:
            raise VaultUnreachable("GET", path, "sealed")
        return await super().kv_read(path)

    async def transit_has_key(self, name: str) -> bool:
        if self.down:
            raise VaultUnreachable("GET", name, "sealed")
        return await super().transit_has_key(name)

    async def kv_write(self, path: str, data: dict[str, object], cas: int | None = None) -> int:
        if self.down:
            raise VaultUnreachable("POST", path, "sealed")
        return await super().kv_write(path, data, cas)

    async def transit_sign(self, name: str, data: bytes, padding: SignaturePadding) -> bytes:
        if self.down:
            raise VaultUnreachable("POST", name, "sealed")
        return await super().transit_sign(name, data, padding)

    async def transit_destroy_signing_key(self, name: str) -> None:
        if self.down or self.keeps_keys:
            raise VaultUnreachable("DELETE", name, "sealed")
        await super().transit_destroy_signing_key(name)

    async def kv_delete(self, path: str) -> None:
        if self.down:
            raise VaultUnreachable("DELETE", path, "sealed")
        await super().kv_delete(path)


class Announced:
    def __init__(self) -> None:
        self.ids: list[str] = []

    def soon(self, connection_id: str) -> None:
        self.ids.append(connection_id)


class World:
    """One app (or several replicas) on shared fakes."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.tenants = MemoryTenants()
        self.connections = MemoryConnections()
        self.vault = BreakableVault(self.clock)
        self.authority = FakeAuthority(self.clock, self.vault)
        self.workloads = FakeWorkloads()
        self.announced = Announced()
        self.states = (f"state-{number}" for number in count(1))
        self.registry = CollectorRegistry()
        self.onboardings = MemoryOnboardings()
        self.offboardings = MemoryOffboardings()
        self.backups = FakeBackups()
        self.records = MemoryPermissions()
        self.onboarding = self.onboarding_replica()
        self.app = self.replica(self.registry)
        self.incidents = MemoryIncidents()
        self.registrations = FakeRegistrations()
        self.incident_app = build_incidents(
            self.app.token_questions.retire,
            incidents=self.incidents,
            around=(self.tenants, self.connections, self.vault, self.registrations),
            announcements=self.announced,
            clock=self.clock,
            rng=random.Random(6),
            registry=self.registry,
            of_connections=self.announced,
            looks=Looks(incidents=5.0, credentials=86_400.0),
        )
        self.offboarding = OffboardingQuestions(
            Offboard(
                tenants=self.tenants,
                connections=self.connections,
                offboardings=self.offboardings,
                backups=self.backups,
                retire=self.app.token_questions.retire,
                vault=self.vault,
                announcements=self.announced,
                clock=self.clock,
            ),
            self.clock,
        )
        self.grants = FakeGrants()
        self.probes = FakeProbes()
        self.permissions = self.permissions_of(self.app)

    def permissions_of(self, app: App) -> PermissionApp:
        return build_permissions(
            app.renew,
            records=self.records,
            around=(self.tenants, self.connections, self.vault, self.grants, self.probes),
            announcements=self.announced,
            clock=self.clock,
            rng=random.Random(7),
            policy=CheckPolicy(),
        )

    def replica(self, registry: CollectorRegistry | None = None) -> App:
        ports = Ports(
            tenants=self.tenants,
            living=LivingTenants(self.tenants, self.offboardings),
            connections=self.connections,
            vault=self.vault,
            authority=self.authority,
            workloads=self.workloads,
            announcements=self.onboarding.nudge,
            clock=self.clock,
            rng=random.Random(5),
        )
        return build_with(
            ports,
            policy=RenewalPolicy(),
            registry=registry or CollectorRegistry(),
            authority_url="https://login.example",
            graph_scope="https://graph.microsoft.com/.default",
            new_state=lambda: next(self.states),
            certify=TransitKeys(self.vault, self.clock).certificate,
            key_life=timedelta(days=365),
        )

    def onboarding_replica(self) -> OnboardingApp:
        return build_onboarding(
            tenants=self.tenants,
            connections=self.connections,
            onboardings=self.onboardings,
            offboardings=self.offboardings,
            permissions=self.records,
            backups=self.backups,
            announcements=self.announced,
            of_connections=self.announced,
            clock=self.clock,
            policy=LookPolicy(),
        )

    async def register(
        self, tenant: str = "contoso", entra: str = CONTOSO, recovery_key: str | None = None
    ) -> views.Tenant:
        wish = rpc.RegisterTenant(
            tenant=tenant, entra_tenant_id=entra, display_name="Contoso GmbH", recovery_key=recovery_key
        )
        return await self.app.questions.tenant_register(self.call(wish, None))

    async def set_credential(
        self, secret: str = "right", client_id: str = "app-1", *, intake: str = "i1", tenant: str = "contoso"
    ) -> views.TokenView:
        await self.vault.kv_create(f"tenants/{tenant}/intake/{intake}", {"client_secret": secret})
        return await self.ask_credential(client_id, intake=intake, tenant=tenant)

    async def ask_credential(
        self, client_id: str = "app-1", *, intake: str = "i1", tenant: str = "contoso"
    ) -> views.TokenView:
        wish = rpc.SetCredential(profile=Profile.EXCHANGE_BACKUP, client_id=client_id, intake=intake)
        return await self.app.questions.credential_set(self.call(wish, tenant))

    async def offer_key(self, *, upload: bool = True) -> tokens.VaultKeyOffer:
        """Have a key made in the vault; the person uploads its certificate."""
        question = asked.OfProfile(profile=Profile.EXCHANGE_BACKUP)
        offer = await self.app.token_questions.vault_key_offer(self.call(question, "contoso"))
        if upload:
            self.authority.certificates.add(offer.certificate)
        return offer

    async def set_vault_key(self, client_id: str = "app-1") -> views.TokenView:
        question = asked.SetVaultKey(profile=Profile.EXCHANGE_BACKUP, client_id=client_id)
        return await self.app.token_questions.vault_key_set(self.call(question, "contoso"))

    async def set_directory(self) -> views.TokenView:
        wish = rpc.SetCredential(profile=Profile.DIRECTORY, client_id="app-2", intake="i2")
        return await self.app.questions.credential_set(self.call(wish, "contoso"))

    async def ask(self, handler: Any, question: object, *, by: str = "anna", tenant: str = "contoso") -> Any:
        """Ask as `by`; the bus is left out."""
        return await handler(Call(tenant, question, Caller(by, ("admin",), "r1")))

    async def state(self) -> Connection:
        found = await self.connections.get("contoso", Profile.EXCHANGE_BACKUP)
        assert found is not None
        return found

    def announcements(self, kind: type[Event] = TokenRefreshed) -> list[Any]:
        """The saved events of this kind of the exchange-backup profile, oldest first."""
        saved = self.connections.events["contoso/exchange-backup"]
        return [event for event in saved if isinstance(event, kind)]

    async def token(self) -> dict[str, object] | None:
        found = await self.vault.kv_read("tenants/contoso/tokens/exchange-backup")
        return None if found is None else found[0]

    @staticmethod
    def call(question: object, tenant: str | None) -> Call:  # type: ignore[type-arg]
        return Call(tenant, question, Caller("anna", ("operator",), "r1"))


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def new_world() -> type[World]:
    """For tests that need a fresh world many times."""
    return World
