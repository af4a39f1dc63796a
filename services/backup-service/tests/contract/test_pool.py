"""What graph_client.Pool promises, kept by the documents and by the pool in memory."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr

from backup_service.adapters.mongo_pool import MongoPool
from backup_service.adapters.mongo_store import Store
from chassis.documents import connect
from chassis.outages import is_outage
from chassis.settings import StoreSettings
from chassis.testing.clock import ManualClock
from graph_client import Draw, Limits, MemoryPool, Pool, PoolUnreachable

LIMITS = Limits(requests=200, portions=10)
NEED = {"requests": 1}


class Processes:
    """Pools as several processes have them, on one set of records."""

    def __init__(self, clock: ManualClock, store: Store | None) -> None:
        self._memory = MemoryPool(clock, LIMITS)
        self._clock = clock
        self._store = store

    def pool(self, tenant: str = "contoso") -> Pool:
        if self._store is None:
            return self._memory
        return MongoPool(self._store, self._clock, tenant, LIMITS)


@pytest.fixture(params=["memory", "mongo"])
def processes(request: pytest.FixtureRequest, clock: ManualClock, store: Store) -> Processes:
    return Processes(clock, store if request.param == "mongo" else None)


async def test_places_and_requests_are_handed_out_once(processes: Processes, clock: ManualClock) -> None:
    first = await processes.pool().draw("outlook", "Anna", Draw("a", need=NEED))
    second = await processes.pool().draw("outlook", "anna", Draw("b", need=NEED))
    other = await processes.pool().draw("outlook", "bert", Draw("b", need=NEED))
    assert (first.places, first.allowed["requests"]) == (other.places, other.allowed["requests"]) == (4, 20)
    assert second.places == 0
    await clock.advance(LIMITS.lease)
    assert (await processes.pool().draw("outlook", "anna", Draw("b", need=NEED))).places == 4


async def test_a_spent_allowance_tells_when_to_come_back(processes: Processes, clock: ManualClock) -> None:
    pool = processes.pool()
    for _ in range(10):
        assert (await pool.draw("outlook", "anna", Draw("a", need=NEED))).allowed["requests"] == 20
    spent = await pool.draw("outlook", "anna", Draw("b", need=NEED))
    assert spent.allowed["requests"] == 0
    assert 590.0 < spent.wait <= 613.0
    back = await pool.draw("outlook", "anna", Draw("a", wanted=False, unspent={"requests": 7}))
    assert back.places == 0
    assert (await pool.draw("outlook", "anna", Draw("b", need=NEED))).allowed["requests"] == 7


async def test_what_is_closed_is_closed_for_everybody(processes: Processes, clock: ManualClock) -> None:
    await processes.pool().close("outlook", "anna", 5.0)
    await processes.pool().close("outlook", "anna", 2.0)
    assert (await processes.pool().draw("outlook", "anna", Draw("b"))).closed_for == pytest.approx(5.0)
    assert (await processes.pool().draw("outlook", "bert", Draw("b"))).closed_for == 0.0
    await processes.pool().close("outlook", None, 9.0)
    assert (await processes.pool().draw("outlook", "anna", Draw("b"))).closed_for == pytest.approx(9.0)
    assert (await processes.pool().draw("outlook", None, Draw("b"))).closed_for == pytest.approx(9.0)
    assert (await processes.pool().draw("directory", None, Draw("b"))).closed_for == 0.0
    await clock.advance(9.0)
    assert (await processes.pool().draw("outlook", "anna", Draw("b"))).closed_for == 0.0


async def test_draws_at_the_same_moment_do_not_get_the_same(processes: Processes) -> None:
    draws = (processes.pool().draw("outlook", "anna", Draw(f"h{n}", need=NEED)) for n in range(6))
    shares = await asyncio.gather(*draws)
    assert sum(share.places for share in shares) == 4
    assert sum(share.allowed["requests"] for share in shares) == 120


async def test_tenants_have_budgets_of_their_own(store: Store, clock: ManualClock) -> None:
    processes = Processes(clock, store)
    await processes.pool("contoso").draw("outlook", "anna", Draw("a"))
    await processes.pool("contoso").close("outlook", None, 9.0)
    share = await processes.pool("fabrikam").draw("outlook", "anna", Draw("b"))
    assert (share.places, share.closed_for) == (4, 0.0)


@pytest.fixture
async def lost(clock: ManualClock) -> AsyncIterator[Store]:
    """Documents at an address where nobody is."""
    url = "mongodb://127.0.0.1:1/?tls=false&serverSelectionTimeoutMS=100"
    db = connect(
        StoreSettings(health_port=0, nats_url="tls://127.0.0.1:1", nats_nkey=SecretStr("unused"), mongo_url=url), "none"
    )
    names = {name: db[name] for name in Store.__dataclass_fields__}
    yield Store(**names)
    db.client.close()


async def test_documents_out_of_reach_are_an_outage(lost: Store, clock: ManualClock) -> None:
    pool = MongoPool(lost, clock, "contoso", LIMITS)
    for call in (pool.draw("outlook", "anna", Draw("a")), pool.close("outlook", "anna", 1.0)):
        with pytest.raises(PoolUnreachable) as caught:
            await call
        assert is_outage(caught.value)
