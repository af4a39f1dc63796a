from pathlib import Path
from typing import Any

import pytest

from graph_simulator.seed import vcf
from graph_simulator.seed.contacts import ContactGenerator
from graph_simulator.seed.mail import SourceInvalidError
from graph_simulator.testing import seed

TAG = "String {7ea94b5c-0bd2-4e25-8e2b-7b4c7f0a6d11} Name RestoreTag"
PIXEL = b"\x89PNG\r\n\x1a\n" + b"\0" * 40
CARDS = """BEGIN:VCARD\r
VERSION:4.0\r
FN:Jürgen Größmann\r
N:Größmann;Jürgen;Maria;Dr.;\r
ORG:Müller Bau AG;Einkauf\r
EMAIL;TYPE=work;PREF=1:j.groessmann@mueller-bau.example\r
EMAIL;TYPE=home:juergen@privat.exam\r
 ple\r
TEL;VALUE=uri;TYPE="voice,cell":tel:+49-170-1\r
TEL;TYPE=work:+49 30 1\r
ADR;TYPE=home:;;Weg 1\\, Hof;Köln;;50667;Deutschland\r
BDAY:19700524\r
NOTE:Zeile 1\\nZeile 2\\, mit Komma\\; und Semikolon\r
CATEGORIES:Kunde Müller,Wichtig\r
PHOTO:data:image/png;base64,iVBORw0KGgo=\r
END:VCARD\r
BEGIN:VCARD\r
VERSION:3.0\r
FN:Ann Carter\r
N:Carter;Ann;;;\r
TEL;HOME:+44 1\r
PHOTO;ENCODING=b;TYPE=JPEG:/9j/4A==\r
END:VCARD\r
"""


def follow(tenant: Any, url: str, prefer: str = 'odata.maxpagesize=7, IdType="ImmutableId"') -> tuple[list[Any], str]:
    entries: list[Any] = []
    while True:
        page = tenant.get(url, prefer=prefer)
        entries += page["value"]
        if "@odata.deltaLink" in page:
            return entries, page["@odata.deltaLink"]
        url = page["@odata.nextLink"]


@pytest.fixture
def target(contoso: Any) -> str:
    return contoso.user("restore-target")


def test_the_default_folder_is_in_no_list_and_known_by_its_contacts(contoso: Any, q: Any) -> None:
    anna = contoso.user("anna.gross")
    folders = contoso.get(f"{anna}/contactFolders?$top=50")["value"]
    names = [folder["displayName"] for folder in folders]
    assert names.count("Kunden") == 2
    assert "Kontakte" not in names
    contact = contoso.get(f"{anna}/contacts?$top=1")["value"][0]
    assert {contact["parentFolderId"]} == {folder["parentFolderId"] for folder in folders}
    assert contact["parentFolderId"] not in {folder["id"] for folder in folders}
    kunden = next(folder for folder in folders if folder["displayName"] == "Kunden")
    [child] = contoso.get(f"{anna}/contactFolders/{q(kunden['id'])}/childFolders")["value"]
    assert child["displayName"] == "Österreich & Schweiz"
    flat, _ = follow(contoso, f"{anna}/contactFolders/delta")
    assert {folder["id"] for folder in flat} == {folder["id"] for folder in folders} | {child["id"]}


def test_every_invented_contact_is_in_exactly_one_folder(contoso: Any, q: Any) -> None:
    anna = contoso.user("anna.gross")
    flat, _ = follow(contoso, f"{anna}/contactFolders/delta")
    found, _ = follow(contoso, f"{anna}/contacts/delta")
    for folder in flat:
        found += follow(contoso, f"{anna}/contactFolders/{q(folder['id'])}/contacts/delta")[0]
    assert len({contact["id"] for contact in found}) == len(found) == 30
    assert {str(contact["birthday"])[10:] for contact in found} == {"T11:59:00Z", ""}


def test_a_round_reports_new_changed_and_deleted_contacts(contoso: Any, target: str, q: Any) -> None:
    url = f"{target}/contacts/delta"
    _, link = follow(contoso, url)
    made = contoso.call("POST", f"{target}/contacts", json={"givenName": "Zoë", "surname": "Weiß"}).json()
    assert (made["displayName"], made["fileAs"], made["homeAddress"], made["categories"]) == (
        "Zoë Weiß",
        "Weiß, Zoë",
        {},
        [],
    )
    changed = contoso.call("PATCH", f"{target}/contacts/{q(made['id'])}", json={"jobTitle": "Prüferin"}).json()
    assert changed["changeKey"] != made["changeKey"]
    [entry], link = follow(contoso, link)
    assert (entry["jobTitle"], entry["givenName"]) == ("Prüferin", "Zoë")
    assert contoso.call("DELETE", f"{target}/contacts/{q(made['id'])}").status_code == 204
    [gone], link = follow(contoso, link)
    assert gone == {"id": entry["id"], "@removed": {"reason": "deleted"}}
    assert follow(contoso, link)[0] == []


def test_a_folder_is_renamed_and_goes_with_its_contacts(contoso: Any, target: str, q: Any) -> None:
    _, link = follow(contoso, f"{target}/contactFolders/delta")
    folder = contoso.call("POST", f"{target}/contactFolders", json={"displayName": "Messe/Köln"}).json()
    again = contoso.call("POST", f"{target}/contactFolders", json={"displayName": "messe/köln"})
    assert (again.status_code, again.json()["error"]["code"]) == (409, "ErrorFolderExists")
    path = f"{target}/contactFolders/{q(folder['id'])}"
    contoso.call("POST", f"{path}/childFolders", json={"displayName": "Halle 3"})
    contact = contoso.call("POST", f"{path}/contacts", json={"companyName": "Nordlicht"}).json()
    assert contact["displayName"] == "Nordlicht"
    _, contacts = follow(contoso, f"{path}/contacts/delta")
    contoso.call("PATCH", path, json={"displayName": "Messe"})
    entries, link = follow(contoso, link)
    assert [entry["displayName"] for entry in entries][-2:] == ["Halle 3", "Messe"]
    assert contoso.call("DELETE", path).status_code == 204
    entries, _ = follow(contoso, link)
    assert [entry["@removed"]["reason"] for entry in entries] == ["deleted", "deleted"]
    for gone in (contacts, f"{target}/contacts/{q(contact['id'])}"):
        answer = contoso.call("GET", gone)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "ErrorItemNotFound")


def test_a_photo_is_put_read_and_changes_its_contact(contoso: Any, target: str, q: Any) -> None:
    made = contoso.call("POST", f"{target}/contacts", json={"givenName": "Ola"}).json()
    path = f"{target}/contacts/{q(made['id'])}"
    missing = contoso.call("GET", f"{path}/photo/$value")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "ErrorItemNotFound")
    assert contoso.call("PUT", f"{path}/photo/$value", content=b"text").status_code == 400
    assert (
        contoso.call("PUT", f"{path}/photo/$value", content=PIXEL, headers={"Content-Type": "image/png"}).status_code
        == 200
    )
    photo = contoso.call("GET", f"{path}/photo/$value")
    assert (photo.content, photo.headers["content-type"]) == (PIXEL, "image/png")
    assert contoso.get(f"{path}/photo")["@odata.mediaContentType"] == "image/png"
    assert contoso.get(path)["changeKey"] != made["changeKey"]


def test_a_tag_finds_the_contact_that_bears_it(contoso: Any, target: str) -> None:
    tag = {"singleValueExtendedProperties": [{"id": TAG, "value": "r1/k1"}]}
    made = contoso.call("POST", f"{target}/contacts", json={"givenName": "Tag", **tag}).json()
    where = f"singleValueExtendedProperties/any(ep: ep/id eq '{TAG}' and ep/value eq 'r1/k1')"
    expand = f"singleValueExtendedProperties($filter=id eq '{TAG}')"
    [found] = contoso.get(f"{target}/contacts?$filter={where}&$expand={expand}&$select=id")["value"]
    assert found["id"] == made["id"]
    assert found["singleValueExtendedProperties"] == [{"id": TAG, "value": "r1/k1"}]
    assert contoso.get(f"{target}/contacts?$filter={where.replace('k1', 'k2')}")["value"] == []


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"shoeSize": 42}, "RequestBodyRead"),
        ({"businessPhones": "1"}, "RequestBodyRead"),
        ({"birthday": "24.5.1970"}, "RequestBodyRead"),
        ({"emailAddresses": [{"mail": "a@b"}]}, "RequestBodyRead"),
    ],
)
def test_what_no_contact_has_is_refused(contoso: Any, target: str, body: dict[str, Any], code: str) -> None:
    answer = contoso.call("POST", f"{target}/contacts", json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)


@pytest.mark.parametrize(
    ("profile", "method", "path"),
    [
        ("directory", "GET", "contacts"),
        ("exchange-backup", "POST", "contacts"),
        ("exchange-backup", "DELETE", "contactFolders/x"),
    ],
)
def test_contacts_need_their_own_permission(contoso: Any, target: str, profile: str, method: str, path: str) -> None:
    answer = contoso.call(method, f"{target}/{path}", profile)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "ErrorAccessDenied")


def test_one_corrupt_contact_costs_its_page(contoso: Any, faults: Any, q: Any) -> None:
    anna = contoso.user("anna.gross")
    bad = contoso.get(f"{anna}/contacts?$top=1&$select=id")["value"][0]["id"]
    faults(kind="unlistable-item", item_id=bad)
    page = contoso.call("GET", f"{anna}/contacts/delta", "exchange-backup")
    assert (page.status_code, page.json()["error"]["code"]) == (500, "InternalServerError")
    single = contoso.call("GET", f"{anna}/contacts/{q(bad)}", "exchange-backup")
    assert (single.status_code, single.json()["error"]["code"]) == (500, "ErrorCorruptData")


def test_an_expired_cursor_answers_410(contoso: Any, faults: Any) -> None:
    _, link = follow(contoso, f"{contoso.user('anna.gross')}/contacts/delta")
    faults(kind="gone-delta", match="/contacts/delta")
    answer = contoso.call("GET", link)
    assert (answer.status_code, answer.json()["error"]["code"]) == (410, "SyncStateNotFound")


def test_the_same_seed_writes_the_same_contacts() -> None:
    assert list(ContactGenerator(7).contacts(40)) == list(ContactGenerator(7).contacts(40))


def test_cards_of_any_version_become_contacts(tmp_path: Path, state: Path, simulator: Any, contoso: Any) -> None:
    file = tmp_path / "cards.vcf"
    file.write_text(CARDS, encoding="utf-8", newline="")
    summary = seed(state, "contoso", "--vcf", str(file), "--user", "restore-target")
    assert summary["contacts"] == 2
    target = contoso.user("restore-target")
    [contact] = contoso.get(f"{target}/contacts?$filter=surname eq 'Größmann'")["value"]
    assert contact["emailAddresses"] == [
        {"name": "Jürgen Größmann", "address": "j.groessmann@mueller-bau.example"},
        {"name": "Jürgen Größmann", "address": "juergen@privat.example"},
    ]
    assert (contact["mobilePhone"], contact["businessPhones"]) == ("+49-170-1", ["+49 30 1"])
    assert (contact["homeAddress"]["street"], contact["homeAddress"]["postalCode"]) == ("Weg 1, Hof", "50667")
    assert contact["personalNotes"] == "Zeile 1\nZeile 2, mit Komma; und Semikolon"
    assert (contact["birthday"], contact["categories"]) == ("1970-05-24T11:59:00Z", ["Kunde Müller", "Wichtig"])
    photo = contoso.call("GET", f"{target}/contacts/{contact['id']}/photo/$value")
    assert (photo.content, photo.headers["content-type"]) == (b"\x89PNG\r\n\x1a\n", "image/png")
    [carter] = contoso.get(f"{target}/contacts?$filter=surname eq 'Carter'")["value"]
    assert carter["homePhones"] == ["+44 1"]
    assert contoso.call("GET", f"{target}/contacts/{carter['id']}/photo/$value").content == b"\xff\xd8\xff\xe0"


def test_a_file_that_holds_no_cards_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "bad.vcf"
    file.write_bytes(b"BEGIN:VCARD\r\nFN\xff\r\nEND:VCARD\r\n")
    with pytest.raises(SourceInvalidError):
        list(vcf.read(file))
