import base64
import email
import email.policy
from email.message import EmailMessage
from typing import Any

import pytest

from graph_simulator import mime_parts, mime_properties

NAMED = "String {00020329-0000-0000-C000-000000000046} Name tenantkeep-source"
RESTORED = {
    "subject": "Wiederhergestellt: Größe 日本",
    "body": {"contentType": "html", "content": "<p>Grüße <img src='cid:logo@x'></p>"},
    "from": {"emailAddress": {"name": "Jürgen Müller", "address": "jm@nordlicht.example"}},
    "toRecipients": [{"emailAddress": {"name": "A, B", "address": "a@contoso.example"}}],
    "ccRecipients": [{"emailAddress": {"address": "c@contoso.example"}}],
    "internetMessageId": "<abc@nordlicht.example>",
    "importance": "high",
    "isRead": False,
    "categories": ["Blaue Kategorie"],
    "flag": {"flagStatus": "flagged"},
    "receivedDateTime": "2001-01-01T00:00:00Z",
    "sentDateTime": "2001-01-01T00:00:00Z",
    "singleValueExtendedProperties": [
        {"id": "Integer 0x0E07", "value": "4"},
        {"id": "SystemTime 0x0039", "value": "2024-02-29T11:59:00Z"},
        {"id": "SystemTime 0x0E06", "value": "2024-02-29T12:00:00Z"},
        {"id": "String 0x1042", "value": "<parent@nordlicht.example>"},
        {"id": "String 0x1039", "value": "<root@nordlicht.example> <parent@nordlicht.example>"},
        {"id": NAMED, "value": "it's 1"},
    ],
}
FILE = {"@odata.type": "#microsoft.graph.fileAttachment", "name": "Übersicht.pdf", "contentType": "application/pdf"}
LOGO = FILE | {"name": "logo.png", "contentType": "image/png", "isInline": True, "contentId": "logo@x"}
ITEM = {
    "@odata.type": "#microsoft.graph.itemAttachment",
    "name": "Anlage",
    "item": {
        "@odata.type": "#microsoft.graph.message",
        "subject": "innere Nachricht",
        "body": {"contentType": "text", "content": "innen"},
        "attachments": [FILE | {"contentBytes": base64.b64encode(b"tief").decode()}],
    },
}


def encoded(content: bytes) -> dict[str, str]:
    return {"contentBytes": base64.b64encode(content).decode()}


@pytest.fixture
def target(contoso: Any) -> str:
    return contoso.user("restore-target")


@pytest.fixture
def restore(contoso: Any, target: str) -> Any:
    def create(**changes: Any) -> dict[str, Any]:
        answer = contoso.call("POST", f"{target}/mailFolders/inbox/messages", json=RESTORED | changes)
        assert answer.status_code == 201, answer.text
        return answer.json()

    return create


def mime_of(tenant: Any, user: str, message: dict[str, Any], q: Any) -> EmailMessage:
    raw = tenant.call("GET", f"{user}/messages/{q(message['id'])}/$value").content
    parsed = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(parsed, EmailMessage)
    assert not parsed.defects
    return parsed


def test_mapi_properties_set_dates_and_make_it_no_draft(restore: Any) -> None:
    message = restore()
    assert message["isDraft"] is False
    assert message["isRead"] is False
    assert message["receivedDateTime"] == "2024-02-29T12:00:00Z"
    assert message["sentDateTime"] == "2024-02-29T11:59:00Z"
    assert message["internetMessageId"] == "<abc@nordlicht.example>"
    assert (message["categories"], message["flag"]["flagStatus"]) == (["Blaue Kategorie"], "flagged")


def test_without_message_flags_it_is_a_draft_dated_now(restore: Any) -> None:
    message = restore(singleValueExtendedProperties=[])
    assert message["isDraft"] is True
    assert message["receivedDateTime"] > "2026"


def test_the_read_flag_is_bit_one_unless_said_otherwise(restore: Any) -> None:
    flags = [{"id": "Integer 0xe07", "value": "1"}]
    assert restore(singleValueExtendedProperties=flags, isRead=None)["isRead"] is True
    assert restore(singleValueExtendedProperties=flags)["isRead"] is False


def test_a_message_is_found_again_by_its_named_property(contoso: Any, target: str, restore: Any) -> None:
    message = restore()
    marked = "it''s 1"
    condition = f"singleValueExtendedProperties/any(ep: ep/id eq '{NAMED}' and ep/value eq '{marked}')"
    expand = f"singleValueExtendedProperties($filter=id eq '{NAMED}' or id eq 'Integer 0x0E07')"
    page = contoso.get(f"{target}/mailFolders/inbox/messages", params={"$filter": condition, "$expand": expand})
    found = {entry["id"]: entry["singleValueExtendedProperties"] for entry in page["value"]}
    assert found[message["id"]] == [{"id": NAMED, "value": "it's 1"}, {"id": "Integer 0x0E07", "value": "2"}]
    condition = condition.replace(marked, "other")
    assert contoso.get(f"{target}/messages", params={"$filter": condition})["value"] == []


def test_mime_is_generated_and_means_the_same(contoso: Any, target: str, restore: Any, q: Any) -> None:
    attachments = [FILE | encoded(b"%PDF \x00\xff" * 40), LOGO | encoded(b"PNG"), ITEM]
    message = restore(attachments=attachments)
    assert message["hasAttachments"] is True
    mime = mime_of(contoso, target, message, q)
    assert mime["subject"] == RESTORED["subject"]
    assert mime["from"].addresses[0].display_name == "Jürgen Müller"
    assert mime["to"].addresses[0].display_name == "A, B"
    assert mime["message-id"] == "<abc@nordlicht.example>"
    assert mime["in-reply-to"] == "<parent@nordlicht.example>"
    assert mime["references"] == "<root@nordlicht.example> <parent@nordlicht.example>"
    assert mime["importance"] == "high"
    assert mime["date"].datetime.isoformat() == "2024-02-29T11:59:00+00:00"
    body = mime.get_body(("html",))
    assert body is not None
    assert body.get_content() == "<p>Grüße <img src='cid:logo@x'></p>"
    parts = {part.get_filename(): part for part in mime.walk() if part.get_filename()}
    assert parts["logo.png"]["content-id"] == "<logo@x>"
    assert parts["logo.png"].get_content_disposition() == "inline"
    inner = parts["Anlage"].get_content()
    assert inner["subject"] == "innere Nachricht"
    assert [each.get_content() for each in inner.iter_attachments()] == [b"tief"]


def test_restored_mail_means_the_same_as_the_original(contoso: Any, target: str, q: Any) -> None:
    user, compared = contoso.user("mehmet.yildiz"), 0
    for line in contoso.get(f"{user}/messages?$top=40&$select=id")["value"]:
        path = f"{user}/messages/{q(line['id'])}"
        raw = contoso.call("GET", f"{path}/$value").content
        if len(raw) > 2_000_000 or "itemAttachment" in contoso.call("GET", f"{path}/attachments").text:
            continue
        original = contoso.get(f"{path}?$expand=attachments")
        kept = ("subject", "body", "from", "toRecipients", "ccRecipients", "internetMessageId", "importance")
        body = {name: original[name] for name in kept} | {
            "singleValueExtendedProperties": [
                {"id": "Integer 0x0E07", "value": "1"},
                {"id": "SystemTime 0x0039", "value": original["sentDateTime"]},
            ],
            "attachments": [
                {
                    name: each[name]
                    for name in ("@odata.type", "name", "contentType", "isInline", "contentId", "contentBytes")
                }
                for each in original["attachments"]
            ],
        }
        made = contoso.call("POST", f"{target}/mailFolders/inbox/messages", json=body)
        assert made.status_code == 201, made.text
        again = contoso.call("GET", f"{target}/messages/{q(made.json()['id'])}/$value").content
        assert again != raw
        first, second = mime_properties.read(raw), mime_properties.read(again)
        assert second.body == first.body
        for name in ("subject", "from", "toRecipients", "ccRecipients", "hasAttachments", "bodyPreview"):
            assert second.summary[name] == first.summary[name], name
        assert second.sent == first.sent
        assert contents(again) == contents(raw)
        compared += 1
    assert compared > 30


def contents(raw: bytes) -> list[tuple[str | None, str, bytes]]:
    parts = [part for part in mime_parts.parse(raw).leaves() if part.is_attachment]
    return sorted((part.filename, part.content_type, part.decode(raw)) for part in parts)


def test_the_generated_mime_is_stable_until_the_message_changes(
    contoso: Any, target: str, restore: Any, q: Any
) -> None:
    message = restore(attachments=[FILE | encoded(b"x")])
    path = f"{target}/messages/{q(message['id'])}"
    first = contoso.call("GET", f"{path}/$value").content
    assert contoso.call("GET", f"{path}/$value").content == first
    contoso.call("PATCH", path, json={"isRead": True})
    assert contoso.call("GET", f"{path}/$value").content != first


def test_attachments_can_be_added_listed_and_removed(contoso: Any, target: str, restore: Any, q: Any) -> None:
    message = restore()
    path = f"{target}/messages/{q(message['id'])}/attachments"
    added = contoso.call("POST", path, json=FILE | encoded(b"one"))
    assert added.status_code == 201
    contoso.call("POST", path, json=ITEM)
    listed = contoso.get(path)["value"]
    assert [each["name"] for each in listed] == ["Übersicht.pdf", "Anlage"]
    nested = contoso.call("GET", f"{path}/{q(listed[1]['id'])}/$value").content
    assert email.message_from_bytes(nested, policy=email.policy.default)["subject"] == "innere Nachricht"
    assert contoso.call("DELETE", f"{path}/{q(listed[0]['id'])}").status_code == 204
    assert [each["name"] for each in contoso.get(path)["value"]] == ["Anlage"]
    big = contoso.call("POST", path, json=FILE | encoded(b"x" * (3 << 20)))
    assert big.status_code == 413


def test_large_attachments_come_in_ranges(contoso: Any, target: str, restore: Any, q: Any) -> None:
    message = restore()
    path = f"{target}/messages/{q(message['id'])}"
    content, step = b"0123456789abcdef" * (5 << 16), 4 << 20
    item = {"attachmentType": "file", "name": "gross.bin", "size": len(content)}
    session = contoso.call("POST", f"{path}/attachments/createUploadSession", json={"AttachmentItem": item})
    assert session.status_code == 201
    url = session.json()["uploadUrl"]

    def put(first: int, headers: dict[str, str] | None = None) -> Any:
        piece = content[first : first + step]
        content_range = f"bytes {first}-{first + len(piece) - 1}/{len(content)}"
        return contoso.http.put(url, content=piece, headers={"Content-Range": content_range, **(headers or {})})

    assert put(0, {"Authorization": "Bearer x"}).status_code == 401
    assert put(step).status_code == 416
    assert put(0).json()["nextExpectedRanges"] == [f"{step}-"]
    assert contoso.http.get(url).json()["nextExpectedRanges"] == [f"{step}-"]
    last = put(step)
    assert last.status_code == 201
    assert "Attachments" in last.headers["location"]
    assert put(step).status_code == 404
    attached = contoso.get(f"{path}/attachments")["value"][0]
    assert (attached["name"], attached["size"]) == ("gross.bin", len(content))
    assert contoso.call("GET", f"{path}/attachments/{q(attached['id'])}/$value").content == content


def test_mime_in_base64_becomes_a_draft(contoso: Any, target: str, q: Any) -> None:
    raw = b"From: a@b.example\r\nSubject: aus MIME\r\n\r\nText\r\n"
    path, headers = f"{target}/mailFolders/inbox/messages", {"Content-Type": "text/plain"}
    message = contoso.call("POST", path, content=base64.b64encode(raw), headers=headers).json()
    assert (message["isDraft"], message["subject"]) == (True, "aus MIME")
    item = f"{target}/messages/{q(message['id'])}"
    assert contoso.call("GET", f"{item}/$value").content == raw
    assert contoso.call("PATCH", item, json={"subject": "anders"}).status_code == 200
    changed = mime_of(contoso, target, message, q)
    assert (changed["subject"], changed.get_content().strip()) == ("anders", "Text")
    answer = contoso.call("POST", path, content=b"not base64!", headers=headers)
    assert answer.json()["error"]["message"] == "Invalid base64 string for MIME content."
    attachments = f"{target}/messages/{q(message['id'])}/attachments"
    assert contoso.call("POST", attachments, json=FILE | encoded(b"one")).status_code == 201
    assert [part.get_content() for part in mime_of(contoso, target, message, q).iter_attachments()] == [b"one"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"colour": "red"}, "RequestBodyRead"),
        ({"importance": "very"}, "RequestBodyRead"),
        ({"toRecipients": ["a@b"]}, "RequestBodyRead"),
        ({"singleValueExtendedProperties": [{"id": "Integer 0x0E07"}]}, "ErrorInvalidExtendedProperty"),
        (
            {"singleValueExtendedProperties": [{"id": "SystemTime 0x0039", "value": "x"}]},
            "ErrorInvalidExtendedPropertyValue",
        ),
        ({"attachments": [FILE | {"contentBytes": "%"}]}, "ErrorInvalidRequest"),
        ([], "BadRequest"),
    ],
)
def test_what_graph_would_not_understand_is_refused(contoso: Any, target: str, body: Any, code: str) -> None:
    answer = contoso.call("POST", f"{target}/messages", json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)
