"""Saved on the version that was read, or not at all; the events in the same write."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr

from chassis.documents import SCHEMA, Collection, connect, open_collection
from chassis.pending import PENDING, PENDING_SINCE
from chassis.settings import ServiceSettings
from chassis.testing.clock import START, ManualClock
from chassis.testing.servers import SecantusProcess
from chassis.versioned import VersionedDocuments
from contracts.events.tokens import TokenRefreshed


@pytest.fixture
async def collection(settings: ServiceSettings, secantus: SecantusProcess) -> AsyncIterator[Collection]:
    password = SecretStr("alpha-password")
    user = {"mongo_url": secantus.url, "mongo_user": "alpha", "mongo_password": password}
    db = connect(settings.model_copy(update=user), "alpha")
    yield await open_collection(db, "versioned", 3, {}, [])
    await db.drop_collection("versioned")
    db.client.close()


@pytest.fixture
def documents(collection: Collection, clock: ManualClock) -> VersionedDocuments:
    return VersionedDocuments(collection, clock, schema=3, source="alpha")


async def test_a_first_version_is_stored_with_schema_and_events(
    collection: Collection, documents: VersionedDocuments
) -> None:
    assert await documents.save("a", {"version": 1, "name": "first"}, [refreshed()])
    stored = await collection.find_one({"_id": "a"})
    assert stored is not None
    assert (stored["version"], stored["name"], stored[SCHEMA]) == (1, "first", 3)
    assert [event["subject"] for event in stored[PENDING]] == [refreshed().subject()]
    assert stored[PENDING_SINCE] == START


async def test_the_next_version_replaces_what_it_names_and_drops_what_is_gone(
    collection: Collection, documents: VersionedDocuments
) -> None:
    await documents.save("a", {"version": 1, "name": "first", "slot": "taken"})
    assert await documents.save("a", {"version": 2, "name": "second"}, [refreshed()], dropped=["slot"])
    stored = await collection.find_one({"_id": "a"})
    assert stored is not None
    assert (stored["version"], stored["name"], len(stored[PENDING])) == (2, "second", 1)
    assert "slot" not in stored


@pytest.mark.parametrize("version", [1, 2, 4])
async def test_who_read_another_version_changes_nothing_and_publishes_nothing(
    collection: Collection, documents: VersionedDocuments, version: int
) -> None:
    await documents.save("a", {"version": 1, "name": "first"})
    await documents.save("a", {"version": 2, "name": "second"})
    before = await collection.find_one({"_id": "a"})
    assert not await documents.save("a", {"version": version, "name": "late"}, [refreshed()])
    assert await collection.find_one({"_id": "a"}) == before


async def test_of_many_at_once_one_wins(collection: Collection, documents: VersionedDocuments) -> None:
    await documents.save("a", {"version": 1, "writer": -1})
    saved = await asyncio.gather(*(documents.save("a", {"version": 2, "writer": number}) for number in range(8)))
    stored = await collection.find_one({"_id": "a"})
    assert stored is not None
    assert [number for number, won in enumerate(saved) if won] == [stored["writer"]]


def refreshed() -> TokenRefreshed:
    return TokenRefreshed(
        tenant="contoso", at=START, profile="directory", generation=1, expires_at=START, fingerprint="f" * 16
    )
