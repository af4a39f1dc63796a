"""A disk that is full: under the object store, under the bus. Nothing acknowledged is lost, nothing is spent.

Needs root, to mount a small file system; `make soak` runs it.
"""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

import pytest
from drill import QUICK, Drill, ended, gateway_of, holders
from main_job import MainJob
from stack_fixture import running_stack, wait_until

from contracts.names import JobState
from tenantkeep.commands.client import Gateway
from tenantkeep.commands.errors import CommandError

pytestmark = [pytest.mark.integration, pytest.mark.soak, pytest.mark.timeout(300)]

GIB = 1 << 30
RESUMED_WITHIN = 10.0


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[None]:
    """A file system of `size` bytes below a folder, with what was in it."""
    beside = folder.with_name(f"{folder.name}.aside")
    folder.rename(beside)
    folder.mkdir(mode=0o700)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"a full disk needs a small one, and to mount it needs root: {done.stderr}"
    try:
        shutil.copytree(beside, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.sock"))
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


class Filler:
    """Takes all room that is left, and gives it back."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "filler"

    def fill(self) -> None:
        chunk = b"\0" * (1 << 20)
        with self._file.open("wb", buffering=0) as file:
            try:
                while file.write(chunk):
                    pass
            except OSError:
                pass

    def free(self) -> None:
        self._file.unlink()


@contextmanager
def drill_on(tmp_path: Path, part: str, size: int) -> Iterator[tuple[Drill, Filler]]:
    """A tenant on a stack of which one server has a small disk."""
    with running_stack(tmp_path, extra=QUICK) as stack:
        folder = stack.home.root / part
    with small_disk(folder, size), running_stack(tmp_path, extra=QUICK) as stack:
        job = MainJob(stack, tmp_path)
        job.onboard("--generate", "150", "--mailboxes", "2", "--seed", "7")
        drill = Drill(job)
        drill.undisturbed()
        yield drill, Filler(folder)


def test_a_full_disk_under_the_object_store_is_a_hold_and_costs_nothing(tmp_path: Path) -> None:
    with drill_on(tmp_path, "objects", GIB) as (drill, filler), gateway_of(drill) as gateway:
        configuration = drill.job.configure("full")
        filler.fill()
        run = drill.job.command("backup", "run", configuration["name"])["run"]
        wait_until(lambda: "storage_unreachable" in holders(gateway, run).values(), seconds=90, what="held")
        filler.free()
        freed = monotonic()
        wait_until(lambda: not holders(gateway, run), seconds=60, what="goes on")
        resumed = monotonic() - freed
        wait_until(lambda: ended(gateway, run), seconds=90, what="the run has ended")
        print(f"| objects: disk full | {resumed:.1f} |")
        done = drill.job.command("jobs", "list", run)
        assert done["run"]["state"] == "succeeded", done
        assert {entry["attempt"] for entry in done["jobs"]} == {0}
        assert drill.digests(configuration["id"]) == drill.expected
        assert drill.job.repository(configuration["target"]).problems() == []


def test_a_full_disk_under_the_bus_loses_nothing_acknowledged(tmp_path: Path) -> None:
    """NATS switches JetStream off when its disk is full, and stays so until it is started again."""
    with drill_on(tmp_path, "nats", 4 * GIB) as (drill, filler), gateway_of(drill) as gateway:
        configuration = drill.job.configure("full")
        filler.fill()
        accepted: list[str] = []
        # What is left of started pages holds a few messages.
        wait_until(
            lambda: not requested(gateway, configuration["id"], accepted), seconds=60, what="a request is refused"
        )
        wait_until(lambda: bus_answers(drill) != "good", seconds=30, what="doctor says that the bus is not well")
        filler.free()
        freed, pid = monotonic(), drill.job.stack.pid("nats")
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: drill.is_ready("nats", pid), seconds=60, what="the bus is back")
        wait_until(lambda: requested(gateway, configuration["id"], accepted), seconds=60, what="requests are taken")
        healed = monotonic() - freed
        wait_until(
            lambda: all(ended(gateway, run) for run in accepted), seconds=200, what="what was accepted has ended"
        )
        print(f"| nats: disk full, {len(accepted)} requests | {healed:.1f} | {monotonic() - freed:.1f} |")
        assert {gateway.run("contoso", run).state for run in accepted} == {JobState.SUCCEEDED}
        assert drill.digests(configuration["id"]) == drill.expected
        assert drill.dead_letters() == 0
        assert bus_answers(drill) == "good"


def requested(gateway: Gateway, configuration: str, accepted: list[str]) -> bool:
    """Ask for one more backup; True when it was accepted."""
    try:
        accepted.append(gateway.start_backup("contoso", configuration, f"full-{len(accepted)}"))
    except CommandError:
        return False
    return True


def bus_answers(drill: Drill) -> str:
    findings = drill.job.command("doctor", codes=(0, 1))["findings"]
    return next(str(one["answer"]) for one in findings if one["area"] == "bus")
