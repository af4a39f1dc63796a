"""What a stranger sees of a run on the real stack: its progress while it goes on, and one trace of all its parts."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from main_job import MainJob
from otlp_receiver import Received, Receiver, receiving
from stack_fixture import running_stack, wait_until

from chassis import tls
from chassis.testing.process import free_port
from tenantkeep.commands import session

pytestmark = [pytest.mark.integration, pytest.mark.soak, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[MainJob, Receiver]]:
    folder = tmp_path_factory.mktemp("open")
    port = free_port()
    endpoint = f"https://127.0.0.1:{port}/v1/traces"
    extra = {"TENANTKEEP_OTLP_ENDPOINT": endpoint, "TENANTKEEP_PROGRESS_INTERVAL": "0.1"}
    with running_stack(folder, extra=extra) as stack, receiving(port, *stack.home.certificate("gateway")) as receiver:
        job = MainJob(stack, folder)
        job.onboard("--generate", "40", "--mailboxes", "1", "--seed", "5")
        job.configure("open")
        yield job, receiver


def test_a_run_is_followed_live_and_is_one_trace(job: tuple[MainJob, Receiver]) -> None:
    main, receiver = job
    signs = _followed_backup(main)
    _check_progress(signs)
    run = signs[-1][1]
    trace = wait_until(lambda: _whole_trace(receiver, run["jobs"]), seconds=15, what="all parts of the trace")
    by_name = {span.name: span for span in trace}
    request = by_name["POST start_backup"]
    assert (request.service, request.parent) == ("gateway", "")
    assert by_name["process backup-requested"].service == "backup-service-planner"
    assert by_name["process backup-requested"].parent == request.span
    execution = by_name["snapshot"]
    assert execution.service == "backup-service-worker"
    assert _ancestors(execution, trace) == [
        "graph", "process jobs-backup", "process backup-requested", "POST start_backup"
    ]  # fmt: skip
    assert by_name["graph"].attributes["tenantkeep.requests"] > 0
    jobs = [span for span in trace if span.name == "process jobs-backup"]
    # One span for the requests of a connection: the planner's look and one per job, however many mails.
    assert len([span for span in trace if span.name == "graph"]) == len(jobs) + 1
    assert not any(span.failed for span in trace)
    assert len(jobs) == run["jobs"]


def test_traces_hold_no_secret_and_no_mail(job: tuple[MainJob, Receiver]) -> None:
    main, receiver = job
    sent = b"".join(receiver.raw)
    apps = json.loads((main.folder / "contoso.apps.json").read_text())
    planted = [value for value in _texts(apps) if len(value) >= 20 and " " not in value and "-" not in value[:9]]
    assert planted
    assert not [value for value in planted if value.encode() in sent]
    assert b"@contoso" not in sent


def _followed_backup(main: MainJob) -> list[tuple[str, Any]]:
    home = main.stack.home
    access = session.access(home, session.load(home), home.ca_bundle)
    root = f"{access.url.rstrip('/')}/api/v1/tenants/contoso"
    with httpx.Client(
        auth=session.Bearer(access), verify=tls.client_context(home.ca_bundle), trust_env=False, timeout=60
    ) as client:
        [configuration] = client.get(f"{root}/backup-configurations").json()["items"]
        started = client.post(f"{root}/backup-configurations/{configuration['id']}/runs")
        run = started.raise_for_status().json()["run"]
        address = f"{root}/runs/{run}/progress"
        wait_until(lambda: client.get(f"{root}/runs/{run}").is_success, seconds=20, what="the run is known")
        with client.stream("GET", address) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            return list(_signs(answer.iter_lines()))


def _signs(lines: Iterator[str]) -> Iterator[tuple[str, Any]]:
    name = ""
    for line in lines:
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))


def _check_progress(signs: list[tuple[str, Any]]) -> None:
    names = [name for name, _ in signs]
    assert names[:2] == ["run", "jobs"]
    assert names[-1] == "end"
    assert signs[-1][1]["state"] == "succeeded"
    assert "succeeded" in names, names  # heard, not only asked for
    assert names[-2] == "succeeded"
    assert signs[-2][1]["scope"] == "run"


def _whole_trace(receiver: Receiver, jobs: int) -> list[Received]:
    """The spans of the backup's trace, once all of them are there."""
    for request in receiver.named("POST start_backup"):
        trace = [span for span in receiver.spans if span.trace == request.trace]
        known = {span.span for span in trace}
        complete = all(not span.parent or span.parent in known for span in trace)
        executions = [span for span in trace if span.name == "process jobs-backup"]
        if complete and len(executions) == jobs and {"snapshot", "verify"} <= {span.name for span in trace}:
            return trace
    return []


def _ancestors(span: Received, trace: list[Received]) -> list[str]:
    by_id = {other.span: other for other in trace}
    found = []
    while span.parent:
        span = by_id[span.parent]
        found.append(span.name)
    return found


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, str):
        yield value
