"""`make bench`: the main job's figures on this machine, into tests/bench/out/main_job.json.

Counters are compared with baseline.json and may not get worse; seconds and memory are printed, never gated, because
machines are noisy.
"""

import json
import os
import statistics
import sys
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "support"))

from main_job import MainJob  # noqa: E402 - the folder is on the path only from here on
from stack_fixture import RunningStack, running_stack  # noqa: E402

MESSAGES = int(os.environ.get("MESSAGES", "2000"))  # noqa: TID251 - an argument of make bench
REQUESTS = int(os.environ.get("REQUESTS", "60"))  # noqa: TID251 - an argument of make bench
TOLERANCE = 1.05

Figures = dict[str, float]


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="tenantkeep-bench-") as folder, running_stack(Path(folder)) as stack:
        figures = {**backup_figures(stack, Path(folder)), **request_figures(stack, Path(folder))}
    out = HERE / "out" / "main_job.json"
    out.parent.mkdir(exist_ok=True)
    out.write_text(json.dumps(figures, indent=2, sort_keys=True) + "\n")
    print(out.read_text())
    return worse_than_baseline(figures)


def backup_figures(stack: RunningStack, folder: Path) -> Figures:
    """First, unchanged and changed run over one generated tenant."""
    job = MainJob(stack, folder, tenant="contoso")
    seeded = job.onboard("--generate", str(MESSAGES), "--seed", "1")
    job.configure("bench")
    first, unchanged = job.backup("bench"), job.backup("bench")
    changed = job.change(seed=2, fraction=0.01)
    incremental = job.backup("bench")
    done = first["run"]["counts"]
    seconds = _seconds(first["run"]["started_at"], first["run"]["finished_at"])
    thousands = MESSAGES / 1000
    return {
        "messages": MESSAGES,
        "bytes_read": done["bytes_read"],
        "seeded_bytes": seeded["bytes"],
        "graph_requests_per_1000_messages_first": done["requests"] / thousands,
        "graph_requests_per_1000_messages_unchanged": unchanged["run"]["counts"]["requests"] / thousands,
        "bodies_fetched_per_changed_body": incremental["run"]["counts"]["stored"]
        / (changed["created"] + changed["updated"] + changed["moved"]),
        "bytes_stored_per_byte_read": done["bytes_stored"] / done["bytes_read"],
        "bytes_stored_unchanged_run": unchanged["run"]["counts"]["bytes_stored"],
        "messages_per_second_first": MESSAGES / seconds,
        "worker_peak_memory_mib": _peak_mib(stack.pid("backup-worker")),
    }


def request_figures(stack: RunningStack, folder: Path) -> Figures:
    """From the request event to the first running job, over many requests one after the other."""
    job = MainJob(stack, folder, tenant="fabrikam")
    job.onboard("--generate", "5", "--mailboxes", "1", "--seed", "3")
    job.configure("latency")
    waits = []
    for _ in range(REQUESTS):
        done = job.backup("latency")
        started = min(entry["started_at"] for entry in done["jobs"])
        waits.append(_seconds(done["run"]["requested_at"], started))
    waits.sort()
    return {
        "request_to_running_p50_seconds": statistics.median(waits),
        "request_to_running_p99_seconds": waits[min(len(waits) - 1, int(len(waits) * 0.99))],
        "request_to_running_samples": len(waits),
    }


def worse_than_baseline(figures: Figures) -> int:
    """1 when a counter is worse than the committed one; fewer messages than the baseline's are not compared."""
    baseline: dict[str, Any] = json.loads((HERE / "baseline.json").read_text())
    if figures["messages"] != baseline["messages"]:
        print(f"not compared: the baseline is for {baseline['messages']} messages")
        return 0
    worse = [
        f"{name}: {figures[name]:.4g}, baseline {limit:.4g}"
        for name, limit in baseline["counters"].items()
        if figures[name] > limit * TOLERANCE
    ]
    print("\n".join(["worse than baseline.json:", *worse]) if worse else "counters are as good as baseline.json")
    return 1 if worse else 0


def _seconds(start: str, end: str) -> float:
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()


def _peak_mib(pid: int) -> float:
    """Peak resident memory; Linux only, 0 elsewhere."""
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        return 0.0
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    sys.exit(main())
