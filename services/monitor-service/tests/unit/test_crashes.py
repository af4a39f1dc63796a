"""The process dies between any two writes to the real store, even in the middle of one: nothing twice, nothing lost."""

import contextlib
import random
from collections.abc import Callable
from typing import Any

import pytest
from pymongo import ReplaceOne
from pymongo.errors import BulkWriteError

from contracts.events import JobEvent
from contracts.names import JobKind
from monitor_service.adapters.mongo_ledger import MongoLedger
from monitor_service.domain.entry import Outcome, key_of
from monitor_service.usecases import record_events

Make = Callable[..., JobEvent]


class Died(BaseException):
    """Stands for kill -9: no `except Exception` may see it."""


class Mortal:
    """A collection whose process dies before, within or after its next write, as the seed decides."""

    def __init__(self, real: Any, rng: random.Random, chance: float) -> None:
        self._real = real
        self._rng = rng
        self._chance = chance

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    async def update_one(self, *args: Any, **kwargs: Any) -> Any:
        self._may_die()
        result = await self._real.update_one(*args, **kwargs)
        self._may_die()
        return result

    async def bulk_write(self, writes: list[ReplaceOne[Any]], **kwargs: Any) -> Any:
        if self._rng.random() < self._chance:
            done = self._rng.randrange(len(writes) + 1)
            with contextlib.suppress(BulkWriteError):  # nobody is left to read the answer
                if done:
                    await self._real.bulk_write(writes[:done], **kwargs)
            raise Died
        return await self._real.bulk_write(writes, **kwargs)

    def _may_die(self) -> None:
        if self._rng.random() < self._chance:
            raise Died


@pytest.mark.parametrize("seed", range(4))
async def test_a_ledger_killed_at_any_write_counts_everything_once(
    open_database: Callable[[], Any], event: Make, seed: int
) -> None:
    rng = random.Random(seed)
    database = open_database()
    outcomes = [rng.choice(["succeeded", "partial", "failed"]) for _ in range(40)]
    events = [event("held", f"job-{n}", version=1) for n in range(40)]
    events += [event(outcome, f"job-{n}", version=2, minutes=n) for n, outcome in enumerate(outcomes)]
    rng.shuffle(events)
    batches = [events[n : n + 8] for n in range(0, len(events), 8)]
    deaths = 0
    while batches:
        whole = await MongoLedger.open(database)  # the restart
        mortal = MongoLedger(Mortal(whole._tallies, rng, 0.2), Mortal(whole._entries, rng, 0.4))  # type: ignore[arg-type] # stands in for a collection
        try:
            await record_events(mortal, batches[0])
        except Died:
            deaths += 1
            rng.shuffle(batches)  # the bus delivers something else first, and this one again
        else:
            batches.pop(0)
    assert deaths >= 5

    ledger = await MongoLedger.open(database)
    tally = await ledger.tally("contoso", JobKind.BACKUP)
    assert tally is not None
    assert tally.finished == {outcome: outcomes.count(outcome) for outcome in Outcome}
    assert sum(sum(hour.values()) for hour in tally.hours.values()) == 40
    assert not any(tally.held.values())
    entries = await ledger.entries([key_of(each) for each in events])
    assert {key.id: entry.finishes[0].outcome for key, entry in entries.items()} == {
        f"job-{n}": outcome for n, outcome in enumerate(outcomes)
    }


async def test_a_writer_that_was_asleep_overwrites_nothing_newer(open_database: Callable[[], Any], event: Make) -> None:
    """Its change was completed by another replica, and the job went on since."""
    ledger = await MongoLedger.open(open_database())
    await record_events(ledger, [event("queued", version=1)])
    sleeper = await ledger._tallies.find_one({"_id": "contoso/backup"})
    entry = await ledger._entries.find_one({"_id": "contoso/job/job-1"})
    await record_events(ledger, [event("succeeded", version=2)])
    await ledger._redo({**sleeper, "redo": [entry]})
    found = await ledger.entries([key_of(event("queued"))])
    assert found[key_of(event("queued"))].version == 2
