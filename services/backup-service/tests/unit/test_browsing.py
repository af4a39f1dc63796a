"""What restore points hold is told from a search file that follows the repository and may be lost at any time."""

import io
import sqlite3
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, Self

import pytest

from backup_engine import NewItem, Repository, Snapshot
from backup_engine.storage import MemoryStorage
from backup_engine.testing.keys import LocalKeyWrapper
from backup_service.adapters import search_file, search_schema
from backup_service.adapters.error_classes import Judgement
from backup_service.adapters.search_shelf import SearchShelf
from backup_service.domain.export_order import ExportOrder
from backup_service.usecases.browse import Browse
from backup_service.usecases.export_mailbox import item_download
from contracts import rpc
from contracts.browsing import ItemChange
from contracts.problem import ProblemError
from contracts.views import BackupConfiguration, RestorePoint

SHARD = "c1/anna"
START = datetime(2026, 3, 1, 12, tzinfo=UTC)


def mail(subject: str, text: str = "text", sender: str = "ben@x.example", file: str | None = None) -> bytes:
    head = f"From: Ben <{sender}>\r\nTo: Anna <anna@c.example>\r\nSubject: {subject}\r\nMIME-Version: 1.0\r\n"
    if file is None:
        return f"{head}Content-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n".encode()
    return (
        f"{head}Content-Type: multipart/mixed; boundary=b\r\n\r\n"
        f"--b\r\nContent-Type: text/plain\r\n\r\n{text}\r\n--b\r\n"
        f'Content-Type: application/pdf\r\nContent-Disposition: attachment; filename="{file}"\r\n\r\nPDF\r\n--b--\r\n'
    ).encode()


class Mailbox:
    """Restore points of one mailbox, and a worker that is asked about them."""

    def __init__(self, folder: Path) -> None:
        self.storage = MemoryStorage()
        self.repository = Repository.create(self.storage, LocalKeyWrapper(bytes(32)), tenant="contoso")
        self.points: list[Snapshot] = []
        self.numbers = count(1)
        self.folder = folder
        self.shelf = self.new_shelf()

    def ulid(self) -> str:
        return f"01ARZ3NDEKTSV4RRFFQ{next(self.numbers):07d}"

    def new_shelf(self) -> SearchShelf:
        return SearchShelf(self.folder, limit=1 << 24, patience=30.0, new_id=self.ulid)

    @property
    def browse(self) -> Browse:
        return Browse(self, self, self.shelf, judge=Judgement(1.0))  # type: ignore[arg-type] # what Browse asks of both

    def back_up(self, *changes: Any, keep: timedelta = timedelta(days=365)) -> str:
        """A restore point on top of the last; changes are calls of the session."""
        parent = self.points[-1].id if self.points else None
        with self.repository.open_session(SHARD, self.ulid(), parent=parent) as session:
            for change in changes:
                change(session)
            taken = START + len(self.points) * timedelta(days=1)
            facts: dict[str, Any] = {"listed": 0, "skipped": [], "failed": []}
            self.points.append(session.commit(b"", taken_at=taken, expires_at=taken + keep, **facts))
        return self.points[-1].id

    async def open(self, tenant: str, target: str) -> Repository:
        return self.repository

    async def configuration(self, tenant: str, configuration: str) -> BackupConfiguration:
        return BackupConfiguration(
            tenant=tenant, id="c1", name="c", target="t1", sources=(), retention_days=30, created_at=START
        )

    async def restore_point(self, tenant: str, point: str) -> RestorePoint | None:
        found = [one for one in self.points if one.id == point and tenant == "contoso"]
        if not found:
            return None
        return RestorePoint(
            tenant=tenant, id=point, configuration="c1", resource="anna", taken_at=found[0].taken_at,
            expires_at=found[0].expires_at, complete=True, items=found[0].items, bytes=found[0].bytes,
        )  # fmt: skip

    def derived(self) -> list[str]:
        return [name for name in self.storage.objects if name.startswith("derived/")]


def folder(key: str, name: str, parent: str = "") -> Any:
    return lambda session: session.put_record(key, "folder", "1", parent, {"name": name})


def put(key: str, parent: str, raw: bytes, minute: int = 0, **meta: Any) -> Any:
    known = {"receivedDateTime": f"2026-02-01T08:{minute:02}:00Z", **meta}
    return lambda session: session.put_item(NewItem(key, "mail", "1", parent, known), raw)


def update(key: str, parent: str, minute: int = 0, **meta: Any) -> Any:
    known = {"receivedDateTime": f"2026-02-01T08:{minute:02}:00Z", **meta}
    return lambda session: session.update_meta(key, "2", parent, known)


def remove(key: str) -> Any:
    return lambda session: session.remove(key)


@pytest.fixture
async def mailbox(tmp_path: Path) -> AsyncIterator[Mailbox]:
    made = Mailbox(tmp_path / "search")
    yield made
    await made.shelf.close()


@pytest.fixture
async def first(mailbox: Mailbox) -> str:
    return mailbox.back_up(
        folder("in", "Posteingang"),
        folder("pro", "Projekte", "in"),
        *(put(f"m{n}", "in", mail(f"Bericht {n}", f"Nummer {n}"), n) for n in range(7)),
        put("offer", "pro", mail("Angebot", "die Straßenbeleuchtung für Frau Müller", file="Plan Köln.pdf"), 30),
    )


async def found(mailbox: Mailbox, point: str, **asked: Any) -> list[str]:
    page = await mailbox.browse.search("contoso", rpc.SearchItems(restore_point=point, **asked))
    return [item.id for item in page.items]


async def test_folders_have_paths_and_counts(mailbox: Mailbox, first: str) -> None:
    page = await mailbox.browse.folders("contoso", rpc.FoldersOf(restore_point=first))
    assert [(one.path, one.items) for one in page.items] == [(("Posteingang",), 7), (("Posteingang", "Projekte"), 1)]
    one = await mailbox.browse.folders("contoso", rpc.FoldersOf(restore_point=first, limit=1))
    rest = await mailbox.browse.folders("contoso", rpc.FoldersOf(restore_point=first, cursor=one.cursor))
    assert ([f.id for f in one.items], [f.id for f in rest.items], rest.cursor) == (["in"], ["pro"], None)


async def test_pages_of_a_folder_show_everything_once_newest_first(mailbox: Mailbox, first: str) -> None:
    seen, cursor = [], None
    while True:
        asked = rpc.ItemsOf(restore_point=first, folder="in", limit=3, cursor=cursor)
        page = await mailbox.browse.items("contoso", asked)
        seen += [item.subject for item in page.items]
        if (cursor := page.cursor) is None:
            break
    assert seen == [f"Bericht {n}" for n in reversed(range(7))]


async def test_an_answer_fits_into_the_bus_whatever_the_mails_are(mailbox: Mailbox) -> None:
    people = ", ".join(f'"{"ä" * 180} {n}" <{"x" * 100}{n}@c.example>' for n in range(20))
    raw = f"From: a@b.example\r\nTo: {people}\r\nSubject: {'ü' * 2000}\r\n\r\ntext\r\n".encode()
    point = mailbox.back_up(folder("in", "Posteingang"), *(put(f"m{n:03}", "in", raw, n % 60) for n in range(100)))
    seen, cursor, pages = set(), None, 0
    while cursor is not None or not pages:
        page = await mailbox.browse.items(
            "contoso", rpc.ItemsOf(restore_point=point, folder="in", limit=200, cursor=cursor)
        )
        assert len(page.model_dump_json().encode()) < 256 << 10
        seen |= {item.id for item in page.items}
        cursor, pages = page.cursor, pages + 1
    assert len(seen) == 100
    assert pages > 1
    item = await mailbox.browse.item("contoso", rpc.OneItem(restore_point=point, item="m000"))
    assert (len(item.to), item.recipients) == (20, 20)
    assert len(item.model_dump_json().encode()) < 256 << 10


@pytest.mark.parametrize(
    ("asked", "hits"),
    [
        ({"q": "strassenbeleuchtung mueller"}, ["offer"]),
        ({"q": '"für Frau"'}, ["offer"]),
        ({"q": '"Frau für"'}, []),
        ({"q": "strassen*"}, ["offer"]),
        ({"q": "bericht 3"}, ["m3"]),
        ({"subject": "angebot"}, ["offer"]),
        ({"subject": "Straßenbeleuchtung"}, []),
        ({"sender": "ben@x.example", "q": "nummer 1"}, ["m1"]),
        ({"people": "anna@c.example", "q": "nummer 2"}, ["m2"]),
        ({"sender": "anna@c.example"}, []),
        ({"attachment": "koeln"}, ["offer"]),
        ({"has_attachment": True}, ["offer"]),
        ({"has_attachment": False, "q": "angebot"}, []),
        ({"folder": "pro"}, ["offer"]),
        ({"since": datetime(2026, 2, 1, 8, 5, tzinfo=UTC)}, ["offer", "m6", "m5"]),
        ({"since": datetime(2026, 2, 1, 8, 1, tzinfo=UTC), "until": datetime(2026, 2, 1, 8, 2, tzinfo=UTC)}, ["m1"]),
        ({"q": "nummer", "limit": 2}, ["m6", "m5"]),
        ({"kind": "event"}, []),
        ({"q": "nirgends"}, []),
    ],
)
async def test_search(mailbox: Mailbox, first: str, asked: dict[str, Any], hits: list[str]) -> None:
    assert await found(mailbox, first, **asked) == hits


async def test_a_word_that_most_items_have_is_found_the_other_way_round(
    mailbox: Mailbox, first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, Any]] = [
        {"q": "nummer", "limit": 3},
        {"q": "nummer", "folder": "in", "since": datetime(2026, 2, 1, 8, 5, tzinfo=UTC)},
        {"q": "nummer", "everywhere": True},
    ]
    usual = [await found(mailbox, first, **words) for words in asked]
    monkeypatch.setattr(search_file, "_MANY", 2)
    assert [await found(mailbox, first, **words) for words in asked] == usual
    assert usual[0] == ["m6", "m5", "m4"]


async def test_a_hit_shows_where_the_words_are(mailbox: Mailbox, first: str) -> None:
    page = await mailbox.browse.search("contoso", rpc.SearchItems(restore_point=first, q="straße* Muller"))
    (hit,) = page.items
    assert "die Straßenbeleuchtung für Frau Müller" in hit.excerpt
    assert [(one.number, one.name, one.size) for one in hit.attachments] == [(1, "Plan Köln.pdf", 3)]


async def test_every_generation_is_told_as_it_was(mailbox: Mailbox, first: str) -> None:
    second = mailbox.back_up(
        remove("m0"),
        update("m1", "pro", 1, isRead=True),
        update("m2", "in", 2, isRead=True, categories=["Rot"]),
        put("m3", "in", mail("Bericht 3", "neu gefasst"), 3),
        put("new", "in", mail("Neues"), 40),
        folder("pro", "Projekte 2026", "in"),
    )
    shown = await mailbox.browse.items("contoso", rpc.ItemsOf(restore_point=first, folder="in"))
    assert [(item.id, item.read) for item in shown.items] == [(f"m{n}", False) for n in reversed(range(7))]
    shown = await mailbox.browse.items("contoso", rpc.ItemsOf(restore_point=second, folder="in"))
    assert [(item.id, item.read) for item in shown.items][:2] == [("new", False), ("m6", False)]
    assert {item.id: item.read for item in shown.items}["m2"]
    assert await found(mailbox, first, q="neu gefasst") == []
    assert await found(mailbox, second, q="neu gefasst") == ["m3"]
    everywhere = rpc.SearchItems(restore_point=second, q="bericht", everywhere=True)
    hits = (await mailbox.browse.search("contoso", everywhere)).items
    assert [item.id for item in hits] == ["m6", "m5", "m4", "m3", "m3", "m2", "m1", "m0"]
    assert (hits[-1].first_seen, hits[-1].last_seen) == (first, first)
    assert (hits[5].first_seen, hits[5].last_seen) == (first, second)
    for one, other in ((first, second), (second, first)):
        compared = await mailbox.browse.compare("contoso", rpc.Compare(restore_point=one, other=other))
        assert (compared.added, compared.removed, compared.changed, compared.moved) == (1, 1, 3, 1)
        assert {change.change: (change.after or change.before).id for change in compared.items if change} | {} == {  # type: ignore[union-attr] # one of them is there
            ItemChange.REMOVED: "m0",
            ItemChange.MOVED: "m1",
            ItemChange.CHANGED: "pro",
            ItemChange.ADDED: "new",
        }
    asked = rpc.Compare(restore_point=first, other=second, change=ItemChange.CHANGED, limit=2)
    page = await mailbox.browse.compare("contoso", asked)
    assert [change.after.id for change in page.items if change.after] == ["m2", "m3"]
    rest = await mailbox.browse.compare("contoso", asked.model_copy(update={"cursor": page.cursor}))
    assert [
        (change.before.subject, change.after.subject) for change in rest.items if change.before and change.after
    ] == [("Projekte", "Projekte 2026")]


async def test_only_what_changed_is_read_again(mailbox: Mailbox, first: str, tmp_path: Path) -> None:
    await mailbox.shelf.prepare(mailbox.repository, SHARD)
    reads: list[str] = []
    read_many = mailbox.repository.read_many

    def counted(rows: Any) -> Iterator[Any]:
        rows = list(rows)
        reads.extend(row.key for row in rows)
        return read_many(rows)

    mailbox.repository.read_many = counted  # type: ignore[method-assign] # counts, and then does the same
    fetches: list[str] = []
    fetch = mailbox.repository.derived.fetch
    mailbox.repository.derived.fetch = lambda file, into: (fetches.append(file.id), fetch(file, into))[1]  # type: ignore[method-assign] # as above
    second = mailbox.back_up(update("m1", "in", 1, isRead=True), put("new", "in", mail("Neues"), 40))
    await mailbox.shelf.prepare(mailbox.repository, SHARD)
    assert (reads, fetches) == (["new"], []), "what is at hand is not fetched"
    before = mailbox.derived()
    await mailbox.shelf.close()
    mailbox.shelf = mailbox.new_shelf()  # another worker
    assert await found(mailbox, second, q="neues") == ["new"]
    assert await found(mailbox, first, q="neues") == []
    assert (reads, len(fetches), mailbox.derived()) == (["new"], 1, before)


async def test_a_file_is_stored_again_when_much_of_it_is_new_or_it_is_old(mailbox: Mailbox) -> None:
    mailbox.back_up(folder("in", "Posteingang"), *(put(f"m{n}", "in", mail(f"Bericht {n}"), n) for n in range(50)))
    await mailbox.shelf.prepare(mailbox.repository, SHARD)
    first = mailbox.derived()
    for n in range(3):
        last = mailbox.back_up(put(f"new{n}", "in", mail(f"Neues {n}")))
        await mailbox.shelf.prepare(mailbox.repository, SHARD)
    assert mailbox.derived() == first
    await mailbox.shelf.close()
    mailbox.shelf = mailbox.new_shelf()  # another worker makes up for what is missing
    assert sorted(await found(mailbox, last, q="neues")) == ["new0", "new1", "new2"]
    assert mailbox.derived() == first
    mailbox.back_up(*(put(f"many{n}", "in", mail(f"Viele {n}")) for n in range(5)))
    await mailbox.shelf.prepare(mailbox.repository, SHARD)
    second = mailbox.derived()
    assert len(second) > len(first)
    for _ in range(7):
        mailbox.back_up()
    await mailbox.shelf.prepare(mailbox.repository, SHARD)
    assert len(mailbox.derived()) > len(second), "its restore points are a week old"


async def test_a_lost_damaged_or_foreign_search_file_is_made_anew(mailbox: Mailbox, first: str) -> None:
    assert await found(mailbox, first, q="angebot") == ["offer"]
    for spoil in ("cut", "gone", "rubbish"):
        name = max(one for one in mailbox.derived() if one.endswith("-000000"))
        if spoil == "cut":
            mailbox.storage.objects[name] = mailbox.storage.objects[name][:-1]
        elif spoil == "gone":
            del mailbox.storage.objects[name]
        else:
            mailbox.repository.derived.store("search", SHARD, mailbox.ulid(), io.BytesIO(b"no database"), [first])
        await mailbox.shelf.close()
        mailbox.shelf = mailbox.new_shelf()
        assert await found(mailbox, first, q="angebot") == ["offer"]


async def test_what_only_expired_restore_points_had_is_forgotten(mailbox: Mailbox) -> None:
    gone = mailbox.back_up(
        folder("in", "Posteingang"), put("secret", "in", mail("Geheim", "vertraulich")), keep=timedelta(days=1)
    )
    await mailbox.shelf.prepare(mailbox.repository, SHARD)
    kept = mailbox.back_up(remove("secret"), put("m1", "in", mail("Bericht")))
    assert await found(mailbox, kept, q="vertraulich", everywhere=True) == ["secret"]
    mailbox.repository.maintain(START + timedelta(days=30), grace=timedelta(0))
    later = mailbox.back_up(put("m2", "in", mail("Bericht 2")))
    await mailbox.shelf.prepare(mailbox.repository, SHARD)
    assert await found(mailbox, later, q="vertraulich", everywhere=True) == []
    assert await found(mailbox, later, q="bericht", everywhere=True) == ["m2", "m1"]
    with pytest.raises(ProblemError) as raised:
        await found(mailbox, gone, q="vertraulich")
    assert raised.value.problem.status == 404


async def test_an_unreadable_mail_is_listed_and_tried_again(mailbox: Mailbox, first: str) -> None:
    packs = [name for name in mailbox.storage.objects if name.startswith("data/")]
    kept = {name: mailbox.storage.objects[name] for name in packs}
    for name in packs:
        mailbox.storage.objects[name] = kept[name][:200] + bytes(100) + kept[name][300:]
    shown = await mailbox.browse.items("contoso", rpc.ItemsOf(restore_point=first, folder="in"))
    assert len(shown.items) == 7
    mailbox.storage.objects.update(kept)
    second = mailbox.back_up(put("new", "in", mail("Neues"), 40))
    await mailbox.shelf.prepare(mailbox.repository, SHARD)
    assert await found(mailbox, second, q="bericht") == [f"m{n}" for n in reversed(range(7))]


async def test_a_message_is_shown_as_text_and_harmless_html(mailbox: Mailbox) -> None:
    raw = (
        "From: Ben <ben@x.example>\r\nTo: anna@c.example\r\nCc: Carla <c@c.example>\r\nSubject: Hallo\r\n"
        "Content-Type: text/html; charset=utf-8\r\n\r\n"
        '<p>Grüße</p><script>alert(1)</script><img src="https://tracker.example/x.gif">\r\n'
    ).encode()
    point = mailbox.back_up(
        folder("in", "Posteingang"), put("m1", "in", raw), put("long", "in", mail("x", "ö" * 90_000))
    )
    shown = await mailbox.browse.message("contoso", rpc.OneItem(restore_point=point, item="m1"))
    assert (shown.text, shown.html.strip(), shown.truncated) == ("Grüße", "<p>Grüße</p><img>", False)
    assert [person.address for person in shown.cc] == ["c@c.example"]
    long = await mailbox.browse.message("contoso", rpc.OneItem(restore_point=point, item="long"))
    assert long.truncated
    assert len(long.model_dump_json().encode()) < 256 << 10


async def test_one_item_or_attachment_comes_as_it_is_stored(mailbox: Mailbox, first: str) -> None:
    raw = mail("Angebot", "die Straßenbeleuchtung für Frau Müller", file="Plan Köln.pdf")
    whole = item_download(mailbox.repository, SHARD, ExportOrder(first, item="offer"))
    assert (whole.filename, whole.media_type, b"".join(whole.chunks)) == ("Angebot.eml", "message/rfc822", raw)
    file = item_download(mailbox.repository, SHARD, ExportOrder(first, item="offer", attachment=1))
    assert (file.filename, b"".join(file.chunks)) == ("Plan Köln.pdf", b"PDF")
    assert file.media_type == "application/octet-stream"
    for order in (
        ExportOrder(first, item="offer", attachment=2),
        ExportOrder(first, item="unknown"),
        ExportOrder(first, item="in"),
        ExportOrder("01ARZ3NDEKTSV4RRFFQ0000999", item="offer"),
    ):
        with pytest.raises(ProblemError) as raised:
            item_download(mailbox.repository, SHARD, order)
        assert raised.value.problem.status == 404


async def test_an_event_and_its_file_come_as_they_are_stored(mailbox: Mailbox) -> None:
    event = b'{"event":{"subject":"Jour fixe"}}'
    point = mailbox.back_up(
        lambda session: session.put_page_item(NewItem("e1", "event", "1", "cal", {}), event),
        lambda session: session.put_stream(NewItem("a1", "event-attachment", "1", "e1", {"name": "a/b.pdf"}), [b"PDF"]),
    )
    stored = item_download(mailbox.repository, SHARD, ExportOrder(point, item="e1"))
    assert (stored.filename, stored.media_type, b"".join(stored.chunks)) == ("event.json", "application/json", event)
    file = item_download(mailbox.repository, SHARD, ExportOrder(point, item="a1"))
    assert (file.filename, b"".join(file.chunks)) == ("a_b.pdf", b"PDF")
    shown = await mailbox.browse.message("contoso", rpc.OneItem(restore_point=point, item="e1"))
    assert shown.item.subject == "Jour fixe"


async def test_what_is_not_there_is_not_found(mailbox: Mailbox, first: str) -> None:
    browse = mailbox.browse
    for tenant, point, item in (("fabrikam", first, "m1"), ("contoso", "unknown", "m1"), ("contoso", first, "unknown")):
        for ask in (browse.item, browse.message):
            with pytest.raises(ProblemError) as raised:
                await ask(tenant, rpc.OneItem(restore_point=point, item=item))
            assert raised.value.problem.status == 404
    with pytest.raises(ProblemError) as raised:
        await browse.items("contoso", rpc.ItemsOf(restore_point=first, folder="in", cursor="no cursor"))
    assert raised.value.problem.code == "invalid"
    assert (await browse.items("contoso", rpc.ItemsOf(restore_point=first, folder="unknown"))).items == ()


async def test_a_question_does_not_wait_for_ever(mailbox: Mailbox, first: str) -> None:
    mailbox.shelf = SearchShelf(mailbox.folder, limit=1 << 20, patience=0.0, new_id=mailbox.ulid)
    with pytest.raises(ProblemError) as raised:
        await found(mailbox, first, q="angebot")
    assert raised.value.problem.code == "preparing"
    await mailbox.shelf.prepare(mailbox.repository, SHARD)
    assert await found(mailbox, first, q="angebot") == ["offer"]


async def test_files_at_hand_are_bounded_and_have_no_name(mailbox: Mailbox, first: str) -> None:
    await mailbox.shelf.prepare(mailbox.repository, SHARD)
    assert list(mailbox.folder.iterdir()) == []
    small = mailbox.shelf = SearchShelf(mailbox.folder, limit=1, patience=30.0, new_id=mailbox.ulid)
    for shard in ("c1/ben", "c1/carla"):
        with mailbox.repository.open_session(shard, mailbox.ulid(), parent=None) as session:
            folder("in", "Posteingang")(session)
            session.commit(b"", listed=0, skipped=[], failed=[], taken_at=START, expires_at=START + timedelta(days=9))
        await small.prepare(mailbox.repository, shard)
        assert len(small._shelved) == 1
    (mailbox.folder / "left.part").write_bytes(b"of a process that died")
    mailbox.new_shelf()
    assert list(mailbox.folder.iterdir()) == []


def test_a_python_without_full_text_search_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    class Without:
        def __init__(self, _: str) -> None: ...
        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None: ...
        def execute(self, _: str) -> None:
            raise sqlite3.OperationalError("no such module: fts5")

    monkeypatch.setattr(sqlite3, "connect", Without)
    with pytest.raises(search_schema.SearchUnsupported, match="FTS5"):
        search_schema.require_full_text()
