"""A mailbox ten times as large needs no larger worker."""

import json
from pathlib import Path

import pytest
from main_job import MainJob
from stack_fixture import running_stack

pytestmark = [pytest.mark.integration, pytest.mark.soak, pytest.mark.timeout(7200)]

SMALL, LARGE = 5_000, 50_000
GROWTH = 1.15
FIGURES = Path(__file__).parent / "out" / "large_mailbox.json"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("large")


def measured(folder: Path, mails: int) -> dict[str, float]:
    """Back up one mailbox of `mails` messages on a stack of its own; what the worker needed."""
    place = folder / str(mails)
    place.mkdir()
    # Outlook takes 10,000 requests in 10 minutes: at its pace the large mailbox would take most of an hour.
    with running_stack(place, extra={"TENANTKEEP_GRAPH_TIME_SCALE": "0.01"}) as stack:
        job = MainJob(stack, place)
        job.onboard("--generate", str(mails), "--mailboxes", "1", "--seed", "50")
        job.configure("large")
        done = job.backup("large")
        assert done["run"]["state"] == "succeeded", done
        assert done["run"]["counts"]["stored"] >= mails
        return {"mails": mails, "peak_mib": peak_mib(stack.pid("backup-worker"))}


def peak_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def test_peak_memory_of_a_worker_is_flat(folder: Path) -> None:
    small, large = measured(folder, SMALL), measured(folder, LARGE)
    print(f"peak MiB: {small} {large}")
    FIGURES.parent.mkdir(exist_ok=True)
    FIGURES.write_text(json.dumps({"small": small, "large": large}, indent=2))
    assert large["peak_mib"] <= GROWTH * small["peak_mib"]
