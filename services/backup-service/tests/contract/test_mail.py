"""What ports.Mail, MailTarget and RestoreTarget promise, kept by Graph (the simulated tenant) and by the fake."""

import json
import random
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
from backup_fakes.exchange import BERT, DELETIONS, Exchange
from backup_fakes.fuse import Fuse
from backup_fakes.mail import MemoryMail

from backup_service.adapters import graph_mail
from backup_service.adapters.graph_directory import GraphDirectory
from backup_service.adapters.graph_mail import GraphMail
from backup_service.adapters.graph_restore import GraphRestore
from backup_service.domain import mail_digest
from backup_service.domain.discovery import MailboxFinding
from backup_service.domain.graph_message import Tags, new_message, upload_item
from backup_service.domain.mime import Attachment, parse
from graph_client import Budget, GraphClient, Limits, SystemClock, segment
from graph_client.errors import ItemUnreadable, NotFound, ResyncRequired, Unreachable
from graph_simulator.testing import SimulatorProcess, seed

_NUMBER = count()
IMMUTABLE = ('IdType="ImmutableId"',)
PLAIN = (
    b"From: Anna <anna@x.example>\r\nTo: Eva <eva@y.example>\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\r\nhello\r\n"
)
HTML = (
    b"From: a@x.example\r\nTo: b@y.example, c@y.example\r\nCc: d@y.example\r\nSubject: with a file\r\n"
    b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n"
    b"<p>see the file</p>\r\n--b\r\nContent-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n"
    b"Content-Disposition: attachment; filename=a.pdf\r\n\r\nJVBERi0=\r\n--b--\r\n"
)
ANSWER = (
    b"From: a@x.example\r\nTo: b@y.example\r\nSubject: AW: plan\r\nMessage-ID: <3@x.example>\r\n"
    b"In-Reply-To: <2@y.example>\r\nReferences: <1@x.example>\r\n <2@y.example>\r\n"
    b"Thread-Index: AQHaAAAAAAAAAAAAAAAAAAAAAAAAAA==\r\n\r\nyes\r\n"
)
FORWARD = (
    b"From: a@x.example\r\nTo: b@y.example\r\nSubject: WG: plan\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    b"--b\r\nContent-Type: text/plain\r\n\r\nsee below\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n"
    b"From: Eva <eva@y.example>\r\nTo: a@x.example\r\nSubject: =?utf-8?q?Pl=C3=A4ne?=\r\n"
    b"Date: Mon, 2 Mar 2026 08:00:00 +0000\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
    b"Gr\xc3\xbc\xc3\x9fe\r\n--b--\r\n"
)
SIDECAR = {
    "isRead": True,
    "isDraft": False,
    "flag": {"flagStatus": "flagged"},
    "categories": ["Blue"],
    "importance": "high",
    "sentDateTime": "2025-03-02T07:59:00Z",
    "receivedDateTime": "2025-03-02T08:00:00Z",
}


class MemoryOffice:
    """A mailbox in memory and the people who work in it."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self.mail = self.target = self.into = self.directory = MemoryMail(exchange, Fuse())
        self.mailbox, self.address = BERT, exchange.users[BERT]
        exchange.well_known[BERT, "inbox"] = exchange.add_folder(BERT, "Posteingang")

    async def read(self, letter: str) -> None:
        self._exchange.read(BERT, letter)

    async def move(self, letter: str, folder: str) -> None:
        self._exchange.move(BERT, letter, folder)

    async def delete_folder(self, folder: str) -> None:
        self._exchange.delete_folder(BERT, folder)

    def expire(self) -> None:
        self._exchange.expire()

    def damage(self, letter: str) -> None:
        self._exchange.unreadable[letter] = ItemUnreadable("damaged")

    def spoil(self, letter: str) -> None:
        self._exchange.unlistable.add(letter)

    def take_mailbox(self, code: str) -> None:
        self._exchange.without_mailbox[BERT] = MailboxFinding.MISSING if code else MailboxFinding.DENIED

    async def delete_for_good(self, letter: str) -> None:
        deletions = self._exchange.well_known.get((BERT, DELETIONS)) or self._exchange.add_deletions(BERT)
        self._exchange.move(BERT, letter, deletions)

    def give_archive(self) -> None:
        self._exchange.archives.add(BERT)

    async def link(self, letter: str, name: str) -> None:
        self._exchange.references[letter] = [{"name": name, "content_type": None, "size": 0}]
        self._exchange.touch(BERT, letter, hasAttachments=True)

    def forget_for_a_moment(self) -> None:
        """The mailbox in memory knows at once what it holds."""


class GraphOffice:
    """The simulated tenant's restore mailbox, over Graph."""

    def __init__(self, server: SimulatorProcess, client: GraphClient, mailbox: Any) -> None:
        self._server = server
        self._client = client
        self.mail = GraphMail(client)
        self.directory = GraphDirectory(client)
        self.target = GraphRestore(client)
        self.into = self.target.mail
        self.mailbox, self.address = mailbox.id, mailbox.address

    async def read(self, letter: str) -> None:
        await self._client.patch(self._path("messages", letter), {"isRead": True}, prefer=IMMUTABLE)

    async def move(self, letter: str, folder: str) -> None:
        path = f"{self._path('messages', letter)}/move"
        await self._client.post(path, {"destinationId": folder}, prefer=IMMUTABLE)

    async def delete_folder(self, folder: str) -> None:
        await self._client.delete(self._path("mailFolders", folder), prefer=IMMUTABLE)

    def expire(self) -> None:
        self._server.control("POST", "faults", {"kind": "gone-delta", "match": "delta"})

    def damage(self, letter: str) -> None:
        self._server.control("POST", "faults", {"kind": "unreadable-item", "item_id": letter})

    def spoil(self, letter: str) -> None:
        self._server.control("POST", "faults", {"kind": "unlistable-item", "item_id": letter})

    def take_mailbox(self, code: str) -> None:
        body = {"error": {"code": code or "ErrorAccessDenied", "message": "text"}}
        status = 404 if code else 403
        fault = {"kind": "status", "status": status, "body": body, "match": self.mailbox, "count": None}
        self._server.control("POST", "faults", fault)

    async def delete_for_good(self, letter: str) -> None:
        await self._client.delete(self._path("messages", letter), prefer=IMMUTABLE)

    def give_archive(self) -> None:
        self._server.control("POST", f"tenants/contoso/users/{self.address}/archive")

    async def link(self, letter: str, name: str) -> None:
        attachment = {"@odata.type": "#microsoft.graph.referenceAttachment", "name": name}
        await self._client.post(f"{self._path('messages', letter)}/attachments", attachment, prefer=IMMUTABLE)

    def forget_for_a_moment(self) -> None:
        body = {"error": {"code": "ErrorItemNotFound", "message": "The specified object was not found in the store."}}
        fault = {"kind": "status", "status": 404, "body": body, "match": "createUploadSession", "count": 2}
        self._server.control("POST", "faults", fault)

    def _path(self, kind: str, identity: str) -> str:
        return f"/users/{self.mailbox}/{kind}/{segment(identity)}"


class Tokens:
    """Client credentials, asked for once."""

    def __init__(self, server: SimulatorProcess, known: dict[str, Any]) -> None:
        self._server = server
        self._tenant = known["tenant_id"]
        self._app = known["apps"]["exchange-restore"]
        self._token = ""

    async def token(self) -> str:
        if not self._token:
            form = {"grant_type": "client_credentials", "scope": "https://graph.microsoft.com/.default", **self._app}
            async with httpx.AsyncClient(verify=self._server.tls(), trust_env=False) as client:
                answer = await client.post(f"{self._server.url}/{self._tenant}/oauth2/v2.0/token", data=form)
            self._token = answer.raise_for_status().json()["access_token"]
        return self._token

    async def rejected(self, token: str) -> None:
        self._token = ""


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[SimulatorProcess, dict[str, Any]]]:
    state: Path = tmp_path_factory.mktemp("simulator")
    apps = state / "apps.json"
    seed(state, "contoso", "--generate", "6", "--mailboxes", "2", "--seed", "3", "--apps", str(apps))
    with SimulatorProcess(state) as server:
        yield server, json.loads(apps.read_text())


@pytest.fixture(params=["memory", "graph"])
async def office(
    request: pytest.FixtureRequest,
    exchange: Exchange,
    simulator: tuple[SimulatorProcess, dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Any]:
    if request.param == "memory":
        yield MemoryOffice(exchange)
        return
    monkeypatch.setattr(graph_mail, "_PAGE_SIZE", 2)
    server, known = simulator
    clock, rng = SystemClock(), random.Random(5)
    tokens = Tokens(server, known)
    budget = Budget(clock, rng, Limits(backoff_base=0.02, backoff_cap=0.1))
    async with GraphClient(server.graph_url, tokens, verify=server.tls(), budget=budget, clock=clock) as client:
        users = sorted(await GraphDirectory(client).users(), key=lambda user: user.address)
        yield GraphOffice(server, client, users[-1])
    server.control("DELETE", "faults")


@pytest.fixture
async def folder(office: Any) -> str:
    return await made_folder(office, "", f"Test {next(_NUMBER)}")


async def made_folder(office: Any, parent: str, name: str) -> str:
    folder, _ = await office.into.ensure_folder(office.mailbox, parent, name)
    return str(folder)


async def add(office: Any, folder: str, raw: bytes = PLAIN, item: str = "i1", tag: str = "run-1") -> str:
    body = new_message(parse(raw), SIDECAR, Tags(tag, item)).body
    return str((await office.into.create(office.mailbox, folder, body)).id)


async def follow(office: Any, folder: str, link: str | None = None) -> list[Any]:
    return [page async for page in office.mail.changes(office.mailbox, folder, link)]


def named(pages: list[Any]) -> set[str]:
    return {message.id for page in pages for message in page.items}


def removed(pages: list[Any]) -> set[str]:
    return {item for page in pages for item in page.removed}


async def test_mailboxes_are_found_by_id_and_address(office: Any) -> None:
    found = {user.id: user.address for user in await office.directory.users()}
    assert found[office.mailbox] == office.address
    assert await office.directory.mailbox_of(office.mailbox) is MailboxFinding.THERE
    assert (await office.target.resolve(office.address)).id == office.mailbox
    assert (await office.target.resolve(office.mailbox)).address == office.address
    with pytest.raises(NotFound):
        await office.target.resolve("nobody@nowhere.example")


@pytest.mark.parametrize(
    ("code", "finding"),
    [
        ("MailboxNotEnabledForRESTAPI", MailboxFinding.MISSING),
        ("ResourceNotFound", MailboxFinding.MISSING),
        ("", MailboxFinding.DENIED),
    ],
)
async def test_a_user_without_a_mailbox_for_us_is_told_apart(office: Any, code: str, finding: MailboxFinding) -> None:
    office.take_mailbox(code)
    assert await office.directory.mailbox_of(office.mailbox) is finding


async def test_a_folder_is_made_once_whatever_its_case(office: Any, folder: str) -> None:
    inner = await made_folder(office, folder, "Büro & Co")
    assert await made_folder(office, folder, "Büro & Co") == inner
    assert await made_folder(office, folder, "büro & co") == inner
    assert await made_folder(office, inner, "Büro & Co") != inner


async def test_folders_come_parents_first_and_count_their_mail(office: Any, folder: str) -> None:
    inner = await made_folder(office, folder, "Inner")
    await add(office, inner)
    listed = {found.id: found for found in await office.mail.folders(office.mailbox)}
    order = list(listed)
    assert order.index(folder) < order.index(inner)
    assert (listed[folder].parent, listed[inner].parent) == ("", folder)
    assert (listed[folder].total, listed[inner].total, listed[inner].name) == (0, 1, "Inner")


async def test_hidden_folders_are_found_where_nothing_counts_them(office: Any, folder: str) -> None:
    hidden, _ = await office.into.ensure_folder(office.mailbox, folder, "Hidden", hidden=True)

    async def listed(**how: Any) -> dict[str, Any]:
        return {found.id: found for found in await office.mail.folders(office.mailbox, **how)}

    assert (await listed())[hidden].hidden
    assert hidden not in await listed(full=False)
    assert (await listed(full=False, parents={folder}))[hidden].parent == folder


async def test_a_folder_is_found_by_its_id(office: Any, folder: str) -> None:
    inner = await made_folder(office, folder, "Inner")
    found = {one: await office.mail.folder_by_id(office.mailbox, one) for one in (folder, inner)}
    assert {one: (there.id, there.parent) for one, there in found.items()} == {
        folder: (folder, ""),
        inner: (inner, folder),
    }
    await office.delete_folder(folder)
    assert await office.mail.folder_by_id(office.mailbox, inner) is None


async def test_folders_that_every_mailbox_has_are_known_by_name(office: Any) -> None:
    known = await office.mail.well_known(office.mailbox)
    assert "inbox" in known.values()
    assert known.keys() <= {found.id for found in await office.mail.folders(office.mailbox)}


async def test_what_is_deleted_for_good_lies_in_a_folder_apart(office: Any, folder: str) -> None:
    deleted = await add(office, folder)
    await office.delete_for_good(deleted)
    found = await office.mail.deletions(office.mailbox)
    assert (found.recoverable, found.hidden, found.parent) == (True, True, "")
    assert deleted in named(await follow(office, found.id))
    assert found.id not in {other.id for other in await office.mail.folders(office.mailbox)}


async def test_an_archive_shows(office: Any) -> None:
    assert await office.mail.has_archive(office.mailbox) is False
    office.give_archive()
    assert await office.mail.has_archive(office.mailbox) is True


async def test_change_keys_are_those_of_the_messages(office: Any, folder: str) -> None:
    made = {await add(office, folder, item=f"i{n}") for n in range(3)}
    listed = {id_: key async for page in office.mail.change_keys(office.mailbox, folder) for id_, key in page.items()}
    assert listed == {one: (await office.mail.message(office.mailbox, one)).change_key for one in made}


async def test_a_mail_can_be_had_as_it_arrives(office: Any, folder: str) -> None:
    made = await add(office, folder, HTML)
    async with office.mail.mime_stream(office.mailbox, made) as pieces:
        body = b"".join([piece async for piece in pieces])
    assert body == await office.mail.mime(office.mailbox, made)


async def test_links_are_told_and_files_are_not(office: Any, folder: str) -> None:
    made = await add(office, folder, HTML)
    assert await office.mail.references(office.mailbox, made) == []
    await office.link(made, "Offer.docx")
    (link,) = await office.mail.references(office.mailbox, made)
    assert link["name"] == "Offer.docx"


async def test_links_of_a_folder_are_listed_with_the_version_they_belong_to(office: Any, folder: str) -> None:
    plain = await add(office, folder)
    files = [await add(office, folder, HTML) for _ in range(2)]
    linking = await add(office, folder, HTML)
    await office.link(linking, "Offer.docx")
    told, link = {}, None
    while True:
        page = await office.mail.folder_references(office.mailbox, folder, link)
        told.update({mail.id: mail for mail in page.mails})
        if (link := page.next_link) is None:
            break
    assert told.keys() == {*files, linking} - {plain}
    assert [dict(one) for one in told[linking].references] == await office.mail.references(office.mailbox, linking)
    assert all(not told[one].references for one in files)
    for one in told.values():
        assert one.change_key == (await office.mail.message(office.mailbox, one.id)).change_key


async def test_first_round_names_every_message_and_ends_with_a_link(office: Any, folder: str) -> None:
    made = {await add(office, folder, item=f"i{n}") for n in range(5)}
    pages = await follow(office, folder)
    assert named(pages) == made
    assert all(page.next_link and not page.delta_link for page in pages[:-1])
    assert pages[-1].delta_link
    assert not pages[-1].next_link
    again = await follow(office, folder, pages[-1].delta_link)
    assert (named(again), removed(again)) == (set(), set())


async def test_round_goes_on_from_a_stored_link(office: Any, folder: str) -> None:
    made = {await add(office, folder, item=f"i{n}") for n in range(5)}
    pages = office.mail.changes(office.mailbox, folder, None)
    first = await anext(pages)
    await pages.aclose()
    rest = await follow(office, folder, first.next_link)
    assert named([first]) < made
    assert named([first, *rest]) == made


async def test_changes_are_told_in_the_state_they_have_now(office: Any, folder: str) -> None:
    other = await made_folder(office, "", f"Other {next(_NUMBER)}")
    kept, moved, deleted = [await add(office, folder, item=f"i{n}") for n in range(3)]
    here, there = (await follow(office, folder))[-1].delta_link, (await follow(office, other))[-1].delta_link
    before = await office.mail.message(office.mailbox, kept)
    await office.read(kept)
    await office.move(moved, other)
    await office.into.remove(office.mailbox, deleted)
    pages = await follow(office, folder, here)
    assert removed(pages) == {moved, deleted}
    (changed,) = [message for page in pages for message in page.items if message.id == kept]
    assert changed.change_key in {"", before.change_key}
    assert changed.sidecar["isRead"] is True
    arrived = [message for page in await follow(office, other, there) for message in page.items]
    assert {(message.id, message.folder) for message in arrived} == {(moved, other)}


async def test_a_folder_is_listed_by_place_oldest_first(office: Any, folder: str) -> None:
    made = [await add(office, folder, item=f"i{n}") for n in range(3)]
    listed = [message.id for message in await office.mail.listing(office.mailbox, folder, 0, 10)]
    assert sorted(listed) == sorted(made)
    assert [m.id for m in await office.mail.listing(office.mailbox, folder, 1, 1)] == listed[1:2]
    assert await office.mail.listing(office.mailbox, folder, 3, 5) == []


async def test_one_damaged_mail_spoils_every_page_that_shows_it(office: Any, folder: str) -> None:
    made = [await add(office, folder, item=f"i{n}") for n in range(3)]
    listed = [message.id for message in await office.mail.listing(office.mailbox, folder, 0, 10)]
    office.spoil(made[1])
    place = listed.index(made[1])
    with pytest.raises(Unreachable) as spoiled:
        await office.mail.listing(office.mailbox, folder, 0, 10)
    assert spoiled.value.status == 500
    with pytest.raises(Unreachable):
        await follow(office, folder)
    for other in {0, 1, 2} - {place}:
        assert [m.id for m in await office.mail.listing(office.mailbox, folder, other, 1)] == [listed[other]]


async def test_expired_link_asks_for_a_new_enumeration(office: Any, folder: str) -> None:
    made = await add(office, folder)
    link = (await follow(office, folder))[-1].delta_link
    office.expire()
    with pytest.raises(ResyncRequired):
        await follow(office, folder, link)
    assert named(await follow(office, folder)) == {made}


async def test_folder_that_is_gone_is_not_found(office: Any, folder: str) -> None:
    await office.delete_folder(folder)
    with pytest.raises(NotFound):
        await follow(office, folder)


async def test_message_that_is_gone_is_not_found(office: Any, folder: str) -> None:
    for call in (office.mail.message, office.mail.mime):
        with pytest.raises(NotFound):
            await call(office.mailbox, "AAkALgAAAAAAHYQDEapmEc2byACqAC-EWg0A")


async def test_damaged_message_is_unreadable_and_can_be_listed(office: Any, folder: str) -> None:
    made = await add(office, folder)
    office.damage(made)
    with pytest.raises(ItemUnreadable):
        await office.mail.mime(office.mailbox, made)
    with pytest.raises(ItemUnreadable):
        await office.mail.message(office.mailbox, made)
    assert named(await follow(office, folder)) == {made}


@pytest.mark.parametrize(
    "raw", [PLAIN, HTML, ANSWER, FORWARD], ids=["plain", "html with a file", "in a thread", "with a mail"]
)
@pytest.mark.parametrize("state", [{"isDraft": False}, {"isDraft": True}], ids=["sent", "draft"])
async def test_created_message_is_the_one_that_was_described(
    office: Any, folder: str, raw: bytes, state: dict[str, Any]
) -> None:
    sidecar = SIDECAR | state
    made = await office.into.create(office.mailbox, folder, new_message(parse(raw), sidecar, Tags("run-1", "i1")).body)
    read = await office.mail.message(office.mailbox, made.id)
    mime = await office.mail.mime(office.mailbox, made.id)
    expected = mail_digest.facts(raw, sidecar, ())
    for told in (made, read):
        assert told.folder == folder
        assert mail_digest.differences(expected, mail_digest.facts(mime, told.sidecar, ())) == []


async def test_attached_mail_is_an_item_with_its_date(office: Any, folder: str) -> None:
    made = await office.into.create(
        office.mailbox, folder, new_message(parse(FORWARD), SIDECAR, Tags("run-1", "i1")).body
    )
    (attached,) = parse(await office.mail.mime(office.mailbox, made.id)).attachments
    inner = parse(attached.content)
    assert attached.content_type == "message/rfc822"
    assert (inner.subject, inner.body.strip(), inner.date) == ("Pläne", "Grüße", datetime(2026, 3, 2, 8, tzinfo=UTC))


async def test_large_attachment_arrives_whole(office: Any, folder: str) -> None:
    content = random.Random(1).randbytes((3 << 20) + 17)
    made = await add(office, folder)
    item = upload_item(Attachment("big.bin", "application/octet-stream", content, inline=False, content_id=""))
    await office.into.attach(office.mailbox, made, "big.bin", item, content)
    (found,) = parse(await office.mail.mime(office.mailbox, made)).attachments
    assert (found.name, found.content == content) == ("big.bin", True)


async def test_attachment_arrives_though_exchange_does_not_know_the_new_message_yet(office: Any, folder: str) -> None:
    content = random.Random(2).randbytes((3 << 20) + 1)
    made = await add(office, folder)
    office.forget_for_a_moment()
    item = upload_item(Attachment("big.bin", "application/octet-stream", content, inline=False, content_id=""))
    await office.into.attach(office.mailbox, made, "big.bin", item, content)
    assert len(parse(await office.mail.mime(office.mailbox, made)).attachments) == 1


async def test_restored_messages_are_known_by_run_and_item(office: Any, folder: str) -> None:
    first = await add(office, folder, item="i1")
    second = await add(office, folder, item="i|2")
    await add(office, folder, item="i1", tag="run-2")
    body = new_message(parse(PLAIN), SIDECAR, Tags("run-1", "i3", replaces=first)).body
    third = (await office.into.create(office.mailbox, folder, body)).id
    found = {(x.item, x.id, x.replaces) for x in await office.into.created(office.mailbox, folder, "run-1")}
    assert found == {("i1", first, ""), ("i|2", second, ""), ("i3", third, first)}
    assert await office.into.created(office.mailbox, folder, "run-3") == []


async def test_what_is_in_a_folder_is_told_with_its_state(office: Any, folder: str) -> None:
    made = await add(office, folder, raw=b"Message-ID: <o'brien@x.example>\r\nSubject: one\r\n\r\nb\r\n")
    other = await add(office, folder, raw=b"Message-ID: <2@x.example>\r\nSubject: two\r\n\r\nb\r\n")
    everything = {mail.id: mail for mail in await office.into.present(office.mailbox, folder, None)}
    assert everything.keys() == {made, other}
    read = await office.mail.message(office.mailbox, made)
    mail = everything[made]
    assert (mail.message_id, mail.change_key) == ("<o'brien@x.example>", read.change_key)
    assert mail.sidecar["categories"] == SIDECAR["categories"]
    some = await office.into.present(office.mailbox, folder, {"<o'brien@x.example>", "<3@x.example>"})
    assert [mail.id for mail in some] == [made]


async def test_folders_are_found_by_id_by_meaning_and_by_name(office: Any, folder: str) -> None:
    inner = await made_folder(office, folder, "Otto's & Söhne")
    assert await office.into.folder(office.mailbox, inner) == inner
    assert await office.into.folder(office.mailbox, "inbox") not in {None, "inbox"}
    assert await office.into.folder(office.mailbox, "AAMkNoSuchFolder=") is None
    assert await office.into.child(office.mailbox, folder, "otto's & söhne") == inner
    assert await office.into.child(office.mailbox, folder, "other") is None


async def test_removing_twice_is_no_error(office: Any, folder: str) -> None:
    made = await add(office, folder)
    await office.into.remove(office.mailbox, made)
    await office.into.remove(office.mailbox, made)
    assert await office.into.created(office.mailbox, folder, "run-1") == []


async def test_requests_are_counted(office: Any, folder: str) -> None:
    before = office.mail.requests
    await office.mail.folders(office.mailbox)
    assert office.mail.requests > before
