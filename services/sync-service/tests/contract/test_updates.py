"""What the stores of updates and erasures promise, and that an erasure leaves nothing; the fakes and MongoDB alike."""

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from pydantic import SecretStr
from sync_fakes.stores import MemoryEmployees
from sync_fakes.updates import MemoryErasures, MemoryProfileUpdates

from chassis.documents import connect
from chassis.settings import StoreSettings
from chassis.testing.bus import MemoryBroker
from chassis.testing.clock import START, ManualClock
from chassis.testing.servers import SecantusProcess
from contracts.caller import Caller
from contracts.employee_changes import Fault, Refusal
from contracts.employees import SynchronisedFields
from contracts.events.employees import EmployeeErased
from sync_service.adapters.mongo_employees import MongoEmployees
from sync_service.adapters.mongo_store import open_store
from sync_service.adapters.mongo_updates import MongoErasures, MongoProfileUpdates
from sync_service.domain.employee import Author, Reading, imported
from sync_service.domain.erasure import Erasure
from sync_service.domain.profile_update import ProfileUpdate
from sync_service.ports import Employees
from sync_service.ports.erasures import Erasures
from sync_service.ports.updates import ProfileUpdates

MINUTE = timedelta(minutes=1)
CALLER = Caller("admin@contoso", ("admin", "user"), "request-1")
VALUES = {"city": None, "business_phones": ("+49 1",), "account_enabled": False}
WISH = ProfileUpdate("contoso", "anna", "r1", CALLER, START, START + MINUTE, values=VALUES)
_NUMBER = count()


@dataclass
class Stores:
    updates: ProfileUpdates
    erasures: Erasures
    employees: Employees
    told: Callable[[], list[str]]


@pytest.fixture(scope="module")
def secantus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecantusProcess]:
    with SecantusProcess(tmp_path_factory.mktemp("secantus")) as running:
        yield running


@pytest.fixture(params=["memory", "mongo"])
async def stores(request: pytest.FixtureRequest) -> AsyncIterator[Stores]:
    if request.param == "memory":
        erasures = MemoryErasures()
        told = [erasures.events]
        yield Stores(MemoryProfileUpdates(), erasures, MemoryEmployees(), lambda: [e.type_name() for e in told[0]])
        return
    url = request.getfixturevalue("secantus").url
    settings = StoreSettings(health_port=0, nats_url="tls://127.0.0.1:1", nats_nkey=SecretStr("unused"), mongo_url=url)
    db, clock, broker = connect(settings, f"updates_{next(_NUMBER)}"), ManualClock(), MemoryBroker()
    bus = broker.bus("sync-service")
    yield Stores(
        await MongoProfileUpdates.open(db),
        await MongoErasures.open(db, bus, clock),
        MongoEmployees(await open_store(db), bus, clock),
        lambda: [one.envelope().type for one in broker.stored if "erased" in one.subject],
    )
    db.client.close()


async def saved(stores: Stores, update: ProfileUpdate) -> ProfileUpdate:
    found = await stores.updates.save(update)
    assert found is not None
    return found


async def test_an_update_comes_back_as_it_was_saved(stores: Stores) -> None:
    assert await stores.updates.get("contoso", "anna") is None
    kept = await saved(stores, WISH)
    assert await stores.updates.get("contoso", "anna") == kept == replace(WISH, version=1)
    assert await stores.updates.get("fabrikam", "anna") is None
    refused = await saved(stores, kept.refused(Refusal.VALUE, (Fault(field="city", code="empty"),)))
    assert await stores.updates.get("contoso", "anna") == refused
    assert refused.values == {}, "what was wished is not kept longer than needed"


async def test_of_two_who_begin_or_go_on_one_wins(stores: Stores) -> None:
    kept = await saved(stores, WISH)
    assert await stores.updates.save(replace(WISH, id="r2")) is None
    await saved(stores, kept.written())
    assert await stores.updates.save(kept.done()) is None


async def test_unfinished_ones_are_due_until_they_are_finished(stores: Stores) -> None:
    kept = await saved(stores, WISH)
    assert await stores.updates.due(START, 10) == []
    assert await stores.updates.due(START + MINUTE, 10) == [kept]
    claimed = await saved(stores, kept.claimed(START + 3 * MINUTE))
    assert await stores.updates.due(START + 2 * MINUTE, 10) == []
    await saved(stores, claimed.done())
    assert await stores.updates.due(START + 9 * MINUTE, 10) == []


async def test_what_is_forgotten_is_gone(stores: Stores) -> None:
    await saved(stores, WISH)
    await stores.updates.forget("contoso", "anna")
    assert await stores.updates.get("contoso", "anna") is None


def erasure(number: int, employee: str = "anna") -> Erasure:
    at = START + number * MINUTE
    return Erasure("contoso", employee, at, "admin", "asked for", due_at=at + MINUTE)


async def test_erasures_are_told_with_themselves_and_listed_newest_first(stores: Stores) -> None:
    event = EmployeeErased(tenant="contoso", at=START, employee="anna", version=3)
    first = await stores.erasures.add(erasure(0), (event,))
    assert stores.told() == ["m365.employee.erased.v1"]
    second = await stores.erasures.add(erasure(1), ())
    assert await stores.erasures.page("contoso", None, 1) == [second]
    assert await stores.erasures.page("contoso", second.id, 5) == [first]
    assert await stores.erasures.page("fabrikam", None, 5) == []


async def test_an_erasure_is_due_until_it_is_noted_as_done(stores: Stores) -> None:
    kept = await stores.erasures.add(erasure(0), ())
    await stores.erasures.note(replace(kept, activities=3))
    [due] = await stores.erasures.due(START + MINUTE, 10)
    assert due.activities == 3
    await stores.erasures.note(replace(due, due_at=None))
    assert await stores.erasures.due(START + 9 * MINUTE, 10) == []
    assert (await stores.erasures.page("contoso", None, 5))[0].due_at is None


async def test_an_erasure_that_was_lost_comes_back_once_and_is_not_told_again(stores: Stores) -> None:
    known = await stores.erasures.add(erasure(1), ())
    lost = replace(erasure(0), due_at=None, activities=2)
    for _ in range(2):
        await stores.erasures.bring_back(lost)
        await stores.erasures.bring_back(replace(known, reason="another"))
    assert await stores.erasures.page("contoso", None, 5) == [known, lost]
    assert await stores.erasures.due(START, 10) == []
    assert stores.told() == []


async def test_a_record_is_erased_with_its_log_and_one_that_came_later_is_not(stores: Stores) -> None:
    async def add(user: str, minute: int) -> Any:
        now = START + minute * MINUTE
        change = imported("contoso", user, SynchronisedFields(), Reading(Author("a", "import"), now, now))
        assert await stores.employees.save([change]) == frozenset()

    await add("anna", 0)
    await add("bert", 0)
    assert await stores.employees.erase("contoso", "anna", START + MINUTE) == 1
    assert await stores.employees.get("contoso", "anna") is None
    assert [entry.employee for entry in await stores.employees.activity("contoso", None, None, 10)] == ["bert"]
    await add("anna", 5)
    assert await stores.employees.erase("contoso", "anna", START + MINUTE) == 0
    assert await stores.employees.get("contoso", "anna") is not None
    assert len(await stores.employees.activity("contoso", "anna", None, 10)) == 1
