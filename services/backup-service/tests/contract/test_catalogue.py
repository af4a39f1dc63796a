"""Targets, configurations, restore points and download tickets: of one tenant, page by page, once."""

import io
import re
import zipfile
from datetime import timedelta
from typing import Any

import httpx
import pytest
from backup_fakes.asking import asking
from backup_fakes.engine import EngineInMemory
from backup_fakes.exchange import ANNA
from backup_fakes.fuse import Fuse

from backup_engine import NewItem
from backup_service.domain.export_order import ExportOrder
from backup_service.entrypoints.download import application, attachment
from backup_service.usecases.configure import Configure
from backup_service.usecases.export_mailbox import ExportMailbox
from backup_service.usecases.manage import Manage
from contracts.names import ExportFormat, Source
from contracts.problem import ProblemError
from contracts.restoring import RestoreSelection
from contracts.rpc import CreateConfiguration, CreateTarget, OpenExport
from contracts.views import ProbeStep, RestorePoint

TARGET = CreateTarget(id="t1", name="Our S3", endpoint="https://s3.example", bucket="backups")
CONFIGURATION = CreateConfiguration(name="Mail", target="t1", retention_days=90)
MAIL = b"Subject: hello\r\n\r\nbody\r\n"
SESSION = "01KJPRZB00HX6XV8A99HSWY9BD"


@pytest.fixture
def engine() -> EngineInMemory:
    return EngineInMemory(Fuse())


@pytest.fixture
def manage(planner: Any, engine: EngineInMemory) -> Manage:
    return Manage(planner.catalogue, engine, planner.clock)


@pytest.fixture
async def point(planner: Any, manage: Manage, engine: EngineInMemory) -> RestorePoint:
    """A restore point of one mail, in the repository and in the catalogue."""
    await manage.create_target("contoso", asking(), TARGET)
    configuration = await planner.configure.create("contoso", asking("req-1"), CONFIGURATION)
    repository = await engine.open("contoso", "t1")
    now = planner.clock.now()
    session = repository.open_session(f"{configuration.id}/{ANNA}", SESSION, parent=None)
    session.put_record("f1", "folder", "", "", {"name": "Inbox"})
    session.put_item(NewItem("m1", "mail", "ck", "f1", {}), MAIL)
    session.commit(b"", listed=1, skipped=[], failed=[], expires_at=now + timedelta(days=90), taken_at=now)
    made = RestorePoint(
        tenant="contoso",
        id=SESSION,
        configuration=configuration.id,
        resource=ANNA,
        resource_name="anna@contoso.example",
        taken_at=now,
        expires_at=now + timedelta(days=90),
        complete=True,
        items=1,
        bytes=len(MAIL),
    )
    await planner.catalogue.add_restore_point(made)
    return made


async def test_target_is_saved_after_a_good_connection_test(planner: Any, manage: Manage) -> None:
    created = await manage.create_target("contoso", asking(), TARGET)
    assert created.target is not None
    assert await planner.catalogue.target("contoso", "t1") == created.target
    assert await planner.catalogue.target("fabrikam", "t1") is None


async def test_target_that_fails_its_test_is_not_saved(planner: Any, manage: Manage, engine: EngineInMemory) -> None:
    engine.steps = (ProbeStep(name="write", ok=True), ProbeStep(name="read", ok=False, detail="denied"))
    created = await manage.create_target("contoso", asking(), TARGET)
    assert (created.target, created.steps) == (None, engine.steps)
    assert await planner.catalogue.target("contoso", "t1") is None


async def test_configuration_created_twice_by_one_request_is_one(planner: Any, manage: Manage) -> None:
    await manage.create_target("contoso", asking(), TARGET)
    first = await planner.configure.create("contoso", asking("req-1"), CONFIGURATION)
    await planner.clock.advance(60)
    again = await planner.configure.create("contoso", asking("req-1"), CONFIGURATION)
    other = await planner.configure.create("contoso", asking("req-2"), CONFIGURATION)
    assert first == again
    assert other.id != first.id
    assert len((await planner.catalogue.configurations("contoso", None, 10)).items) == 2


async def test_configuration_needs_a_target_of_its_tenant(planner: Any, manage: Manage) -> None:
    await manage.create_target("contoso", asking(), TARGET)
    with pytest.raises(ProblemError, match="storage target"):
        await planner.configure.create("fabrikam", asking("req-1"), CONFIGURATION)


async def test_a_source_that_cannot_be_read_is_refused_in_plain_words(planner: Any, manage: Manage) -> None:
    await manage.create_target("contoso", asking(), TARGET)
    mail_alone = Configure(planner.catalogue, planner.retention, planner.clock, readable=(Source.MAIL,))
    wanted = CONFIGURATION.model_copy(update={"sources": (Source.MAIL, Source.CALENDAR, Source.ADDRESS_BOOK)})
    with pytest.raises(ProblemError, match="this release cannot back up calendar, address-book"):
        await mail_alone.create("contoso", asking("req-1"), wanted)


async def test_pages_hold_everything_once_and_end(planner: Any, manage: Manage) -> None:
    await manage.create_target("contoso", asking(), TARGET)
    made = {(await planner.configure.create("contoso", asking(f"r{n}"), CONFIGURATION)).id for n in range(7)}
    seen: list[str] = []
    cursor, pages = None, 0
    while pages == 0 or cursor is not None:
        page = await planner.catalogue.configurations("contoso", cursor, 3)
        seen += [item.id for item in page.items]
        cursor, pages = page.cursor, pages + 1
    assert (sorted(seen), pages) == (sorted(made), 3)
    assert (await planner.catalogue.configurations("fabrikam", None, 3)).items == ()


async def test_restore_point_made_known_twice_is_one(planner: Any, point: RestorePoint) -> None:
    await planner.catalogue.add_restore_point(point)
    narrow = {"configuration": point.configuration, "resource": ANNA}
    assert (await planner.catalogue.restore_points("contoso", narrow, None, 10)).items == (point,)
    assert (await planner.catalogue.restore_points("contoso", {"resource": "bert"}, None, 10)).items == ()
    assert await planner.catalogue.restore_point("fabrikam", point.id) is None


async def test_ticket_opens_its_export_once(
    planner: Any, manage: Manage, engine: EngineInMemory, point: RestorePoint
) -> None:
    ticket = await manage.open_export("contoso", asking(), OpenExport(restore_point=point.id))
    assert ticket.filename == "anna_at_contoso.example-20260302T080000Z.zip"
    export = ExportMailbox(planner.catalogue, engine, planner.clock)
    transport = httpx.ASGITransport(application(export))
    async with httpx.AsyncClient(transport=transport, base_url="https://worker") as client:
        stolen = await client.get(f"/v1/downloads/fabrikam/{ticket.ticket}")
        first = await client.get(f"/v1/downloads/contoso/{ticket.ticket}")
        second = await client.get(f"/v1/downloads/contoso/{ticket.ticket}")
    assert (stolen.status_code, first.status_code, second.status_code) == (404, 200, 404)
    assert second.headers["content-type"] == "application/problem+json"
    plain, full = f'filename="{ticket.filename}"', f"filename*=UTF-8''{ticket.filename}"
    assert first.headers["content-disposition"] == f"attachment; {plain}; {full}"
    archive = zipfile.ZipFile(io.BytesIO(first.content))
    assert archive.read("Inbox/000001 hello.eml") == MAIL


@pytest.mark.parametrize(("export", "name"), [("mbox", r"Inbox\.mbox"), ("maildir", r"Inbox/cur/\d+\.000001\..*:2,S?")])
async def test_a_ticket_remembers_the_format(
    planner: Any, manage: Manage, engine: EngineInMemory, point: RestorePoint, *, export: str, name: str
) -> None:
    wanted = OpenExport(restore_point=point.id, format=ExportFormat(export))
    ticket = await manage.open_export("contoso", asking(), wanted)
    assert ticket.filename == f"anna_at_contoso.example-20260302T080000Z.{export}.zip"
    made = await ExportMailbox(planner.catalogue, engine, planner.clock)("contoso", ticket.ticket)
    assert made.filename == ticket.filename
    archive = zipfile.ZipFile(io.BytesIO(b"".join(made.chunks)))
    (found,) = [entry for entry in archive.namelist() if re.fullmatch(name, entry)]
    assert MAIL in archive.read(found)


@pytest.mark.parametrize(
    ("mailbox", "plain", "full"),
    [
        ("jürgen@contoso.example", "j_rgen_at_contoso.example", "j%C3%BCrgen_at_contoso.example"),
        ('a"b\\c/../d;e\r\nX-Evil: 1', "a_b_c_.._d;e__X-Evil: 1", "a_b_c_.._d%3Be__X-Evil%3A%201"),
    ],
)
async def test_no_name_of_a_mailbox_breaks_out_of_the_header(
    planner: Any, manage: Manage, engine: EngineInMemory, point: RestorePoint, *, mailbox: str, plain: str, full: str
) -> None:
    odd = point.model_copy(update={"id": "odd", "resource_name": mailbox})
    await planner.catalogue.add_restore_point(odd)
    ticket = await manage.open_export("contoso", asking(), OpenExport(restore_point="odd"))
    export = ExportMailbox(planner.catalogue, engine, planner.clock)
    made = await export("contoso", ticket.ticket)
    end = "-20260302T080000Z.zip"
    assert attachment(made.filename) == f"attachment; filename=\"{plain}{end}\"; filename*=UTF-8''{full}{end}"


async def test_a_ticket_remembers_what_is_taken(planner: Any, manage: Manage, point: RestorePoint) -> None:
    selection = RestoreSelection(items=("AAMk-1=",), folders=("f",))
    for wanted, filename in (
        (OpenExport(restore_point=point.id, selection=selection), "anna_at_contoso.example-20260302T080000Z.zip"),
        (OpenExport(restore_point=point.id, item="AAMk-1="), "item"),
        (OpenExport(restore_point=point.id, item="AAMk-1=", attachment=2), "attachment-2"),
    ):
        ticket = await manage.open_export("contoso", asking(), wanted)
        assert ticket.filename == filename
        order = await planner.catalogue.redeem("contoso", ticket.ticket, planner.clock.now())
        assert order == ExportOrder(
            point.id, selection=wanted.selection, item=wanted.item, attachment=wanted.attachment
        )


async def test_ticket_expires(planner: Any, manage: Manage, engine: EngineInMemory, point: RestorePoint) -> None:
    ticket = await manage.open_export("contoso", asking(), OpenExport(restore_point=point.id))
    await planner.clock.advance(301)
    with pytest.raises(ProblemError, match="not-found"):
        await ExportMailbox(planner.catalogue, engine, planner.clock)("contoso", ticket.ticket)


async def test_no_ticket_for_another_tenants_restore_point(manage: Manage, point: RestorePoint) -> None:
    with pytest.raises(ProblemError, match="not-found"):
        await manage.open_export("fabrikam", asking(), OpenExport(restore_point=point.id))


async def test_ticket_secret_is_not_stored(planner: Any, manage: Manage, point: RestorePoint) -> None:
    ticket = await manage.open_export("contoso", asking(), OpenExport(restore_point=point.id))
    documents = await planner.store.tickets.find({}).to_list(10)
    assert ticket.ticket not in str(documents)
