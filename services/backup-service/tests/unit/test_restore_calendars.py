"""Events restored into simulated mailboxes: nobody is told, series come back day by day, and only once."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from backup_fakes.simulated import SimulatedTenant

from backup_service.adapters.graph_calendars import IMMUTABLE
from backup_service.domain.restored_event import ATTENDEES_TAG
from contracts.errors import ErrorClass
from contracts.names import JobState, Source
from contracts.restoring import RestoreConflict, RestorePlace, RestoreSelection
from graph_client import segment
from graph_simulator import calendars, events, occurrences
from graph_simulator.seed.event import create_usual_calendars, store
from graph_simulator.seed.event_generator import EventGenerator
from graph_simulator.web.calendar_control import invitations

EVENTS = 36
WINDOW = "2025-01-01T00:00:00", "2027-06-01T00:00:00"
SKIP, REPLACE = RestoreConflict.SKIP, RestoreConflict.REPLACE
ORIGINAL = {"place": RestorePlace.ORIGINAL}


class Person:
    """One mailbox's calendars, seen and changed past Graph."""

    def __init__(self, tenant: SimulatedTenant, name: str) -> None:
        self.connection = tenant.connection
        self.pk, self.id = tenant.add_user(name)

    def fill(self, count: int) -> None:
        create_usual_calendars(self.connection, self.pk, ("Bert", "bert@contoso.onmicrosoft.com"))
        for seeded in EventGenerator(5, "contoso.onmicrosoft.com", ["anna"]).events(count):
            # Links lead nowhere that Microsoft 365 would tell.
            store(self.connection, self.pk, seeded)
        self.connection.execute("DELETE FROM event_attachment WHERE kind LIKE '%reference%'")

    def calendar(self, pk: int) -> str:
        row = self.connection.execute("SELECT * FROM calendar WHERE pk = ?", (pk,)).fetchone()
        return str(row["name"])

    def masters(self) -> list[events.Event]:
        query = "SELECT * FROM event WHERE user_pk = ? AND master_pk IS NULL ORDER BY pk"
        return [events.loaded(self.connection, row) for row in self.connection.execute(query, (self.pk,)).fetchall()]

    def agenda(self) -> Counter[Any]:
        """What everybody can see: each day's subject, times, place and attachments, series taken apart."""
        found: Counter[Any] = Counter()
        for event in self.masters():
            for day in occurrences.between(self.connection, event, *WINDOW):
                said = [day.properties.get(name) for name in ("subject", "sensitivity", "showAs", "categories")]
                files = self._files(day.pk if day.pk is not None else event.pk)
                found[json.dumps([said, day.when.starts, day.when.ends, day.when.zone, day.when.all_day, files])] += 1
        return found

    def _files(self, pk: int | None) -> list[str]:
        rows = self.connection.execute(
            "SELECT name, kind FROM event_attachment WHERE event_pk = ? ORDER BY name", (pk,)
        ).fetchall()
        return [row["name"] + (".eml" if "item" in row["kind"] else "") for row in rows]


@pytest.fixture
def tenant(worker: Any, tmp_path: Path) -> Iterator[SimulatedTenant]:
    made = SimulatedTenant(tmp_path, worker.fuse)
    worker.tenants = made
    worker.jobs.sources = (Source.CALENDAR,)
    yield made
    made.close()


@pytest.fixture
def anna(worker: Any, tenant: SimulatedTenant) -> Person:
    made = Person(tenant, "anna")
    made.fill(EVENTS)
    worker.resource = made.id
    return made


@pytest.fixture
def bert(tenant: SimulatedTenant) -> Person:
    return Person(tenant, "bert")


async def restore(worker: Any, target: str = "", **order: Any) -> Any:
    point = (await worker.snapshot()).id
    return await worker.deliver(worker.queue_restore(point, target or worker.resource, **order))


def numbers(job: Any) -> tuple[int, int, int, int]:
    [found] = [each for each in job.restored.sources if each.source is Source.CALENDAR]
    return found.created, found.replaced, found.skipped, found.failed


async def test_another_user_gets_every_day_of_every_series_and_nobody_is_told(
    worker: Any, tenant: SimulatedTenant, anna: Person, bert: Person
) -> None:
    await worker.backup()
    job = await restore(worker, bert.id, folder="Von Anna")
    assert (job.state, numbers(job)) == (JobState.SUCCEEDED, (EVENTS, 0, 0, 0)), job.item_errors
    assert bert.agenda() == anna.agenda()
    names = {row["name"] for row in calendars.calendars(bert.connection, bert.pk)}
    assert names >= {"Von Anna Kalender", "Von Anna Projekte"}
    assert invitations(tenant.connection, tenant.tenant.id) == []
    [restored] = [each for each in job.restored.sources if each.source is Source.CALENDAR]
    assert restored.verified == EVENTS


async def test_a_calendar_comes_back_into_its_group_beside_one_of_its_name(
    worker: Any, anna: Person, bert: Person
) -> None:
    club = calendars.create_group(anna.connection, anna.pk, "Verein")
    twins = [
        calendars.create_calendar(anna.connection, anna.pk, group, calendars.NewCalendar("Termine"))
        for group in (club, calendars.groups(anna.connection, anna.pk)[0]["pk"])
    ]
    await worker.backup()
    before = placed(anna)
    for twin in twins:
        row = anna.connection.execute("SELECT * FROM calendar WHERE pk = ?", (twin,)).fetchone()
        calendars.delete_calendar(anna.connection, row)
    job = await restore(worker, **ORIGINAL)
    # Holidays are in a calendar that nobody edits: they are named, and cost no other event.
    [closed] = [
        row
        for row in calendars.calendars(anna.connection, anna.pk)
        if (row["can_edit"], row["owner_name"]) == (0, None)
    ]
    holidays = [event.immutable_id for event in anna.masters() if event.calendar_pk == closed["pk"]]
    assert (job.state, sorted(one.item for one in job.item_errors)) == (JobState.PARTIAL, sorted(holidays)), job.hold
    assert placed(anna) == before
    assert ("Verein", "Termine") in before
    calendars.create_groups(bert.connection, bert.pk)
    calendars.create_group(bert.connection, bert.pk, "verein")
    job = await restore(worker, bert.id, folder="A")
    assert job.state is JobState.SUCCEEDED, job.hold
    assert {("verein", "A Termine"), ("Meine Kalender", "A Termine")} <= set(placed(bert))


def placed(person: Person) -> list[tuple[str, str]]:
    """Every calendar of a person with its group."""
    return sorted(
        (group["name"], row["name"])
        for group in calendars.groups(person.connection, person.pk)
        for row in calendars.calendars(person.connection, person.pk, group["pk"])
    )


async def test_who_was_invited_is_below_the_text_and_in_a_property(
    worker: Any, tenant: SimulatedTenant, anna: Person, bert: Person
) -> None:
    meeting = next(event for event in anna.masters() if event.properties.get("attendees"))
    await worker.backup()
    await restore(worker, bert.id, folder="B", selection=RestoreSelection(items=(meeting.immutable_id,)))
    [made] = bert.masters()
    first = meeting.properties["attendees"][0]["emailAddress"]
    assert first["address"] in made.properties["body"]["content"]
    assert "attendees" not in made.properties or made.properties["attendees"] == []
    async with tenant.client() as client:
        expand = f"singleValueExtendedProperties($filter=id eq '{ATTENDEES_TAG}')"
        path = f"/users/{bert.id}/events/{segment(made.immutable_id)}"
        shown = await client.get(path, params={"$expand": expand}, prefer=(IMMUTABLE,))
    kept = json.loads(shown["singleValueExtendedProperties"][0]["value"])
    assert [each["emailAddress"] for each in kept] == [each["emailAddress"] for each in meeting.properties["attendees"]]


async def test_skip_leaves_what_is_there_and_brings_back_what_is_gone(worker: Any, anna: Person) -> None:
    before = anna.agenda()
    await worker.backup()
    for event in anna.masters()[:5]:
        events.delete(anna.connection, event)
    job = await restore(worker, conflict=SKIP, **ORIGINAL)
    assert (job.state, numbers(job)) == (JobState.SUCCEEDED, (5, 0, EVENTS - 5, 0)), job.item_errors
    assert anna.agenda() == before
    job = await restore(worker, conflict=SKIP, **ORIGINAL)
    assert numbers(job) == (0, 0, EVENTS, 0)
    assert anna.agenda() == before


async def test_replace_puts_back_what_was_changed_and_keeps_meetings(
    worker: Any, tenant: SimulatedTenant, anna: Person
) -> None:
    before = anna.agenda()
    await worker.backup()
    alone = [event for event in anna.masters() if not event.properties.get("attendees")]
    for event in (alone[0], next(event for event in alone if event.recurrence)):
        events.update(anna.connection, event, {"subject": "verdorben"})
    meeting = next(
        event
        for event in anna.masters()
        if event.properties.get("attendees") and event.properties.get("isOrganizer", True)
    )
    job = await restore(worker, conflict=REPLACE, dry_run=True, **ORIGINAL)
    assert numbers(job) == (0, 2, EVENTS - 2, 0)
    job = await restore(worker, conflict=REPLACE, **ORIGINAL)
    assert (job.state, numbers(job)) == (JobState.SUCCEEDED, (0, 2, EVENTS - 2, 0)), job.item_errors
    assert anna.agenda() == before
    events.update(anna.connection, meeting, {"subject": "auch verdorben"})
    job = await restore(worker, conflict=REPLACE, **ORIGINAL)
    assert (job.state, numbers(job)[3]) == (JobState.PARTIAL, 1)
    assert [problem.error for problem in job.item_errors] == [ErrorClass.UNSUPPORTED_ITEM]
    assert invitations(tenant.connection, tenant.tenant.id) == []


async def test_dead_at_any_step_a_restore_makes_no_second_copy(worker: Any, anna: Person, bert: Person) -> None:
    series = next(event for event in anna.masters() if events.exceptions(anna.connection, event))
    single = next(event for event in anna.masters() if anna._files(event.pk))
    wanted = RestoreSelection(items=(series.immutable_id, single.immutable_id))
    await worker.backup()
    point = (await worker.snapshot()).id
    steps, expected = 0, None
    while True:
        for event in bert.masters():
            events.delete(bert.connection, event)
        job = worker.queue_restore(point, bert.id, "Zurück", selection=wanted)
        died = await worker.deliver_and_die(job, steps)
        while not worker.jobs.rows[job].view.state.finished:
            await worker.deliver(job)
        view = worker.jobs.rows[job].view
        assert view.state is JobState.SUCCEEDED, (steps, view.item_errors)
        expected = expected or bert.agenda()
        assert bert.agenda() == expected, steps
        assert len(bert.masters()) == 2
        if not died:
            break
        steps += 3
    assert steps > 6


async def test_a_link_is_named_as_not_restored(worker: Any, anna: Person, bert: Person) -> None:
    event = next(each for each in anna.masters() if anna._files(each.pk) == [] and not each.recurrence)
    anna.connection.execute(
        "INSERT INTO event_attachment VALUES"
        " (?, 0, '#microsoft.graph.referenceAttachment', 'Plan.xlsx', NULL, 0, NULL, x'')",
        (event.pk,),
    )
    await worker.backup()
    job = await restore(worker, bert.id, selection=RestoreSelection(items=(event.immutable_id,)))
    assert (job.state, len(bert.masters())) == (JobState.PARTIAL, 1)
    assert [problem.error for problem in job.item_errors] == [ErrorClass.UNSUPPORTED_ITEM]
