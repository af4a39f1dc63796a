"""Whatever happens in whatever order: after the next finished sync the employees equal Microsoft 365, logged once.

Microsoft 365 changes, people edit local fields and change profiles, tokens are lost and come back, the process dies at
any step outside itself, and requests and cursors are repeated. What a seed does is printed by hypothesis when it fails.
"""

import asyncio
from collections import Counter
from contextlib import suppress
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sync_fakes.service import TENANT, MemoryService

from contracts.caller import Caller
from contracts.employee_changes import ProfileChange
from contracts.employees import SYNCHRONISED, LocalFields
from contracts.names import JobState, Role, SyncKind
from contracts.problem import ProblemError
from graph_client.errors import TokenUnavailable, Unreachable
from sync_service.domain.employee import Author, Reading, edited, refreshed
from sync_service.domain.runs import Run, queued

USERS = ("anna", "bert", "carl", "dora", "emil", "fritz")
GROUPS = {"g-admin": "KlarKonform-contoso-Admin", "g-hr": "KlarKonform-contoso-HR", "g-team": "Team"}
HR = Author("hr@contoso", "local")
OFFICE = Caller("admin@contoso", ("admin",), "request-1")


class Death(BaseException):
    """The process is gone: nothing in it catches this."""


user = st.sampled_from(USERS)
value = st.sampled_from(["A", "B", "C", None])
action = st.one_of(
    st.tuples(st.just("set"), user, st.sampled_from(["department", "display_name", "city"]), value),
    st.tuples(st.just("rename"), user, st.sampled_from(["one@x.example", "two@x.example", "three@x.example", None])),
    st.tuples(st.just("enable"), user, st.booleans()),
    st.tuples(st.just("delete"), user),
    st.tuples(st.just("recreate"), user),
    st.tuples(st.just("enrol"), st.sampled_from(sorted(GROUPS)), st.sampled_from([*USERS, "g-team"]), st.booleans()),
    st.tuples(st.just("void")),
    st.tuples(st.just("edit"), user, st.sampled_from(["freelancer", "employee", None])),
    st.tuples(st.just("profile"), user, st.sampled_from(["Bonn", "Mainz"])),
    st.tuples(st.just("token"), st.integers(0, 6)),
    st.tuples(st.just("outage"), st.integers(0, 6)),
    st.tuples(st.just("die"), st.integers(0, 40)),
    st.tuples(st.just("meanwhile"), st.integers(0, 15), user, value),
    st.tuples(st.just("sync"), st.sampled_from([SyncKind.FULL, SyncKind.INCREMENTAL])),
    st.tuples(st.just("sync user"), user),
    st.tuples(st.just("replay")),
)


class World:
    """One tenant, and what people did here; everything that happens is an action of the list."""

    def __init__(self) -> None:
        self.service = MemoryService()
        self.local: dict[str, LocalFields] = {}
        self.lives: Counter[str] = Counter()
        self.requests: list[Run] = []
        self.steps_left: dict[str, Any] = {}
        self.updates = 0
        for group, name in GROUPS.items():
            self.service.directory.add_group(group, name)
        for name in USERS[:3]:
            self.service.directory.put(name, display_name=name, primary_mail=f"{name}@x.example")
        self.service.fuse = self._step

    def identity(self, name: str) -> str:
        return name if not self.lives[name] else f"{name}-{self.lives[name]}"

    async def does(self, what: tuple[Any, ...]) -> None:
        name, arguments = what[0].replace(" ", "_"), what[1:]
        await getattr(self, f"_{name}")(*arguments)
        await self.service.clock.advance(1)

    async def _set(self, name: str, field: str, new: str | None) -> None:
        if self.identity(name) in self.service.directory.users:
            self.service.directory.put(self.identity(name), **{field: new})

    async def _rename(self, name: str, mail: str | None) -> None:
        self.service.directory.put(self.identity(name), primary_mail=mail)

    async def _enable(self, name: str, enabled: bool) -> None:  # noqa: FBT001 - a drawn value
        if self.identity(name) in self.service.directory.users:
            self.service.directory.put(self.identity(name), account_enabled=enabled)

    async def _delete(self, name: str) -> None:
        self.service.directory.delete(self.identity(name))

    async def _recreate(self, name: str) -> None:
        self.service.directory.delete(self.identity(name))
        self.lives[name] += 1
        self.service.directory.put(self.identity(name), display_name=name, primary_mail=f"{name}@x.example")

    async def _enrol(self, group: str, member: str, leave: bool) -> None:  # noqa: FBT001 - a drawn value
        self.service.directory.enrol(group, member if member in GROUPS else self.identity(member), leave=leave)

    async def _void(self) -> None:
        self.service.directory.void_links()

    async def _edit(self, name: str, kind: str | None) -> None:
        record = self.service.employees.records.get((TENANT, self.identity(name)))
        if record is None:
            return
        local = LocalFields(employee_type=kind, entry_date=date(2026, 1, 1))
        change = edited(record, local, author=HR, now=self.service.clock.now())
        fuse, self.service.fuse = self.service.fuse, lambda _step: None
        if change is not None and not await self.service.employees.save([change]):
            self.local[record.id] = local
        self.service.fuse = fuse

    async def _profile(self, name: str, city: str) -> None:
        """Somebody changes a profile here; the process may die at any step of that, too."""
        failing, self.service.directory.failing = self.service.directory.failing, lambda: None
        dying, self.updates = "die" in self.steps_left, self.updates + 1
        change = self.service.app.change_profile(
            TENANT, self.identity(name), ProfileChange(city=city), request=f"p-{self.updates}", caller=OFFICE
        )
        with suppress(ProblemError, Death):
            await self.service.clock.run(change)
        if dying and "die" not in self.steps_left:
            self.service.restart()
        self.service.directory.failing = failing

    async def _token(self, requests: int) -> None:
        self._fail(requests, TokenUnavailable("expired"))

    async def _outage(self, requests: int) -> None:
        self._fail(requests, Unreachable("no answer"))

    def _fail(self, after: int, error: TokenUnavailable | Unreachable) -> None:
        begun = self.service.directory.requests
        self.service.directory.failing = lambda: error if self.service.directory.requests > begun + after else None

    async def _die(self, steps: int) -> None:
        self.steps_left["die"] = steps

    async def _meanwhile(self, steps: int, name: str, new: str | None) -> None:
        self.steps_left["meanwhile"] = steps
        self.meant = (name, new)

    async def _sync(self, kind: SyncKind, users: tuple[str, ...] = ()) -> None:
        now, number = self.service.clock.now(), len(self.requests)
        run = Run(TENANT, f"run-{number}", kind, now, by="crm", users=users)
        self.requests.append(run)
        await self._ask(run)
        await self._work()

    async def _sync_user(self, name: str) -> None:
        await self._sync(SyncKind.USERS, (self.identity(name),))

    async def _replay(self) -> None:
        for run in self.requests[-2:]:
            await self._ask(run)
        await self._work()

    async def _ask(self, run: Run) -> None:
        try:
            await self.service.runs.add(*queued(run, self.service.clock.now()))
        except Death:
            self.service.restart()

    async def _work(self) -> None:
        try:
            await self.service.work()
        except Death:
            self.service.restart()

    def _step(self, _step: str) -> None:
        """Something outside the process was done, or is about to be."""
        for what in ("die", "meanwhile"):
            left = self.steps_left.get(what)
            if left is None:
                continue
            self.steps_left[what] = left - 1
            if left == 0:
                del self.steps_left[what]
                if what == "die":
                    raise Death
                name, new = self.meant
                if self.identity(name) in self.service.directory.users:
                    self.service.directory.put(self.identity(name), department=new)

    async def heals(self) -> None:
        """Nothing goes wrong any more: all is well when the sync that is asked for now has finished, and stays so."""
        self.service.directory.failing = lambda: None
        self.steps_left.clear()
        self.service.restart()
        await self.service.clock.advance(3600)
        await self.service.clock.run(self.service.app.change_profile.resume())
        assert all(update.step.finished for update in self.service.updates.stored.values())
        await self._sync(SyncKind.INCREMENTAL)
        last = (TENANT, self.requests[-1].id)
        while not self.service.runs.runs[last].state.finished:
            await self.service.clock.advance(300)
            await self._work()
        assert self.service.runs.runs[last].state is JobState.SUCCEEDED, self.service.runs.runs[last].detail
        check(self)
        while not all(run.state.finished for run in self.service.runs.runs.values()):
            await self.service.clock.advance(300)
            await self._work()
        check(self)


def check(world: World) -> None:
    service = world.service
    here = {identity: record for (_, identity), record in service.employees.records.items()}
    there = service.directory.users
    for identity, fields in there.items():
        if fields.get("primary_mail") and not fields["guest"]:
            assert identity in here
        if identity in here:
            assert here[identity].present
            assert here[identity].fields == service.expected(identity)
            assert set(here[identity].roles) == roles_there(world, identity)
    for identity, record in here.items():
        if identity not in there:
            assert not record.present
            assert record.roles == ()
        assert record.local == world.local.get(identity, LocalFields())
        check_log(world, identity)


def roles_there(world: World, identity: str) -> set[Role]:
    members = {group: world.service.directory._members(group, set()) for group in GROUPS}
    return {Role.USER} | {
        role for role, group in ((Role.ADMIN, "g-admin"), (Role.HR, "g-hr")) if identity in members[group]
    }


def check_log(world: World, identity: str) -> None:
    """Each value a field ever had follows from the one before: nothing is missing, nothing is told twice."""
    record = world.service.employee(identity)
    last: dict[str, Any] = {}
    for action, field, old, new in world.service.logged(identity):
        if field in last:
            assert last[field] == old, (identity, action, field)
        assert old != new or action in {"imported", "restored", "deactivated"}
        last[field] = new
    shown = record.fields.model_dump(mode="json")
    assert all(shown[name] == last[name] for name in SYNCHRONISED if name in last)
    versions = [entry.version for entry in world.service.employees.log.values() if entry.employee == identity]
    assert max(versions) == record.version
    assert set(versions) == set(range(1, record.version + 1))


async def lives_through(actions: list[tuple[Any, ...]]) -> None:
    world = World()
    for what in actions:
        await world.does(what)
    await world.heals()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(action, min_size=5, max_size=40))
def test_after_the_next_finished_sync_everything_is_equal_and_logged_once(actions: list[tuple[Any, ...]]) -> None:
    asyncio.run(lives_through(actions))


@pytest.mark.soak
@settings(max_examples=3000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(action, min_size=5, max_size=80))
def test_the_same_for_long(actions: list[tuple[Any, ...]]) -> None:
    asyncio.run(lives_through(actions))


EXPECTED = {
    "everything": {
        "nomail": ["imported", "role-changed"],
        "bert": ["imported", "role-changed"],
        "carl-1": ["imported", "updated"],
    },
    "newcomer": {"nomail": ["imported", "role-changed"], "bert": ["imported"], "carl-1": []},
    "groups": {"nomail": [], "bert": ["imported", "role-changed"], "carl-1": []},
}
"""Events about each, whenever the process died; the update of carl-1 is the link to who it was before."""


async def half_synced(what: str = "everything") -> World:
    """A tenant in step, in which then something happens that a sync has to cope with."""
    world = World()
    directory = world.service.directory
    directory.put("nomail", display_name="No mail yet")
    directory.enrol("g-admin", "nomail")
    await world._sync(SyncKind.INCREMENTAL)
    await world.service.clock.advance(60)
    if what in {"everything", "newcomer"}:
        directory.put("nomail", primary_mail="nomail@x.example")
    if what in {"everything", "groups"}:
        directory.enrol("g-team", "bert")
        directory.enrol("g-hr", "g-team")
    if what == "everything":
        directory.put("anna", department="Sales")
        await world._recreate("carl")
        directory.put("guest", guest=True, primary_mail="guest@y.example")
    return world


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        (SyncKind.INCREMENTAL, "everything"),
        (SyncKind.INCREMENTAL, "newcomer"),
        (SyncKind.INCREMENTAL, "groups"),
        (SyncKind.FULL, "everything"),
    ],
)
async def test_a_death_at_every_step_changes_nothing_in_the_end(kind: SyncKind, what: str) -> None:
    deaths = 0
    while True:
        world = await half_synced(what)
        world.steps_left["die"] = deaths
        await world._sync(kind)
        survived = "die" in world.steps_left
        await world.heals()
        told = {name: world.service.told(name) for name in ("nomail", "bert", "carl-1")}
        assert told == EXPECTED[what], f"death at step {deaths}"
        if survived:
            break
        deaths += 1
    assert deaths > 12


@pytest.mark.parametrize("kind", [SyncKind.INCREMENTAL, SyncKind.FULL])
async def test_a_loss_of_the_token_at_every_request_changes_nothing_in_the_end(kind: SyncKind) -> None:
    for requests in range(12):
        world = await half_synced()
        await world._token(requests)
        await world._sync(kind)
        await world._set("anna", "city", "Bonn")  # a page that was applied before the loss does not tell it
        await world.heals()
        assert world.service.told("nomail") == ["imported", "role-changed"]


async def test_who_was_on_a_page_that_was_never_saved_and_is_gone_by_now_is_marked() -> None:
    """The worker dies between a record and the link behind its page; then Microsoft 365 loses the user."""
    for deaths in range(4, 16):
        world = World()
        world.steps_left["die"] = deaths
        await world._sync(SyncKind.FULL)
        await world._delete("anna")
        await world.heals()
        assert (
            world.service.employees.records.get((TENANT, "anna")) is None or not world.service.employee("anna").present
        )


async def test_an_older_page_does_not_overwrite_a_newer_record() -> None:
    world = await half_synced()
    service = world.service
    await service.clock.advance(60)

    def imported_meanwhile(step: str) -> None:
        """Somebody imports anna alone while a page that told of her earlier is on its way."""
        if step != "users told" or service.directory.users["anna"].get("city"):
            return
        service.directory.put("anna", city="Bonn", department="Purchase")
        later = service.clock.now() + timedelta(seconds=1)
        change = refreshed(service.employee("anna"), service.expected("anna"), Reading(HR, later, later))
        assert change is not None
        service.employees.records[TENANT, "anna"] = change.employee
        service.employees.log |= {(TENANT, entry.id): entry for entry in change.entries}

    service.fuse = imported_meanwhile
    await world._sync(SyncKind.INCREMENTAL)
    assert service.employee("anna").fields.city == "Bonn"
    assert service.employee("anna").fields == service.expected("anna")
    check_log(world, "anna")
