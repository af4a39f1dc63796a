"""Wiring of what watches over credentials and keeps incidents."""

import random
from dataclasses import dataclass

from prometheus_client import CollectorRegistry

from chassis import documents
from chassis.bus import Bus
from chassis.clock import Clock
from chassis.ids import new_ulid
from chassis.seed import rng as seeded
from chassis.vault import Vault
from token_service.adapters.mongo_incidents import MongoIncidents
from token_service.adapters.prometheus_incidents import IncidentMetrics
from token_service.entrypoints.incident_questions import IncidentQuestions
from token_service.permission_app import Events
from token_service.ports import Announcements, AppRegistrations, Connections, Incidents, Tenants
from token_service.settings import TokenServiceSettings
from token_service.usecases.keep_incident import KeepIncident
from token_service.usecases.retire_token import RetireToken
from token_service.usecases.watch_credentials import WatchCredentials


@dataclass(frozen=True)
class Looks:
    """Seconds between two looks at an incident without a replacement, and at the end of a credential."""

    incidents: float
    credentials: float


@dataclass(frozen=True)
class IncidentApp:
    """What watches over credentials and keeps incidents: questions, sweeps, figures."""

    questions: IncidentQuestions
    keep: KeepIncident
    watch: WatchCredentials
    metrics: IncidentMetrics


def build_incidents(
    retire: RetireToken,
    *,
    incidents: Incidents,
    around: tuple[Tenants, Connections, Vault, AppRegistrations],
    announcements: Announcements,
    of_connections: Announcements,
    clock: Clock,
    rng: random.Random,
    registry: CollectorRegistry,
    looks: Looks,
) -> IncidentApp:
    """Wire what watches over credentials and incidents; `announcements` are those of incidents."""
    tenants, connections, vault, registrations = around
    keep = KeepIncident(
        incidents=incidents,
        fresh_id=lambda: new_ulid(clock, rng),
        tenants=tenants,
        connections=connections,
        vault=vault,
        retire=retire,
        registrations=registrations,
        announcements=announcements,
        clock=clock,
        look=looks.incidents,
    )
    watch = WatchCredentials(connections, vault, registrations, of_connections, clock=clock, look=looks.credentials)
    return IncidentApp(IncidentQuestions(incidents, keep), keep, watch, IncidentMetrics(incidents, clock, registry))


async def open_incidents(
    settings: TokenServiceSettings,
    retire: RetireToken,
    known: tuple[Tenants, Connections, Vault, AppRegistrations],
    of_connections: Announcements,
    *,
    db: documents.Database,
    bus: Bus,
    around: tuple[Clock, CollectorRegistry],
) -> tuple[IncidentApp, Events]:
    """Wire them to the documents; gives their events, too."""
    clock, registry = around
    incidents = await MongoIncidents.open(db, clock)
    events = Events.of(incidents.collection, bus, clock, settings)
    incident = build_incidents(
        retire,
        incidents=incidents,
        around=known,
        announcements=events.announcements,
        of_connections=of_connections,
        clock=clock,
        rng=seeded(settings.seed, "token-service/incidents"),
        registry=registry,
        looks=Looks(settings.incident_look, settings.credential_look),
    )
    return incident, events
