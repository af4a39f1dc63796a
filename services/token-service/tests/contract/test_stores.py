"""One suite for the fakes and for MongoDB; expectations are written by hand."""

import asyncio
import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chassis.documents import SCHEMA, SchemaTooNew
from chassis.pending import PENDING, PENDING_SINCE
from chassis.testing.clock import ManualClock
from contracts.auditing import AuditAction, recorded
from contracts.caller import itself
from contracts.contacts import Contact, Contacts
from contracts.errors import ErrorClass
from contracts.events.tenants import OnboardingChanged
from contracts.events.tokens import TokenRefreshed
from contracts.incidents import IncidentStep
from contracts.names import ConsentOutcome, ExpirySource, JobState, Profile, RecordEnd
from contracts.offboarding import Deed, KeyOfRepository, OffboardingDeed, OffboardingState
from contracts.onboarding import BackupOutcome, OnboardingCause, OnboardingStep
from token_service.adapters.mongo_connections import MongoConnections
from token_service.adapters.mongo_incidents import MongoIncidents
from token_service.adapters.mongo_offboardings import MongoOffboardings
from token_service.adapters.mongo_onboardings import MongoOnboardings
from token_service.adapters.mongo_tenants import MongoTenants
from token_service.domain.connection import Connection, ConsentAttempt
from token_service.domain.credential import ClientSecret
from token_service.domain.incident import Entry, Incident
from token_service.domain.offboarding import Offboarding
from token_service.domain.onboarding import Missing, Onboarding
from token_service.domain.records import CredentialExpiry, KeyOffer, Note, Retirement
from token_service.domain.tenant import RecoveryKey, TenantRecord
from token_service.ports import (
    Connections,
    EntraTenantTaken,
    Incidents,
    Offboardings,
    Onboardings,
    SlugTaken,
    Tenants,
)

DESK = Contact(name="Service desk", mail="desk@contoso.test")
AT = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
CONTOSO = TenantRecord("contoso", "11111111-1111-1111-1111-111111111111", "Contoso", "help@contoso.test", AT)


@pytest.fixture(params=["memory", "mongo"])
async def tenants(request: pytest.FixtureRequest, world: Any) -> Tenants:
    if request.param == "memory":
        return world.tenants
    return await MongoTenants.open(request.getfixturevalue("database"), ManualClock())


@pytest.fixture(params=["memory", "mongo"])
async def connections(request: pytest.FixtureRequest, world: Any) -> Connections:
    if request.param == "memory":
        return world.connections
    return await MongoConnections.open(request.getfixturevalue("database"), ManualClock())


async def test_a_tenant_is_found_as_it_was_added(tenants: Tenants) -> None:
    await tenants.add(CONTOSO)
    assert await tenants.get("contoso") == CONTOSO
    assert await tenants.get("fabrikam") is None


async def test_neither_slug_nor_entra_tenant_is_given_twice(tenants: Tenants) -> None:
    await tenants.add(CONTOSO)
    with pytest.raises(SlugTaken):
        await tenants.add(dataclasses.replace(CONTOSO, entra_tenant_id="22222222-2222-2222-2222-222222222222"))
    with pytest.raises(EntraTenantTaken):
        await tenants.add(dataclasses.replace(CONTOSO, slug="fabrikam"))
    with pytest.raises(SlugTaken):
        await tenants.add(CONTOSO)


async def test_of_many_at_once_exactly_one_is_added(tenants: Tenants) -> None:
    wishes = [dataclasses.replace(CONTOSO, slug=f"t{number}") for number in range(8)]
    results = await asyncio.gather(*(tenants.add(wish) for wish in wishes), return_exceptions=True)
    assert [type(result) for result in results if result is not None] == [EntraTenantTaken] * 7
    assert len(await tenants.page(None, 100)) == 1


async def test_pages_follow_the_slugs(tenants: Tenants) -> None:
    for number in (3, 1, 2):
        await tenants.add(dataclasses.replace(CONTOSO, slug=f"t{number}", entra_tenant_id=f"{number}"))
    assert [tenant.slug for tenant in await tenants.page(None, 2)] == ["t1", "t2"]
    assert [tenant.slug for tenant in await tenants.page("t2", 2)] == ["t3"]
    assert list(await tenants.page("t3", 2)) == []


async def test_what_announces_a_tenant_and_its_recovery_key_is_saved_with_them(database: Any) -> None:
    tenants = await MongoTenants.open(database, ManualClock())
    told = recorded(AuditAction.TENANT_REGISTER, "contoso", tenant="contoso", caller=itself("test"), at=AT)
    await tenants.add(CONTOSO, [told])
    await tenants.set_recovery_key("contoso", RecoveryKey("one", AT), [told.model_copy(update={"request": "r2"})])
    document = await database["tenants"].find_one({"_id": "contoso"})
    assert [event["subject"] for event in document[PENDING]] == [told.subject()] * 2
    assert document[PENDING_SINCE] is not None


async def test_a_recovery_key_is_replaced_and_nothing_else(tenants: Tenants) -> None:
    await tenants.add(CONTOSO)
    for name in ("one", "two"):
        await tenants.set_recovery_key("contoso", RecoveryKey(name, AT))
        assert await tenants.get("contoso") == dataclasses.replace(CONTOSO, recovery_key=RecoveryKey(name, AT))
    await tenants.set_recovery_key("nobody", RecoveryKey("one", AT))
    assert await tenants.get("nobody") is None


async def test_contacts_are_replaced_and_nothing_else(tenants: Tenants) -> None:
    await tenants.add(CONTOSO)
    for contacts in (Contacts(support=DESK), Contacts(security=DESK), Contacts()):
        await tenants.set_contacts("contoso", contacts)
        assert await tenants.get("contoso") == dataclasses.replace(CONTOSO, contacts=contacts)
    await tenants.set_contacts("nobody", Contacts(support=DESK))
    assert await tenants.get("nobody") is None


async def test_a_tenant_of_a_version_before_keeps_what_it_has(database: Any) -> None:
    store = await MongoTenants.open(database, ManualClock())
    await store.add(CONTOSO)
    await database["tenants"].update_one({"_id": "contoso"}, {"$unset": {"contacts": ""}, "$set": {SCHEMA: 2}})
    await store.set_contacts("contoso", Contacts(support=DESK))  # by a replica of today, before the migration
    kept = await (await MongoTenants.open(database, ManualClock())).get("contoso")
    assert kept == dataclasses.replace(CONTOSO, contacts=Contacts(support=DESK))


async def test_a_tenant_of_the_version_before_has_no_recovery_key(database: Any) -> None:
    await (await MongoTenants.open(database, ManualClock())).add(CONTOSO)
    await database["tenants"].update_one({"_id": "contoso"}, {"$unset": {"recovery_key": ""}, "$set": {SCHEMA: 1}})
    assert await (await MongoTenants.open(database, ManualClock())).get("contoso") == CONTOSO


def full() -> Connection:
    fresh = Connection("contoso", Profile.DIRECTORY, intake="i1")
    offered = fresh.offering(KeyOffer(1, "pem", AT, "anna"))
    generated = offered.generated("app-1", ClientSecret("right"), by="anna", now=AT)
    ends = CredentialExpiry(AT + timedelta(days=50), ExpirySource.APPLICATION, AT, 60)
    noted = dataclasses.replace(generated, notes=(Note(AT, "anna", "moved"),), expiry=ends)
    renewed = noted.renewed(
        "app-1", "token", now=AT, expires_at=AT + timedelta(hours=1), due_at=AT + timedelta(minutes=40)
    )
    switched = dataclasses.replace(renewed, keys=4, key=3, spent_keys=(2,))
    return switched.failed(
        ErrorClass.CONSENT_REQUIRED, "AADSTS700016", now=AT, retry_at=AT + timedelta(minutes=41)
    ).claimed(AT + timedelta(minutes=42))


def event() -> TokenRefreshed:
    return TokenRefreshed(
        tenant="contoso",
        at=AT,
        profile=Profile.DIRECTORY,
        generation=1,
        fingerprint="0" * 16,
        expires_at=AT + timedelta(hours=1),
    )


async def test_a_connection_is_found_as_it_was_saved(connections: Connections) -> None:
    saved = await connections.save(full())
    assert saved == dataclasses.replace(full(), version=1)
    assert await connections.get("contoso", Profile.DIRECTORY) == saved
    assert await connections.get("contoso", Profile.EXCHANGE_BACKUP) is None
    assert list(await connections.everything()) == [saved]


async def test_a_consent_attempt_is_kept_and_found_by_its_hashed_state(connections: Connections) -> None:
    attempt = ConsentAttempt("f" * 64, "app-1", AT, AT + timedelta(minutes=10))
    granted = dataclasses.replace(full(), consent=attempt).consent_answered(ConsentOutcome.GRANTED, "")
    saved = await connections.save(granted.proven(AT))
    assert saved is not None
    assert await connections.awaiting("f" * 64) == saved
    assert (saved.consent.outcome, saved.consent_proven_at) == (ConsentOutcome.EFFECTIVE, AT)
    assert await connections.awaiting("e" * 64) is None


async def test_a_retired_connection_is_found_as_it_was_saved(connections: Connections) -> None:
    off = full().switched_off(Retirement(RecordEnd.INCIDENT, AT, "berta", "01K"))
    saved = await connections.save(off)
    assert saved is not None
    assert await connections.get("contoso", Profile.DIRECTORY) == saved
    assert saved.records[0].ended is RecordEnd.INCIDENT


async def test_a_save_on_an_older_version_is_refused(connections: Connections) -> None:
    first = await connections.save(full())
    assert first is not None
    second = await connections.save(dataclasses.replace(first, client_id="app-2"))
    assert second is not None
    assert second.version == 2
    assert await connections.save(dataclasses.replace(first, client_id="app-3")) is None
    assert await connections.save(full()) is None
    assert await connections.get("contoso", Profile.DIRECTORY) == second


async def test_of_many_savers_exactly_one_wins(connections: Connections) -> None:
    created = await asyncio.gather(*(connections.save(full()) for _ in range(6)))
    assert sum(saved is not None for saved in created) == 1
    stored = await connections.get("contoso", Profile.DIRECTORY)
    assert stored is not None
    changed = await asyncio.gather(*(connections.save(stored) for _ in range(6)))
    assert sum(saved is not None for saved in changed) == 1


async def test_due_connections_are_those_whose_time_has_come(connections: Connections) -> None:
    for number, profile in enumerate(Profile):
        await connections.save(Connection("contoso", profile, due_at=AT + timedelta(minutes=number)))
    await connections.save(Connection("fabrikam", Profile.DIRECTORY))
    found = await connections.due(AT + timedelta(minutes=1), 10)
    assert {connection.id for connection in found} == {"contoso/directory", "contoso/exchange-backup"}
    assert len(await connections.due(AT + timedelta(minutes=9), 2)) == 2


async def test_connections_of_a_tenant_come_in_the_order_of_their_profiles(connections: Connections) -> None:
    for profile in reversed(Profile):
        await connections.save(Connection("contoso", profile))
    await connections.save(Connection("contoso-2", Profile.DIRECTORY))
    assert [connection.profile for connection in await connections.of_tenant("contoso")] == list(Profile)


async def test_state_and_event_are_one_write(database: Any) -> None:
    connections = await MongoConnections.open(database, ManualClock())
    first = await connections.save(full(), [event()])
    assert first is not None
    assert await connections.save(full(), [event()]) is None
    document = await database["connections"].find_one({"_id": "contoso/directory"})
    assert [waiting["subject"] for waiting in document[PENDING]] == ["m365.evt.v1.contoso.token.refreshed"]
    assert document[PENDING_SINCE] is not None
    await connections.save(first, [event().model_copy(update={"generation": 2})])
    document = await database["connections"].find_one({"_id": "contoso/directory"})
    assert len(document[PENDING]) == 2
    assert document["version"] == 2


async def test_a_document_of_a_newer_release_is_refused(database: Any) -> None:
    await MongoConnections.open(database, ManualClock())
    await database["connections"].insert_one({"_id": "x/y", "schema_version": 6, "tenant": "x"})
    with pytest.raises(SchemaTooNew):
        await MongoConnections.open(database, ManualClock())


async def test_documents_from_before_consent_are_understood(database: Any) -> None:
    """As version 1 wrote them; what was missing then has to be proven now."""
    store = await MongoConnections.open(database, ManualClock())
    saved = await store.save(dataclasses.replace(full(), records=(), notes=(), expiry=None))
    assert saved is not None
    gone = dict.fromkeys(("consent", "consent_proven_at", "proof_wanted", "records", "notes", "retired", "expiry"), "")
    await database["connections"].update_one({"_id": saved.id}, {"$unset": gone, "$set": {"schema_version": 1}})
    assert await (await MongoConnections.open(database, ManualClock())).get("contoso", Profile.DIRECTORY) == saved


@pytest.fixture(params=["memory", "mongo"])
async def onboardings(request: pytest.FixtureRequest, world: Any) -> Onboardings:
    if request.param == "memory":
        return world.onboardings
    return await MongoOnboardings.open(request.getfixturevalue("database"), ManualClock())


def begun(tenant: str = "contoso", *, due_in: int = 0) -> Onboarding:
    return Onboarding(tenant, changed_at=AT, looked_at=AT, due_at=AT + timedelta(seconds=due_in))


async def test_an_onboarding_is_found_as_it_was_saved(onboardings: Onboardings) -> None:
    times = {OnboardingStep.TENANT_CREATED: AT, OnboardingStep.INTEGRATION_CONFIGURED: AT + timedelta(seconds=1)}
    missing = Missing(OnboardingStep.CONSENT_EFFECTIVE, OnboardingCause.CONSENT_DECLINED, "access_denied")
    proven = BackupOutcome(run="run-1", state=JobState.PARTIAL, finished_at=AT)
    full = dataclasses.replace(begun(), reached=times, first_reached=times, missing=missing, test_backup=proven)
    saved = await onboardings.save(full)
    assert saved == dataclasses.replace(full, version=1)
    assert await onboardings.get("contoso") == saved
    assert await onboardings.get("fabrikam") is None
    plain = await onboardings.save(dataclasses.replace(begun(), version=1))
    assert await onboardings.get("contoso") == plain


async def test_of_many_who_save_an_onboarding_exactly_one_wins(onboardings: Onboardings) -> None:
    created = await asyncio.gather(*(onboardings.save(begun()) for _ in range(6)))
    assert sum(saved is not None for saved in created) == 1
    changed = await asyncio.gather(*(onboardings.save(dataclasses.replace(begun(), version=1)) for _ in range(6)))
    assert sum(saved is not None for saved in changed) == 1
    assert await onboardings.save(begun()) is None


async def test_due_onboardings_come_longest_due_first(onboardings: Onboardings) -> None:
    for number, due_in in enumerate((30, 10, 20, 90)):
        await onboardings.save(begun(f"t{number}", due_in=due_in))
    assert list(await onboardings.due(AT + timedelta(seconds=40), 9)) == ["t1", "t2", "t0"]
    assert list(await onboardings.due(AT + timedelta(seconds=40), 1)) == ["t1"]
    assert set(await onboardings.known(["t0", "t3", "nobody"])) == {"t0", "t3"}


@pytest.fixture(params=["memory", "mongo"])
async def offboardings(request: pytest.FixtureRequest, world: Any) -> Offboardings:
    if request.param == "memory":
        return world.offboardings
    return await MongoOffboardings.open(request.getfixturevalue("database"), ManualClock())


async def test_an_offboarding_is_found_as_it_was_saved_and_only_on_its_version(offboardings: Offboardings) -> None:
    deeds = (
        Deed(deed=OffboardingDeed.BEGUN, at=AT, by="anna"),
        Deed(deed=OffboardingDeed.EXPORTED, at=AT, by="b", note="n"),
    )
    keys = (KeyOfRepository(kind="transit", name="tenant-contoso", destroyed_at=AT, destroyed_by="x"),)
    full = Offboarding("contoso", OffboardingState.SHREDDING, deeds=deeds, keys=keys)
    saved = await offboardings.save(full)
    assert saved == dataclasses.replace(full, version=1)
    assert await offboardings.get("contoso") == saved
    assert await offboardings.get("fabrikam") is None
    assert await offboardings.save(full) is None
    changed = await asyncio.gather(*(offboardings.save(dataclasses.replace(full, version=1)) for _ in range(6)))
    assert sum(one is not None for one in changed) == 1


async def test_an_onboarding_and_its_event_are_one_write(database: Any) -> None:
    store = await MongoOnboardings.open(database, ManualClock())
    told = OnboardingChanged(tenant="contoso", at=AT, state=OnboardingStep.TENANT_CREATED, change=1)
    assert await store.save(begun(), [told]) is not None
    assert await store.save(begun(), [told]) is None
    document = await database["onboardings"].find_one({"_id": "contoso"})
    assert [waiting["subject"] for waiting in document[PENDING]] == ["m365.evt.v1.contoso.tenant.onboarding-changed"]


@pytest.fixture(params=["memory", "mongo"])
async def incidents(request: pytest.FixtureRequest, world: Any) -> Incidents:
    if request.param == "memory":
        return world.incidents
    return await MongoIncidents.open(request.getfixturevalue("database"), ManualClock())


def incident(number: int = 1, profile: Profile = Profile.DIRECTORY) -> Incident:
    return Incident(
        id=f"i{number}",
        tenant="contoso",
        profile=profile,
        opened_at=AT,
        opened_by="anna",
        client_id="app-1",
        record=2,
        security=DESK,
        timeline=(Entry(AT, IncidentStep.OPENED, "anna", "seen in a ticket"),),
        due_at=AT + timedelta(seconds=5),
    )


async def test_an_incident_is_found_as_it_was_saved(incidents: Incidents) -> None:
    saved = await incidents.save(incident())
    assert saved == dataclasses.replace(incident(), version=1)
    assert await incidents.get("contoso", "i1") == saved
    assert await incidents.open_for("contoso", Profile.DIRECTORY) == saved
    assert await incidents.get("fabrikam", "i1") is None
    assert list(await incidents.due(AT + timedelta(seconds=4), 9)) == []
    assert list(await incidents.due(AT + timedelta(seconds=5), 9)) == [saved]


async def test_of_a_profile_one_incident_is_open_at_most(incidents: Incidents) -> None:
    made = await asyncio.gather(*(incidents.save(incident(number)) for number in range(4)))
    (first,) = [saved for saved in made if saved is not None]
    assert await incidents.save(incident(8, Profile.EXCHANGE_BACKUP)) is not None
    closed = await incidents.save(first.closed("known", "berta", AT))
    assert closed is not None
    assert await incidents.open_for("contoso", Profile.DIRECTORY) is None
    assert await incidents.save(incident(9)) is not None
    assert [found.id for found in await incidents.page("contoso", None, 2)] == ["i9", "i8"]
    assert [found.id for found in await incidents.page("contoso", "i8", 2)] == [first.id]
    assert {found.id for found in await incidents.all_open()} == {"i8", "i9"}


async def test_an_incident_is_changed_on_the_version_that_was_read(incidents: Incidents) -> None:
    first = await incidents.save(incident())
    assert first is not None
    assert await incidents.save(first.told(IncidentStep.NOTED, "berta", AT, "one")) is not None
    assert await incidents.save(first.told(IncidentStep.NOTED, "carla", AT, "two")) is None
