"""What a sync of a large tenant asks of Graph and of the store, and what an unchanged one does."""

import json
import os
import resource
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sync_fakes.service import TENANT, MemoryService
from sync_fakes.simulated import SimulatedDirectory

from contracts.employees import SyncCounts
from contracts.names import JobState, Role, SyncKind

ADMIN, HR = "KlarKonform-contoso-Admin", "KlarKonform-contoso-HR"
OUT = Path(__file__).parents[4] / "tests" / "soak" / "out"


def peopled(simulated: SimulatedDirectory, users: int, groups: int) -> list[str]:
    """Users in groups, four groups deep; a fifth of all are administrators or HR by way of them."""
    simulated.connection.execute("PRAGMA synchronous = OFF")
    made = [
        simulated.put(f"user{n:05}", primary_mail=f"user{n:05}@contoso.example", department=f"D{n % 40}", city="Bonn")
        for n in range(users)
    ]
    teams = [simulated.add_group(f"Team {n}") for n in range(groups - 2)]
    admins, hr = simulated.add_group(ADMIN), simulated.add_group(HR)
    for number, user in enumerate(made):
        simulated.enrol(teams[number % len(teams)], user)
    simulated.enrol(admins, teams[0])
    for number in range(len(teams) // 10):
        simulated.enrol(hr, teams[number])
    return made


@pytest.fixture
def simulated(tmp_path: Path) -> Iterator[SimulatedDirectory]:
    made = SimulatedDirectory(tmp_path)
    yield made
    made.close()


def service_on(simulated: SimulatedDirectory) -> MemoryService:
    service = MemoryService()
    service.directories = simulated
    service.restart()
    return service


async def measured(service: MemoryService, simulated: SimulatedDirectory, kind: SyncKind) -> tuple[SyncCounts, int]:
    """Counts of a sync, and the requests that Graph answered for it."""
    await service.clock.advance(60)
    before = simulated.requests
    run = await service.sync(kind)
    assert run.state is JobState.SUCCEEDED, run.detail
    return run.counts, simulated.requests - before


async def test_a_large_tenant_costs_pages_and_an_unchanged_one_two_requests(simulated: SimulatedDirectory) -> None:
    users = peopled(simulated, 2_000, 500)
    service = service_on(simulated)
    counts, requests = await measured(service, simulated, SyncKind.INCREMENTAL)
    assert (counts.created, counts.listed) == (2_000, 2_000)
    assert requests <= 2_000 / 100 + 10
    assert counts.requests == requests
    writes = service.employees.writes
    counts, requests = await measured(service, simulated, SyncKind.INCREMENTAL)
    assert (requests, service.employees.writes, counts.listed) == (2, writes, 0)
    for user in users[:20]:
        simulated.put(user, department="Changed")
    counts, requests = await measured(service, simulated, SyncKind.INCREMENTAL)
    assert (counts.updated, counts.listed, requests) == (20, 20, 2)
    roles = [record.roles for record in service.employees.records.values()]
    assert sum(Role.ADMIN in own for own in roles) == len(users[::498])
    assert sum(Role.HR in own for own in roles) == sum(number % 498 < 49 for number in range(2_000))


@pytest.mark.soak
@pytest.mark.timeout(3600)
async def test_fifty_thousand_users_and_five_hundred_groups(simulated: SimulatedDirectory) -> None:
    users = peopled(simulated, int(os.environ.get("TENANTKEEP_SOAK_USERS", "50000")), 500)  # noqa: TID251 - a test's
    service = service_on(simulated)
    figures = {}
    for name, kind in (("full", SyncKind.INCREMENTAL), ("unchanged", SyncKind.INCREMENTAL), ("again", SyncKind.FULL)):
        begun = time.perf_counter()
        counts, requests = await measured(service, simulated, kind)
        figures[name] = {
            "seconds": round(time.perf_counter() - begun, 1),
            "requests": requests,
            "requests_per_1000_users": round(1000 * requests / len(users), 2),
            **counts.model_dump(include={"listed", "created", "unchanged"}),
        }
    for user in users[: len(users) // 100]:
        simulated.put(user, department="Changed")
    _, requests = await measured(service, simulated, SyncKind.INCREMENTAL)
    figures["one percent"] = {"requests": requests, "requests_per_1000_users": round(1000 * requests / len(users), 2)}
    figures["peak_mib"] = {"process": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "directory-sync.json").write_text(json.dumps({"users": len(users), **figures}, indent=2) + "\n")
    assert figures["unchanged"]["requests"] <= 10
    assert (await service.app.questions._read.overview(TENANT)).present == len(users)
