"""Contacts restored into simulated mailboxes: places, conflicts, pictures, death at any step."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from backup_fakes.people import People
from backup_fakes.simulated import SimulatedTenant

from contracts.errors import ErrorClass
from contracts.names import JobState, Source
from contracts.restoring import RestoreConflict, RestorePlace, RestoreSelection

SKIP, COPY, REPLACE = RestoreConflict.SKIP, RestoreConflict.COPY, RestoreConflict.REPLACE
ORIGINAL = {"place": RestorePlace.ORIGINAL}


@pytest.fixture
def tenant(worker: Any, tmp_path: Path) -> Iterator[SimulatedTenant]:
    made = SimulatedTenant(tmp_path, worker.fuse)
    worker.tenants = made
    worker.jobs.sources = (Source.CONTACTS,)
    yield made
    made.close()


@pytest.fixture
def anna(worker: Any, tenant: SimulatedTenant) -> People:
    pk, worker.resource = tenant.add_user("anna.gross")
    made = People(tenant.connection, pk)
    made.add_folder("Kunden")
    made.add_folder("Österreich", 1)
    for number in range(6):
        made.create(number % 3, photo=number % 2 == 0)
    return made


@pytest.fixture
def bert(tenant: SimulatedTenant) -> tuple[str, People]:
    pk, identity = tenant.add_user("bert")
    return identity, People(tenant.connection, pk)


async def restore(worker: Any, target: str = "", **order: Any) -> Any:
    point = (await worker.snapshot()).id
    return await worker.deliver(worker.queue_restore(point, target or worker.resource, **order))


def of_contacts(job: Any) -> Any:
    (found,) = [each for each in job.restored.sources if each.source is Source.CONTACTS]
    return found


def numbers(job: Any) -> tuple[int, int, int, int]:
    found = of_contacts(job)
    return found.created, found.replaced, found.skipped, found.failed


def content(people: People) -> Counter[Any]:
    """What everybody can see: folder name, properties and picture of each contact, whatever its id."""
    names, mirror = people.folders(), people.mirror()
    found: Counter[Any] = Counter()
    for key, value in mirror.items():
        if isinstance(value, tuple):
            folder, _, properties = value
            said = {name: each for name, each in properties.items() if each not in (None, [], {}, "")}
            found[names.get(folder, "Kontakte"), json.dumps(said, sort_keys=True), mirror.get(f"{key}/photo")] += 1
    return found


async def test_another_user_gets_every_contact_with_its_picture(
    worker: Any, anna: People, bert: tuple[str, People]
) -> None:
    await worker.backup()
    identity, his = bert
    job = await restore(worker, identity, folder="Von Anna")
    assert (job.state, numbers(job), of_contacts(job).verified) == (JobState.SUCCEEDED, (6, 0, 0, 0), 6)
    assert sorted(his.folders().values()) == ["Kunden", "Von Anna", "Österreich"]
    expected = content(anna)
    assert content(his) == Counter(
        {("Von Anna" if folder == "Kontakte" else folder, *rest): n for (folder, *rest), n in expected.items()}
    )


async def test_skip_brings_back_what_is_missing_to_its_place(
    worker: Any, tenant: SimulatedTenant, anna: People
) -> None:
    await worker.backup()
    before = content(anna)
    tenant.asked.clear()
    assert numbers(await restore(worker, conflict=SKIP, **ORIGINAL)) == (0, 0, 6, 0)
    assert not [line for line in tenant.asked if not line.startswith("GET") or "photo" in line]
    anna.delete(0)
    anna.delete(3)
    anna.delete_folder(1)
    job = await restore(worker, conflict=SKIP, **ORIGINAL)
    assert (job.state, of_contacts(job).folders_created) == (JobState.SUCCEEDED, 2)
    assert content(anna) == before
    assert numbers(await restore(worker, conflict=SKIP, **ORIGINAL)) == (0, 0, 6, 0)
    assert content(anna) == before


async def test_copy_creates_another_one(worker: Any, anna: People) -> None:
    await worker.backup()
    before = content(anna)
    assert numbers(await restore(worker, conflict=COPY, **ORIGINAL)) == (6, 0, 0, 0)
    assert content(anna) == before + before


async def test_replace_undoes_what_was_changed(worker: Any, anna: People) -> None:
    await worker.backup()
    before = content(anna)
    anna.edit(1)
    anna.picture(2)
    anna.delete(5)
    job = await restore(worker, conflict=REPLACE, **ORIGINAL)
    assert (job.state, numbers(job)) == (JobState.SUCCEEDED, (1, 2, 3, 0))
    assert content(anna) == before


async def test_a_dry_run_foretells_the_numbers_and_writes_nothing(
    worker: Any, tenant: SimulatedTenant, anna: People
) -> None:
    await worker.backup()
    anna.edit(1)
    anna.delete_folder(2)
    before = content(anna)
    tenant.asked.clear()
    job = await restore(worker, conflict=REPLACE, dry_run=True, **ORIGINAL)
    assert (numbers(job), of_contacts(job).folders_created) == ((2, 1, 3, 0), 1)
    assert content(anna) == before
    assert all(line.startswith("GET") for line in tenant.asked)


async def test_selected_contacts_and_folders_and_nothing_else(
    worker: Any, anna: People, bert: tuple[str, People]
) -> None:
    await worker.backup()
    identity, his = bert
    folder = next(key for key, name in anna.folders().items() if name == "Österreich")
    one = next(key for key, value in anna.mirror().items() if isinstance(value, tuple) and value[0] != folder)
    selection = RestoreSelection(items=(one,), folders=(folder,), sources=(Source.CONTACTS,))
    job = await restore(worker, identity, selection=selection, **ORIGINAL)
    assert numbers(job) == (3, 0, 0, 0)
    assert content(his).total() == 3
    nothing = await restore(worker, identity, selection=RestoreSelection(items=("unknown",)), **ORIGINAL)
    assert [problem.error for problem in nothing.item_errors] == [ErrorClass.NOT_FOUND]


async def test_what_does_not_come_back_as_it_was_is_named(
    worker: Any, tenant: SimulatedTenant, anna: People, bert: tuple[str, People]
) -> None:
    await worker.backup()
    other = {"kind": "status", "status": 200, "body": "other", "content_type": "image/png", "method": "GET"}
    tenant.simulator.faults.add({**other, "match": "photo/\\$value$", "count": 1})
    job = await restore(worker, bert[0])
    assert (job.state, numbers(job)) == (JobState.PARTIAL, (6, 0, 0, 1))
    assert job.item_errors[0].detail == "the restored contact differs in: photo"


@pytest.mark.parametrize("conflict", [SKIP, REPLACE])
async def test_death_at_any_step_ends_in_the_same_address_book(
    worker: Any, anna: People, conflict: RestoreConflict
) -> None:
    await worker.backup()
    before = content(anna)
    step, died = 0, True
    while died:
        point = (await worker.snapshot()).id
        anna.delete(3)
        if conflict is REPLACE:
            anna.edit(0)
        job = worker.queue_restore(point, worker.resource, conflict=conflict, **ORIGINAL)
        died = await worker.deliver_and_die(job, step)
        if died:
            assert (await worker.deliver(job)).state is JobState.SUCCEEDED, step
        assert content(anna) == before, step
        await worker.backup()
        step += 7
    assert step > 20


async def test_one_contact_that_is_refused_without_a_word_costs_itself(
    worker: Any, tenant: SimulatedTenant, anna: People, bert: tuple[str, People]
) -> None:
    await worker.backup()
    tenant.simulator.faults.add({"kind": "status", "status": 404, "method": "POST", "match": "/contacts$", "skip": 2})
    job = await restore(worker, bert[0])
    assert (job.state, [problem.error for problem in job.item_errors]) == (JobState.PARTIAL, [ErrorClass.NOT_FOUND])
    assert len(content(bert[1])) == len(content(anna)) - 1


async def test_one_contact_that_never_gets_an_answer_costs_itself_and_no_second_copy(
    worker: Any, tenant: SimulatedTenant, anna: People, bert: tuple[str, People]
) -> None:
    """Whether it was created nobody knows: the job waits, and the next attempt looks before it gives the contact up."""
    await worker.backup()
    body = {"error": {"code": "InternalServerError", "message": "text"}}
    fault = {"kind": "status", "status": 500, "body": body, "method": "POST", "match": "/contacts$"}
    tenant.simulator.faults.add(fault)
    name = worker.queue_restore((await worker.snapshot()).id, bert[0])
    job = await worker.deliver(name)
    assert job.state is JobState.WAITING
    tenant.simulator.faults.add(fault)
    job = await worker.deliver(name)
    assert (job.state, [problem.error for problem in job.item_errors]) == (JobState.PARTIAL, [ErrorClass.INTERNAL])
    assert sum(content(bert[1]).values()) == sum(content(anna).values()) - 1
