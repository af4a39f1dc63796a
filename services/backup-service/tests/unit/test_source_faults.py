"""Each source of a mailbox while Microsoft 365 misbehaves: the outcome is right, or Partial naming what is missing.

The simulated tenant is inside the test's process; `test_wire_faults.py` and `test_mail_faults.py` have it over sockets.
"""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from backup_fakes.exchange import Exchange
from backup_fakes.fuse import Fuse
from backup_fakes.people import People
from backup_fakes.simulated import SimulatedTenant

from backup_service.adapters import graph_calendars, graph_contacts
from contracts.errors import ErrorClass
from contracts.names import HoldReason, JobState, Source
from contracts.views import Job
from graph_simulator import calendars, contacts, events, folders, messages
from graph_simulator.seed.event import create_usual_calendars, store
from graph_simulator.seed.event_generator import EventGenerator

EVENTS = 14
CONTACTS = 9
MAILS = 6
SOURCES = [Source.CALENDAR, Source.CONTACTS]
ALL = [Source.MAIL, *SOURCES]
CUT = '{"value": [{"id": "AAMk'
ARRIVED = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
EVENT, CONTACT = r"/events/[^/]+$", r"/contacts/[^/]+/photo/\$value$"
MAIL = r"/messages/[^/]+/\$value$"
EVENTS_LIST, CONTACTS_DELTA = r"/calendars/[^/]+/events$", r"/contacts/delta$"
ONE = {Source.CALENDAR: EVENT, Source.CONTACTS: CONTACT}
LIST = {Source.CALENDAR: EVENTS_LIST, Source.CONTACTS: CONTACTS_DELTA}


class Office:
    """One tenant with a mailbox of events and one of contacts; each test has workers and mailboxes of its own."""

    def __init__(self, tenant: SimulatedTenant, new_worker: Callable[[Exchange], Any]) -> None:
        self.tenant = tenant
        self.connection = tenant.connection
        self._new_worker = new_worker

    def mailbox(self, source: Source) -> int:
        pk, self.user = self.tenant.add_user(f"anna-{self._count('user')}")
        if source is Source.CALENDAR:
            create_usual_calendars(self.connection, pk, ("Bert", "bert@contoso.onmicrosoft.com"))
            for seeded in EventGenerator(5, "contoso.onmicrosoft.com", ["anna"]).events(EVENTS):
                store(self.connection, pk, seeded)
        elif source is Source.MAIL:
            for number in range(MAILS):
                self.arrive(pk, ("inbox", "sentitems", "Projekte")[number % 3])
        else:
            self.people = People(self.connection, pk)
            for name in ("Kunden", "Lieferanten"):
                self.people.add_folder(name)
            for number in range(CONTACTS):
                self.people.create(number % 3, photo=number % 2 == 0)
        return pk

    def arrive(self, pk: int, folder: str) -> str:
        """A new mail; its immutable id."""
        number = self._count("message")
        raw = f"From: b@x.example\r\nSubject: mail {number}\r\n\r\n{number}\r\n".encode()
        arrival = messages.Arrival(ARRIVED + timedelta(minutes=number))
        place = folders.folder_at(self.connection, pk, (folder,))
        row = messages.insert(self.connection, pk, place, messages.from_mime(raw, arrival))
        return str(messages.by_pk(self.connection, row)["immutable_id"])

    def containers(self, pk: int, source: Source) -> list[str]:
        """Ids of the folders or calendars that people made, and that have something in them."""
        query = {
            Source.MAIL: "SELECT id FROM folder f WHERE user_pk = ? AND well_known IS NULL"
            " AND EXISTS (SELECT 1 FROM message WHERE folder_pk = f.pk)",
            Source.CALENDAR: "SELECT id FROM calendar c WHERE user_pk = ? AND NOT is_default AND owner_address IS NULL"
            " AND EXISTS (SELECT 1 FROM event WHERE calendar_pk = c.pk)",
            Source.CONTACTS: "SELECT id FROM contact_folder f WHERE user_pk = ? AND parent_pk IS NOT NULL"
            " AND EXISTS (SELECT 1 FROM contact WHERE folder_pk = f.pk)",
        }[source]
        return [row["id"] for row in self.connection.execute(query, (pk,)).fetchall()]

    def worker(self, source: Source) -> Any:
        made = self._new_worker(Exchange())
        made.tenants, made.resource, made.jobs.sources, made.parallel = self.tenant, self.user, (source,), 4
        return made

    def fault(self, **spec: Any) -> int:
        return int(self.tenant.simulator.faults.add(spec).pk)

    def fired(self) -> int:
        return sum(rule.fired for rule in self.tenant.simulator.faults.rules())

    def calm(self) -> None:
        self.tenant.simulator.faults.clear()

    def delete_container(self, source: Source, key: str) -> None:
        table = {Source.MAIL: "folder", Source.CALENDAR: "calendar", Source.CONTACTS: "contact_folder"}[source]
        row = self.connection.execute(f"SELECT * FROM {table} WHERE id = ?", (key,)).fetchone()
        delete = {
            Source.MAIL: messages.delete_folder,
            Source.CALENDAR: calendars.delete_calendar,
            Source.CONTACTS: contacts.delete_folder,
        }[source]
        delete(self.connection, row)

    async def truth(self, source: Source) -> str:
        """What a worker without any trouble keeps."""
        self.calm()
        worker = self.worker(source)
        assert (await worker.backup()).state is JobState.SUCCEEDED
        return str(await worker.digest())

    def single_events(self, pk: int) -> list[events.Event]:
        return [event for event in self._events(pk) if event.recurrence is None]

    def series(self, pk: int) -> str:
        """The immutable id of a series."""
        return next(event.immutable_id for event in self._events(pk) if event.recurrence is not None)

    def _events(self, pk: int) -> list[events.Event]:
        query = (
            "SELECT event.* FROM event JOIN calendar ON calendar.pk = calendar_pk"
            " WHERE event.user_pk = ? AND master_pk IS NULL AND owner_address IS NULL ORDER BY pk"
        )
        return [events.loaded(self.connection, row) for row in self.connection.execute(query, (pk,)).fetchall()]

    def _count(self, table: str) -> int:
        return int(self.connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


@pytest.fixture(scope="module")
def tenant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatedTenant]:
    made = SimulatedTenant(tmp_path_factory.mktemp("faults"), Fuse())
    yield made
    made.close()


@pytest.fixture
def office(
    tenant: SimulatedTenant, new_worker: Callable[[Exchange], Any], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Office]:
    for module, name in ((graph_calendars, "_WHOLE"), (graph_calendars, "_MOST"), (graph_contacts, "_PAGE_SIZE")):
        monkeypatch.setattr(module, name, 3)
    made = Office(tenant, new_worker)
    yield made
    made.calm()


def status(code: int, error: str = "", **more: Any) -> dict[str, Any]:
    body: Any = {"error": {"code": error, "message": "text"}} if error else ""
    return {"kind": "status", "status": code, "body": body, **more}


def rare(*cases: Any) -> list[Any]:
    """Variants that only `make soak` tries."""
    return [pytest.param(case, marks=pytest.mark.soak) for case in cases]


def missing(job: Job) -> list[tuple[str, ErrorClass]]:
    return [(problem.item, problem.error) for problem in job.item_errors]


PASSES: dict[str, dict[str, Any]] = {
    "429 with a decimal": {"kind": "throttle", "retry_after": "0.01", "count": 2},
    "429 without Retry-After": {"kind": "throttle", "retry_after": None, "count": 2},
    "500": status(500, "UnknownError", count=3),
    "502 as a page of HTML": status(502, count=2),
    "503": status(503, count=2),
    "504": status(504, "GatewayTimeout", count=2),
    "JSON that ends in the middle": {"kind": "status", "status": 200, "body": CUT, "count": 2},
    "404 without a body": status(404, count=2),
}


@pytest.mark.soak
@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("fault", PASSES.values(), ids=PASSES.keys())
async def test_what_passes_costs_nothing(office: Office, source: Source, fault: dict[str, Any]) -> None:
    office.mailbox(source)
    office.fault(**fault, match=LIST[source], skip=1)
    if fault.get("body") != CUT:
        office.fault(**fault, match=ONE[source], skip=2)
    worker = office.worker(source)
    job = await worker.backup()
    assert office.fired() >= fault["count"]
    assert (job.state, missing(job)) == (JobState.SUCCEEDED, [])
    assert await worker.digest() == await office.truth(source)


@pytest.mark.parametrize("source", SOURCES)
async def test_a_stream_of_pages_that_expires_is_begun_again(office: Office, source: Source) -> None:
    office.mailbox(source)
    worker = office.worker(source)
    await worker.backup()
    office.fault(kind="gone-delta", match="delta", count=2)
    job = await worker.backup()
    assert (job.state, job.counts.stored) == (JobState.SUCCEEDED, 0)
    assert await worker.digest() == await office.truth(source)


async def test_contacts_whose_delta_never_ends_are_listed_instead(office: Office) -> None:
    office.mailbox(Source.CONTACTS)
    worker = office.worker(Source.CONTACTS)
    for fault in (
        {"kind": "delta-loop", "links": "changing"},
        {"kind": "gone-delta"},
        status(410, "SyncStateNotFound"),
    ):
        office.fault(**fault, match=CONTACTS_DELTA, count=None)
        assert (await worker.backup()).state is JobState.SUCCEEDED
        office.calm()
    assert await worker.digest() == await office.truth(Source.CONTACTS)


async def test_events_whose_list_never_ends_are_listed_by_their_places(office: Office) -> None:
    office.mailbox(Source.CALENDAR)
    worker = office.worker(Source.CALENDAR)
    first = '{"value": [], "@odata.nextLink": "https://graph.test/v1.0/users/u/calendars/c/events?$skip=1"}'
    office.fault(kind="status", status=200, body=first, match=r"/events$", count=2)
    job = await worker.backup()
    assert (job.state, missing(job)) == (JobState.SUCCEEDED, [])
    assert await worker.digest() == await office.truth(Source.CALENDAR)


async def test_an_event_that_is_listed_and_then_not_found_is_neither_lost_nor_taken_for_deleted(
    office: Office,
) -> None:
    pk = office.mailbox(Source.CALENDAR)
    worker = office.worker(Source.CALENDAR)
    await worker.backup()
    for event in office.single_events(pk)[:2]:
        events.update(office.connection, event, {"subject": "neu"})
        office.fault(**status(404, "ErrorItemNotFound", match=rf"/events/{re.escape(event.immutable_id)}$"))
    job = await worker.backup()
    assert (job.state, missing(job), office.fired()) == (JobState.SUCCEEDED, [], 2)
    assert await worker.digest() == await office.truth(Source.CALENDAR)


async def test_an_event_that_is_listed_and_never_found_is_named_and_its_older_version_stays(office: Office) -> None:
    pk = office.mailbox(Source.CALENDAR)
    worker = office.worker(Source.CALENDAR)
    await worker.backup()
    before = await worker.digest()
    (event,) = office.single_events(pk)[:1]
    events.update(office.connection, event, {"subject": "neu"})
    office.fault(**status(404, "ErrorItemNotFound", match=EVENT, count=None))
    job = await worker.backup()
    assert (job.state, missing(job)) == (JobState.PARTIAL, [(event.immutable_id, ErrorClass.CORRUPT_SOURCE_ITEM)])
    assert await worker.digest() == before
    office.calm()
    assert (await worker.backup()).state is JobState.SUCCEEDED
    assert await worker.digest() == await office.truth(Source.CALENDAR)


async def test_an_event_that_is_deleted_between_list_and_read_is_no_error(office: Office) -> None:
    pk = office.mailbox(Source.CALENDAR)
    worker = office.worker(Source.CALENDAR)
    await worker.backup()
    event = office.single_events(pk)[0]
    events.update(office.connection, event, {"subject": "neu"})
    office.tenant.before[r"/events/[^/]+$"] = lambda: events.delete(office.connection, event)
    job = await worker.backup()
    assert not office.tenant.before
    assert (job.state, missing(job)) == (JobState.SUCCEEDED, [])
    assert await worker.digest() == await office.truth(Source.CALENDAR)


@pytest.mark.parametrize("error", [status(500, "InternalServerError"), *rare(status(504), status(400, "ErrorX"))])
@pytest.mark.parametrize("source", ALL)
async def test_one_item_that_never_answers_sensibly_costs_itself(
    office: Office, source: Source, error: dict[str, Any]
) -> None:
    pk = office.mailbox(source)
    worker = office.worker(source)
    if source is Source.CALENDAR:
        key = office.series(pk)
        bad = rf"/events/{re.escape(key)}$"
    elif source is Source.MAIL:
        key = office.arrive(pk, "inbox")
        bad = rf"/messages/{re.escape(key)}/\$value$"
    else:
        contact = office.people.create(1, photo=True)
        bad, key = rf"/contacts/{re.escape(contact)}/photo/\$value$", f"{contact}/photo"
    office.fault(**error, match=bad, count=None)
    job = await worker.backup()
    assert (job.state, missing(job)) == (JobState.PARTIAL, [(key, ErrorClass.CORRUPT_SOURCE_ITEM)])
    truth = await office.truth(source)
    assert await worker.digest() != truth
    assert (await worker.backup()).state is JobState.SUCCEEDED
    assert await worker.digest() == truth


async def test_when_no_item_answers_the_job_waits(office: Office) -> None:
    pk = office.mailbox(Source.CALENDAR)
    worker = office.worker(Source.CALENDAR)
    await worker.backup()
    for event in office.single_events(pk)[:9]:
        events.update(office.connection, event, {"subject": "neu"})
    office.fault(**status(500, "InternalServerError", match=EVENT, count=None))
    name = worker.queue()
    job = await worker.deliver(name)
    assert (job.state, job.hold and job.hold.reason) == (JobState.WAITING, HoldReason.GRAPH_UNREACHABLE)
    office.calm()
    assert (await worker.deliver(name)).state is JobState.SUCCEEDED
    assert await worker.digest() == await office.truth(Source.CALENDAR)


@pytest.mark.parametrize("source", ALL)
@pytest.mark.parametrize(
    "error", [status(403, "ErrorAccessDenied"), *rare(status(404, "ErrorItemNotFound"), status(400))]
)
async def test_one_folder_or_calendar_that_refuses_costs_itself_and_what_is_stored_stays(
    office: Office, source: Source, error: dict[str, Any]
) -> None:
    pk = office.mailbox(source)
    worker = office.worker(source)
    await worker.backup()
    before = await worker.digest()
    bad = office.containers(pk, source)[0]
    office.fault(**error, match=f"/{re.escape(bad)}/(events|contacts/delta|messages/delta)$", count=None)
    job = await worker.backup()
    assert (job.state, [item for item, _ in missing(job)]) == (JobState.PARTIAL, [bad])
    assert await worker.digest() == before
    office.calm()
    assert (await worker.backup()).state is JobState.SUCCEEDED


@pytest.mark.parametrize("source", ALL)
async def test_a_permission_that_is_taken_away_in_mid_run_holds_the_job(office: Office, source: Source) -> None:
    office.mailbox(source)
    worker = office.worker(source)
    office.fault(**status(403, "ErrorAccessDenied", count=None, skip=3))
    job = await worker.backup()
    assert (job.state, job.hold and job.hold.reason) == (JobState.WAITING, HoldReason.CONSENT_LOST)


@pytest.mark.parametrize("source", ALL)
async def test_a_folder_or_calendar_that_goes_away_in_mid_run_costs_nothing(office: Office, source: Source) -> None:
    """Exchange may call its cursor void before it says that the folder is gone."""
    pk = office.mailbox(source)
    worker = office.worker(source)
    await worker.backup()
    victim = office.containers(pk, source)[0]
    path = f"/{re.escape(victim)}/(events|contacts/delta|messages/delta)$"
    office.fault(kind="gone-delta", match=path)
    office.tenant.before[path] = partial(office.delete_container, source, victim)
    assert (await worker.backup()).state is JobState.SUCCEEDED
    assert not office.tenant.before
    assert (await worker.backup()).state is JobState.SUCCEEDED
    assert await worker.digest() == await office.truth(source)
    assert worker.lost == []


async def test_a_mail_that_is_listed_and_not_found_is_asked_for_again(office: Office) -> None:
    pk = office.mailbox(Source.MAIL)
    worker = office.worker(Source.MAIL)
    await worker.backup()
    kept = office.arrive(pk, "inbox")
    office.fault(**status(404, "ErrorItemNotFound", match=MAIL))
    assert (await worker.backup()).state is JobState.SUCCEEDED
    assert await worker.digest() == await office.truth(Source.MAIL)
    never = office.arrive(pk, "inbox")
    office.fault(**status(404, "ErrorItemNotFound", match=MAIL, count=None))
    job = await worker.backup()
    assert (job.state, missing(job)) == (JobState.PARTIAL, [(never, ErrorClass.CORRUPT_SOURCE_ITEM)])
    assert kept in await worker.mirror()


async def test_an_attachment_that_breaks_off_is_read_again(office: Office) -> None:
    office.mailbox(Source.CALENDAR)
    worker = office.worker(Source.CALENDAR)
    office.fault(**status(500, "UnknownError", match=r"/attachments/[^/]+/\$value$", count=7))
    job = await worker.backup()
    assert (job.state, office.fired()) == (JobState.SUCCEEDED, 7)
    assert await worker.digest() == await office.truth(Source.CALENDAR)
