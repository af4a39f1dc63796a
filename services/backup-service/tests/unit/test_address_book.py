"""The address book of a simulated tenant against the worker, adapters and client included."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from backup_fakes.simulated import SimulatedTenant

from contracts.errors import ErrorClass
from contracts.names import JobState, Source
from graph_simulator import directory_objects
from graph_simulator.directory_objects import Kind, State
from graph_simulator.seed import directory as invented
from graph_simulator.web.directory_control import create_user

KINDS = {"user", "group", "org-contact"}
WEEK = 7 * 86_400.0


@pytest.fixture
def tenant(worker: Any, tmp_path: Path) -> Iterator[SimulatedTenant]:
    made = SimulatedTenant(tmp_path, worker.fuse)
    worker.tenants = made
    worker.resource = "address-book"
    worker.jobs.sources = (Source.ADDRESS_BOOK,)
    invented.invent(made.connection, made.tenant, 120, seed=4)
    yield made
    made.close()


async def stored(worker: Any) -> dict[str, tuple[str, dict[str, Any]]]:
    repository = await worker.repositories.open("contoso", "t1")
    rows = list(repository.items("c1/address-book", (await worker.snapshot()).id))
    assert {row.kind for row in rows} <= KINDS
    return {row.key: (row.kind, json.loads(repository.read(row))) for row in rows}


def truth(tenant: SimulatedTenant) -> dict[str, tuple[str, Any]]:
    """Name, mail and members of everything that people find in their address book."""
    found: dict[str, tuple[str, Any]] = {}
    for kind, name in ((Kind.USER, "user"), (Kind.GROUP, "group"), (Kind.ORG_CONTACT, "org-contact")):
        for row in directory_objects.live(tenant.connection, tenant.tenant.id, kind):
            profile = json.loads(row["profile"])
            if not profile.get("mail") or profile.get("userType") == "Guest":
                continue
            members = sorted(each["id"] for _, each in directory_objects.members(tenant.connection, row["id"]))
            found[row["id"]] = name, (profile["displayName"], profile["mail"], members if kind is Kind.GROUP else None)
    return found


def facts(found: dict[str, tuple[str, dict[str, Any]]]) -> dict[str, tuple[str, Any]]:
    return {
        key: (kind, (document["displayName"], document["mail"], document.get("memberIds")))
        for key, (kind, document) in found.items()
    }


def row_of(tenant: SimulatedTenant, kind: Kind, number: int = 0) -> Any:
    rows = directory_objects.live(tenant.connection, tenant.tenant.id, kind)
    return [row for row in rows if json.loads(row["profile"]).get("mail")][number]


async def test_users_groups_and_organisational_contacts_are_kept(worker: Any, tenant: SimulatedTenant) -> None:
    job = await worker.backup()
    expected = truth(tenant)
    assert (job.state, job.counts.listed, job.counts.stored) == (JobState.SUCCEEDED, len(expected), len(expected))
    found = await stored(worker)
    assert facts(found) == expected
    assert {kind for kind, _ in found.values()} == KINDS
    assert not any(document.get("userType") == "Guest" for _, document in found.values())


async def test_an_unchanged_directory_costs_three_requests(worker: Any, tenant: SimulatedTenant) -> None:
    await worker.backup()
    tenant.asked.clear()
    job = await worker.backup()
    assert (job.counts.stored, job.counts.failed, len(tenant.asked)) == (0, 0, 3)


async def test_what_the_feed_never_told_is_found_within_a_week(worker: Any, tenant: SimulatedTenant) -> None:
    await worker.backup()
    silent, vanished = row_of(tenant, Kind.USER), row_of(tenant, Kind.ORG_CONTACT)
    groups = sum(1 for _, (_, _, members) in truth(tenant).values() if members and vanished["id"] in members)
    profile = json.dumps({**json.loads(silent["profile"]), "displayName": "Änne Still"})
    tenant.connection.execute("UPDATE user SET profile = ? WHERE pk = ?", (profile, silent["pk"]))
    tenant.connection.execute("DELETE FROM directory_object WHERE pk = ?", (vanished["pk"],))
    assert (await worker.backup()).counts.reconciled == 0
    await worker.clock.advance(WEEK)
    create_user(tenant.connection, tenant.tenant, {"name": "neu"})
    job = await worker.backup()
    assert (job.state, job.counts.reconciled) == (JobState.SUCCEEDED, 2 + groups)
    assert facts(await stored(worker)) == truth(tenant)
    tenant.asked.clear()
    assert (await worker.backup()).counts.reconciled == 0
    assert len(tenant.asked) == 3


async def test_what_happens_in_the_directory_is_followed(worker: Any, tenant: SimulatedTenant) -> None:
    await worker.backup()
    connection = tenant.connection
    renamed, gone = row_of(tenant, Kind.USER), row_of(tenant, Kind.USER, 5)
    directory_objects.update(connection, Kind.USER, renamed, {"displayName": "Änne Neu", "jobTitle": None})
    directory_objects.set_state(connection, Kind.USER, gone, State.DELETED)
    left = row_of(tenant, Kind.USER, 7)
    directory_objects.update(connection, Kind.USER, left, {"mail": None})
    group = row_of(tenant, Kind.GROUP)
    directory_objects.set_member(connection, group, renamed["id"], member=True)
    directory_objects.set_member(connection, group, gone["id"], member=False)
    directory_objects.set_state(connection, Kind.ORG_CONTACT, row_of(tenant, Kind.ORG_CONTACT), State.PURGED)
    create_user(connection, tenant.tenant, {"name": "neu"})
    assert (await worker.backup()).state is JobState.SUCCEEDED
    found = await stored(worker)
    assert facts(found) == truth(tenant)
    assert found[renamed["id"]][1]["jobTitle"] is None


async def test_an_expired_token_costs_an_enumeration_and_nothing_else(worker: Any, tenant: SimulatedTenant) -> None:
    await worker.backup()
    directory_objects.set_state(tenant.connection, Kind.USER, row_of(tenant, Kind.USER), State.PURGED)
    for collection in ("users", "groups"):
        tenant.simulator.faults.add({"kind": "gone-delta", "match": f"/{collection}/delta"})
    job = await worker.backup()
    assert (job.state, job.counts.removed) == (JobState.SUCCEEDED, 1)
    assert facts(await stored(worker)) == truth(tenant)


async def test_a_group_that_hides_its_members_is_named_and_costs_nothing_else(
    worker: Any, tenant: SimulatedTenant
) -> None:
    group = row_of(tenant, Kind.GROUP)
    body = {"error": {"code": "Authorization_RequestDenied", "message": "Insufficient privileges."}}
    rule = {"kind": "status", "status": 403, "body": body, "match": f"{group['id']}/members", "count": None}
    fault = tenant.simulator.faults.add(rule)
    job = await worker.backup()
    problem = [(each.item, each.error) for each in job.item_errors]
    assert (job.state, problem) == (JobState.PARTIAL, [(group["id"], ErrorClass.ACCESS_DENIED)])
    tenant.simulator.faults.clear(fault.pk)
    assert (await worker.backup()).state is JobState.SUCCEEDED
    assert facts(await stored(worker)) == truth(tenant)


async def test_death_at_any_step_changes_nothing_in_the_end(worker: Any, tenant: SimulatedTenant) -> None:
    await worker.backup()
    for step in range(0, 24, 4):
        row = row_of(tenant, Kind.USER, step)
        directory_objects.update(tenant.connection, Kind.USER, row, {"displayName": f"Step {step}"})
        job = worker.queue()
        await worker.deliver_and_die(job, step)
        if worker.jobs.rows[job].view.state is not JobState.SUCCEEDED:
            assert (await worker.deliver(job)).state is JobState.SUCCEEDED, step
        assert facts(await stored(worker)) == truth(tenant), step


async def test_it_cannot_be_restored_and_says_why(worker: Any, tenant: SimulatedTenant) -> None:
    await worker.backup()
    _, target = tenant.add_user("anna.gross")
    job = await worker.deliver(worker.queue_restore((await worker.snapshot()).id, target))
    [problem] = job.item_errors
    assert (job.state, problem.error) == (JobState.PARTIAL, ErrorClass.UNSUPPORTED_ITEM)
    assert "export it as VCF" in problem.detail
    [told] = [each for each in job.restored.sources if each.source is Source.ADDRESS_BOOK]
    assert told.failed == told.selected > 100
