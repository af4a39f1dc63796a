"""Clocks that disagree, and a secret that ends in the middle of a run: work goes on, or is held and then goes on.

A whole stack each time; `make soak` runs them.
"""

import json
from collections.abc import Callable, Iterator
from time import monotonic

import pytest
from drill import QUICK, Drill, ended, expire_secret, gateway_of, holders, new_secret
from main_job import Json, MainJob
from stack_fixture import running_stack, wait_until

pytestmark = [pytest.mark.integration, pytest.mark.soak, pytest.mark.timeout(300)]

REASON = "no_valid_token"
RESUMED_WITHIN = 10.0
"""Seconds from the healing until a held job goes on."""


@pytest.fixture(scope="module")
def drill(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drill]:
    folder = tmp_path_factory.mktemp("clocks")
    with running_stack(folder, extra=QUICK) as stack:
        job = MainJob(stack, folder)
        job.onboard("--generate", "150", "--mailboxes", "2", "--seed", "7")
        found = Drill(job)
        found.undisturbed()
        yield found


@pytest.fixture(autouse=True)
def _clocks_set_right(drill: Drill) -> Iterator[None]:
    yield
    set_clocks(drill)
    drill.job.simulator("DELETE", "faults")


def set_clocks(drill: Drill, **seconds: float) -> None:
    """How far Microsoft's clock is ahead of ours, and that of its sign-in ahead of its own."""
    drill.job.simulator("PUT", "clock", dict(seconds))


def revoke_tokens(drill: Drill) -> None:
    drill.job.simulator("POST", "tenants/contoso/revoke-tokens")


def unharmed(drill: Drill, configuration: Json, done: Json) -> None:
    """The run ended like an undisturbed one, and nobody was blamed."""
    assert done["run"]["state"] == "succeeded", done
    assert {(entry["state"], entry["attempt"]) for entry in done["jobs"]} == {("succeeded", 0)}
    assert drill.digests(configuration["id"]) == drill.expected
    repository = drill.job.repository(configuration["target"])
    assert (repository.problems(), repository.blobs_stored_twice()) == ([], 0)
    assert drill.dead_letters() == 0


@pytest.mark.parametrize("ahead", [300, -300])
def test_a_clock_that_is_five_minutes_off_costs_nothing(drill: Drill, ahead: int) -> None:
    """Tokens that begin in our future or past, and throttling that ends at an instant of Microsoft's clock."""
    configuration = drill.job.configure(f"ahead-{ahead}" if ahead > 0 else f"behind-{-ahead}")
    set_clocks(drill, ahead=ahead)
    revoke_tokens(drill)
    drill.job.simulator("POST", "faults", {"kind": "throttle", "count": 3, "retry_after": "http-date"})
    begun = monotonic()
    done = drill.job.backup(configuration["name"])
    print(f"clock {ahead:+d} s: run of {monotonic() - begun:.1f} s", flush=True)
    unharmed(drill, configuration, done)
    assert monotonic() - begun < abs(ahead) * 0.8, "somebody waited for the other clock"


def test_a_token_that_is_not_valid_yet_holds_and_nothing_more(drill: Drill) -> None:
    """The sign-in's clock is an hour ahead of Graph's: every token is refused, however new."""
    configuration = drill.job.configure("early")
    set_clocks(drill, sign_in_ahead=3600)
    revoke_tokens(drill)
    done, resumed, over = held_until_healed(drill, configuration, lambda: set_clocks(drill))
    print(f"token not valid yet: goes on {resumed:.1f} s, is over {over:.1f} s after the clocks agree", flush=True)
    unharmed(drill, configuration, done)
    assert resumed <= RESUMED_WITHIN


def test_a_secret_that_ends_in_the_middle_of_a_run_holds_what_is_left(drill: Drill) -> None:
    configuration = drill.job.configure("midway")
    moment = drill.job.requests() + drill.needed // 3
    running = drill.job.start_backup("midway")
    try:
        wait_until(lambda: drill.job.requests() >= moment, seconds=60, what=f"call {moment}")
        expire_secret(drill)
        with gateway_of(drill) as gateway:
            run = max(gateway.runs("contoso", configuration["id"]), key=lambda found: found.requested_at).id
            wait_until(lambda: REASON in holders(gateway, run).values(), seconds=60, what="held")
            held = holders(gateway, run)
            new_secret(drill)
            healed = monotonic()
            wait_until(lambda: held.keys() - holders(gateway, run).keys(), seconds=60, what="one goes on")
            resumed = monotonic() - healed
        out, _ = running.communicate(timeout=120)
    finally:
        if running.poll() is None:
            running.kill()
    print(
        f"secret ended after a third of the calls: goes on {resumed:.1f} s, is over {monotonic() - healed:.1f} s after"
    )
    unharmed(drill, configuration, json.loads(out))
    assert resumed <= RESUMED_WITHIN


def held_until_healed(drill: Drill, configuration: Json, heal: Callable[[], None]) -> tuple[Json, float, float]:
    """Run it: the answer of `jobs list`, and the seconds from the healing until one goes on and until all is over."""
    with gateway_of(drill) as gateway:
        run = drill.job.command("backup", "run", configuration["name"])["run"]
        wait_until(lambda: REASON in holders(gateway, run).values(), seconds=90, what=f"held: {REASON}")
        held = holders(gateway, run)
        heal()
        healed = monotonic()
        wait_until(lambda: held.keys() - holders(gateway, run).keys(), seconds=60, what="one goes on")
        resumed = monotonic() - healed
        wait_until(lambda: ended(gateway, run), seconds=90, what="the run has ended")
        over = monotonic() - healed
    done: Json = drill.job.command("jobs", "list", run)
    return done, resumed, over
