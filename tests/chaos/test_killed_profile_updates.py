"""Ten real kills between the change in Microsoft 365 and its record here, and how long an update takes; see `out/`."""

import contextlib
import json
import statistics
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from drill import QUICK
from main_job import MainJob
from stack_fixture import running_stack, wait_until

from contracts.employee_changes import ProfileChange
from tenantkeep.commands import session
from tenantkeep.commands.client import Gateway
from tenantkeep.commands.errors import CommandError

pytestmark = [pytest.mark.integration, pytest.mark.soak, pytest.mark.timeout(900)]

KILLS = 10
UPDATES = 100
FIGURES = Path(__file__).parents[1] / "soak" / "out" / "profile_updates.json"
CLAIM = 30.0
SETTINGS = {**QUICK, "TENANTKEEP_PROFILE_CLAIM": str(CLAIM), "TENANTKEEP_RESTART_LONGEST": "0.5"}


class Office:
    """A synchronised tenant, and the employees whose profile the app may change."""

    def __init__(self, job: MainJob, gateway: Gateway) -> None:
        self.job = job
        self.gateway = gateway
        listed = job.command("employees", "list")["items"]
        present = [one["id"] for one in listed if one["directory_state"] == "present"]
        self.people = [user for user in present if self.change(user, "Anfang")]

    def change(self, user: str, city: str) -> bool:
        """Change one profile; False when that was refused, interrupted, or goes on."""
        with contextlib.suppress(CommandError), self.gateway.asking_once():
            done = self.gateway.change_profile(self.job.tenant, user, ProfileChange(city=city), str(uuid.uuid4()))
            return done.finished
        return False

    def city(self, user: str) -> str | None:
        return self.gateway.employee(self.job.tenant, user).fields.city

    def logged(self, user: str, city: str) -> list[Any]:
        entries = self.gateway.activity(self.job.tenant, user, None, 50).items
        return [entry for entry in entries if entry.field == "city" and entry.new == city]

    def written(self) -> int:
        """How many profiles Microsoft 365 was asked to change."""
        requests = self.job.simulator("GET", "stats")["requests"]
        return sum(count for name, count in requests.items() if name.startswith("PATCH") and "users" in name)

    def answers(self) -> bool:
        with contextlib.suppress(CommandError, AssertionError), self.gateway.asking_once():
            self.job.stack.pid("sync-service")
            self.gateway.sync_overview(self.job.tenant)
            return True
        return False


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    place = tmp_path_factory.mktemp("killed")
    with running_stack(place, extra=SETTINGS) as stack:
        job = MainJob(stack, place)
        job.onboard("--generate", "10", "--mailboxes", "1", "--people", "60", "--seed", "7")
        job.command("sync", "start", "--full", "--wait")
        with Gateway(session.access(stack.home, session.load(stack.home), stack.home.ca_bundle)) as gateway:
            yield Office(job, gateway)


def test_a_kill_between_the_change_there_and_the_record_here_loses_nothing(office: Office) -> None:
    users = office.people[:KILLS]
    assert len(users) == KILLS
    for number, user in enumerate(users):
        wait_until(office.answers, seconds=60, what="sync-service answers")
        # Microsoft 365 has the change and does not show it yet, so that the kill hits the wait in between.
        office.job.simulator("POST", "faults", {"kind": "stale-read", "count": None, "match": user})
        before = office.written()
        asking = threading.Thread(target=office.change, args=(user, f"Ort {number}"))
        asking.start()
        wait_until(lambda before=before: office.written() > before, seconds=60, what="the change is in Microsoft 365")  # type: ignore[misc] # bound at once
        office.job.kill("sync-service")
        office.job.simulator("DELETE", "faults")
        asking.join()
    wait_until(office.answers, seconds=60, what="sync-service answers")
    for number, user in enumerate(users):
        said = f"Ort {number}"
        wait_until(lambda u=user, s=said: office.city(u) == s, seconds=3 * CLAIM, what="the update is carried on")  # type: ignore[misc] # bound at once
    office.job.command("sync", "start", "--full", "--wait")
    assert [office.city(user) for user in users] == [f"Ort {number}" for number in range(KILLS)]
    entries = [office.logged(user, f"Ort {number}") for number, user in enumerate(users)]
    assert [len(found) for found in entries] == [1] * KILLS
    assert {found[0].origin for found in entries} == {"profile"}, "still the change of who asked"


def test_how_long_an_update_takes(office: Office) -> None:
    """Over the API: written, read back and saved when the answer comes."""
    wait_until(office.answers, seconds=60, what="sync-service answers")
    seconds = []
    for number in range(UPDATES):
        begun = monotonic()
        assert office.change(office.people[-1 - number % 10], f"Stadt {number}")
        seconds.append(monotonic() - begun)
    percentiles = statistics.quantiles(seconds, n=20)
    figures = {"updates": UPDATES, "p50": round(percentiles[9], 3), "p95": round(percentiles[18], 3)}
    FIGURES.parent.mkdir(parents=True, exist_ok=True)
    FIGURES.write_text(json.dumps({**figures, "longest": round(max(seconds), 3)}, indent=2) + "\n")
