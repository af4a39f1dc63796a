"""vCard files as vobject, which shares no code with their writer, reads them."""

import base64
import io
import json
import random
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import vobject
from hypothesis import given, settings
from hypothesis import strategies as st
from vobject.base import getLogicalLines, parseLine

from backup_engine import NewItem, Repository, Snapshot
from backup_engine.exporting import ARCHIVES, FORMATS, MANIFEST, other_files
from backup_engine.exporting.vcards import contact_card, directory_card
from backup_engine.storage import MemoryStorage

SHARD, SESSION = "c1/anna", "01ARZ3NDEKTSV4RRFFQ0000001"
PHOTO = b"\x89PNG\r\n\x1a\n" + random.Random(1).randbytes(4000)
FULL = {
    "id": "AAkALg+/=",
    "displayName": "Dr. Jürgen Größmann",
    "givenName": "Jürgen",
    "surname": "Größmann; von, und zu",
    "middleName": "Maria",
    "title": "Dr.",
    "nickName": "Jojo",
    "companyName": "Müller, Bau AG",
    "department": "Einkauf",
    "jobTitle": "Leiter",
    "emailAddresses": [{"name": "J", "address": "j@x.example"}, {"address": "k@y.example"}],
    "mobilePhone": "+49 170 1",
    "businessPhones": ["+49 30 1", "+49 30 2"],
    "homePhones": ["+49 221 3"],
    "homeAddress": {"street": "Weg 1\r\nHinterhaus", "city": "Köln", "postalCode": "50667", "countryOrRegion": "DE"},
    "businessAddress": {"street": "Allee 2", "city": "Łódź"},
    "otherAddress": {},
    "birthday": "1970-05-24T11:59:00Z",
    "personalNotes": "Zeile 1\r\nZeile 2, mit Komma; und \\ Ende " + "ü" * 200,
    "categories": ["Kunde, Müller", "Wichtig"],
    "children": ["Mia"],
    "spouseName": "Eva",
    "imAddresses": ["sip:j@x.example"],
    "businessHomePage": "https://x.example/a;b,c",
    "lastModifiedDateTime": "2026-03-02T08:00:00Z",
}


def raw_lines(text: str) -> list[tuple[str, list[list[str]], str]]:
    """Name, parameters and undecoded value of each line, unfolded by vobject."""
    return [parseLine(line)[:3] for line, _ in getLogicalLines(io.StringIO(text))]


def photos(text: str) -> list[bytes]:
    found = [value for name, _, value in raw_lines(text) if name == "PHOTO"]
    return [base64.b64decode(value.removeprefix("data:image/png;base64,"), validate=True) for value in found]


def test_every_property_arrives() -> None:
    text = contact_card(FULL, PHOTO, "image/png").decode()
    [card] = vobject.readComponents(text)
    assert (card.version.value, card.fn.value, card.uid.value) == ("4.0", "Dr. Jürgen Größmann", "AAkALg+/=")
    name = card.n.value
    assert (name.family, name.given, name.additional, name.prefix) == (
        "Größmann; von, und zu",
        "Jürgen",
        "Maria",
        "Dr.",
    )
    assert [(mail.value, mail.params) for mail in card.email_list] == [
        ("j@x.example", {"PREF": ["1"]}),
        ("k@y.example", {}),
    ]
    phones = [(phone.type_param, phone.value) for phone in card.tel_list]
    assert phones == [("cell", "+49 170 1"), ("work", "+49 30 1"), ("work", "+49 30 2"), ("home", "+49 221 3")]
    home = next(address.value for address in card.adr_list if address.type_param == "home")
    assert (home.street, home.city, home.code, home.country) == ("Weg 1\nHinterhaus", "Köln", "50667", "DE")
    assert len(card.adr_list) == 2
    assert card.org.value == ["Müller, Bau AG", "Einkauf"]
    assert card.note.value == FULL["personalNotes"].replace("\r\n", "\n")
    assert card.categories.value == ["Kunde, Müller", "Wichtig"]
    assert (card.bday.value, card.rev.value, card.nickname.value) == ("19700524", "20260302T080000Z", "Jojo")
    lines = {(name, value) for name, _, value in raw_lines(text)}
    assert {("URL", "https://x.example/a;b,c"), ("IMPP", "sip:j@x.example"), ("RELATED", "Mia")} <= lines
    assert photos(text) == [PHOTO]


@pytest.mark.parametrize(
    ("contact", "name"),
    [
        ({"companyName": "Nordlicht"}, "Nordlicht"),
        ({"emailAddresses": [{"address": "a@b.example"}]}, "a@b.example"),
        ({}, "?"),
        ({"displayName": "A\x00B\ud800"}, "AB"),
    ],
)
def test_a_card_has_a_name_whatever_the_contact_lacks(contact: dict[str, Any], name: str) -> None:
    [card] = vobject.readComponents(contact_card(contact).decode())
    assert card.fn.value == name


def test_a_birthday_without_a_year_has_none() -> None:
    assert b"\r\nBDAY:--0524\r\n" in contact_card({"birthday": "1604-05-24T00:00:00Z"})


@settings(max_examples=60)
@given(
    text=st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=300).filter(str.strip),
    notes=st.text('aü\U0001f5d3\\,;:\n"', max_size=300),
)
def test_any_text_comes_back_and_no_line_is_too_long(text: str, notes: str) -> None:
    raw = contact_card({"displayName": text, "personalNotes": notes, "categories": [text]})
    assert all(len(line) <= 75 for line in raw.split(b"\r\n"))
    for line in raw.split(b"\r\n"):
        line.decode()  # folded between characters
    values = {name: value for name, _, value in raw_lines(raw.decode())}
    plain = re.sub(r"\\(.)", lambda found: "\n" if found[1] == "n" else found[1], values["FN"])
    assert plain == text
    found = re.sub(r"\\(.)", lambda found: "\n" if found[1] == "n" else found[1], values.get("NOTE", ""))
    assert found == notes


def test_the_directory_becomes_cards_of_people_and_groups() -> None:
    user = {"id": "u1", "displayName": "Anna", "mail": "anna@x.example", "businessPhones": ["1"], "city": "Köln"}
    addresses = {"proxyAddresses": ["SMTP:anna@x.example", "smtp:a@x.example", "x500:/o=x"]}
    [card] = vobject.readComponents(directory_card(user | addresses).decode())
    assert card.kind.value == "individual"
    assert [mail.value for mail in card.email_list] == ["anna@x.example", "a@x.example"]
    assert card.adr.value.city == "Köln"
    reached = {"phones": [{"type": "business", "number": "2"}], "addresses": [{"city": "Bonn"}]}
    [card] = vobject.readComponents(directory_card({"id": "o1", "displayName": "Ext"} | reached).decode())
    assert (card.tel.value, card.adr.value.city) == ("2", "Bonn")
    group = {"id": "g1", "displayName": "Alle", "mail": "alle@x.example", "groupTypes": [], "description": "Jede*r"}
    [card] = vobject.readComponents(directory_card(group, ["u1", "u2"]).decode())
    assert (card.kind.value, card.note.value) == ("group", "Jede*r")
    assert [member.value for member in card.contents["member"]] == ["urn:uuid:u1", "urn:uuid:u2"]


@pytest.fixture
def snapshot(repository: Repository, commit: Callable[..., Snapshot]) -> Snapshot:
    with repository.open_session(SHARD, SESSION, parent=None) as session:
        session.put_record("root", "contact-folder", "", "", {"name": "Kontakte", "is_default": True})
        session.put_record("f1", "contact-folder", "", "", {"name": "Kunden", "is_default": False})
        session.put_record("f2", "contact-folder", "", "f1", {"name": "CON/Köln", "is_default": False})
        session.put_record("f3", "contact-folder", "", "", {"name": "KUNDEN", "is_default": False})
        for number, folder in enumerate(("root", "f1", "f2", "f3", "f1")):
            key = f"c{number}"
            body = json.dumps({**FULL, "id": key, "displayName": f"Kontakt {number}"}).encode()
            session.put_page_item(NewItem(key, "contact", "1", folder, {}), body)
            session.checkpoint(b"")
        session.put_item(NewItem("c1/photo", "contact-photo", "1", "c1", {"content_type": "image/png"}), PHOTO)
        session.put_item(NewItem("m1", "mail", "1", "", {}), b"Subject: a\r\n\r\nb\r\n")
        return commit(session)


@pytest.mark.parametrize("kind", ["vcf", "eml", "mbox", "maildir"])
def test_every_format_holds_the_contacts(repository: Repository, snapshot: Snapshot, tmp_path: Path, kind: str) -> None:
    with zipfile.ZipFile(io.BytesIO(b"".join(ARCHIVES[kind](repository, SHARD, snapshot.id)))) as archive:
        assert archive.testzip() is None
        cards = {name: archive.read(name).decode() for name in archive.namelist() if name.endswith(".vcf")}
        entries = [json.loads(line) for line in archive.read(MANIFEST).splitlines()]
    found = {name: sorted(card.fn.value for card in vobject.readComponents(text)) for name, text in cards.items()}
    assert found == {
        "contacts/Kontakte.vcf": ["Kontakt 0"],
        "contacts/Kunden.vcf": ["Kontakt 1", "Kontakt 3", "Kontakt 4"],
        "contacts/Kunden/CON_Köln.vcf": ["Kontakt 2"],
    }
    assert photos(cards["contacts/Kunden.vcf"]) == [PHOTO]
    listed = [entry for entry in entries if entry.get("kind") == "contact"]
    assert sorted(entry["key"] for entry in listed) == ["c0", "c1", "c2", "c3", "c4"]
    assert {entry["path"] for entry in listed} == set(cards)
    assert len(entries) == len(listed) + (kind != "vcf")
    out = tmp_path / "out"
    FORMATS[kind]((), out, other_files(repository, SHARD, snapshot.id))
    written = {path.relative_to(out).as_posix(): path.read_bytes().decode() for path in out.rglob("*.vcf")}
    assert written == cards


def test_a_damaged_contact_costs_only_itself(
    repository: Repository, memory: MemoryStorage, snapshot: Snapshot, reopened: Callable[[], Repository]
) -> None:
    pack = snapshot.packs[2].key
    memory.objects[pack] = memory.objects[pack][:30] + bytes(len(memory.objects[pack]) - 30)
    pieces = [piece for _, found in other_files(reopened(), SHARD, snapshot.id) for piece in found]
    lost = {piece.row.key for piece in pieces if piece.data is None}
    assert {piece.row.key for piece in pieces} == {"c0", "c1", "c2", "c3", "c4"}
    assert len(lost) == 1
    assert {piece.row.key for piece in pieces if piece.problem} == lost


def test_a_damaged_picture_leaves_its_contact(
    repository: Repository, memory: MemoryStorage, snapshot: Snapshot, reopened: Callable[[], Repository]
) -> None:
    row = next(row for row in repository.items(SHARD, snapshot.id) if row.kind == "contact-photo")
    packs = sorted(name for name in memory.objects if name.startswith("data/"))
    largest = max(packs, key=lambda name: len(memory.objects[name]))
    memory.objects[largest] = memory.objects[largest][:30] + bytes(len(memory.objects[largest]) - 30)
    pieces = [piece for _, found in other_files(reopened(), SHARD, snapshot.id) for piece in found]
    [bereft] = [piece for piece in pieces if piece.problem]
    assert (bereft.row.key, bereft.data is not None, "picture" in bereft.problem) == (row.parent, True, True)
