import hashlib
from typing import Any

USER = "anna.gross"


def test_every_seeded_message_comes_back_byte_for_byte(contoso: Any, q: Any) -> None:
    user = contoso.user("mehmet.yildiz")
    ids, url = [], f"{user}/messages?$top=50&$select=id"
    while url:
        page = contoso.get(url)
        ids += [entry["id"] for entry in page["value"]]
        url = page.get("@odata.nextLink")
    found = []
    for message_id in ids:
        answer = contoso.call("GET", f"{user}/messages/{q(message_id)}/$value", "exchange-backup")
        assert int(answer.headers["content-length"]) == len(answer.content)
        found.append(hashlib.sha256(answer.content).hexdigest())
    wanted = [line["sha256"] for line in contoso.manifest if line["user"].startswith("mehmet")]
    assert sorted(found) == sorted(wanted)


def test_properties_are_those_of_the_mail(contoso: Any) -> None:
    user = contoso.user(USER)
    page = contoso.get(f"{user}/mailFolders/inbox/messages?$top=100")
    lines = {(line["subject"], line["received"]): line for line in contoso.manifest if line["user"].startswith(USER)}
    assert page["value"]
    for message in page["value"]:
        line = lines[message["subject"], message["receivedDateTime"]]
        assert line["folder_path"] == ["Posteingang"]
        assert message["isRead"] == line["is_read"]
        assert message["categories"] == line["categories"]
        assert message["flag"] == line["flag"]
        assert message["importance"] == line["importance"]
        assert message["from"]["emailAddress"]["address"].endswith(".example")
        assert message["internetMessageId"].startswith("<")
        assert message["isDraft"] is False
    received = [message["receivedDateTime"] for message in page["value"]]
    assert received == sorted(received, reverse=True)


def test_attachments_are_cut_out_of_the_mime(contoso: Any, q: Any) -> None:
    user = contoso.user(USER)
    messages = contoso.get(f"{user}/messages?$top=100&$expand=attachments")["value"]
    attached = [(message, each) for message in messages for each in message["attachments"]]
    kinds = {each["@odata.type"].rsplit(".")[-1] for _, each in attached}
    assert "fileAttachment" in kinds
    assert any(each["isInline"] and each["contentId"] == "logo@contoso" for _, each in attached)
    for message, each in attached[:8]:
        path = f"{user}/messages/{q(message['id'])}/attachments/{q(each['id'])}"
        content = contoso.call("GET", f"{path}/$value", "exchange-backup").content
        assert each["@odata.type"] != "#microsoft.graph.fileAttachment" or len(content) == each["size"]
        assert contoso.get(path)["name"] == each["name"]
    for message in messages:
        assert message["hasAttachments"] == any(not each["isInline"] for each in message["attachments"])


def test_a_list_tells_of_attachments_what_is_selected_of_them_and_a_delta_everything(contoso: Any) -> None:
    inbox = f"{contoso.user(USER)}/mailFolders/inbox/messages"
    expand = "$select=id&$expand=attachments($select=name,size)"
    newest = (
        "$filter=receivedDateTime ge 1900-01-01T00:00:00Z and hasAttachments eq true&$orderby=receivedDateTime desc"
    )
    listed = contoso.get(f"{inbox}?$top=100&{newest}&{expand}")["value"]
    every = contoso.get(f"{inbox}?$top=100&$select=hasAttachments")["value"]
    assert [one["id"] for one in listed] == [one["id"] for one in every if one["hasAttachments"]] != []
    shown = {name for one in listed for each in one["attachments"] for name in each if "@" not in name}
    assert shown == {"id", "name", "size"}
    told = contoso.get(f"{inbox}/delta?{expand}", prefer="odata.maxpagesize=100")["value"]
    assert any("contentBytes" in each for one in told for each in one["attachments"])


def test_a_list_takes_no_order_that_its_filter_does_not_begin_with_and_no_property_of_one_kind(contoso: Any) -> None:
    inbox = f"{contoso.user(USER)}/mailFolders/inbox/messages"
    late = contoso.call("GET", f"{inbox}?$filter=hasAttachments eq true&$orderby=receivedDateTime desc")
    assert (late.status_code, late.json()["error"]["code"]) == (400, "InefficientFilter")
    assert contoso.call("GET", f"{inbox}?$expand=attachments($select=contentId)").status_code == 400


def test_a_nested_message_is_an_item_attachment(contoso: Any, q: Any) -> None:
    for mailbox in (USER, "mehmet.yildiz"):
        messages = contoso.get(f"{contoso.user(mailbox)}/messages?$top=100&$expand=attachments")["value"]
        for message in messages:
            for each in message["attachments"]:
                if each["@odata.type"] == "#microsoft.graph.itemAttachment":
                    path = f"{contoso.user(mailbox)}/messages/{q(message['id'])}/attachments/{q(each['id'])}"
                    item = contoso.get(f"{path}?$expand=microsoft.graph.itemattachment/item")["item"]
                    assert item["from"]["emailAddress"]["address"]
                    assert item["subject"] == each["name"]
                    return
    raise AssertionError("the seed holds no nested message")


def test_the_long_path_does_not_serve_mime(contoso: Any, q: Any) -> None:
    user = contoso.user(USER)
    message = contoso.get(f"{user}/mailFolders/inbox/messages?$top=1")["value"][0]
    answer = contoso.call("GET", f"{user}/mailFolders/inbox/messages/{q(message['id'])}/$value")
    assert (answer.status_code, answer.json()["error"]["code"]) == (405, "ErrorInvalidRequest")


def test_an_id_may_stand_in_a_path_as_it_is_or_percent_encoded(contoso: Any, q: Any) -> None:
    user = contoso.user(USER)
    ids = [entry["id"] for entry in contoso.get(f"{user}/messages?$top=100&$select=id")["value"]]
    assert not {"/", "+"} & set("".join(ids))
    assert {"-", "_", "="} <= set("".join(ids))
    for form in (ids[0], q(ids[0])):
        assert contoso.call("GET", f"{user}/messages/{form}").status_code == 200


def test_an_id_with_a_slash_is_cut_there_unless_it_is_percent_encoded(contoso: Any, q: Any) -> None:
    """The search API gives such ids."""
    user = contoso.user(USER)
    codes = [contoso.call("GET", f"{user}/messages/{form}").json()["error"]["code"] for form in ("a/b", q("a/b"))]
    assert codes[0] != codes[1]


def test_mail_of_another_user_or_tenant_is_not_found(contoso: Any, fabrikam: Any, q: Any) -> None:
    message = contoso.get(f"{contoso.user(USER)}/messages?$top=1")["value"][0]["id"]
    assert contoso.call("GET", f"{contoso.user('mehmet.yildiz')}/messages/{q(message)}").status_code == 404
    assert fabrikam.call("GET", f"{contoso.user(USER)}/messages/{q(message)}").status_code == 404
    assert fabrikam.call("GET", f"{fabrikam.user(USER)}/messages/{q(message)}").status_code == 404


def test_every_change_gives_a_new_change_key(fabrikam: Any, q: Any) -> None:
    user = fabrikam.user(USER)
    before = fabrikam.get(f"{user}/messages?$top=1")["value"][0]
    path = f"{user}/messages/{q(before['id'])}"
    raw = fabrikam.call("GET", f"{path}/$value").content
    after = fabrikam.call("PATCH", path, json={"categories": ["Neu"], "flag": {"flagStatus": "flagged"}}).json()
    assert after["changeKey"] != before["changeKey"]
    assert after["@odata.etag"] == f'W/"{after["changeKey"]}"'
    assert (after["categories"], after["flag"]["flagStatus"]) == (["Neu"], "flagged")
    assert fabrikam.call("GET", f"{path}/$value").content == raw
    refused = fabrikam.call("PATCH", path, json={"subject": "rewritten"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "ErrorInvalidPropertySet")


def test_a_deleted_message_is_in_the_recoverable_items_and_then_gone(fabrikam: Any, q: Any) -> None:
    user = fabrikam.user(USER)
    message = fabrikam.get(f"{user}/messages?$top=1")["value"][0]
    assert fabrikam.call("DELETE", f"{user}/messages/{q(message['id'])}").status_code == 204
    assert fabrikam.call("GET", f"{user}/messages/{q(message['id'])}").json()["error"]["code"] == "ErrorItemNotFound"
    recoverable = fabrikam.get(f"{user}/mailFolders/recoverableitemsdeletions/messages")["value"]
    assert message["internetMessageId"] in {entry["internetMessageId"] for entry in recoverable}
    for entry in recoverable:
        assert fabrikam.call("GET", f"{user}/messages/{q(entry['id'])}").status_code == 404
        fabrikam.call("DELETE", f"{user}/mailFolders/recoverableitemsdeletions/messages/{q(entry['id'])}")
    assert fabrikam.get(f"{user}/mailFolders/recoverableitemsdeletions/messages")["value"] == []


def test_messages_can_be_filtered_and_counted(contoso: Any) -> None:
    user = contoso.user(USER)
    page = contoso.get(f"{user}/messages?$filter=isRead eq false&$top=1&$count=true")
    unread = [line for line in contoso.manifest if line["user"].startswith(USER) and not line["is_read"]]
    assert page["@odata.count"] == len(unread)
    since = page["value"][0]["receivedDateTime"].replace("Z", ".000+00:00")
    newer = contoso.get(f"{user}/messages", params={"$filter": f"isRead eq false and receivedDateTime gt {since}"})
    assert newer["value"] == []
    internet_id = page["value"][0]["internetMessageId"]
    found = contoso.get(f"{user}/messages", params={"$filter": f"internetMessageId eq '{internet_id}'"})["value"]
    assert [entry["id"] for entry in found] == [page["value"][0]["id"]]


def test_header_fields_and_text_bodies_come_on_request(contoso: Any, q: Any) -> None:
    user = contoso.user(USER)
    page = contoso.get(f"{user}/messages?$top=100", prefer='outlook.body-content-type="text"')
    assert {message["body"]["contentType"] for message in page["value"]} == {"text"}
    path = f"{user}/messages/{q(page['value'][0]['id'])}?$select=internetMessageHeaders"
    assert "DKIM-Signature" in {header["name"] for header in contoso.get(path)["internetMessageHeaders"]}
