"""Legal holds from a request to the repository, on the real documents and the real engine."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from backup_fakes.asking import asking
from backup_fakes.engine import EngineInMemory
from backup_fakes.fuse import Fuse

from backup_engine.errors import StorageUnreachable
from backup_engine.holds import is_expired
from backup_engine.storage import LockMode, MemoryStorage
from backup_service.adapters.error_classes import Judgement
from backup_service.usecases.legal_holds import HoldDesk
from backup_service.usecases.manage import Manage
from contracts.names import LegalHoldState
from contracts.problem import ProblemError
from contracts.rpc import CreateConfiguration, CreateTarget, PlaceLegalHold, ReleaseLegalHold
from contracts.views import LegalHold, RestorePoint

FOREVER = datetime(2100, 1, 1, tzinfo=UTC)
SESSIONS = ("01KJPRZB00HX6XV8A99HSWY9BD", "01KJPRZB00HX6XV8A99HSWY9BE")


class Court:
    """One target on a locking storage with a restore point of each of two mailboxes."""

    def __init__(self, planner: Any) -> None:
        self.planner = planner
        self.engine = EngineInMemory(Fuse())
        self.engine.storage = MemoryStorage(lock=LockMode.COMPLIANCE, clock=planner.clock.now)
        self.desk = self.restarted()
        self.points: list[RestorePoint] = []
        self.configuration = ""

    def restarted(self) -> HoldDesk:
        """The desk of another process."""
        planner = self.planner
        return HoldDesk(planner.custody, planner.catalogue, self.engine, judge=Judgement(10.0), clock=planner.clock)

    async def set_up(self) -> None:
        planner = self.planner
        manage = Manage(planner.catalogue, self.engine, planner.clock)
        where = CreateTarget(id="t1", name="Our S3", endpoint="https://s3.example", bucket="backups")
        await manage.create_target("contoso", asking(), where)
        wanted = CreateConfiguration(name="Mail", target="t1")
        configuration = await planner.configure.create("contoso", asking("req-1"), wanted)
        self.configuration = configuration.id
        for identity, resource in zip(SESSIONS, ("anna", "bert"), strict=True):
            self.points.append(await self.back_up(identity, resource))

    async def back_up(self, identity: str, resource: str) -> RestorePoint:
        repository = await self.engine.open("contoso", "t1")
        now = self.planner.clock.now()
        expires_at = now + timedelta(days=30)
        with repository.open_session(f"{self.configuration}/{resource}", identity, parent=None) as session:
            session.commit(b"", listed=0, skipped=[], failed=[], expires_at=expires_at, taken_at=now)
        facts = {"tenant": "contoso", "configuration": self.configuration, "taken_at": now, "expires_at": expires_at}
        point = RestorePoint(id=identity, resource=resource, complete=True, items=0, bytes=0, **facts)
        await self.planner.catalogue.add_restore_point(point)
        return point

    async def place(self, request: str = "r1", **scope: Any) -> LegalHold:
        wanted = PlaceLegalHold(**(scope or {"restore_point": SESSIONS[0]}), reason="lawsuit")
        return await self.desk.place("contoso", asking(request), wanted)

    async def release(self, hold: LegalHold, by: str = "judge") -> LegalHold:
        return await self.desk.release("contoso", asking(by=by), ReleaseLegalHold(id=hold.id, reason="settled"))

    async def state(self, hold: LegalHold) -> LegalHold:
        found = await self.planner.custody.legal_hold("contoso", hold.id)
        assert found is not None
        return found

    async def held(self) -> list[bool]:
        """As the API shows it, in order of the mailboxes."""
        return [point.held for point in await self.desk.shown("contoso", self.points)]

    async def kept(self) -> list[bool]:
        """As the engine decides it, a hundred years on."""
        repository = await self.engine.open("contoso", "t1")
        holds = repository.custody.holds()
        points = sorted(repository.snapshots(), key=lambda snapshot: snapshot.id)
        return [not is_expired(point, FOREVER, holds) for point in points]

    def locked(self) -> int:
        storage = self.engine.storage
        return sum(storage.retention(info.key).held for info in storage.list(""))


@pytest.fixture
async def court(planner: Any) -> Court:
    made = Court(planner)
    await made.set_up()
    return made


@pytest.mark.parametrize(
    ("scope", "kept"),
    [
        ({"restore_point": SESSIONS[0]}, [True, False]),
        ({"configuration": "", "resource": "bert"}, [False, True]),
        ({"target": "t1"}, [True, True]),
    ],
)
async def test_a_hold_is_in_force_when_the_repository_knows_it(court: Court, scope: Any, kept: list[bool]) -> None:
    if "configuration" in scope:
        scope = {**scope, "configuration": court.points[0].configuration}
    hold = await court.place(**scope)
    assert (hold.state, hold.placed_by, hold.target) == (LegalHoldState.PLACING, "anna", "t1")
    assert await court.held() == [False, False]  # not before it is true
    assert await court.desk.due() == 1
    assert (await court.state(hold)).state is LegalHoldState.ACTIVE
    assert await court.held() == await court.kept() == kept
    assert court.locked() >= 4  # config, keys, snapshot, hold
    assert await court.desk.due() == 0

    released = await court.release(hold)
    assert (released.state, released.released_by) == (LegalHoldState.RELEASING, "judge")
    assert await court.held() == kept  # until it is lifted
    await court.desk.due()
    assert (await court.state(hold)).state is LegalHoldState.RELEASED
    assert await court.held() == await court.kept() == [False, False]
    assert court.locked() == 0
    repository = await court.engine.open("contoso", "t1")
    assert [(one.id, one.active) for one in repository.custody.holds()] == [(hold.id, False)]


async def test_a_request_that_comes_twice_places_one_hold_and_the_first_release_counts(court: Court) -> None:
    one, again, other = await court.place(), await court.place(), await court.place("r2")
    assert one == again
    assert other.id != one.id
    listed = await court.desk.listing("contoso", None, 1)
    rest = await court.desk.listing("contoso", listed.cursor, 10)
    assert {hold.id for hold in (*listed.items, *rest.items)} == {one.id, other.id}
    await court.desk.due()
    await court.release(one)
    assert (await court.release(one, by="late")).released_by == "judge"
    await court.desk.due()
    assert await court.held() == await court.kept() == [True, False]  # the other one still holds it


async def test_storage_that_is_away_is_waited_for(court: Court) -> None:
    hold = await court.place()
    court.engine.error = StorageUnreachable("no route")
    await court.desk.due()
    waiting = await court.state(hold)
    assert (waiting.state, waiting.detail) == (LegalHoldState.PLACING, "no route")
    assert await court.desk.due() == 0  # not before its time
    court.engine.error = None
    await court.planner.clock.advance(11)
    await court.desk.due()
    applied = await court.state(hold)
    assert (applied.state, applied.detail) == (LegalHoldState.ACTIVE, "")


async def test_a_process_that_dies_with_a_hold_in_hand_is_followed_by_another(court: Court) -> None:
    hold = await court.place()
    now = court.planner.clock.now()
    assert await court.planner.custody.postpone_legal_hold(hold, now + timedelta(minutes=10))  # and then it dies
    assert await court.restarted().due() == 0
    await court.planner.clock.advance(601)
    assert await court.restarted().due() == 1
    assert (await court.state(hold)).state is LegalHoldState.ACTIVE


async def test_what_is_made_under_a_lasting_hold_is_held_too(court: Court) -> None:
    hold = await court.place(target="t1")
    await court.desk.due()
    before = court.locked()
    later = await court.back_up("01KJPRZB00HX6XV8A99HSWY9BF", "carl")
    assert (await court.desk.shown("contoso", [later]))[0].held
    assert await court.kept() == [True, True, True]
    await court.planner.clock.advance(7 * 24 * 3600 + 1)
    assert await court.desk.due() == 1
    assert court.locked() == before + 1  # its snapshot
    assert (await court.state(hold)).state is LegalHoldState.ACTIVE


async def test_a_hold_released_before_it_was_in_force_leaves_nothing(court: Court) -> None:
    hold = await court.place()
    await court.release(hold)
    await court.desk.due()
    assert (await court.state(hold)).state is LegalHoldState.RELEASED
    assert await court.kept() == [False, False]


async def test_a_restore_point_that_has_gone_is_said(court: Court) -> None:
    hold = await court.place()
    name = next(info.key for info in court.engine.storage.list("snapshots/") if info.key.endswith(SESSIONS[0]))
    del court.engine.storage.objects[name]
    await court.desk.due()
    failed = await court.state(hold)
    assert failed.state is LegalHoldState.FAILED
    assert SESSIONS[0] in failed.detail
    assert await court.held() == [False, False]
    with pytest.raises(ProblemError, match="never in force"):
        await court.release(hold)


@pytest.mark.parametrize(
    ("scope", "status"),
    [
        ({"restore_point": "unknown"}, 404),
        ({"target": "unknown"}, 404),
        ({"configuration": "unknown", "resource": "anna"}, 404),
        ({"configuration": "c1"}, 422),
        ({"target": "t1", "restore_point": SESSIONS[0]}, 422),
    ],
)
async def test_what_a_hold_cannot_cover_is_refused(court: Court, scope: Any, status: int) -> None:
    with pytest.raises(ProblemError) as refused:
        await court.place(**scope)
    assert refused.value.problem.status == status


async def test_a_tenant_holds_and_releases_only_its_own(court: Court) -> None:
    hold = await court.place()
    foreign = PlaceLegalHold(restore_point=SESSIONS[0], reason="curious")
    with pytest.raises(ProblemError, match="not-found"):
        await court.desk.place("fabrikam", asking("r1", "eve"), foreign)
    with pytest.raises(ProblemError, match="not-found"):
        await court.desk.release("fabrikam", asking(by="eve"), ReleaseLegalHold(id=hold.id, reason="curious"))
    assert (await court.desk.listing("fabrikam", None, 10)).items == ()
