"""What only documents know lies sealed in the repository, and comes back after they were lost."""

import itertools
from datetime import timedelta
from typing import Any

import pytest
from backup_fakes.employees import DirectoryInMemory, an_employee, an_entry
from backup_fakes.engine import EngineInMemory
from backup_fakes.fuse import Fuse

from backup_engine import NewItem, StorageUnreachable
from backup_service.adapters.mongo_catalogue import MongoCatalogue
from backup_service.adapters.mongo_kept_documents import MongoKeptDocuments
from backup_service.adapters.mongo_store import Store
from backup_service.usecases.audit_seals import ReadSeals
from backup_service.usecases.keep_documents import KeepDocuments
from backup_service.usecases.keep_employees import KeepEmployees
from chassis.testing.clock import ManualClock
from contracts.audit_chain import AuditHead, AuditSeals
from contracts.documents import ProfileRegistration, TenantDocuments
from contracts.employees import SyncSettings
from contracts.names import Profile
from contracts.operations.audit import AuditSealsOf
from contracts.operations.employees import Erasure
from contracts.problem import unavailable
from contracts.views import (
    BackupConfiguration,
    RestorePoint,
    StorageTarget,
    Tenant,
    Verification,
)

DAY = timedelta(days=1)


class World:
    """The documents of one tenant and its repository; `forget` loses the documents."""

    def __init__(self, store: Store, clock: ManualClock) -> None:
        self.store, self.clock = store, clock
        self.catalogue, self.kept = MongoCatalogue(store), MongoKeptDocuments(store, clock)
        self.repositories = EngineInMemory(Fuse())
        self.away = False
        self.audit = AuditHead(tenant="contoso", length=3, hash="3" * 64)
        self.seals = ReadSeals(self.catalogue, self.repositories)
        self.registered_at = clock.now()
        ids = itertools.count(1)

        def new_id() -> str:
            return f"01ARZ3NDEKTSV4RRFFQ{next(ids):07d}"

        self.directory = DirectoryInMemory()
        self.keep = KeepDocuments(
            self.kept,
            self.repositories,
            self.registration,
            self.audit_head,
            clock,
            employees=KeepEmployees(self.directory, clock, new_id),
            interval=DAY,
            new_id=new_id,
        )

    async def registration(self, tenant: str) -> TenantDocuments:
        if self.away:
            raise unavailable("token-service does not answer")
        registered = Tenant(tenant=tenant, entra_tenant_id="e", display_name="C", created_at=self.registered_at)
        profile = ProfileRegistration(profile=Profile.EXCHANGE_BACKUP, client_id="app-1")
        return TenantDocuments(tenant=registered, profiles=(profile,))

    async def audit_head(self, tenant: str) -> AuditHead:
        assert tenant == "contoso"
        return self.audit

    async def nobody(self, tenant: str) -> AuditHead:
        raise unavailable(f"monitor-service does not answer for {tenant}")

    async def add_target(self, target: str) -> StorageTarget:
        now = self.clock.now()
        place = {"endpoint": "https://s3.example", "bucket": "backups", "region": "x", "prefix": ""}
        made = StorageTarget(tenant="contoso", id=target, name="S3", **place, created_at=now, tested_at=now)
        await self.catalogue.add_target(made)
        return made

    async def configure(self, configuration: str, target: str) -> None:
        made = BackupConfiguration(
            tenant="contoso", id=configuration, name="nightly", target=target, sources=("mail",),
            retention_days=90, created_at=self.clock.now(),
        )  # fmt: skip
        await self.catalogue.add_configuration(made)

    async def back_up(self, configuration: str, number: int) -> str:
        repository = await self.repositories.open("contoso", "any")
        session_id = f"01ARZ3NDEKTSV4RRFFR{number:07d}"
        parents = repository.snapshots(f"{configuration}/anna")
        with repository.open_session(
            f"{configuration}/anna", session_id, parent=parents[0].id if parents else None
        ) as session:
            session.put_item(NewItem(f"m{number}", "mail", "1", ""), b"Subject: x\r\n\r\n")
            session.commit(
                b"cursor", listed=1, skipped=[], failed=[], label="anna@contoso.example",
                taken_at=self.clock.now() + timedelta(minutes=number), expires_at=self.clock.now() + 90 * DAY,
            )  # fmt: skip
        return session_id

    async def forget(self) -> None:
        for collection in (self.store.targets, self.store.configurations, self.store.restore_points):
            await collection.delete_many({})

    async def versions(self, service: str) -> list[dict[str, Any]]:
        return (await self.repositories.open("contoso", "any")).documents.versions(service)


@pytest.fixture
def world(store: Store, clock: ManualClock) -> World:
    return World(store, clock)


async def test_documents_are_exported_once_a_day_and_only_when_they_changed(world: World) -> None:
    await world.add_target("t1")
    await world.configure("c1", "t1")
    assert (await world.keep.due(), await world.keep.due()) == (1, 0)
    await world.clock.advance(DAY.total_seconds())
    assert (await world.keep.due(), len(await world.versions("backup-service"))) == (1, 1)
    await world.configure("c2", "t1")
    await world.clock.advance(DAY.total_seconds())
    assert await world.keep.due() == 1
    newest, oldest = await world.versions("backup-service")
    assert ([c["id"] for c in newest["configurations"]], len(oldest["configurations"])) == (["c1", "c2"], 1)
    (theirs,) = await world.versions("token-service")
    assert theirs["profiles"] == [{"profile": "exchange-backup", "client_id": "app-1"}]
    target = await world.catalogue.target("contoso", "t1")
    assert target is not None
    assert target.exported_at == world.clock.now()


async def test_only_configurations_of_the_target_lie_in_its_repository(world: World) -> None:
    for target, configuration in (("t1", "c1"), ("t2", "c2")):
        await world.add_target(target)
        await world.configure(configuration, target)
    assert [c.id for c in await world.kept.configurations_of(await world.add_target("t2"))] == ["c2"]


async def test_lost_documents_come_back_and_backups_go_on(world: World) -> None:
    await world.add_target("t1")
    await world.configure("c1", "t1")
    points = [await world.back_up("c1", n) for n in (1, 2)]
    await world.keep.due()
    before = await world.catalogue.configuration("contoso", "c1")
    await world.forget()

    await world.add_target("t9")
    await world.keep.due()  # the export of an empty target must not hide what was exported before
    asked = await world.kept.ask_recovery("contoso", "t9")
    assert asked is not None
    assert asked.recovery is not None
    assert asked.recovery.state == "waiting"
    assert await world.keep.due() == 1
    told = await world.catalogue.target("contoso", "t9")
    assert told is not None
    assert told.recovery is not None
    assert (told.recovery.state, told.recovery.configurations, told.recovery.restore_points) == ("done", 1, 2)
    assert before is not None
    assert await world.catalogue.configuration("contoso", "c1") == before.model_copy(update={"target": "t9"})
    listed = (await world.catalogue.restore_points("contoso", {"configuration": "c1"}, None, 10)).items
    assert [point.id for point in listed] == points[::-1]
    assert {(p.resource, p.resource_name, p.complete, p.verified) for p in listed} == {
        ("anna", "anna@contoso.example", True, ())
    }
    third = await world.back_up("c1", 3)
    snapshot = (await world.repositories.open("contoso", "t9")).snapshot("c1/anna", third)
    assert (snapshot.parent, snapshot.items) == (points[-1], 3)


async def test_recovering_again_changes_nothing_that_is_known_better(world: World) -> None:
    await world.add_target("t1")
    await world.configure("c1", "t1")
    point = await world.back_up("c1", 1)
    now = world.clock.now()
    better = RestorePoint(
        tenant="contoso", id=point, configuration="c1", resource="anna", taken_at=now, expires_at=now + DAY,
        complete=True, items=1, bytes=1, verified=(Verification(level=2, at=now, covered=1, denominator=1),),
    )  # fmt: skip
    await world.catalogue.add_restore_point(better)
    await world.keep.due()
    for _ in range(2):
        await world.kept.ask_recovery("contoso", "t1")
        await world.keep.due()
    assert await world.catalogue.restore_point("contoso", point) == better


async def test_of_two_workers_one_takes_a_target_and_a_dead_ones_comes_back(world: World) -> None:
    await world.add_target("t1")
    lease = timedelta(minutes=5)
    assert await world.kept.claim(lease) is not None
    assert await world.kept.claim(lease) is None
    await world.clock.advance(lease.total_seconds())
    assert await world.kept.claim(lease) is not None


async def test_a_failure_is_told_and_tried_again(world: World) -> None:
    await world.add_target("t1")
    await world.configure("c1", "t1")
    await world.kept.ask_recovery("contoso", "t1")
    world.repositories.error = StorageUnreachable("no answer")
    assert await world.keep.due() == 1
    told = await world.catalogue.target("contoso", "t1")
    assert told is not None
    assert told.recovery is not None
    assert (told.recovery.state, told.recovery.detail) == ("failed", "no answer")
    assert told.exported_at is None
    world.repositories.error = None
    world.away = True
    await world.clock.advance(300)
    assert (await world.keep.due(), await world.versions("backup-service")) == (1, [])
    world.away = False
    await world.clock.advance(300)
    assert (await world.keep.due(), len(await world.versions("backup-service"))) == (1, 1)


async def test_a_target_of_nobody_is_not_recovered(world: World) -> None:
    await world.add_target("t1")
    assert await world.kept.ask_recovery("contoso", "t2") is None
    assert await world.kept.ask_recovery("fabrikam", "t1") is None


async def test_the_head_of_the_audit_chain_is_sealed_once_a_day_and_stays_for_ever(world: World) -> None:
    await world.add_target("t1")
    started = world.clock.now().date()  # 2 March: two months with thirty-one days are among the next hundred
    for day in range(100):
        world.audit = AuditHead(tenant="contoso", length=day + 1, hash=f"{day:064d}")
        assert await world.keep.due() == 1
        await world.clock.advance(DAY.total_seconds())
    found, cursor = [], None
    for _ in range(20):
        page = await world.seals("contoso", AuditSealsOf(cursor=cursor))
        found += page.items
        cursor = page.cursor
        if cursor is None:
            break
    assert {seal.target for seal in found} == {"t1"}
    assert [(seal.length, seal.hash) for seal in found] == [(day + 1, f"{day:064d}") for day in range(100)]
    assert [seal.sealed_on for seal in found] == [started + timedelta(days=day) for day in range(100)]
    assert await world.seals("fabrikam", AuditSealsOf()) == AuditSeals(items=())


async def test_a_silent_monitor_service_delays_the_seal_and_nothing_else(world: World) -> None:
    await world.add_target("t1")
    sealed, world.keep._audit_heads = world.keep._audit_heads, world.nobody
    await world.keep.due()
    assert len(await world.versions("token-service")) == 1
    world.keep._audit_heads = sealed
    await world.clock.advance(300)
    await world.keep.due()
    assert [seal.length for seal in (await world.seals("contoso", AuditSealsOf())).items] == [3]


async def test_seals_are_read_from_what_answers_and_the_rest_is_named(world: World, monkeypatch: Any) -> None:
    await world.add_target("t1")
    await world.keep.due()
    await world.add_target("t2")
    opened = world.repositories.open

    async def open_(tenant: str, target: str) -> Any:
        if target == "t2":
            raise StorageUnreachable("nobody answers")
        return await opened(tenant, target)

    monkeypatch.setattr(world.repositories, "open", open_)
    page = await world.seals("contoso", AuditSealsOf())
    assert ([seal.target for seal in page.items], page.unread) == (["t1"], ("t2",))


async def test_what_is_kept_of_employees_is_sealed_once_and_only_when_it_changed(world: World) -> None:
    await world.add_target("t1")
    now, directory = world.clock.now(), world.directory
    directory.life = "first"
    for identity in ("a1", "a2", "b1", "zoe"):
        directory.people[identity] = an_employee(identity, now, remote_worker=True)
    directory.log = [an_entry("e1", now - 60 * DAY), an_entry("e2", now)]
    for _ in range(2):
        await world.keep.due()
        await world.clock.advance(DAY.total_seconds())
    kept = {
        name: await world.versions(f"sync-service-{name}") for name in ("employees-a", "employees-b", "employees-x")
    }
    assert {name: [one["id"] for one in only["employees"]] for name, (only,) in kept.items()} == {
        "employees-a": ["a1", "a2"],
        "employees-b": ["b1"],
        "employees-x": ["zoe"],
    }
    (head,) = await world.versions("sync-service")
    assert (head["life"], head["settings"]["every_hours"], head["erasures"]) == ("first", 6, [])
    months = [f"sync-service-activity-{at:%Y-%m}" for at in (now - 60 * DAY, now)]
    (old,), (new,) = [await world.versions(month) for month in months]
    assert ([one["id"] for one in old["entries"]], old["closed"]) == (["e1"], True)
    assert ([one["id"] for one in new["entries"]], new["closed"]) == (["e2"], False)
    del directory.people["b1"]
    await world.keep.due()
    assert (await world.versions("sync-service-employees-b"))[0]["employees"] == []


async def test_months_that_are_over_are_read_once(world: World) -> None:
    await world.add_target("t1")
    now, directory = world.clock.now(), world.directory
    directory.life = "first"
    directory.log = [an_entry(f"e{month}", now - 31 * month * DAY) for month in range(6)]
    await world.keep.due()
    assert len(directory.read) == 6
    await world.clock.advance(DAY.total_seconds())
    await world.keep.due()
    assert directory.read[6:] == ["e0", "e1"]


async def test_what_was_kept_of_employees_is_handed_back_whatever_was_kept_since(world: World) -> None:
    await world.add_target("t1")
    now, directory = world.clock.now(), world.directory
    directory.life, directory.settings = "first", SyncSettings(every_hours=12)
    for number in range(5):
        directory.people[f"a{number}"] = an_employee(f"a{number}", now, gdpr_exempt=True, gdpr_reason="court")
    directory.erased = [
        Erasure(tenant="contoso", employee="b1", erased_at=now, erased_by="hr", reason="asked for", activities=3)
    ]
    directory.log = [an_entry("e1", now)]
    await world.keep.due()
    people = list(directory.people.values())
    directory.loses_everything("second")
    directory.people["a1"] = an_employee("a1", now, remote_worker=True)
    await world.clock.advance(DAY.total_seconds())
    await world.keep.due()
    await world.kept.ask_recovery("contoso", "t1")
    await world.keep.due()
    told = await world.catalogue.target("contoso", "t1")
    assert told is not None
    assert told.recovery is not None
    assert (told.recovery.state, told.recovery.employees) == ("done", 5)
    assert {part.life for part in directory.parts} == {"first"}
    assert [part.erasures[0].employee for part in directory.parts[:1]] == ["b1"], "before anybody comes back"
    assert [one for part in directory.parts for one in part.employees] == people
    assert [one.id for part in directory.parts for one in part.activity] == ["e1"]
    last = directory.parts[-1]
    assert (last.last, last.settings, [part.last for part in directory.parts].count(True)) == (
        True,
        SyncSettings(every_hours=12),
        1,
    )


async def test_a_directory_that_lost_nothing_gets_nothing_back(world: World) -> None:
    await world.add_target("t1")
    world.directory.life = "first"
    world.directory.people["a1"] = an_employee("a1", world.clock.now(), remote_worker=True)
    await world.keep.due()
    await world.kept.ask_recovery("contoso", "t1")
    await world.keep.due()
    assert world.directory.parts == []


async def test_a_silent_sync_service_delays_its_own_part_and_nothing_else(world: World) -> None:
    await world.add_target("t1")
    world.directory.life, world.directory.silent = "first", True
    await world.keep.due()
    assert len((await world.seals("contoso", AuditSealsOf())).items) == 1
    assert await world.versions("sync-service") == []
    world.directory.silent = False
    await world.clock.advance(300)
    await world.keep.due()
    assert len(await world.versions("sync-service")) == 1


async def test_many_employees_are_handed_back_in_parts_that_fit_into_a_message(world: World) -> None:
    await world.add_target("t1")
    now, directory = world.clock.now(), world.directory
    directory.life = "first"
    reason = "x" * 500
    for number in range(400):
        directory.people[f"a{number:03}"] = an_employee(f"a{number:03}", now, gdpr_exempt=True, gdpr_reason=reason)
    await world.keep.due()
    directory.loses_everything("second")
    await world.kept.ask_recovery("contoso", "t1")
    await world.keep.due()
    assert max(len(part.model_dump_json()) for part in directory.parts) < 256 * 1024
    assert sum(len(part.employees) for part in directory.parts) == 400
