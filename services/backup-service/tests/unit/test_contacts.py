"""Contacts of a simulated mailbox against the worker, adapters and client included."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from backup_fakes.people import People, stored, told
from backup_fakes.simulated import SimulatedTenant

from backup_service.domain.contacts import image_type
from contracts.errors import ErrorClass
from contracts.names import JobState, Source

WEEK = 7 * 86_400.0


@pytest.fixture
def tenant(worker: Any, tmp_path: Path) -> Iterator[SimulatedTenant]:
    made = SimulatedTenant(tmp_path, worker.fuse)
    worker.tenants = made
    worker.jobs.sources = (Source.CONTACTS,)
    yield made
    made.close()


@pytest.fixture
def people(worker: Any, tenant: SimulatedTenant) -> People:
    pk, worker.resource = tenant.add_user("anna.gross")
    made = People(tenant.connection, pk)
    made.add_folder("Kunden")
    made.add_folder("Österreich", 1)
    made.add_folder("Kunden")
    made.add_folder("Leer")
    for number in range(12):
        made.create(number % 4, photo=number % 3 == 0)
    return made


async def newest(worker: Any) -> tuple[dict[str, Any], dict[str, str]]:
    repository = await worker.repositories.open("contoso", "t1")
    found, folders = stored(repository, f"c1/{worker.resource}", (await worker.snapshot()).id)
    return told(found), folders


async def same(worker: Any, people: People) -> None:
    assert await newest(worker) == (told(people.mirror()), people.folders())


async def test_every_folder_contact_and_picture_is_kept(worker: Any, people: People) -> None:
    job = await worker.backup()
    assert (job.state, job.counts.listed, job.counts.stored) == (JobState.SUCCEEDED, 16, 16)
    await same(worker, people)
    repository = await worker.repositories.open("contoso", "t1")
    rows = repository.items(f"c1/{worker.resource}", (await worker.snapshot()).id, "contact-folder")
    assert [row.meta["name"] for row in rows if row.meta["is_default"]] == ["Kontakte"]


async def test_an_unchanged_address_book_costs_one_question_per_folder(
    worker: Any, tenant: SimulatedTenant, people: People
) -> None:
    await worker.backup()
    tenant.asked.clear()
    job = await worker.backup()
    assert (job.counts.stored, job.counts.unchanged) == (0, 16)
    # The list of folders, the children of each of the four, and a delta for each of the five.
    assert len(tenant.asked) == 10
    assert not any(line.endswith("$value") for line in tenant.asked)


async def test_what_the_feed_never_told_is_found_within_a_week(
    worker: Any, tenant: SimulatedTenant, people: People
) -> None:
    await worker.backup()
    connection = tenant.connection
    silent, vanished = (row["pk"] for row in connection.execute("SELECT pk FROM contact ORDER BY pk LIMIT 2"))
    connection.execute('UPDATE contact SET seq = 1, properties = \'{"surname": "Neu"}\' WHERE pk = ?', (silent,))
    connection.execute("DELETE FROM contact WHERE pk = ?", (vanished,))
    assert (await worker.backup()).counts.reconciled == 0
    await worker.clock.advance(WEEK)
    people.create(1)
    job = await worker.backup()
    assert (job.state, job.counts.reconciled) == (JobState.SUCCEEDED, 2)
    await same(worker, people)
    assert (await worker.backup()).counts.reconciled == 0


async def test_what_people_do_is_followed(worker: Any, people: People) -> None:
    await worker.backup()
    people.edit(1)
    people.picture(2)
    people.delete(0)
    people.move(5, 0)
    people.create(2, photo=True)
    people.rename_folder(1, "Kundschaft")
    people.delete_folder(3)
    job = await worker.backup()
    assert job.state is JobState.SUCCEEDED
    await same(worker, people)


async def test_a_mailbox_without_contacts_has_a_restore_point(worker: Any, tenant: SimulatedTenant) -> None:
    _, worker.resource = tenant.add_user("leer")
    job = await worker.backup()
    assert (job.state, job.counts.listed) == (JobState.SUCCEEDED, 0)


async def test_an_expired_cursor_stores_nothing_twice_and_misses_no_deletion(
    worker: Any, tenant: SimulatedTenant, people: People
) -> None:
    await worker.backup()
    people.delete(0)
    people.delete(7)
    for path in ("users/[^/]+", *(f"contactFolders/{folder}" for folder in people.folders())):
        tenant.simulator.faults.add({"kind": "gone-delta", "match": f"{path}/contacts/delta"})
    job = await worker.backup()
    assert (job.state, job.counts.stored, job.counts.removed) == (JobState.SUCCEEDED, 0, 3)
    await same(worker, people)


async def test_replays_and_empty_pages_change_nothing(worker: Any, tenant: SimulatedTenant, people: People) -> None:
    for kind in ("delta-replay", "delta-empty", "delta-overfull"):
        tenant.simulator.faults.add({"kind": kind, "match": "contacts/delta", "count": 2})
    assert (await worker.backup()).state is JobState.SUCCEEDED
    await same(worker, people)


async def test_one_corrupt_contact_is_named_and_costs_nothing_else(
    worker: Any, tenant: SimulatedTenant, people: People
) -> None:
    await worker.backup()
    bad = people.create(1)
    fault = tenant.simulator.faults.add({"kind": "unlistable-item", "item_id": bad})
    people.create(1)
    job = await worker.backup()
    assert (job.state, [problem.error for problem in job.item_errors]) == (
        JobState.PARTIAL,
        [ErrorClass.CORRUPT_SOURCE_ITEM],
    )
    found, _ = await newest(worker)
    assert found == {key: value for key, value in told(people.mirror()).items() if key != bad}
    tenant.simulator.faults.clear(fault.pk)
    assert (await worker.backup()).state is JobState.SUCCEEDED
    await same(worker, people)


async def test_a_picture_that_cannot_be_read_is_asked_for_again(
    worker: Any, tenant: SimulatedTenant, people: People
) -> None:
    body = {"error": {"code": "ErrorCorruptData", "message": "The item cannot be read."}}
    rule = {"kind": "status", "status": 500, "body": body, "match": "photo/\\$value$", "skip": 3, "count": 1}
    tenant.simulator.faults.add(rule)
    job = await worker.backup()
    assert (job.state, job.counts.failed) == (JobState.PARTIAL, 1)
    assert (await worker.backup()).state is JobState.SUCCEEDED
    await same(worker, people)


async def test_death_at_any_step_changes_nothing_in_the_end(worker: Any, people: People) -> None:
    job = worker.queue()
    await worker.deliver(job)
    for step in range(0, worker.fuse.steps, 23):
        people.edit(step)
        people.picture(step + 1)
        job = worker.queue()
        await worker.deliver_and_die(job, step)
        assert (await worker.deliver(job)).state is JobState.SUCCEEDED, step
        await same(worker, people)


async def test_a_worker_told_to_leave_between_a_contact_and_its_picture_loses_neither(
    worker: Any, people: People
) -> None:
    for step in range(6, 40, 8):
        people.picture(step)
        job = worker.queue()
        await worker.deliver_and_leave(job, step)
        assert (await worker.deliver(job)).state is JobState.SUCCEEDED, step
        await same(worker, people)


@pytest.mark.parametrize(
    ("content", "kind"),
    [(b"\x89PNG\r\n", "image/png"), (b"GIF89a", "image/gif"), (b"\xff\xd8\xff", "image/jpeg"), (b"", "image/jpeg")],
)
def test_the_type_of_a_picture_is_told_by_its_first_bytes(content: bytes, kind: str) -> None:
    assert image_type(content) == kind
