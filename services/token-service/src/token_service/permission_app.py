"""The wiring of the permission check and of the sign-in of people, which `app` puts beside the rest."""

import random
import secrets
from dataclasses import dataclass
from typing import Self

import httpx

from chassis import documents
from chassis.bus import Bus
from chassis.clock import Clock
from chassis.pending import PendingEvents
from chassis.seed import rng as seeded
from chassis.vault import Vault
from token_service.adapters.bus_announcements import BusAnnouncements
from token_service.adapters.graph_grants import GraphGrants
from token_service.adapters.graph_person_roles import GraphPersonRoles
from token_service.adapters.graph_probes import GraphProbes
from token_service.adapters.mongo_permissions import MongoPermissions
from token_service.domain.permissions import CheckPolicy
from token_service.entrypoints.profiles import ProfileQuestions
from token_service.entrypoints.sign_in import SignInQuestions
from token_service.ports import Announcements, Connections, Grants, People, PermissionRecords, Probes, Tenants
from token_service.settings import TokenServiceSettings
from token_service.usecases.check_permissions import CheckPermissions
from token_service.usecases.renew_tokens import RenewTokens
from token_service.usecases.sign_in import SignIn


@dataclass(frozen=True)
class Events:
    """Events that wait in one collection: announced at once, and swept when a crash left them behind."""

    pending: PendingEvents
    announcements: BusAnnouncements

    @classmethod
    def of(cls, collection: documents.Collection, bus: Bus, clock: Clock, settings: TokenServiceSettings) -> Self:
        pending = PendingEvents(collection, bus, clock, settings.pending_grace)
        return cls(pending, BusAnnouncements(pending))


@dataclass(frozen=True)
class PermissionApp:
    """What checks permissions: its questions and its sweep."""

    questions: ProfileQuestions
    check: CheckPermissions


def build_permissions(
    renew: RenewTokens,
    *,
    records: PermissionRecords,
    around: tuple[Tenants, Connections, Vault, Grants, Probes],
    announcements: Announcements,
    clock: Clock,
    rng: random.Random,
    policy: CheckPolicy,
) -> PermissionApp:
    """Wire what checks the permissions of the profiles; `announcements` are those of the records."""
    tenants, connections, vault, grants, probes = around
    check = CheckPermissions(
        connections=connections,
        records=records,
        vault=vault,
        grants=grants,
        probes=probes,
        renew=renew,
        announcements=announcements,
        clock=clock,
        rng=rng,
        policy=policy,
    )
    return PermissionApp(ProfileQuestions(tenants, connections, records, check=check, clock=clock), check)


async def open_permissions(
    settings: TokenServiceSettings,
    renew: RenewTokens,
    around: tuple[Tenants, Connections, Vault, httpx.AsyncClient],
    records: MongoPermissions,
    *,
    bus: Bus,
    clock: Clock,
) -> tuple[PermissionApp, Events]:
    """Wire the real thing; the last of `around` is a client of Graph."""
    tenants, connections, vault, graph = around
    events = Events.of(records.collection, bus, clock, settings)
    part = build_permissions(
        renew,
        records=records,
        around=(tenants, connections, vault, GraphGrants(graph), GraphProbes(graph)),
        announcements=events.announcements,
        clock=clock,
        rng=seeded(settings.seed, "token-service/permissions"),
        policy=settings.checks(),
    )
    return part, events


def sign_in_questions(
    tenants: Tenants, vault: Vault, people: People, graph: httpx.AsyncClient, clock: Clock
) -> SignInQuestions:
    """Wire the sign-in of people; `graph` is a client of Graph."""
    return SignInQuestions(
        SignIn(
            tenants,
            vault,
            people=people,
            roles=GraphPersonRoles(graph),
            probes=GraphProbes(graph),
            clock=clock,
            new_state=lambda: secrets.token_urlsafe(32),
        )
    )
