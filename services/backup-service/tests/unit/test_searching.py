"""Words are found however people spell them, and every kind of item has words."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backup_service.domain.rendering import safe_html
from backup_service.domain.searching.entries import KINDS, File, entry_of, flags_of, moment
from backup_service.domain.searching.excerpt import excerpt
from backup_service.domain.searching.fold import fold, words
from backup_service.domain.searching.html_text import text_of
from backup_service.domain.searching.query import Query
from contracts.browsing import ItemKind


@pytest.mark.parametrize(
    "spellings",
    [
        "Müller Mueller Muller MÜLLER mu\u0308ller",
        "Straße Strasse STRASSE",
        "Ärzte Aerzte arzte",
        "Größe Groesse grosse",
        "Café cafe CAFÉ",
        "Øystein Oystein",
    ],
)
def test_all_spellings_are_one_word(spellings: str) -> None:
    assert len({fold(word) for word in spellings.split()}) == 1


@pytest.mark.parametrize(
    ("one", "other"), [("neue", "nue"), ("Frauen", "Fraun"), ("Quelle", "Qulle"), ("Bauer", "Baur")]
)
def test_an_e_that_writes_no_umlaut_stays(one: str, other: str) -> None:
    assert fold(one) != fold(other)


@given(st.text(alphabet="abeouyäöüßqz") | st.text(), st.integers(min_value=0, max_value=20))
def test_what_begins_alike_begins_alike_when_folded(text: str, length: int) -> None:
    assert fold(text).startswith(fold(text[:length]))


def test_a_question_is_made_of_quoted_words_whatever_is_typed() -> None:
    asked = Query(text='Grüße "neue Straße" ange* AND ( NEAR * ^ ', subject="a:b", attachment="plan.pdf")
    assert asked.match == (
        '"grusse" AND "neue strasse" AND "ange" * AND "and" AND "near" AND subject : "a b" AND files : "plan pdf"'
    )
    assert Query(text="() *").match == ""
    assert [Query(text=text).has_prefix for text in ("ange*", "ange* plan", "ange plan")] == [True, True, False]


def test_an_excerpt_shows_the_place() -> None:
    text = "Anfang " + "und so weiter " * 40 + "die Straßenbeleuchtung im Gewerbegebiet " + "und mehr " * 40
    shown = excerpt(text, words("strasse"))
    assert "die Straßenbeleuchtung im Gewerbegebiet" in shown
    assert (shown[0], shown[-1]) == ("…", "…")
    assert len(shown) < 230
    assert excerpt(text, []).startswith("Anfang und so")


def test_html_becomes_its_words() -> None:
    page = (
        "<html><head><title>no</title><style>p{}</style></head><body><p>Guten&nbsp;Tag,<br>Frau M&uuml;ller</p>"
        "<script>alert(1)</script><table><tr><td>1</td><td>2</td></tr></table>"
    )
    assert text_of(page) == "Guten Tag,\nFrau Müller\n\n1 2"
    assert "not hidden" in text_of("<style>p{} <p>not hidden</p>")
    assert text_of("<![if !x]>kept") != ""


@given(st.text())
def test_no_page_and_no_mail_is_too_broken(page: str) -> None:
    text_of(page)
    safe_html(page)
    entry_of("mail", {}, page.encode("utf-8", "surrogatepass"))
    entry_of("event", {}, page.encode("utf-8", "surrogatepass"))
    entry_of("contact", {}, json.dumps({"emailAddresses": page, "displayName": [page]}).encode())


def test_a_mail_has_people_files_text_and_its_date() -> None:
    raw = (
        b"From: =?utf-8?q?J=C3=BCrgen?= <j@x.example>\r\nTo: a@b.example, c@d.example\r\nCc: e@f.example\r\n"
        b"Subject: Angebot\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\n"
        b"<p>Text</p>\r\n--b\r\nContent-Type: application/pdf; name=plan.pdf\r\n"
        b"Content-Disposition: attachment; filename=plan.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\nQUJD\r\n"
        b"--b--\r\n"
    )
    meta = {"receivedDateTime": "2026-03-02T08:00:00Z", "references": [{"name": "Ordner in OneDrive"}]}
    entry = entry_of("mail", meta, raw)
    assert (entry.subject, entry.text, entry.sender) == ("Angebot", "Text", (("Jürgen", "j@x.example"),))
    assert [address for _, address in entry.to + entry.others] == ["a@b.example", "c@d.example", "e@f.example"]
    assert entry.files == (File("plan.pdf", "application/pdf", 3), File("Ordner in OneDrive", "reference"))
    assert entry.date == datetime(2026, 3, 2, 8, tzinfo=UTC)


def test_an_event_has_organizer_attendees_place_text_and_its_exceptions() -> None:
    stored = {
        "event": {
            "subject": "Jour fixe",
            "organizer": {"emailAddress": {"name": "Anna", "address": "anna@c.example"}},
            "attendees": [{"emailAddress": {"name": "Ben", "address": "ben@c.example"}, "type": "required"}],
            "start": {"dateTime": "2026-03-02T08:00:00.0000000", "timeZone": "UTC"},
            "location": {"displayName": "Raum 7"},
            "body": {"contentType": "html", "content": "<p>Tagesordnung</p>"},
        },
        "exceptions": [{"subject": "Jour fixe (verlegt)", "body": {"contentType": "text", "content": "Ausnahme"}}],
        "cancelled": [],
    }
    entry = entry_of("event", {}, json.dumps(stored).encode())
    assert (entry.subject, entry.sender, entry.to) == (
        "Jour fixe",
        (("Anna", "anna@c.example"),),
        (("Ben", "ben@c.example"),),
    )
    assert {"Tagesordnung", "Raum 7", "Ausnahme", "Jour fixe (verlegt)"} <= set(entry.text.split("\n"))
    assert entry.date == datetime(2026, 3, 2, 8, tzinfo=UTC)


def test_contacts_people_of_the_directory_and_files_of_events_have_their_names() -> None:
    contact = {
        "displayName": "Jürgen Müller",
        "emailAddresses": [{"name": "J", "address": "j@x.example"}],
        "companyName": "Fabrikam",
        "homeAddress": {"city": "Köln"},
        "businessPhones": ["+49 221 1"],
    }
    entry = entry_of("contact", {}, json.dumps(contact).encode())
    assert (entry.subject, entry.sender) == ("Jürgen Müller", (("J", "j@x.example"),))
    assert {"Fabrikam", "Köln", "+49 221 1"} <= set(entry.text.split("\n"))
    user = {"displayName": "Anna", "mail": "anna@c.example", "userPrincipalName": "anna@c.example", "jobTitle": "CFO"}
    assert entry_of("user", {}, json.dumps(user).encode()).sender == (("Anna", "anna@c.example"),)
    assert entry_of("event-attachment", {"name": "plan.pdf"}, None).files == (File("plan.pdf"),)
    assert entry_of("folder", {"name": "Posteingang"}, None).subject == "Posteingang"
    assert entry_of("something new", {"name": "x"}, b"?").subject == "x"


def test_flags_and_dates_of_graph() -> None:
    meta = {"isRead": True, "isDraft": False, "flag": {"flagStatus": "flagged"}, "categories": ["Rot"]}
    assert flags_of(meta) == {"read": True, "flagged": True, "categories": ["Rot"]}
    assert moment("2026-03-02T08:00:00.1234567Z") == datetime(2026, 3, 2, 8, tzinfo=UTC)
    assert moment(None) is None


@pytest.mark.parametrize(
    "harmful",
    [
        "<script>alert(1)</script>",
        '<img src="https://tracker.example/p.gif">',
        '<img src=x onerror="alert(1)">',
        '<a href="javascript:alert(1)">x</a>',
        '<a href="data:text/html,<script>alert(1)</script>">x</a>',
        '<form action="https://evil.example"><input name="password"></form>',
        "<iframe src='https://evil.example'></iframe>",
        "<style>@import 'https://evil.example'</style>",
        '<p style="background:url(https://evil.example/x)">x</p>',
        '<p style="background-color:red;background-image:u\\72l(https://evil.example)">x</p>',
        '<link rel=stylesheet href="https://evil.example">',
        '<meta http-equiv="refresh" content="0;url=https://evil.example">',
        '<base href="https://evil.example">',
        '<svg><image href="https://evil.example"/></svg>',
        '<table background="https://evil.example"><tr><td>x</td></tr></table>',
        '<img srcset="https://evil.example 1x">',
        '<video src="https://evil.example" poster="https://evil.example"></video>',
        '<div style="position:fixed;top:0">x</div>',
    ],
)
def test_html_of_a_mail_can_do_and_load_nothing(harmful: str) -> None:
    shown = safe_html(f"<p>before</p>{harmful}<p>after</p>")
    assert "before" in shown
    assert "after" in shown
    for word in ("evil.example", "tracker.example", "alert", "script", "form", "input", "onerror", "position", "url("):
        assert word not in shown


def test_html_keeps_what_makes_it_readable() -> None:
    page = '<table><tr><td style="color:red" colspan="2"><b>x</b></td></tr></table><a href="https://a.example">a</a>'
    shown = safe_html(page)
    assert '<td style="color:red" colspan="2"><b>x</b></td>' in shown
    assert 'rel="noopener noreferrer nofollow"' in shown
    picture = "data:image/png;base64,iVBORw0KGgo="
    assert picture in safe_html(f'<img src="{picture}">')
    assert "svg" not in safe_html('<img src="data:image/svg+xml;base64,AAAA">')


def test_a_search_can_be_narrowed_to_every_kind_of_item() -> None:
    assert KINDS.keys() == {kind.value for kind in ItemKind}
