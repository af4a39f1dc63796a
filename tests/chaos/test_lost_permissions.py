"""Permissions and consent that somebody takes away, on a whole stack: found, told, shown, and how long that takes."""

import json
from collections.abc import Iterator
from time import monotonic

import pytest
from drill import PROFILE, QUICK, Drill, ended, gateway_of, holders
from main_job import Json, MainJob
from stack_fixture import running_stack, wait_until

from tenantkeep.commands.client import Gateway

pytestmark = [pytest.mark.integration, pytest.mark.soak, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def drill(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drill]:
    folder = tmp_path_factory.mktemp("permissions")
    with running_stack(folder, extra=QUICK) as stack:
        job = MainJob(stack, folder)
        job.onboard("--generate", "150", "--mailboxes", "2", "--seed", "7")
        found = Drill(job)
        found.undisturbed()
        yield found


def run_of(gateway: Gateway, configuration: Json) -> str:
    return max(gateway.runs("contoso", configuration["id"]), key=lambda found: found.requested_at).id


def test_a_permission_that_was_taken_away_is_found_told_and_shown(drill: Drill) -> None:
    job, act = drill.job, f"tenants/contoso/apps/{PROFILE}/permissions"
    assert job.command("permissions", "check", PROFILE)["in_order"] == "yes"
    job.simulator("DELETE", f"{act}/Mail.Read")
    job.simulator("PUT", f"{act}/Files.Read.All")
    found = job.command("permissions", "check", PROFILE, codes=(1,))
    findings = {state["name"]: state["finding"] for state in found["permissions"] if state["finding"]}
    assert findings == {"Mail.Read": "missing", "Files.Read.All": "excess"}
    drift = drill.newest_event("token.permission-drift")
    assert (drift["profile"], drift["missing"], drift["excess"]) == (PROFILE, ["Mail.Read"], ["Files.Read.All"])
    german = job.stack.command("profiles", "list", "--tenant", "contoso", "--lang", "de").stdout
    assert "fehlt" in german
    assert "zu viel" in german
    job.simulator("PUT", f"{act}/Mail.Read")
    job.simulator("DELETE", f"{act}/Files.Read.All")
    job.command("token", "renew", PROFILE)
    assert job.command("permissions", "check", PROFILE)["in_order"] == "yes"


def test_how_long_a_withdrawal_takes_to_hold_and_a_consent_to_be_effective(drill: Drill) -> None:
    """While a backup runs; tokens that were issued are revoked with the consent, as continuous evaluation does."""
    job, configuration = drill.job, drill.job.configure("withdrawn")
    act = f"tenants/contoso/apps/{PROFILE}"
    moment = job.requests() + drill.needed // 3
    running = job.start_backup("withdrawn")
    try:
        wait_until(lambda: job.requests() >= moment, seconds=60, what=f"call {moment}")
        with gateway_of(drill) as gateway:
            run = run_of(gateway, configuration)
            job.simulator("POST", f"{act}/revoke-consent")
            job.simulator("POST", "tenants/contoso/revoke-tokens")
            withdrawn = monotonic()
            wait_until(lambda: "consent_lost" in holders(gateway, run).values(), seconds=60, what="held")
            held = monotonic() - withdrawn
            wait_until(lambda: _status(gateway) == "consent_required", seconds=60, what="consent required")
            known = monotonic() - withdrawn
            job.simulator("POST", f"{act}/grant-consent")
            granted = monotonic()
            wait_until(lambda: _status(gateway) == "active", seconds=60, what="effective")
            effective = monotonic() - granted
            wait_until(lambda: ended(gateway, run), seconds=90, what="the run has ended")
            over = monotonic() - granted
        out, _ = running.communicate(timeout=60)
    finally:
        if running.poll() is None:
            running.kill()
    done = json.loads(out)
    print(
        f"withdrawal: held after {held:.1f} s, consent required after {known:.1f} s; "
        f"consent again: effective after {effective:.1f} s, the run over after {over:.1f} s",
        flush=True,
    )
    assert {(entry["state"], entry["attempt"]) for entry in done["jobs"]} == {("succeeded", 0)}
    assert drill.digests(configuration["id"]) == drill.expected


def _status(gateway: Gateway) -> str:
    return next(one.status.value for one in gateway.tokens("contoso") if one.profile == PROFILE)
