"""Repositories as the processes open them: storage over S3, keys in a vault, the customer's recovery key."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from backup_engine import KeyUnavailable, NewItem, ObjectLocked, RecoveryKey, Repository, Tuning
from backup_engine.retention import Scheme
from backup_engine.storage import LockMode
from backup_engine.testing.seaweed import BUCKET, LOCK_BUCKET, SeaweedServer
from backup_engine.testing.tunnel import Tunnel
from backup_service.adapters.engine_repositories import EngineRepositories
from backup_service.adapters.mongo_catalogue import MongoCatalogue
from backup_service.adapters.mongo_store import Store
from backup_service.usecases.manage import Manage
from chassis.testing.clock import ManualClock
from chassis.testing.vault import MemoryVault
from contracts.caller import Caller
from contracts.rpc import RenewTarget

CALLER = Caller("anna", ("operator",), "request-1")
DOCUMENT = {"tenant": "contoso", "id": "t1", "bucket": "tenantkeep", "region": "us-east-1"}


SESSION = "01KJPRZB00HX6XV8A99HSWY9BD"


@pytest.fixture(scope="module")
def seaweed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeaweedServer]:
    with SeaweedServer(tmp_path_factory.mktemp("seaweed")) as server:
        yield server


class World:
    """One tenant with one target; `open` is what a fresh process does."""

    def __init__(self, store: Store, seaweed: SeaweedServer, folder: Path) -> None:
        self.store, self.seaweed, self.folder = store, seaweed, folder
        self.prefix = f"contoso/{folder.name}"
        self.vault = MemoryVault(ManualClock())

    async def prepare(self) -> None:
        access_key, secret_key = self.seaweed.credentials("contoso")
        await self.vault.transit_create_key("tenant-contoso")
        await self.vault.kv_create("tenants/contoso/storage/t1", {"access_key": access_key, "secret_key": secret_key})
        place = {"_id": "contoso/t1", "endpoint": f"https://{self.seaweed.endpoint}", "prefix": self.prefix}
        await self.store.targets.insert_one({**DOCUMENT, **place})

    async def give(self, key: RecoveryKey) -> None:
        await self.vault.kv_write("tenants/contoso/recovery-key", {"public_key": key.public.text})

    def process(self) -> EngineRepositories:
        return EngineRepositories(self.store, self.vault, self.seaweed.ca_file, Tuning(folder=self.folder))

    def by(self, key: RecoveryKey) -> Repository:
        storage = self.seaweed.storage("contoso", f"{self.prefix}/contoso")
        return Repository.open(storage, key, tenant="contoso")

    async def shown(self) -> str:
        document: Any = await self.store.targets.find_one({"_id": "contoso/t1"})
        return str(document.get("recovery_key", ""))


@pytest.fixture
async def world(store: Store, seaweed: SeaweedServer, tmp_path: Path) -> World:
    made = World(store, seaweed, tmp_path)
    await made.prepare()
    return made


async def test_a_target_shows_as_immutable_only_when_its_storage_proves_it(world: World) -> None:
    place = {**DOCUMENT, "endpoint": f"https://{world.seaweed.endpoint}", "prefix": world.prefix}
    for bucket, proved in ((LOCK_BUCKET, True), (BUCKET, False)):
        where = {**place, "bucket": bucket, "lock": LockMode.COMPLIANCE}
        steps = await world.process().probe("contoso", "t1", where)
        assert {step.name: step.ok for step in steps}["lock"] is proved, steps


async def test_what_a_locking_target_keeps_cannot_be_deleted_with_its_own_credentials(world: World) -> None:
    lock = {"bucket": LOCK_BUCKET, "lock": LockMode.GOVERNANCE.value}
    await world.store.targets.update_one({"_id": "contoso/t1"}, {"$set": lock})
    repository = await world.process().open("contoso", "t1")
    now = datetime.now(UTC)
    kept = repository.custody.decide("c1/anna", Scheme.parse("90d"), now, complete=True)
    with repository.open_session("c1/anna", SESSION, parent=None, keep_until=kept.expires_at) as session:
        session.put_item(NewItem("m1", "mail", "1", ""), b"Subject: hello\r\n\r\nbody\r\n")
        snapshot = session.commit(
            b"", listed=1, skipped=[], failed=[], taken_at=now, expires_at=kept.expires_at, retention_class=kept.name
        )
    assert list((world.folder / "objects").iterdir())  # what the next process need not fetch
    assert snapshot.locked_until is not None
    assert snapshot.locked_until >= kept.expires_at
    storage = world.seaweed.storage("contoso", f"{world.prefix}/contoso", lock=LockMode.GOVERNANCE)
    names = [info.key for info in storage.list("")]
    assert {name.split("/")[0] for name in names} == {"config", "keys", "data", "index", "manifests", "snapshots"}
    for name in names:
        with pytest.raises(ObjectLocked):
            storage.delete(name)
    storage.close()


async def test_a_target_behind_a_proxy_is_tested_and_used_through_it(world: World) -> None:
    host, _, port = world.seaweed.endpoint.partition(":")
    with Tunnel((host, int(port))) as tunnel:
        through = {"proxy": tunnel.url, "rate_limit": 50_000_000}
        await world.store.targets.update_one({"_id": "contoso/t1"}, {"$set": through})
        place = {**DOCUMENT, "endpoint": f"https://{world.seaweed.endpoint}", "prefix": world.prefix, **through}
        assert all(step.ok for step in await world.process().probe("contoso", "t1", place))
        tested = len(tunnel.hosts)
        assert tested
        await world.process().open("contoso", "t1")
        assert len(tunnel.hosts) > tested


async def test_the_recovery_key_opens_what_a_process_creates(world: World) -> None:
    key = RecoveryKey.generate()
    await world.give(key)
    await world.process().open("contoso", "t1")
    assert world.by(key).tenant == "contoso"
    assert await world.shown() == key.public.fingerprint


async def test_a_tenant_without_one_is_warned_about_and_gets_it_later(world: World) -> None:
    process, key = world.process(), RecoveryKey.generate()
    with capture_logs() as logs:
        await process.open("contoso", "t1")
        await process.open("contoso", "t1")
    assert [entry["log_level"] for entry in logs if "no recovery key" in entry["event"]] == ["warning"]
    assert await world.shown() == ""
    await world.give(key)
    await process.open("contoso", "t1")  # the same process goes on
    assert world.by(key).tenant == "contoso"


async def test_a_replaced_recovery_key_is_taken_by_the_next_job(world: World) -> None:
    process, first, second = world.process(), RecoveryKey.generate(), RecoveryKey.generate()
    await world.give(first)
    repository = await process.open("contoso", "t1")
    await world.give(second)
    assert await process.open("contoso", "t1") is repository
    assert world.by(second).tenant == "contoso"
    with pytest.raises(KeyUnavailable):
        world.by(first)
    assert await world.shown() == second.public.fingerprint


async def test_a_vault_that_was_replaced_is_said_plainly(world: World) -> None:
    await world.process().open("contoso", "t1")
    world.vault._wrapped.clear()
    with pytest.raises(KeyUnavailable, match="was the vault replaced"):
        await world.process().open("contoso", "t1")


async def test_a_recovery_key_that_is_none_stops_the_job(world: World) -> None:
    await world.vault.kv_write("tenants/contoso/recovery-key", {"public_key": "x25519:" + "A" * 43 + "="})
    with pytest.raises(KeyUnavailable, match="replace it"):
        await world.process().open("contoso", "t1")


@pytest.fixture
async def saved(world: World) -> MongoCatalogue:
    """The target as the catalogue knows it."""
    facts = {
        "name": "Our S3",
        "created_at": datetime(2026, 3, 2, tzinfo=UTC),
        "tested_at": datetime(2026, 3, 2, tzinfo=UTC),
    }
    await world.store.targets.update_one({"_id": "contoso/t1"}, {"$set": facts})
    return MongoCatalogue(world.store)


async def test_renewed_credentials_are_used_from_the_next_opening_on_and_who_works_goes_on(
    world: World, saved: MongoCatalogue
) -> None:
    process, manage = world.process(), Manage(saved, world.process(), ManualClock())
    before = await process.open("contoso", "t1")
    good, _ = await world.vault.kv_read("tenants/contoso/storage/t1") or ({}, 0)
    await world.vault.kv_create("tenants/contoso/storage/wrong", {**good, "secret_key": "wrong"})
    await world.vault.kv_create("tenants/contoso/storage/new", good)
    refused = await manage.renew_credentials("contoso", CALLER, RenewTarget(id="t1", credentials="wrong"))
    assert refused.target is None
    assert await process.open("contoso", "t1") is before
    wanted = RenewTarget(id="t1", credentials="new")
    done = await manage.renew_credentials("contoso", CALLER, wanted)
    assert done.target is not None
    assert (done.target.credentials, done.target.retired) == ("new", ("t1",))
    again = await manage.renew_credentials("contoso", CALLER, wanted)
    assert (again.target, again.steps) == (done.target, ())
    await world.vault.kv_delete("tenants/contoso/storage/t1")
    after = await process.open("contoso", "t1")
    assert after is not before
    for repository in (before, after):
        assert await asyncio.to_thread(repository.snapshots) == []
    assert await world.process().open("contoso", "t1")


async def test_of_two_renewals_at_once_one_counts(saved: MongoCatalogue) -> None:
    target = await saved.target("contoso", "t1")
    assert target is not None
    assert await saved.change_target(target, {"credentials": "one"})
    assert not await saved.change_target(target, {"credentials": "two"})
    now = await saved.target("contoso", "t1")
    assert now is not None
    assert now.credentials == "one"
