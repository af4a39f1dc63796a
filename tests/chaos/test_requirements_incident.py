"""R-B13 and R-B12 on a whole stack: a token that may be in wrong hands goes off in the middle of a backup."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

import pytest
from drill import PROFILE, QUICK, Drill, ended, gateway_of, holders, new_secret
from main_job import Json, MainJob
from stack_fixture import running_stack, wait_until

from contracts.api import IncidentBody
from contracts.incidents import IncidentStep
from contracts.names import Profile

pytestmark = [pytest.mark.integration, pytest.mark.soak, pytest.mark.timeout(900)]

REPORT = "The client secret stood in a ticket."
SECURITY = "IT security <security@contoso.test>"


@pytest.fixture(scope="module")
def drill(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drill]:
    folder = tmp_path_factory.mktemp("incident")
    with running_stack(folder, extra={**QUICK, "TENANTKEEP_INCIDENT_LOOK": "1"}) as stack:
        job = MainJob(stack, folder)
        job.onboard("--generate", "150", "--mailboxes", "2", "--seed", "7")
        job.command("tenant", "contacts", "contoso", "--security", SECURITY)
        found = Drill(job)
        found.undisturbed()
        yield found


@contextmanager
def slow_run(drill: Drill, configuration: Json) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """A backup in the middle of its calls that goes on slowly, and its run."""
    job = drill.job
    job.simulator("POST", "faults", {"kind": "delay", "seconds": 0.3, "count": None})
    moment = job.requests() + drill.needed // 4
    running = job.start_backup(configuration["name"])
    try:
        wait_until(lambda: job.requests() >= moment, seconds=60, what=f"call {moment}")
        with gateway_of(drill) as gateway:
            wait_until(lambda: bool(gateway.runs("contoso", configuration["id"])), seconds=30, what="planned")
            runs = gateway.runs("contoso", configuration["id"])
        yield running, max(runs, key=lambda found: found.requested_at).id
    finally:
        if running.poll() is None:
            running.kill()
            running.wait()
        job.simulator("DELETE", "faults")


def test_R_B13_one_report_in_the_middle_of_a_backup_holds_it_and_the_replacement_lets_it_end(drill: Drill) -> None:
    job, configuration = drill.job, drill.job.configure("incident")
    refused = job.stack.command("token", "deactivate", PROFILE, "--tenant", "contoso", check=False)
    assert refused.returncode == 1, refused.stdout  # R-B12: it is in use
    with slow_run(drill, configuration) as (running, run), gateway_of(drill) as gateway:
        opened = gateway.open_incident("contoso", IncidentBody(profile=Profile(PROFILE), report=REPORT))
        job.simulator("POST", "tenants/contoso/revoke-tokens")  # what an administrator does at Microsoft
        incident = opened.model_dump(mode="json")
        assert steps(incident)[:4] == ["opened", "deactivated", "security_informed", "principal_not_disabled"]
        assert incident["security"] == {"name": "IT security", "mail": "security@contoso.test"}
        wait_until(lambda: "no_valid_token" in holders(gateway, run).values(), seconds=60, what="held")
        shown = job.stack.command("incident", "show", incident["id"], "--tenant", "contoso", "--lang", "de").stdout
        assert f"Neues Token generieren: tenantkeep token generate {PROFILE}" in shown
        job.simulator("DELETE", "faults")
        new_secret(drill)
        healed = monotonic()
        wait_until(lambda: ended(gateway, run), seconds=90, what="the run has ended")
        out, _ = running.communicate(timeout=60)
    done = json.loads(out)
    print(f"incident: the held run is over {monotonic() - healed:.1f} s after the replacement", flush=True)
    assert done["run"]["state"] == "succeeded", done
    assert {(entry["state"], entry["attempt"]) for entry in done["jobs"]} == {("succeeded", 0)}
    assert drill.digests(configuration["id"]) == drill.expected
    _closed(drill, incident["id"])


def _closed(drill: Drill, incident: str) -> None:
    job = drill.job
    event = drill.newest_event("security.incident-opened")
    assert (event["incident"], event["severity"], event["security"]["mail"]) == (
        incident,
        "critical",
        "security@contoso.test",
    )
    wait_until(lambda: "replaced" in steps(job.command("incident", "show", incident)), seconds=30, what="noticed")
    closed = job.command("incident", "close", incident, "Copied into the ticket by mistake.")
    assert (closed["open"], closed["cause"]) == (False, "Copied into the ticket by mistake.")
    assert steps(closed) == [step.value for step in IncidentStep if step not in _NOT_HERE]
    assert [entry["at"] for entry in closed["timeline"]] == sorted(entry["at"] for entry in closed["timeline"])
    assert "incident" in {record["ended"] for record in job.command("token", "show", PROFILE)["records"]}


_NOT_HERE = {IncidentStep.PRINCIPAL_DISABLED, IncidentStep.NOTED}


def steps(incident: Json) -> list[str]:
    return [entry["step"] for entry in incident["timeline"]]
