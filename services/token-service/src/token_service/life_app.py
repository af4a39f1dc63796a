"""The wiring of a tenant's life, which `app` puts beside the rest: the register, onboarding, offboarding."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass

from chassis import documents
from chassis.bus import Bus
from chassis.clock import Clock
from chassis.rpc import RpcServer
from chassis.sweep import Task
from chassis.vault import Vault
from token_service.adapters.bus_backups import BusBackups
from token_service.adapters.mongo_offboardings import MongoOffboardings
from token_service.adapters.mongo_onboardings import MongoOnboardings
from token_service.adapters.mongo_tenants import MongoTenants
from token_service.domain.onboarding import LookPolicy
from token_service.entrypoints.offboarding import OffboardingQuestions
from token_service.entrypoints.onboarding import OnboardingQuestions
from token_service.permission_app import Events
from token_service.ports import (
    Announcements,
    Backups,
    Connections,
    Offboardings,
    Onboardings,
    PermissionRecords,
    Tenants,
)
from token_service.settings import TokenServiceSettings
from token_service.usecases.living_tenants import LivingTenants
from token_service.usecases.look_at_onboarding import LookAtOnboarding
from token_service.usecases.nudge_onboarding import NudgeOnboarding
from token_service.usecases.offboard import Offboard
from token_service.usecases.retire_token import RetireToken
from token_service.usecases.set_contacts import SetContacts


@dataclass(frozen=True)
class OnboardingApp:
    """The tenants' life: its questions, its sweep, and the announcements of connections that move it on."""

    questions: OnboardingQuestions
    look: LookAtOnboarding
    nudge: NudgeOnboarding


def build_onboarding(
    *,
    tenants: Tenants,
    connections: Connections,
    onboardings: Onboardings,
    offboardings: Offboardings,
    permissions: PermissionRecords,
    backups: Backups,
    announcements: Announcements,
    of_connections: Announcements,
    clock: Clock,
    policy: LookPolicy,
) -> OnboardingApp:
    """Wire onboarding; `announcements` publishes its own events, `of_connections` those of connections."""
    look = LookAtOnboarding(
        tenants=tenants,
        connections=connections,
        onboardings=onboardings,
        offboardings=offboardings,
        permissions=permissions,
        backups=backups,
        announcements=announcements,
        clock=clock,
        policy=policy,
    )
    questions = OnboardingQuestions(tenants, look=look, set_contacts=SetContacts(tenants, clock))
    return OnboardingApp(questions, look, NudgeOnboarding(of_connections, tenants, look))


@dataclass(frozen=True)
class Life:
    """What `open_life` opened; `living` refuses tenants that take nothing new any more."""

    tenants: MongoTenants
    living: Tenants
    onboarding: OnboardingApp
    _connections: Connections
    _offboardings: MongoOffboardings
    _backups: Backups
    _clock: Clock
    _events: dict[str, Events]

    def bind(self, server: RpcServer, retire: RetireToken, vault: Vault) -> None:
        """Register all answers; call before the broker starts."""
        offboard = Offboard(
            tenants=self.tenants,
            connections=self._connections,
            offboardings=self._offboardings,
            backups=self._backups,
            retire=retire,
            vault=vault,
            announcements=self._events["pending-offboardings"].announcements,
            clock=self._clock,
        )
        self.onboarding.questions.bind(server)
        OffboardingQuestions(offboard, self._clock).bind(server)

    def due_work(self) -> dict[str, Task]:
        """What the sweep does."""
        looks = {"onboarding": self.onboarding.look.sweep, "onboarding-enrolment": self.onboarding.look.enrol}
        return {**looks, **{name: events.pending.sweep for name, events in self._events.items()}}

    def beside(self) -> list[Callable[[], Coroutine[None, None, None]]]:
        """What runs all the time."""
        return [self.onboarding.nudge.run, *(events.announcements.run for events in self._events.values())]


async def open_life(
    settings: TokenServiceSettings,
    around: tuple[documents.Database, Bus, Clock],
    known: tuple[Connections, PermissionRecords],
    of_connections: Announcements,
) -> Life:
    """Open the collections and wire them; `of_connections` publishes the events of connections."""
    connections, permissions = known
    db, bus, clock = around
    tenants = await MongoTenants.open(db, clock)
    onboardings = await MongoOnboardings.open(db, clock)
    offboardings = await MongoOffboardings.open(db, clock)
    backups = BusBackups(bus)
    collections = {
        "pending-tenants": tenants.collection,
        "pending-onboardings": onboardings.collection,
        "pending-offboardings": offboardings.collection,
    }
    events = {name: Events.of(collection, bus, clock, settings) for name, collection in collections.items()}
    onboarding = build_onboarding(
        tenants=tenants,
        connections=connections,
        onboardings=onboardings,
        offboardings=offboardings,
        permissions=permissions,
        backups=backups,
        announcements=events["pending-onboardings"].announcements,
        of_connections=of_connections,
        clock=clock,
        policy=settings.onboarding(),
    )
    living = LivingTenants(tenants, offboardings)
    return Life(tenants, living, onboarding, connections, offboardings, backups, clock, events)
