"""Two workers in the same mailboxes: Outlook's limits hold for both together, and a 429 met by one stops both."""

import json
import ssl
from collections.abc import Iterator
from threading import Event
from typing import Any

import httpx
import pytest
from main_job import Json, MainJob
from stack_fixture import running_stack, wait_until

REQUESTS = 90
MAILS = 100
BODY = "GET /v1.0/users/{user}/messages/{message}/$value"
SCALE = 0.01
"""Windows of 6 seconds instead of 10 minutes."""

# A stack of its own with two workers: the arithmetic is guarded in virtual time by graph-client's test_pool.py.
pytestmark = [pytest.mark.integration, pytest.mark.soak, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MainJob]:
    folder = tmp_path_factory.mktemp("budgets")
    scaled = {
        "TENANTKEEP_WORKERS": "2",
        "TENANTKEEP_WORKER_JOBS": "2",
        "TENANTKEEP_GRAPH_TIME_SCALE": str(SCALE),
        "TENANTKEEP_GRAPH_MAILBOX_REQUESTS": str(REQUESTS),
        "TENANTKEEP_SIMULATOR_MAILBOX_REQUESTS": str(REQUESTS),
        "TENANTKEEP_SWEEP_INTERVAL": "0.5",
    }
    with running_stack(folder, extra=scaled) as stack:
        found = MainJob(stack, folder)
        found.onboard("--generate", str(MAILS), "--mailboxes", "2", "--seed", "11")
        yield found


def control(job: MainJob, method: str, path: str, body: Any = None) -> Any:
    context = ssl.create_default_context(cafile=job.stack.home.ca_bundle)
    token = (job.stack.home.root / "simulator" / "control.token").read_text().strip()
    url = f"https://127.0.0.1:{job.stack.ports['simulator']}/_simulator/{path}"
    with httpx.Client(verify=context, trust_env=False, headers={"Authorization": f"Bearer {token}"}) as http:
        answer = http.request(method, url, json=body).raise_for_status()
    return answer.json() if answer.content else None


def both(job: MainJob, *names: str) -> list[Json]:
    """Back up the same mailboxes for several configurations at once."""
    running = [job.start_backup(name) for name in names]
    return [json.loads(process.communicate(timeout=120)[0]) for process in running]


def test_two_workers_keep_the_limits_of_a_mailbox_together(job: MainJob) -> None:
    for name in ("first", "second"):
        job.configure(name)
    # Answers that take a while, so that requests are under way side by side.
    slow = control(
        job, "POST", "faults", {"kind": "delay", "match": r"/messages/.*value$", "count": None, "seconds": 0.1}
    )
    control(job, "POST", "stats/reset")
    for done in both(job, "first", "second"):
        assert done["run"]["state"] == "succeeded", done
    control(job, "DELETE", f"faults/{slow['id']}")
    stats = control(job, "GET", "stats")
    uses = [use for use in stats["mailboxes"] if use["most_requests_in_window"]]
    items = 2 * MAILS
    print(f"Graph calls per item: {stats['graph_requests_total'] / items:.2f}; highest use: {uses}")
    assert sum(use["throttled"] for use in uses) == 0
    assert max(use["most_concurrent"] for use in uses) == 4
    # Each mailbox needs more than a window allows, so that the limit is what held the runs back.
    busiest = sorted(use["most_requests_in_window"] for use in uses)[-2:]
    assert all(0.9 * REQUESTS <= most <= REQUESTS for most in busiest), busiest
    assert stats["statuses"].get("429", 0) == 0
    # The rest, some 50 calls a run of a mailbox, is its folders': tests/bench guards what that costs per mail.
    assert stats["requests"][BODY] == items


@pytest.mark.soak
def test_a_429_met_by_one_worker_silences_all_of_them(job: MainJob) -> None:
    for name in ("third", "fourth"):
        job.configure(name)
    control(job, "POST", "stats/reset")
    fault = {"kind": "throttle", "match": r"/messages/.*value$", "count": 1, "skip": 20, "retry_after": "4"}
    control(job, "POST", "faults", fault)
    running = [job.start_backup(name) for name in ("third", "fourth")]
    wait_until(lambda: control(job, "GET", "stats")["statuses"].get("429"), seconds=60, what="somebody has met the 429")
    pause = Event()
    pause.wait(1.0)  # a renewal, and what was under way
    before = control(job, "GET", "stats")["graph_requests_total"]
    pause.wait(2.0)
    assert control(job, "GET", "stats")["graph_requests_total"] == before
    for process in running:
        done = json.loads(process.communicate(timeout=120)[0])
        assert done["run"]["state"] == "succeeded", done
    stats = control(job, "GET", "stats")
    assert stats["statuses"]["429"] == 1
    assert max(use["most_concurrent"] for use in stats["mailboxes"]) <= 4
