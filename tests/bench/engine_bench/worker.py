"""One step of our side as a process of its own, and what it took once the process was there.

    python -m engine_bench.worker STEP PLACE.json RESULT.json [--item PATH] [--into PATH] [--profile FILE]

A worker lives for weeks: starting Python and importing are its start, not the job's, and are reported apart.
"""

import argparse
import asyncio
import cProfile
import json
import pstats
import resource
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from engine_bench.ours import OneRepository, Place, Worker

from backup_engine import Tuning
from chassis.lifecycle import leave_imports_alone


class _InTurn(Executor):
    """Runs everything in the caller's thread, where the profiler sees it."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - it is the caller's, as with any executor
            future.set_exception(error)
        return future


def run(step: str, place: Place, chosen: argparse.Namespace) -> dict[str, Any]:
    folder = Path(place.state) / "engine"
    tuning = Tuning(compressors=0, uploaders=0, folder=folder) if chosen.profile else Tuning(folder=folder)
    repositories = OneRepository(place.storage(), tuning)
    worker = Worker(place, repositories)
    done: dict[str, Any] = {}
    if step == "backup":
        done["counts"] = asyncio.run(_backup(worker, profiled=bool(chosen.profile))).model_dump()
    elif step == "restore_all":
        done["items"] = worker.restore_all(chosen.into)
    elif step == "restore_one":
        done["bytes"] = worker.restore_one(chosen.item, chosen.into)
    elif step == "verify":
        done["bytes"] = worker.verify()
    return {**done, "requests": repositories.meter.requests, "transferred": repositories.meter.bytes}


async def _backup(worker: Worker, *, profiled: bool) -> Any:
    if profiled:
        asyncio.get_running_loop()._default_executor = _InTurn()  # type: ignore[attr-defined] # the setter wants threads
    return await worker.backup()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=["init", "backup", "restore_all", "restore_one", "verify"])
    parser.add_argument("place", type=Path)
    parser.add_argument("result", type=Path)
    parser.add_argument("--item", help="the mail restore_one asks for, as a path in the tree")
    parser.add_argument("--into", type=Path, help="where restores go")
    parser.add_argument("--profile", type=Path, help="write CPU seconds by function, all in one thread")
    chosen = parser.parse_args()
    place = json.loads(chosen.place.read_text())
    leave_imports_alone()
    before, cpu_before = time.monotonic(), _cpu()
    with ExitStack() as stack:
        profiler = stack.enter_context(cProfile.Profile(time.thread_time)) if chosen.profile else None
        done = run(chosen.step, Place(**{**place, "mailboxes": tuple(place["mailboxes"])}), chosen)
    done |= {"wall": time.monotonic() - before, "cpu": _cpu() - cpu_before}
    chosen.result.write_text(json.dumps(done))
    if profiler is not None:
        with chosen.profile.open("w") as out:
            pstats.Stats(profiler, stream=out).sort_stats("tottime").print_stats(60)
            pstats.Stats(profiler, stream=out).sort_stats("cumulative").print_stats(60)


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
