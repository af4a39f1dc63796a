"""Audit chains: one link per change, whoever appends and however often it is delivered; no tenant in another's."""

import asyncio
import json
import random
from collections.abc import Callable
from typing import Any

import pytest
from pymongo.errors import BulkWriteError

from chassis.delivered import Delivered
from contracts.audit_chain import AuditHead, check
from contracts.events import AuditRecorded
from contracts.operations.audit import AuditRecordsOf
from monitor_service.adapters.mongo_chains import MongoChains
from monitor_service.ports.audit import Chains
from monitor_service.usecases.audit import list_records, record_changes

Make = Callable[..., Delivered[AuditRecorded]]


async def whole(chains: Chains, tenant: str) -> list[dict[str, Any]]:
    """The records, after checking that the chain is whole and ends at its head."""
    records = [dict(one) for one in await chains.records(tenant, None, 1000, oldest_first=True)]
    head = await chains.head(tenant)
    found = check(tenant, records, [head])
    assert (found.faults, found.records, found.sealed) == ((), head.length, head.length)
    return records


async def test_changes_become_links_in_their_order_and_repeats_change_nothing(chains: Chains, change: Make) -> None:
    first, second = [change(1), change(2)], [change(2), change(3), change(3)]
    assert [await record_changes(chains, batch) for batch in (first, second, first)] == [2, 1, 0]
    records = await whole(chains, "contoso")
    assert [record["request"] for record in records] == ["r1", "r2", "r3"]
    assert records[0]["at"] == "2026-03-02T08:01:00.000001+00:00"
    assert records[0]["after"] == {"name": "Käse 1"}


async def test_tenants_have_chains_of_their_own(chains: Chains, change: Make) -> None:
    batch = [change(1), change(2, "fabrikam"), change(3), change(4, "_")]
    assert await record_changes(chains, batch) == 4
    assert [record["request"] for record in await whole(chains, "contoso")] == ["r1", "r3"]
    assert [record["request"] for record in await whole(chains, "fabrikam")] == ["r2"]
    assert [record["request"] for record in await whole(chains, "_")] == ["r4"]
    listing = await list_records(chains, "fabrikam", AuditRecordsOf())
    assert [record.tenant for record in listing.items] == ["fabrikam"]


async def test_an_append_behind_an_end_that_moved_keeps_nothing(chains: Chains, change: Make) -> None:
    empty = await chains.head("contoso")
    await record_changes(chains, [change(1)])
    (record,) = await whole(chains, "contoso")
    assert not await chains.append(empty, [record])
    assert not await chains.append(AuditHead(tenant="contoso", length=1, hash="0" * 64), [{**record, "number": 2}])
    assert len(await whole(chains, "contoso")) == 1


async def test_pages_go_both_ways(chains: Chains, change: Make) -> None:
    await record_changes(chains, [change(number) for number in range(1, 8)])
    for oldest_first, expected in ((True, [1, 2, 3, 4, 5, 6, 7]), (False, [7, 6, 5, 4, 3, 2, 1])):
        numbers, cursor = [], None
        for _ in range(9):
            page = await list_records(
                chains, "contoso", AuditRecordsOf(cursor=cursor, limit=3, oldest_first=oldest_first)
            )
            numbers += [record.number for record in page.items]
            cursor = page.cursor
            if cursor is None:
                break
        assert numbers == expected


async def test_a_page_fits_into_an_answer(chains: Chains, change: Make) -> None:
    long = {f"field-{n}": "x" * 1000 for n in range(60)}
    await record_changes(chains, [change(number, before=long) for number in range(1, 7)])
    page = await list_records(chains, "contoso", AuditRecordsOf(limit=500))
    assert 1 <= len(page.items) < 6
    assert len(page.model_dump_json()) < 256 * 1024
    assert page.cursor == str(page.items[-1].number)


async def test_any_number_of_replicas_append_each_change_once(open_database: Callable[[], Any], change: Make) -> None:
    replicas = [await MongoChains.open(open_database()) for _ in range(3)]
    changes = [change(number) for number in range(30)]
    rng = random.Random(7)
    work = [rng.sample(changes, 12) for _ in range(8)] + [changes]
    await asyncio.gather(*(record_changes(replicas[n % 3], batch) for n, batch in enumerate(work)))
    records = await whole(replicas[0], "contoso")
    assert sorted(record["event"] for record in records) == sorted(one.id for one in changes)


class Died(BaseException):
    """Stands for kill -9: no `except Exception` may see it."""


class Mortal:
    """A collection whose process dies before, within or after its next write, as the seed decides."""

    def __init__(self, real: Any, rng: random.Random) -> None:
        self._real = real
        self._rng = rng

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    async def insert_one(self, *args: Any) -> Any:
        return await self._around(self._real.insert_one, *args)

    async def update_one(self, *args: Any) -> Any:
        return await self._around(self._real.update_one, *args)

    async def bulk_write(self, writes: list[Any], **kwargs: Any) -> Any:
        done = self._rng.randrange(len(writes) + 1)
        if self._rng.random() < 0.4:
            if done:
                await self._real.bulk_write(writes[:done], **kwargs)
            raise Died
        return await self._real.bulk_write(writes, **kwargs)

    async def _around(self, write: Callable[..., Any], *args: Any) -> Any:
        if self._rng.random() < 0.2:
            raise Died
        result = await write(*args)
        if self._rng.random() < 0.2:
            raise Died
        return result


@pytest.mark.parametrize("seed", range(3))
async def test_a_chain_whose_writer_dies_at_any_write_holds_every_change_once(
    open_database: Callable[[], Any], change: Make, seed: int
) -> None:
    rng, database = random.Random(seed), open_database()
    changes = [change(number) for number in range(30)]
    batches, deaths = [changes[n : n + 6] for n in range(0, 30, 6)], 0
    while batches:
        sound = await MongoChains.open(database)  # the restart
        mortal = MongoChains(Mortal(sound._heads, rng), Mortal(sound._records, rng))  # type: ignore[arg-type] # stands in for a collection
        try:
            await record_changes(mortal, batches[0])
        except Died:
            deaths += 1
            rng.shuffle(batches)  # the bus delivers something else first, and this one again
        else:
            batches.pop(0)
    assert deaths >= 3
    records = await whole(await MongoChains.open(database), "contoso")
    assert sorted(record["event"] for record in records) == sorted(one.id for one in changes)


async def test_a_record_changed_in_the_store_is_found_and_its_place_named(
    open_database: Callable[[], Any], change: Make
) -> None:
    chains = await MongoChains.open(open_database())
    await record_changes(chains, [change(number) for number in range(5)])
    head = await chains.head("contoso")
    kept = await chains._records.find_one({"_id": f"contoso/{3:012d}"})
    record = {**json.loads(kept["record"]), "actor": "nobody"}
    await chains._records.update_one({"_id": kept["_id"]}, {"$set": {"record": json.dumps(record)}})
    records = await chains.records("contoso", None, 100, oldest_first=True)
    (fault,) = check("contoso", records, [head]).faults
    assert (fault.kind, fault.first) == ("altered", 3)


async def test_a_late_copy_of_a_writer_that_was_asleep_changes_nothing(
    open_database: Callable[[], Any], change: Make
) -> None:
    chains = await MongoChains.open(open_database())
    await record_changes(chains, [change(1)])
    asleep = {**await chains._heads.find_one({"_id": "contoso"}), "redo": [await chains._records.find_one({})]}
    await record_changes(chains, [change(2)])
    try:
        await chains._redo(asleep)
    except BulkWriteError:
        pytest.fail("a copy that exists is no error")
    assert len(await whole(chains, "contoso")) == 2
