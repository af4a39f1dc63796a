"""What the engine asks of storage, in counts that do not depend on the machine: they may not get worse.

`make bench-engine` measures seconds against restic; here are requests and bytes of the same steps, on objects in
memory.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from engine_bench import corpus
from engine_bench.ours import OneRepository, Place, Worker

from backup_engine import Tuning, sweep
from backup_engine.storage import MemoryStorage

BASELINE = json.loads((Path(__file__).parent / "engine_baseline.json").read_text())
MAILS, SEED = 200, 1
TOLERANCE = 1.1  # sizes of compressed metadata vary with ids and times


@dataclass(frozen=True)
class Cost:
    requests: int
    put: int  # bytes
    got: int  # bytes


class Meters:
    """A worker whose storage is measured from step to step."""

    def __init__(self, tree: Path, state: Path) -> None:
        # Threads would make which mail lies in which pack a matter of chance.
        tuning = Tuning(compressors=0, uploaders=0, pack_size=1 << 20, folder=state)
        self._repositories = OneRepository(MemoryStorage(), tuning)
        self.worker = Worker(Place(str(tree), str(state)), self._repositories)
        self._before = self._now()

    def since(self) -> Cost:
        """What was asked of storage since the last time."""
        before, self._before = self._before, self._now()
        after = self._before
        return Cost(after.requests - before.requests, after.put - before.put, after.got - before.got)

    def _now(self) -> Cost:
        meter = self._repositories.meter
        return Cost(sum(meter.requests.values()), meter.bytes.get("put", 0), meter.bytes.get("get", 0))


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """200 mails and no files: 13 MB."""
    place = tmp_path_factory.mktemp("corpus") / "tree"
    corpus.build(place, mails=MAILS, seed=SEED, large_mb=0)
    return place


async def test_requests_and_bytes_of_every_step_are_as_good_as_the_baseline(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "_SHARED", 64 << 10)  # as little as 16 MB are beside a large mailbox
    read = sum(path.stat().st_size for path in _mails(tree))
    costs = await _costs(tree, tmp_path)
    counters = {
        **{f"requests_{step}": cost.requests for step, cost in costs.items()},
        "bytes_stored_per_byte_read": costs["first"].put / read,
        "bytes_stored_unchanged": costs["unchanged"].put,
        "bytes_stored_changed": costs["changed"].put,
        "bytes_fetched_per_byte_stored_restore_all": costs["restore_all"].got / costs["first"].put,
        "bytes_fetched_restore_one": costs["restore_one"].got,
        "bytes_fetched_per_byte_stored_verify": costs["verify"].got / costs["first"].put,
    }
    worse = {name: value for name, value in counters.items() if value > BASELINE[name] * TOLERANCE}
    assert not worse, f"worse than engine_baseline.json; all counters: {json.dumps(counters, indent=2)}"


async def _costs(tree: Path, folder: Path) -> dict[str, Cost]:
    """Every step of the benchmark once, in order."""
    meters = Meters(tree, folder / "state")
    costs: dict[str, Cost] = {}
    meters.since()
    for step in ("first", "unchanged", "changed"):
        if step == "changed":
            corpus.change(tree, seed=SEED, fraction=0.05)
        await meters.worker.backup()
        costs[step] = meters.since()
    meters.worker.restore_all(folder / "restored")
    costs["restore_all"] = meters.since()
    meters.worker.restore_one(_mails(tree)[7].relative_to(tree).as_posix(), folder / "one.eml")
    costs["restore_one"] = meters.since()
    meters.worker.verify()
    costs["verify"] = meters.since()
    return costs


def _mails(tree: Path) -> list[Path]:
    return sorted(tree.rglob("*.eml"))
