"""A mailbox's calendars from the simulated Microsoft 365 into a restore point, and what that costs in requests."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from backup_fakes.served import ServedTenant

from backup_engine.model import ItemRow
from backup_service.adapters.graph_calendars import IMMUTABLE
from backup_service.domain.calendar import EVENT, EVENT_ATTACHMENT, EVENT_FIELDS, plain
from contracts.names import JobState, Source
from graph_client import GraphClient, segment
from graph_simulator.testing import SimulatorProcess, seed

EVENTS = 60
ANNA = "anna.gross@contoso.onmicrosoft.com"


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[SimulatorProcess, Any]]:
    state: Path = tmp_path_factory.mktemp("calendars")
    apps = state / "apps.json"
    options = ("--generate", "0", "--mailboxes", "1", "--calendars", str(EVENTS), "--apps", str(apps))
    seed(state, "contoso", *options)
    with SimulatorProcess(state, options=("--check-answers",)) as server:
        yield server, json.loads(apps.read_text())


@pytest.fixture
def office(simulator: tuple[SimulatorProcess, Any], worker: Any) -> Any:
    worker.tenants = ServedTenant(*simulator)
    worker.jobs.sources = (Source.CALENDAR,)
    worker.parallel = 4
    users = simulator[0].control("GET", "tenants/contoso/users")["users"]
    worker.resource = next(user["id"] for user in users if user["upn"] == ANNA)
    return worker


async def rows(worker: Any, kind: str) -> dict[str, tuple[ItemRow, bytes]]:
    repository = await worker.repositories.open("contoso", "t1")
    found = repository.items(f"c1/{worker.resource}", (await worker.snapshot()).id, kind)
    return {row.key: (row, repository.read(row) if row.has_body else b"") for row in found}


async def truth(client: GraphClient) -> dict[str, Any]:
    """Every event with its days, read the plain way: one after the other, through each calendar."""
    found: dict[str, Any] = {}
    prefer = (IMMUTABLE,)
    async for page in client.pages(f"/users/{ANNA}/calendars", prefer=prefer):
        for calendar in [entry for entry in page.items if entry["owner"]["address"] == ANNA]:
            path = f"/users/{ANNA}/calendars/{segment(calendar['id'])}/events"
            async for events in client.pages(path, prefer=prefer):
                for event in events.items:
                    found[event["id"]] = (calendar["id"], await _whole(client, event["id"]))
    return found


async def _whole(client: GraphClient, event: str) -> Any:
    params = {"$select": f"id,{','.join(EVENT_FIELDS)},cancelledOccurrences", "$expand": "exceptionOccurrences"}
    entry = plain(await client.get(f"/users/{ANNA}/events/{segment(event)}", params=params, prefer=(IMMUTABLE,)))
    days = [plain(day) for day in entry.pop("exceptionOccurrences", [])]
    cancelled = entry.pop("cancelledOccurrences", [])
    return {"event": entry, "exceptions": sorted(days, key=lambda day: str(day["id"])), "cancelled": cancelled}


async def test_the_restore_point_holds_what_graph_shows(office: Any, simulator: Any) -> None:
    job = await office.backup()
    assert job.state is JobState.SUCCEEDED
    stored = {key: (row.parent, json.loads(body)) for key, (row, body) in (await rows(office, EVENT)).items()}
    async with office.tenants.client() as client:
        shown = await truth(client)
    assert len(stored) == EVENTS
    assert stored == shown
    attached = (await rows(office, EVENT_ATTACHMENT)).values()
    assert {row.meta["attachment_type"] for row, _ in attached} == {"file", "item", "reference"}
    assert all(len(body) > 100 for row, body in attached if row.meta["attachment_type"] == "file")
    assert simulator[0].control("GET", "stats")["unpublished"] == {}


async def test_a_second_run_asks_for_lists_and_for_what_changed(office: Any) -> None:
    first = await office.backup()
    second = await office.backup()
    assert second.counts.requests < first.counts.requests / 4
    path = f"/users/{ANNA}/events"
    async with office.tenants.client() as client:
        page = await client.get(path, params={"$top": "100"}, prefer=(IMMUTABLE,))
        series = next(event for event in page["value"] if event["recurrence"])
        window = {"startDateTime": "2025-01-01T00:00:00Z", "endDateTime": "2027-01-01T00:00:00Z"}
        days = await client.get(f"{path}/{segment(series['id'])}/instances", params=window, prefer=(IMMUTABLE,))
        day = days["value"][1]["id"]
        await client.patch(f"{path}/{segment(day)}", {"subject": "nur dieser Tag"}, prefer=(IMMUTABLE,))
        shown = await _whole(client, series["id"])
    third = await office.backup()
    assert third.counts.requests <= second.counts.requests + 4
    document = json.loads((await rows(office, EVENT))[series["id"]][1])
    assert document == shown
    assert "nur dieser Tag" in [each["subject"] for each in document["exceptions"]]
