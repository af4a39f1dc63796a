"""Restore points can be looked into from the command line, in tables and as JSON."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from contracts.browsing import AttachmentHeader, Folder, Item, Person

ITEM = Item(
    id="AAMk-1=",
    kind="mail",
    folder="f-2",
    subject="Angebot für die Straßenbeleuchtung",
    sender=Person(name="Ben Müller", address="ben@x.example"),
    to=(Person(name="Anna", address="anna@c.example"),),
    recipients=1,
    date=datetime(2026, 3, 2, 8, tzinfo=UTC),
    size=65_804,
    attachments=(AttachmentHeader(number=1, name="Plan.pdf", content_type="application/pdf", size=48_213),),
    attachment_count=1,
    first_seen="p-1",
    last_seen="p-2",
    excerpt="… anbei das Angebot …",
)


@pytest.fixture
def browsed(signed_in: Any, point_of: Callable[..., Any]) -> Any:
    signed_in.points += [point_of("p-1", "anna@contoso.com", 9), point_of("p-2", "anna@contoso.com", 1)]
    signed_in.folders = [
        Folder(id="f-1", kind="folder", name="Posteingang", path=("Posteingang",), parent="", items=7, bytes=12_000),
        Folder(id="f-2", kind="folder", name="Büro", path=("Posteingang", "Büro"), parent="f-1", items=1, bytes=65_804),
        Folder(id="f-3", kind="calendar", name="Kalender", path=("Kalender",), parent="", items=3, bytes=900),
    ]
    signed_in.items = (ITEM,)
    return signed_in


def test_browse_lists_folders_and_then_items_of_one(browsed: Any, tenantkeep: Any) -> None:
    done = tenantkeep("backup", "browse", "anna@contoso.com")
    assert done.exit_code == 0, done.output
    assert "Posteingang/Büro" in done.stdout
    assert "Kalender" in done.stdout
    done = tenantkeep("backup", "browse", "anna@contoso.com", "posteingang/büro", "--limit", "1")
    assert browsed.asked == [("/tenants/contoso/restore-points/p-2/folders/f-2/items", {"limit": "1"})]
    for shown in ("Ben Müller", "Angebot für", "65.8 KB", "AAMk-1=", "--cursor next"):
        assert shown in done.stdout
    unknown = tenantkeep("backup", "browse", "anna@contoso.com", "Nirgends")
    assert unknown.exit_code == 1
    assert "There is no folder Nirgends" in unknown.stderr


def test_search_asks_what_was_typed(browsed: Any, tenantkeep: Any) -> None:
    done = tenantkeep(
        "backup", "search", "p-1", "angebot", "neue Straße", "--from", "ben", "--attachment", "plan",
        "--with-attachment", "--folder", "Posteingang/Büro", "--since", "2026-01-01", "--everywhere",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    path, asked = browsed.asked[0]
    assert path == "/tenants/contoso/restore-points/p-1/search"
    assert asked.pop("since").startswith("2026-01-01T00:00:00")
    assert asked == {
        "q": 'angebot "neue Straße"',
        "sender": "ben",
        "attachment": "plan",
        "has_attachment": "true",
        "folder": "f-2",
        "everywhere": "true",
        "limit": "50",
    }
    assert "… anbei das Angebot …" in done.stdout
    assert "p-1 – p-2" in done.stdout
    assert tenantkeep("backup", "search", "p-1").exit_code == 2


def test_search_as_json_is_the_page_of_the_api(browsed: Any, tenantkeep: Any) -> None:
    done = tenantkeep("backup", "search", "p-1", "angebot", "--json")
    assert json.loads(done.stdout) == {"items": [ITEM.model_dump(mode="json")], "cursor": None}


def test_show_prints_the_text_and_writes_the_harmless_html(browsed: Any, tenantkeep: Any, tmp_path: Path) -> None:
    file = tmp_path / "message.html"
    done = tenantkeep("backup", "show", "p-1", "AAMk-1=", "--html", str(file))
    assert done.exit_code == 0, done.output
    for shown in ("Von: Ben Müller <ben@x.example>", "1: Plan.pdf application/pdf 48.2 KB", "Guten Tag"):
        assert shown in tenantkeep("backup", "show", "p-1", "AAMk-1=", "--lang", "de").stdout
    assert file.read_text(encoding="utf-8").endswith("<p>Guten Tag</p>")
    assert json.loads(tenantkeep("backup", "show", "p-1", "AAMk-1=", "--json").stdout)["text"] == "Guten Tag"


def test_show_saves_an_item_or_an_attachment(browsed: Any, tenantkeep: Any, tmp_path: Path) -> None:
    browsed.archive = b"the stored bytes"
    file = tmp_path / "plan.pdf"
    done = tenantkeep("backup", "show", "p-1", "AAMk-1=", "--save", str(file), "--attachment", "1")
    assert done.exit_code == 0, done.output
    assert file.read_bytes() == b"the stored bytes"
    path = "/api/v1/tenants/contoso/restore-points/p-1/items/AAMk-1=/downloads"
    assert browsed.bodies[-1] == (path, {"attachment": 1})
    assert tenantkeep("backup", "show", "p-1", "AAMk-1=", "--save", str(file)).exit_code == 2
    assert tenantkeep("backup", "show", "p-1", "AAMk-1=", "--attachment", "1").exit_code == 2


def test_export_takes_parts(browsed: Any, tenantkeep: Any, zipped: Any, tmp_path: Path) -> None:
    browsed.archive = zipped({"a.eml": b"a"})
    done = tenantkeep("backup", "export", "p-1", "--item", "i1", "--folder", "f-2", "--out", str(tmp_path / "x.zip"))
    assert done.exit_code == 0, done.output
    assert browsed.bodies[-1][1] == {
        "format": "eml",
        "selection": {"items": ["i1"], "folders": ["f-2"], "sources": []},
    }


def test_compare_counts_and_lists(browsed: Any, tenantkeep: Any) -> None:
    done = tenantkeep("backup", "compare", "p-1", "p-2", "--only", "removed", "--lang", "de")
    assert done.exit_code == 0, done.output
    assert browsed.asked == [
        ("/tenants/contoso/restore-points/p-1/compare", {"with": "p-2", "change": "removed", "limit": "50"})
    ]
    assert "0 neu, 1 entfernt, 0 geändert, 0 verschoben." in done.stdout
    assert "Angebot für" in done.stdout


def test_what_is_not_there_is_said_and_not_shown_as_an_empty_table(browsed: Any, tenantkeep: Any) -> None:
    unknown = tenantkeep("backup", "show", "p-1", "AAMk-9=")
    assert (unknown.exit_code, "There is no item AAMk-9= in this restore point." in unknown.stderr) == (1, True)
    kind = tenantkeep("backup", "search", "p-1", "--kind", "evnt")
    assert (kind.exit_code, "event" in kind.stderr) == (2, True)
    browsed.items = ()
    assert tenantkeep("backup", "search", "p-1", "nirgends").stdout.strip() == "Nothing found."
