"""Whatever people do with their contacts, and whenever the worker dies, the restore point is the address book."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from backup_fakes.people import People, stored, told
from backup_fakes.simulated import SimulatedTenant
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.names import JobState, Source

NUMBER = st.integers(0, 30)
DEED = st.one_of(
    st.tuples(st.just("create"), NUMBER),
    st.tuples(st.sampled_from(["edit", "picture", "delete", "delete_folder"]), NUMBER),
    st.tuples(st.just("move"), NUMBER, NUMBER),
    st.tuples(st.sampled_from(["add_folder", "rename_folder"]), st.sampled_from(["Kunden", "Büro/1", "x" * 60])),
    st.tuples(st.just("expire")),
    st.tuples(st.just("backup"), st.one_of(st.none(), st.integers(0, 40))),
)
QUICK = settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
LONG = settings(QUICK, max_examples=300)


@pytest.fixture
def tenant(worker: Any, tmp_path: Path) -> Iterator[SimulatedTenant]:
    made = SimulatedTenant(tmp_path, worker.fuse)
    worker.tenants = made
    worker.jobs.sources = (Source.CONTACTS,)
    yield made
    made.close()


async def live(worker: Any, tenant: SimulatedTenant, name: str, deeds: list[tuple[Any, ...]]) -> None:
    pk, worker.resource = tenant.add_user(name)
    people = People(tenant.connection, pk)
    tenant.simulator.faults.clear()
    generations: list[tuple[str, Any]] = []
    for deed, *numbers in [*deeds, ("backup", None)]:
        if deed == "backup":
            await back_up(worker, dies_at=numbers[0])
            tenant.simulator.faults.clear()
            generations.append(((await worker.snapshot()).id, (told(people.mirror()), people.folders())))
        elif deed == "expire":
            tenant.simulator.faults.clear()  # a second one in one run would expire the new enumeration, too
            tenant.simulator.faults.add({"kind": "gone-delta", "match": "contacts/delta"})
        elif deed in ("add_folder", "rename_folder"):
            place = len(numbers[0])
            people.add_folder(numbers[0], place) if deed == "add_folder" else people.rename_folder(place, numbers[0])
        else:
            getattr(people, deed)(*numbers)
    repository = await worker.repositories.open("contoso", "t1")
    for snapshot, (contacts, folders) in generations:
        found, found_folders = stored(repository, f"c1/{worker.resource}", snapshot)
        assert (told(found), found_folders) == (contacts, folders)


async def back_up(worker: Any, dies_at: int | None) -> None:
    job = worker.queue()
    if dies_at is not None:
        await worker.deliver_and_die(job, dies_at)
    if worker.jobs.rows[job].view.state is not JobState.SUCCEEDED:
        assert (await worker.deliver(job)).state is JobState.SUCCEEDED


NAMES = (f"mailbox{number}" for number in count())


@QUICK
@given(deeds=st.lists(DEED, max_size=14))
async def test_every_generation_is_the_address_book_as_it_was(
    worker: Any, tenant: SimulatedTenant, deeds: list[tuple[Any, ...]]
) -> None:
    await live(worker, tenant, next(NAMES), deeds)


@pytest.mark.soak
@pytest.mark.timeout(1800)
@LONG
@given(deeds=st.lists(DEED, max_size=40))
async def test_every_generation_is_the_address_book_as_it_was_at_length(
    worker: Any, tenant: SimulatedTenant, deeds: list[tuple[Any, ...]]
) -> None:
    await live(worker, tenant, next(NAMES), deeds)
