"""The only wiring of token-service."""

import asyncio
import contextlib
import random
import secrets
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import timedelta

from prometheus_client import CollectorRegistry

from chassis import checks, documents, health, tls
from chassis.bus import Bus, connect
from chassis.clock import Clock, SystemClock
from chassis.delivery import DeliveryPolicy
from chassis.lifecycle import Drain
from chassis.metrics import new_registry
from chassis.openbao import open_vault
from chassis.rpc import RpcServer
from chassis.seed import rng as seeded
from chassis.sweep import Sweep, Task
from chassis.vault import Vault
from token_service.adapters.graph_registrations import GraphRegistrations
from token_service.adapters.graph_workloads import GraphWorkloads
from token_service.adapters.mongo_connections import MongoConnections
from token_service.adapters.mongo_permissions import MongoPermissions
from token_service.adapters.msal_authority import MsalAuthority
from token_service.adapters.msal_people import MsalPeople
from token_service.adapters.prometheus_tokens import TokenMetrics
from token_service.adapters.transit_keys import TransitKeys
from token_service.domain.connection import RenewalPolicy
from token_service.entrypoints import stream
from token_service.entrypoints.questions import Questions
from token_service.entrypoints.token_questions import TokenQuestions
from token_service.incident_app import IncidentApp, open_incidents
from token_service.life_app import open_life
from token_service.permission_app import Events, PermissionApp, open_permissions, sign_in_questions
from token_service.ports import (
    Announcements,
    Authority,
    Connections,
    Tenants,
    Workloads,
)
from token_service.settings import TokenServiceSettings
from token_service.usecases.adopt_credentials import AdoptCredentials
from token_service.usecases.answer_rejection import AnswerRejection
from token_service.usecases.clear_intake import ClearIntake
from token_service.usecases.consent import Consent
from token_service.usecases.keep_recovery_key import KeepRecoveryKey
from token_service.usecases.keep_token import KeepToken
from token_service.usecases.note_token import NoteToken
from token_service.usecases.offer_vault_key import Certify, OfferVaultKey
from token_service.usecases.register_tenant import RegisterTenant
from token_service.usecases.renew_now import RenewNow
from token_service.usecases.renew_tokens import RenewTokens
from token_service.usecases.retire_token import RetireToken
from token_service.usecases.set_credential import SetCredential
from token_service.usecases.verify_token import VerifyToken

SERVICE = "token-service"
DATABASE = "token_service"
VERSION = "0.1.0"


@dataclass(frozen=True)
class App:
    """What the entry points call."""

    questions: Questions
    token_questions: TokenQuestions
    renew: RenewTokens
    answer_rejection: AnswerRejection
    metrics: TokenMetrics


@dataclass(frozen=True)
class Ports:
    """What the use cases stand on; `living` refuses tenants that take nothing new any more."""

    tenants: Tenants
    living: Tenants
    connections: Connections
    vault: Vault
    authority: Authority
    workloads: Workloads
    announcements: Announcements
    clock: Clock
    rng: random.Random


def build_with(
    to: Ports,
    *,
    policy: RenewalPolicy,
    registry: CollectorRegistry,
    authority_url: str,
    graph_scope: str,
    new_state: Callable[[], str],
    certify: Certify,
    key_life: timedelta,
) -> App:
    """Wire the use cases; `certify` makes the certificate of a key in the vault, which lives for `key_life`."""
    metrics = TokenMetrics(to.connections, to.clock, registry)
    keep = KeepToken(to.connections, to.vault, to.clock, to.rng, policy)
    retire = RetireToken(to.connections, to.vault, to.announcements, to.clock, policy)
    renew = RenewTokens(
        tenants=to.tenants,
        connections=to.connections,
        vault=to.vault,
        authority=to.authority,
        workloads=to.workloads,
        keep=keep,
        empty=retire.empty,
        announcements=to.announcements,
        clock=to.clock,
        rng=to.rng,
        policy=policy,
        count=metrics.count,
    )
    put = SetCredential(
        tenants=to.living,
        connections=to.connections,
        vault=to.vault,
        authority=to.authority,
        workloads=to.workloads,
        keep=keep,
        announcements=to.announcements,
        clock=to.clock,
    )
    consent = Consent(
        tenants=to.living,
        connections=to.connections,
        renew=renew,
        announcements=to.announcements,
        clock=to.clock,
        authority_url=authority_url,
        scope=graph_scope,
        new_state=new_state,
    )
    offer = OfferVaultKey(
        to.living, to.connections, to.vault, to.announcements, certify=certify, clock=to.clock, life=key_life
    )
    asked = _token_questions(to, policy, renew, retire, offer=offer, put=put)
    answer_rejection = AnswerRejection(to.connections, to.vault, renew, to.clock, policy)
    return App(_questions(to, put, consent), asked, renew, answer_rejection, metrics)


def _token_questions(
    to: Ports,
    policy: RenewalPolicy,
    renew: RenewTokens,
    retire: RetireToken,
    *,
    offer: OfferVaultKey,
    put: SetCredential,
) -> TokenQuestions:
    verify = VerifyToken(
        to.connections, to.vault, to.workloads, to.announcements, clock=to.clock, rng=to.rng, policy=policy
    )
    return TokenQuestions(
        tenants=to.tenants,
        connections=to.connections,
        renew_now=RenewNow(to.connections, renew, to.announcements, to.clock),
        verify=verify,
        retire=retire,
        note=NoteToken(to.connections, to.announcements, to.clock),
        offer_vault_key=offer,
        set_credential=put,
        clock=to.clock,
    )


def _questions(to: Ports, put: SetCredential, consent: Consent) -> Questions:
    keep_recovery_key = KeepRecoveryKey(to.living, to.vault, to.clock)
    adopt = AdoptCredentials(to.connections, to.vault, to.clock)
    register = RegisterTenant(
        to.living, to.vault, to.clock, keep_recovery_key=keep_recovery_key, adopt_credentials=adopt
    )
    return Questions(
        to.tenants,
        to.connections,
        register=register,
        keep_recovery_key=keep_recovery_key,
        set_credential=put,
        consent=consent,
        clock=to.clock,
    )


@contextlib.asynccontextmanager
async def _stores(
    settings: TokenServiceSettings, clock: Clock
) -> AsyncIterator[tuple[documents.Database, Vault, MsalAuthority, GraphWorkloads, GraphRegistrations, MsalPeople]]:
    trust = tls.client_context(settings.ca_file)
    workloads = GraphWorkloads(settings.graph_url, trust=trust, proxy=settings.https_proxy)
    registrations = GraphRegistrations(settings.graph_url, trust=trust, proxy=settings.https_proxy)
    db = documents.connect(settings, DATABASE)
    try:
        async with workloads, registrations, open_vault(settings, clock) as vault:
            keys, url, proxy = TransitKeys(vault, clock), settings.authority_url, settings.https_proxy
            authority = MsalAuthority(url, settings.graph_scope, trust=trust, proxy=proxy, keys=keys, clock=clock)
            with authority, MsalPeople(url, trust=trust, proxy=proxy, keys=keys, clock=clock) as people:
                yield db, vault, authority, workloads, registrations, people
    finally:
        db.client.close()


def _tokens(settings: TokenServiceSettings, to: Ports, registry: CollectorRegistry) -> App:
    return build_with(
        to,
        policy=settings.renewal(),
        registry=registry,
        authority_url=settings.authority_url,
        graph_scope=settings.graph_scope,
        new_state=lambda: secrets.token_urlsafe(32),
        certify=TransitKeys(to.vault, to.clock).certificate,
        key_life=timedelta(days=settings.vault_key_days),
    )


async def main(settings: TokenServiceSettings, drain: Drain) -> None:
    """Serve until `drain` is requested."""
    clock = SystemClock()
    registry = new_registry(SERVICE, VERSION)
    async with _stores(settings, clock) as (db, vault, authority, workloads, registrations, people):
        connections = await MongoConnections.open(db, clock)
        broker = connect(settings, SERVICE)
        bus = Bus(broker, SERVICE, clock)
        of_connections = Events.of(connections.collection, bus, clock, settings)
        checked = await MongoPermissions.open(db, clock)
        life = await open_life(settings, (db, bus, clock), (connections, checked), of_connections.announcements)
        ports = Ports(
            tenants=life.tenants,
            living=life.living,
            connections=connections,
            vault=vault,
            authority=authority,
            workloads=workloads,
            announcements=life.onboarding.nudge,
            clock=clock,
            rng=seeded(settings.seed, SERVICE),
        )
        app = _tokens(settings, ports, registry)
        retire, known = app.token_questions.retire, (life.tenants, connections, vault, registrations)
        incident, of_incidents = await open_incidents(
            settings, retire, known, of_connections.announcements, db=db, bus=bus, around=(clock, registry)
        )
        around = (life.tenants, connections, vault, workloads.client)
        permission, of_records = await open_permissions(settings, app.renew, around, checked, bus=bus, clock=clock)
        sign_in = sign_in_questions(life.tenants, vault, people, workloads.client, clock)
        server = RpcServer(bus)
        sign_in.bind(server)
        for questions in (app.token_questions, *(part.questions for part in (app, incident, permission))):
            questions.bind(server)
        life.bind(server, retire, vault)
        stream.bind(bus, app.answer_rejection, permission.check, DeliveryPolicy.of(settings))
        kept = {
            "events": of_connections,
            "incidents": of_incidents,
            "drifts": of_records,
        }
        tasks = {
            "intake": ClearIntake(life.tenants, vault, clock, settings.intake_life).sweep,
            **{f"pending-{name}": events.pending.sweep for name, events in kept.items()},
            **life.due_work(),
            **_due_work(app, incident, permission),
        }
        sweep = Sweep(settings.sweep_interval, clock, tasks, registry)
        beside = [events.announcements.run for events in kept.values()]
        ready = {"documents": checks.documents_answer(db), "bus": checks.bus_answers(bus)}
        async with health.serve_health(settings, ready, registry), broker:
            await broker.start()
            await _run(sweep, [*beside, *life.beside()], drain)


def _due_work(app: App, incident: IncidentApp, permission: PermissionApp) -> dict[str, Task]:
    return {
        "renewals": app.renew.sweep,
        "incidents": incident.keep.sweep,
        "permissions": permission.check.sweep,
        "credentials": incident.watch.sweep,
        "metrics": app.metrics.refresh,
        "incident-metrics": incident.metrics.refresh,
    }


async def _run(sweep: Sweep, beside: Sequence[Callable[[], Coroutine[None, None, None]]], drain: Drain) -> None:
    async with asyncio.TaskGroup() as group:
        running = [group.create_task(work()) for work in beside]
        sweeping = group.create_task(sweep.run(drain.requested))
        await drain.wait()
        await sweeping
        for task in running:
            task.cancel()
