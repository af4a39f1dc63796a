"""A whole restore against the simulated Microsoft 365: what arrives, what it costs, and what a dry run leaves alone."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from backup_fakes.served import ServedTenant

from backup_service.domain.mail_digest import facts
from contracts.names import JobState
from contracts.restoring import RestoreConflict, RestorePlace, RestoreSelection
from graph_client import segment
from graph_simulator.testing import SimulatorProcess, seed

MAILS = 12
PREFER = ('IdType="ImmutableId"',)
ORIGINAL = {"place": RestorePlace.ORIGINAL}


class Office:
    """A simulated mailbox, a worker that backs it up and restores it, and another mailbox."""

    def __init__(self, server: SimulatorProcess, known: dict[str, Any], worker: Any) -> None:
        self.server = server
        self.tenant = ServedTenant(server, known)
        users = sorted(server.control("GET", "tenants/contoso/users")["users"], key=lambda user: -user["messages"])
        self.user, self.other = users[0]["id"], users[1]["id"]
        self.worker = worker
        worker.tenants, worker.resource, worker.parallel = self.tenant, self.user, 4

    async def take_back(self, user: str = "", **order: Any) -> Any:
        point = (await self.worker.snapshot()).id
        return await self.worker.deliver(self.worker.queue_restore(point, user or self.user, **order))

    async def delete(self, *messages: str) -> None:
        async with self.tenant.client() as client:
            for message in messages:
                await client.delete(f"/users/{self.user}/messages/{segment(message)}", prefer=PREFER)

    async def mails(self, user: str) -> list[str]:
        """Every mail with its folder's name, by what it says."""
        found: list[str] = []
        async with self.tenant.backup("contoso") as reading:
            mail = reading.mail
            names = {folder.id: folder.name for folder in await mail.folders(user)}
            for folder, name in names.items():
                async for page in mail.changes(user, folder, None):
                    for message in page.items:
                        raw = await mail.mime(user, message.id)
                        found.append(json.dumps(facts(raw, message.sidecar, (name,)), sort_keys=True))
        return sorted(found)

    def writes(self) -> int:
        asked = self.server.control("GET", "stats")["requests"]
        return sum(number for name, number in asked.items() if "/v1.0" in name and not name.startswith("GET "))


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[tuple[SimulatorProcess, Any]]:
    state = tmp_path
    apps = state / "apps.json"
    seed(state, "contoso", "--generate", str(MAILS), "--mailboxes", "1", "--seed", "3", "--apps", str(apps))
    with SimulatorProcess(state) as server:
        yield server, json.loads(apps.read_text())


@pytest.fixture
def office(simulator: tuple[SimulatorProcess, Any], worker: Any) -> Office:
    return Office(*simulator, worker)


async def test_what_was_deleted_comes_back_where_it_was_and_nothing_twice(office: Office) -> None:
    before = await office.mails(office.user)
    await office.worker.backup()
    gone = sorted(await office.worker.mirror())[:4]
    await office.delete(*gone)
    foretold, office_writes = await dry(office)
    assert office_writes == 0
    done = await office.take_back(conflict=RestoreConflict.SKIP, **ORIGINAL)
    assert (done.state, done.item_errors) == (JobState.SUCCEEDED, ())
    (numbers,) = done.restored.sources
    assert (numbers.created, numbers.verified, numbers.skipped) == (4, 4, MAILS - 4)
    assert foretold.restored.sources[0].created == 4
    assert await office.mails(office.user) == before
    again = await office.take_back(conflict=RestoreConflict.SKIP, **ORIGINAL)
    assert (again.restored.sources[0].created, again.restored.sources[0].skipped) == (0, MAILS)


async def dry(office: Office) -> tuple[Any, int]:
    """A dry run, and the writing requests that Microsoft 365 has seen meanwhile."""
    office.server.control("POST", "stats/reset")
    job = await office.take_back(conflict=RestoreConflict.SKIP, dry_run=True, **ORIGINAL)
    return job, office.writes()


async def test_replace_takes_back_what_was_changed(office: Office) -> None:
    before = await office.mails(office.user)
    await office.worker.backup()
    changed = sorted(await office.worker.mirror())[:3]
    async with office.tenant.client() as client:
        for message in changed:
            path = f"/users/{office.user}/messages/{segment(message)}"
            await client.patch(path, {"categories": ["Ransom"]}, prefer=PREFER)
    done = await office.take_back(
        conflict=RestoreConflict.REPLACE, selection=RestoreSelection(items=tuple(changed)), **ORIGINAL
    )
    assert (done.state, done.restored.sources[0].replaced) == (JobState.SUCCEEDED, 3)
    assert await office.mails(office.user) == before


async def test_a_mail_costs_two_requests_and_a_single_one_no_listing(office: Office) -> None:
    await office.worker.backup()
    whole = await office.take_back(office.other, folder="Whole")
    assert (whole.state, whole.counts.verified) == (JobState.SUCCEEDED, MAILS)
    folders = whole.restored.sources[0].folders_created
    assert whole.counts.requests <= 2 * MAILS + folders + 2
    one = min(await office.worker.mirror())
    single = await office.take_back(office.other, folder="One", selection=RestoreSelection(items=(one,)))
    assert single.counts.requests <= 2 + 2 + single.restored.sources[0].folders_created
