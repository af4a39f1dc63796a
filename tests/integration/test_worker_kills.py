"""kill -9 of the worker at seeded moments: restore points as of an undisturbed run, nothing stored twice."""

import json
import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from main_job import Json, MainJob
from stack_fixture import running_stack, wait_until

SEED = int(os.environ.get("TENANTKEEP_SEED", "20261122"))  # noqa: TID251 - a test reads its own seed

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MainJob]:
    """A stack with short intervals and frequent checkpoints, so that kills fall between them."""
    folder = tmp_path_factory.mktemp("kills")
    quick = {
        "TENANTKEEP_ACK_WAIT": "2",
        "TENANTKEEP_HEARTBEAT_INTERVAL": "0.5",
        "TENANTKEEP_SWEEP_INTERVAL": "0.5",
        "TENANTKEEP_PROGRESS_INTERVAL": "0.2",
        "TENANTKEEP_CHECKPOINT_BYTES": str(1 << 20),
        # Sessions side by side may store a common attachment once each; one after the other they may not.
        "TENANTKEEP_WORKER_JOBS": "1",
        "TENANTKEEP_RESTART_LONGEST": "0.5",
    }
    with running_stack(folder, extra=quick) as stack:
        found = MainJob(stack, folder)
        found.onboard("--generate", "180", "--mailboxes", "2", "--seed", "7")
        yield found


def digests(job: MainJob, configuration: str) -> dict[str, str]:
    points = [point for point in job.restore_points() if point["configuration"] == configuration]
    return {point["resource_name"]: point["content_digest"] for point in points}


@pytest.mark.parametrize("kills", [2, pytest.param(200, marks=[pytest.mark.soak, pytest.mark.timeout(7200)])])
def test_kills_at_seeded_moments_leave_no_trace_in_the_restore_points(job: MainJob, kills: int) -> None:
    rng = random.Random(SEED)
    print(f"TENANTKEEP_SEED={SEED}")
    calm = f"undisturbed-{kills}"
    undisturbed = job.configure(calm)
    before = job.requests()
    assert job.backup(calm)["run"]["state"] == "succeeded"
    needed = job.requests() - before
    expected = digests(job, undisturbed["id"])
    assert len(expected) == 3

    for number in range(kills):
        name = f"killed-{kills}-{number}"
        configuration = job.configure(name)
        moment = job.requests() + int(needed * rng.uniform(0.02, 0.98))
        done = _kill_worker_during_backup(job, name, moment)
        assert done["run"]["state"] == "succeeded", done
        assert done["run"]["failed"] == done["run"]["partial"] == done["run"]["held"] == 0
        assert {entry["state"] for entry in done["jobs"]} == {"succeeded"}
        assert digests(job, configuration["id"]) == expected, f"kill {number} at request {moment}"
        target = configuration["target"]
        assert job.repository(target).restore_points() == 3, "not a repository of its own: little had to be stored"
        assert job.repository(target).blobs_stored_twice() == 0
        assert job.repository(target).problems() == []


def _kill_worker_during_backup(job: MainJob, name: str, moment: int) -> Json:
    """Start the backup, kill the worker when the simulator has seen `moment` requests, wait for the run's end."""
    running = job.start_backup(name)
    wait_until(lambda: job.requests() >= moment or running.poll() is not None, seconds=60, what=f"request {moment}")
    assert running.poll() is None, "the run ended before the kill: choose an earlier moment"
    job.kill("backup-worker")
    out, _ = running.communicate(timeout=900)  # some forty runs use up what Graph allows a mailbox in ten minutes
    done: Json = json.loads(out)
    return done


def test_an_unreadable_item_ends_partial_and_costs_nothing_else(job: MainJob, tmp_path: Path) -> None:
    broken = MainJob(job.stack, tmp_path, tenant="fabrikam")
    seeded = broken.onboard("--generate", "40", "--mailboxes", "2", "--unreadable", "1")
    assert len(seeded["unreadable"]) == 1
    broken.configure("nightly")
    done = broken.backup("nightly", codes=(3,))
    assert done["run"]["state"] == "partial"
    partial = [entry for entry in done["jobs"] if entry["state"] == "partial"]
    assert len(partial) == 1
    problem = partial[0]["item_errors"][0]
    assert problem["error"] == "corrupt_source_item"
    assert problem["item"]
    point = next(p for p in broken.restore_points() if p["id"] == partial[0]["restore_point"])
    assert not point["complete"]
    assert point["failed_items"] == 1
    assert point["items"] == partial[0]["counts"]["listed"] - 1
    restored = broken.command(
        "backup", "restore", point["id"], "--to", "restore-target@fabrikam.onmicrosoft.com", "--wait"
    )
    assert restored["run"]["counts"]["verified"] == point["items"]
