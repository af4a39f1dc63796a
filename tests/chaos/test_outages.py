"""Kills and outages in mid-run leave no trace in the restore points; what a job waits for is shown and soon over.

TENANTKEEP_SEED chooses the moments. `make test` runs a few cases, `make soak` all of them.
"""

import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import combinations
from time import monotonic

import chaos_page
import pytest
from drill import PROFILE, QUICK, Drill, Fault, ended, expire_secret, gateway_of, holders, new_secret
from main_job import MainJob
from stack_fixture import running_stack, wait_until

SEED = int(os.environ.get("TENANTKEEP_SEED", "20261122"))  # noqa: TID251 - a test reads its own seed

PROCESSES = ("nats", "documents", "vault", "objects", "simulator", "backup-planner", "backup-worker", "gateway")
SERVERS = ("nats", "documents", "objects", "simulator", "vault")

KILLS = tuple(Fault((name,)) for name in PROCESSES)
PAIRS = (*(Fault(pair) for pair in combinations(PROCESSES, 2)), Fault(("vault", "token-service")))
AWAY = tuple(Fault((name,), away=12.0) for name in SERVERS)
WIPED = (Fault(("nats",), wiped=True),)
ALL = (*WIPED, *KILLS, *AWAY, *PAIRS)
BUDGET = float(os.environ.get("TENANTKEEP_SOAK_SECONDS", "3600"))  # noqa: TID251 - a test reads its own budget

RESUMED_WITHIN = 10.0
"""Seconds from the healing until a held job goes on."""

pytestmark = [pytest.mark.integration, pytest.mark.soak]


@pytest.fixture(scope="module")
def drill(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drill]:
    folder = tmp_path_factory.mktemp("chaos")
    with running_stack(folder, extra=QUICK) as stack:
        job = MainJob(stack, folder)
        job.onboard("--generate", "150", "--mailboxes", "2", "--seed", "7")
        found = Drill(job)
        found.undisturbed()
        print(f"TENANTKEEP_SEED={SEED}")
        yield found
        print(f"\n{found.table()}")
        if {result.fault for result in found.results} >= set(ALL):
            chaos_page.write(found.results, SEED)


@pytest.mark.timeout(180)
def test_the_documents_die_in_mid_run(drill: Drill) -> None:
    fault = Fault(("documents",))
    drill.disturb("quick", fault, random.Random(f"{SEED} {fault}"))
    assert drill.dead_letters() == 0


@pytest.mark.soak
@pytest.mark.timeout(300)
@pytest.mark.parametrize(("number", "fault"), list(enumerate(ALL)), ids=str)
def test_every_process_and_pairs_of_them_die_go_away_and_come_back(drill: Drill, number: int, fault: Fault) -> None:
    letters = 0 if fault.wiped else drill.dead_letters()
    drill.disturb(f"full-{number}", fault, random.Random(f"{SEED} {fault}"))
    assert drill.dead_letters() == letters


@pytest.mark.timeout(int(BUDGET) + 300)
def test_an_hour_of_chaos_leaves_no_trace(drill: Drill) -> None:
    """One fault after the other, as the seed has it, until the budget is spent."""
    rng, until, number = random.Random(f"{SEED} chaos"), monotonic() + BUDGET, 0
    while monotonic() < until:
        number += 1
        drill.disturb(f"chaos-{number}", rng.choice([fault for fault in ALL if not fault.wiped]), rng)
    print(f"{number} faults in {BUDGET:.0f} s, TENANTKEEP_SEED={SEED}")
    assert drill.dead_letters() == 0


Trouble = Callable[[Drill], None]


def away(name: str) -> tuple[Trouble, Trouble]:
    def heal(drill: Drill) -> None:
        drill.bring_back(name)
        wait_until(lambda: drill.is_ready(name), seconds=60, what=f"{name} is back")

    return lambda drill: drill.take_away(name), heal


def revoke_consent(drill: Drill) -> None:
    drill.job.simulator("POST", f"tenants/contoso/apps/{PROFILE}/revoke-consent")
    drill.job.simulator("POST", "tenants/contoso/revoke-tokens")


def grant_consent(drill: Drill) -> None:
    drill.job.simulator("POST", f"tenants/contoso/apps/{PROFILE}/grant-consent")


def throttle(drill: Drill) -> None:
    drill.job.simulator("POST", "faults", {"kind": "throttle", "count": 100_000, "retry_after": 0.2})


def let_go(drill: Drill) -> None:
    drill.job.simulator("DELETE", "faults")


CASES: dict[str, tuple[Trouble, Trouble]] = {
    "storage_unreachable": away("objects"),
    "vault_unreachable": away("vault"),
    "graph_unreachable": away("simulator"),
    "no_valid_token": (expire_secret, new_secret),
    "consent_lost": (revoke_consent, grant_consent),
    "tenant_throttled": (throttle, let_go),
}


PARAMETERS = [pytest.param(reason, marks=pytest.mark.soak) for reason in CASES]


@pytest.mark.timeout(180)
@pytest.mark.parametrize("reason", PARAMETERS)
def test_held_for_the_right_reason_and_resumed_soon_after(drill: Drill, reason: str) -> None:
    begin, heal = CASES[reason]
    configuration = drill.job.configure(reason.replace("_", "-"))
    with trouble(drill, begin, heal) as end, gateway_of(drill) as gateway:
        run = drill.job.command("backup", "run", configuration["name"])["run"]
        wait_until(lambda: reason in holders(gateway, run).values(), seconds=90, what=f"held: {reason}")
        held = holders(gateway, run)
        end()
        healed = monotonic()
        # The others may have to wait for a place at a worker.
        wait_until(lambda: not held or held.keys() - holders(gateway, run).keys(), seconds=60, what="one goes on")
        resumed = monotonic() - healed
        wait_until(lambda: ended(gateway, run), seconds=60, what="the run has ended")
        over = monotonic() - healed
    print(f"| {reason} | {resumed:.1f} | {over:.1f} |", flush=True)
    done = drill.job.command("jobs", "list", run)
    assert done["run"]["state"] == "succeeded", done
    assert {entry["attempt"] for entry in done["jobs"]} == {0}, "an outage burnt an attempt"
    assert drill.digests(configuration["id"]) == drill.expected
    assert resumed <= RESUMED_WITHIN


@contextmanager
def trouble(drill: Drill, begin: Trouble, heal: Trouble) -> Iterator[Callable[[], None]]:
    """Healed at the latest at the end, so that one case never spoils the next."""
    healed = False

    def end() -> None:
        nonlocal healed
        healed = True
        heal(drill)

    begin(drill)
    try:
        yield end
    finally:
        if not healed:
            heal(drill)
