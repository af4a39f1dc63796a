"""What the stores promise, held by MongoDB's stand-in and by the fakes alike."""

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from pydantic import SecretStr
from sync_fakes.stores import MemoryEmployees, MemoryRuns, MemoryStandings

from chassis.bus import BusUnreachable
from chassis.documents import connect
from chassis.settings import StoreSettings
from chassis.testing.bus import MemoryBroker
from chassis.testing.clock import START, ManualClock
from chassis.testing.servers import SecantusProcess
from contracts.employees import LocalFields, SyncCounts, SynchronisedFields
from contracts.names import DirectoryState, HoldReason, JobState, Role, SyncKind
from sync_service.adapters.mongo_employees import MongoEmployees
from sync_service.adapters.mongo_runs import MongoRuns
from sync_service.adapters.mongo_standings import MongoStandings
from sync_service.adapters.mongo_store import Store, open_store
from sync_service.domain import employee as records
from sync_service.domain import runs as transitions
from sync_service.domain.employee import Author, Change, Employee, Reading
from sync_service.domain.runs import Run
from sync_service.domain.standing import Numbers, Round, Standing
from sync_service.ports import EmployeeFilter, Employees, Runs, Standings

AUTHOR = Author("hr@contoso", "sync")
READING = Reading(AUTHOR, read_at=START, now=START)
MINUTE = timedelta(minutes=1)
_NUMBER = count()


@dataclass
class Stores:
    employees: Employees
    runs: Runs
    standings: Standings
    told: Callable[[], list[str]]
    """Types of the events that were told, in order."""


@pytest.fixture(scope="module")
def secantus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecantusProcess]:
    with SecantusProcess(tmp_path_factory.mktemp("secantus")) as running:
        yield running


def in_memory() -> Stores:
    employees, runs, standings = MemoryEmployees(), MemoryRuns(), MemoryStandings()
    kept = (employees, runs, standings)
    return Stores(employees, runs, standings, lambda: [event.type_name() for one in kept for event in one.events])


async def opened(secantus: SecantusProcess) -> tuple[Store, Callable[[], None]]:
    settings = StoreSettings(
        health_port=0, nats_url="tls://127.0.0.1:1", nats_nkey=SecretStr("unused"), mongo_url=secantus.url
    )
    db = connect(settings, f"sync_service_{next(_NUMBER)}")
    return await open_store(db), db.client.close


@pytest.fixture(params=["memory", "mongo"])
async def stores(request: pytest.FixtureRequest) -> AsyncIterator[Stores]:
    if request.param == "memory":
        yield in_memory()
        return
    store, close = await opened(request.getfixturevalue("secantus"))
    clock, broker = ManualClock(), MemoryBroker()
    bus = broker.bus("sync-service")
    yield Stores(
        MongoEmployees(store, bus, clock),
        MongoRuns(store, bus, clock),
        MongoStandings(store, bus, clock),
        lambda: [one.envelope().type for one in broker.stored],
    )
    close()


def person(user: str, **fields: Any) -> Change:
    known = {"display_name": user.title(), "primary_mail": f"{user}@contoso.example", **fields}
    return records.imported("contoso", user, SynchronisedFields(**known), READING)


async def kept(stores: Stores, user: str, **fields: Any) -> Employee:
    change = person(user, **fields)
    assert await stores.employees.save([change]) == frozenset()
    return change.employee


def renamed(employee: Employee, name: str, **reading: Any) -> Change:
    fields = employee.fields.model_copy(update={"display_name": name})
    change = records.refreshed(employee, fields, replace(READING, **reading))
    assert change is not None
    return change


async def test_an_employee_comes_back_as_it_was_saved(stores: Stores) -> None:
    anna = await kept(stores, "anna", business_phones=("+49 1",), account_enabled=False)
    local = LocalFields(employee_type="employee", gdpr_exempt=True, gdpr_reason="court order", entry_date="2026-01-01")
    change = records.edited(anna, local, author=AUTHOR, now=START)
    assert change is not None
    assert await stores.employees.save([change]) == frozenset()
    assert await stores.employees.get("contoso", "anna") == change.employee
    assert await stores.employees.get("fabrikam", "anna") is None
    assert await stores.employees.some("contoso", ["anna", "nobody"]) == {"anna": change.employee}


async def test_only_the_faster_of_two_writers_is_saved_and_heard(stores: Stores) -> None:
    anna, bert = await kept(stores, "anna"), person("bert")
    first, second = renamed(anna, "First"), renamed(anna, "Second")
    assert await stores.employees.save([first]) == frozenset()
    assert await stores.employees.save([second, bert]) == {"anna"}
    assert await stores.employees.save([person("anna")]) == {"anna"}
    assert await stores.employees.get("contoso", "anna") == first.employee
    assert await stores.employees.get("contoso", "bert") == bert.employee
    log = await stores.employees.activity("contoso", "anna", None, 10)
    assert [(entry.action, entry.new) for entry in log] == [("updated", "First"), ("imported", None)]
    assert stores.told() == ["m365.employee.imported.v1", "m365.employee.updated.v1", "m365.employee.imported.v1"]


async def test_the_log_is_given_newest_first_page_by_page(stores: Stores) -> None:
    anna = await kept(stores, "anna")
    await kept(stores, "bert")
    later = renamed(anna, "Anne", now=START + MINUTE)
    latest = renamed(later.employee, "Anja", now=START + 2 * MINUTE)
    await stores.employees.save([later])
    await stores.employees.save([latest])
    first = await stores.employees.activity("contoso", None, None, 2)
    assert [(entry.field, entry.old, entry.new) for entry in first] == [
        ("display_name", "Anne", "Anja"),
        ("display_name", "Anna", "Anne"),
    ]
    rest = await stores.employees.activity("contoso", None, first[-1].id, 10)
    assert {(entry.employee, entry.action) for entry in rest} == {("anna", "imported"), ("bert", "imported")}
    assert await stores.employees.activity("contoso", "anna", rest[-1].id, 10) in ([], [rest[0]])
    assert await stores.employees.activity("fabrikam", None, None, 10) == []


async def test_who_was_seen_is_known_to_be_equal_without_a_new_version(stores: Stores) -> None:
    anna, bert = await kept(stores, "anna"), await kept(stores, "bert")
    await stores.employees.seen("contoso", ["anna"], START + MINUTE)
    await stores.employees.seen("contoso", ["anna"], START)
    assert await stores.employees.get("contoso", "anna") == replace(anna, synced_at=START + MINUTE)
    assert await stores.employees.unseen("contoso", START + MINUTE, 10) == [bert]
    assert await stores.employees.unseen("contoso", START, 10) == []


async def test_entries_of_the_log_come_back_once_and_beside_what_took_their_ids(stores: Stores) -> None:
    await kept(stores, "anna")
    (mine,) = await stores.employees.activity("contoso", None, None, 10)
    older = mine.model_copy(update={"at": START - MINUTE, "by": "before"})
    other = mine.model_copy(update={"id": "bert-1-imported", "employee": "bert"})
    assert await stores.employees.relog("contoso", [mine, older, other]) == 2
    assert await stores.employees.relog("contoso", [mine, older, other]) == 0
    assert await stores.employees.relog("contoso", []) == 0
    found = await stores.employees.activity("contoso", None, None, 10)
    assert {(one.employee, one.by, one.at) for one in found} == {
        ("bert", mine.by, START),
        ("anna", mine.by, START),
        ("anna", "before", START - MINUTE),
    }
    assert found[-1].at == START - MINUTE
    assert await stores.employees.activity("fabrikam", None, None, 10) == []


async def test_a_standing_has_a_life_from_its_first_day(stores: Stores) -> None:
    saved = [await stores.standings.save(Standing(tenant)) for tenant in ("contoso", "fabrikam")]
    lives = {one.life for one in saved if one is not None}
    assert len(lives - {""}) == 2
    first = await stores.standings.get("contoso")
    assert first is not None
    reborn = await stores.standings.save(first.reborn("new", "lost"))
    assert reborn is not None
    assert await stores.standings.get("contoso") == reborn
    assert (reborn.life, reborn.recovered) == ("new", ("lost", first.life))


async def test_employees_are_found_by_what_a_sync_asks_for(stores: Stores) -> None:
    anna, bert = await kept(stores, "anna"), await kept(stores, "bert")
    gone = records.deactivated(bert, READING)
    admin = records.with_roles(anna, (Role.ADMIN, Role.USER), author=AUTHOR, now=START)
    assert gone is not None
    assert admin is not None
    await stores.employees.save([gone, admin])
    assert await stores.employees.elevated("contoso") == [admin.employee]
    assert await stores.employees.unlinked("contoso", None, 10) == [gone.employee]
    assert await stores.employees.unlinked("contoso", "bert", 10) == []
    assert await stores.employees.with_mail("contoso", ["anna@contoso.example", "bert@contoso.example"]) == [
        admin.employee
    ]
    assert (await stores.employees.numbers("contoso")).admins == 1
    assert (await stores.employees.numbers("fabrikam")).admins == 0


async def test_employees_are_found_by_what_people_ask_for(stores: Stores) -> None:
    anna, bert = await kept(stores, "anna", last_name="Österreich"), await kept(stores, "bert")
    gone = records.deactivated(bert, READING)
    assert gone is not None
    await stores.employees.save([gone])

    async def found(**wanted: Any) -> list[str]:
        return [one.id for one in await stores.employees.page("contoso", EmployeeFilter(**wanted), None, 10)]

    assert await found() == ["anna", "bert"]
    assert await found(begins="öst") == ["anna"]
    assert await found(begins="BERT@contoso") == ["bert"]
    assert await found(begins=".*") == []
    assert await found(role=Role.USER) == ["anna"]
    assert await found(directory_state=DirectoryState.DELETED) == ["bert"]
    assert await found(gdpr_exempt=True) == []
    assert await found(unsynced_since=START + MINUTE) == ["anna"]
    assert await found(synced_since=START + MINUTE) == []
    page = await stores.employees.page("contoso", EmployeeFilter(), "anna", 1)
    assert [one.id for one in page] == ["bert"]
    assert anna.id == "anna"


async def test_the_numbers_of_a_tenant(stores: Stores) -> None:
    anna, bert = await kept(stores, "anna"), await kept(stores, "bert", account_enabled=False)
    await kept(stores, "carl")
    changes = [
        records.with_roles(anna, (Role.ADMIN, Role.USER), author=AUTHOR, now=START),
        records.with_roles(bert, (Role.ADMIN, Role.USER, Role.HR), author=AUTHOR, now=START),
    ]
    await stores.employees.save([change for change in changes if change])
    carl = await stores.employees.get("contoso", "carl")
    assert carl is not None
    gone = records.deactivated(carl, READING)
    assert gone is not None
    await stores.employees.save([gone])
    await stores.employees.seen("contoso", ["anna"], START + MINUTE)
    numbers = await stores.employees.numbers("contoso")
    assert (numbers.present, numbers.deleted, numbers.admins) == (2, 1, 1)
    assert await stores.employees.unsynced("contoso", START + MINUTE) == 1
    assert numbers.roles == {Role.ADMIN: 2, Role.USER: 2, Role.HR: 1, Role.ACCOUNTING: 0}


def a_run(name: str = "run-1", **more: Any) -> Run:
    facts = {"tenant": "contoso", "id": name, "kind": SyncKind.FULL, "requested_at": START, "by": "crm", **more}
    return Run(**facts)


async def test_a_run_is_recorded_once(stores: Stores) -> None:
    run = a_run(causation="c-1", users=("a", "b"))
    added = await stores.runs.add(*transitions.queued(run, START))
    assert added.version == 1
    assert await stores.runs.add(*transitions.queued(replace(run, kind=SyncKind.USERS), START)) == added
    assert await stores.runs.get("contoso", "run-1") == added
    assert await stores.runs.get("fabrikam", "run-1") is None
    assert stores.told() == ["m365.job.queued.v1", "m365.job.queued.v1"]


async def test_a_run_is_saved_by_the_faster_one_alone(stores: Stores) -> None:
    added = await stores.runs.add(*transitions.queued(a_run(), START))
    mine = await stores.runs.save(*transitions.claimed(added, "s-1", START, MINUTE))
    assert mine is not None
    assert await stores.runs.save(*transitions.claimed(added, "s-2", START, MINUTE)) is None
    assert (await stores.runs.get("contoso", "run-1")) == mine
    assert (mine.state, mine.session, mine.due_at) == (JobState.RUNNING, "s-1", START + MINUTE)
    ended = await stores.runs.save(*transitions.finished(mine, ("w",), START + MINUTE))
    assert ended is not None
    assert await stores.runs.due(START + timedelta(days=1), 10) == []
    assert (await stores.runs.get("contoso", "run-1")) == ended


async def test_how_far_a_run_is_is_told_and_changes_nothing(stores: Stores) -> None:
    added = await stores.runs.add(*transitions.queued(a_run(), START))
    running = await stores.runs.save(*transitions.claimed(added, "s-1", START, MINUTE))
    assert running is not None
    await stores.runs.show(transitions.progressed(running, "listing", START))
    assert stores.told()[-2:] == ["m365.job.progressed.v1"] * 2
    assert await stores.runs.get("contoso", "run-1") == running


async def test_runs_are_found_by_their_time_and_their_state(stores: Stores) -> None:
    one = await stores.runs.add(*transitions.queued(a_run("one"), START))
    two = await stores.runs.add(*transitions.queued(a_run("two", requested_at=START + MINUTE), START + MINUTE))
    assert await stores.runs.due(START, 10) == [one]
    assert await stores.runs.page("contoso", None, 1) == [two]
    assert await stores.runs.page("contoso", "two", 10) == [one]
    running = await stores.runs.save(*transitions.claimed(one, "s", START, MINUTE))
    assert running is not None
    assert await stores.runs.running("contoso", START) == [running]
    assert await stores.runs.running("contoso", START + MINUTE) == []
    held = await stores.runs.save(*transitions.held(running, HoldReason.NO_VALID_TOKEN, "expired", START, START))
    assert await stores.runs.held("contoso") == [held]
    assert await stores.runs.held("fabrikam") == []


async def test_a_standing_is_saved_by_the_faster_one_alone(stores: Stores) -> None:
    assert await stores.standings.get("contoso") is None
    first = await stores.standings.save(Standing("contoso").scheduled(START))
    assert first is not None
    assert await stores.standings.save(Standing("contoso")) is None
    changed = replace(
        first,
        link="https://graph.test/next",
        round=Round("run-1", START, whole=True, listed=True),
        role_groups={Role.HR: "g-1"},
        last_sync_at=START,
        numbers=Numbers(present=4, deleted=1, admins=3, roles={Role.ADMIN: 3}),
        roles_due=False,
    )
    second = await stores.standings.save(changed)
    assert second == replace(changed, version=2)
    assert await stores.standings.save(changed) is None
    assert await stores.standings.get("contoso") == second
    closed = await stores.standings.save(replace(second, round=None, link=None))
    assert await stores.standings.everything() == [closed]


async def test_standings_are_found_when_their_next_run_is_due(stores: Stores) -> None:
    saved = await stores.standings.save(Standing("contoso").scheduled(START))
    assert await stores.standings.due(START, 10) == []
    assert await stores.standings.due(START + timedelta(hours=6), 10) == [saved]


async def test_what_a_crash_left_in_a_document_is_logged_and_told_once(secantus: SecantusProcess) -> None:
    store, close = await opened(secantus)
    clock, broker = ManualClock(), MemoryBroker()
    employees = MongoEmployees(store, broker.bus("sync-service"), clock)
    delivered = employees._deliver

    async def dies(_documents: Any) -> None:
        raise ConnectionError

    employees._deliver = dies  # type: ignore[method-assign] # the process ends after the write
    with pytest.raises(ConnectionError):
        await employees.save([person("anna")])
    assert broker.stored == []
    employees._deliver = delivered  # type: ignore[method-assign] # the next process
    assert await employees.settle() == 0  # within the grace of who saved it
    await clock.advance(10)
    assert await employees.settle() == 1
    assert await employees.settle() == 0
    assert [entry.action for entry in await employees.activity("contoso", "anna", None, 10)] == ["imported"]
    assert len(broker.stored) == 1
    close()


async def test_a_mark_of_progress_that_the_bus_does_not_take_is_lost_and_harms_nothing(
    secantus: SecantusProcess,
) -> None:
    store, close = await opened(secantus)
    bus = MemoryBroker().bus("sync-service")

    async def away(*_: Any) -> None:
        raise BusUnreachable("away")

    bus.publish = away  # type: ignore[method-assign] # the bus is away
    await MongoRuns(store, bus, ManualClock()).show(transitions.progressed(a_run(), "listing", START))
    close()


def test_the_sum_of_counts() -> None:
    assert SyncCounts(listed=2, created=1) + SyncCounts(listed=3) == SyncCounts(listed=5, created=1)
