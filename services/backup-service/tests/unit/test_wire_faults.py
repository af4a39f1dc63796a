"""Calendars and contacts over sockets that break: cut and silent connections cost nothing but time."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from backup_fakes.exchange import Exchange
from backup_fakes.served import ServedTenant

from backup_service.adapters import graph_calendars, graph_contacts
from contracts.names import HoldReason, JobState, Source
from graph_simulator.testing import SimulatorProcess, seed

# Every test resets connections on purpose; a transport that is collected late belongs to the fault, not to us.
pytestmark = [pytest.mark.soak, pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")]

SOURCES = (Source.CALENDAR, Source.CONTACTS)
LISTS = r"/(calendars/.*/events|contacts/delta)$"
BYTES = r"/\$value$"
ITEMS = r"/(events|contacts|messages)/"

FAULTS: dict[str, dict[str, Any]] = {
    "reset before the head of a list": {"kind": "reset", "match": LISTS, "count": 2},
    "reset before the head of an item": {"kind": "reset", "match": ITEMS, "count": 3},
    "reset inside a list": {"kind": "reset-mid-body", "match": LISTS, "after_bytes": 100, "count": 2},
    "reset inside a file or picture": {"kind": "reset-mid-body", "match": BYTES, "after_bytes": 10, "count": 2},
    "list shorter than announced": {"kind": "short-body", "match": LISTS, "count": 2},
    "file or picture shorter than announced": {"kind": "short-body", "match": BYTES, "count": 2},
    "JSON that ends in the middle": {"kind": "status", "status": 200, "body": '{"value": [{"id":', "match": LISTS},
    "no answer in time to a list": {"kind": "delay", "seconds": 3, "match": LISTS},
    "no answer in time to an item": {"kind": "delay", "seconds": 3, "match": ITEMS, "count": 2},
    "429 with a date": {"kind": "throttle", "match": LISTS, "retry_after": "http-date"},
    "503 without a body": {"kind": "status", "status": 503, "match": LISTS, "count": 2},
    "a void delta link in mid-round": {"kind": "gone-delta", "match": "delta"},
    "compressed": {"kind": "gzip", "match": "/users/", "count": None},
    "chunked": {"kind": "chunked", "match": "/users/", "count": None},
}


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[SimulatorProcess, Any]]:
    state: Path = tmp_path_factory.mktemp("wire")
    apps = state / "apps.json"
    options = ("--generate", "0", "--mailboxes", "1", "--calendars", "24", "--contacts", "12", "--apps", str(apps))
    seed(state, "contoso", *options)
    with SimulatorProcess(state) as server:
        yield server, json.loads(apps.read_text())


@pytest.fixture
def calm(simulator: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[SimulatorProcess]:
    for module, name in ((graph_calendars, "_WHOLE"), (graph_contacts, "_PAGE_SIZE")):
        monkeypatch.setattr(module, name, 5)
    yield simulator[0]
    simulator[0].control("DELETE", "faults")


def worker(simulator: Any, new_worker: Any) -> Any:
    server, known = simulator
    made = new_worker(Exchange())
    made.tenants = ServedTenant(server, known)
    made.tenants.patience = 1.0
    made.jobs.sources, made.parallel = SOURCES, 4
    users = server.control("GET", "tenants/contoso/users")["users"]
    made.resource = next(user["id"] for user in users if user["upn"].startswith("anna"))
    return made


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
async def test_what_breaks_on_the_wire_costs_nothing_but_time(
    simulator: Any, calm: SimulatorProcess, new_worker: Any, fault: dict[str, Any]
) -> None:
    undisturbed = worker(simulator, new_worker)
    assert (await undisturbed.backup()).state is JobState.SUCCEEDED
    disturbed = worker(simulator, new_worker)
    calm.control("POST", "faults", fault)
    job = await disturbed.backup()
    assert sum(rule["fired"] for rule in calm.control("GET", "faults")["faults"]) >= (fault.get("count", 1) or 1)
    assert (job.state, job.item_errors) == (JobState.SUCCEEDED, ())
    assert await disturbed.digest() == await undisturbed.digest()


async def test_a_network_that_stays_away_holds_the_job_and_it_goes_on_from_there(
    simulator: Any, calm: SimulatorProcess, new_worker: Any
) -> None:
    undisturbed, disturbed = worker(simulator, new_worker), worker(simulator, new_worker)
    await undisturbed.backup()
    calm.control("POST", "faults", {"kind": "reset", "match": "/users/", "count": None, "skip": 20})
    name = disturbed.queue()
    job = await disturbed.deliver(name)
    assert job.state is JobState.WAITING
    assert job.hold is not None
    assert job.hold.reason is HoldReason.GRAPH_UNREACHABLE
    calm.control("DELETE", "faults")
    assert (await disturbed.deliver(name)).state is JobState.SUCCEEDED
    assert await disturbed.digest() == await undisturbed.digest()
