from typing import Any

SELECT = "$select=subject,isRead"


def follow(tenant: Any, url: str, prefer: str = "odata.maxpagesize=7") -> tuple[list[dict[str, Any]], str, int]:
    entries, pages = [], 0
    while True:
        page = tenant.get(url, prefer=prefer)
        entries += page["value"]
        pages += 1
        if "@odata.deltaLink" in page:
            return entries, page["@odata.deltaLink"], pages
        url = page["@odata.nextLink"]


def create(tenant: Any, folder: str, subject: str) -> dict[str, Any]:
    answer = tenant.call(
        "POST", f"{tenant.user('restore-target')}/mailFolders/{folder}/messages", json={"subject": subject}
    )
    assert answer.status_code == 201
    return answer.json()


def test_an_initial_round_lists_everything_and_ends_with_an_empty_page(contoso: Any) -> None:
    user = contoso.user("anna.gross")
    total = contoso.get(f"{user}/mailFolders/inbox")["totalItemCount"]
    entries, link, pages = follow(contoso, f"{user}/mailFolders/inbox/messages/delta?{SELECT}")
    assert len({entry["id"] for entry in entries}) == len(entries) == total
    assert pages == -(-total // 7) + 1
    assert all(entry.keys() == {"@odata.etag", "id", "subject", "isRead"} for entry in entries)
    assert "$deltatoken=" in link
    assert follow(contoso, link) == ([], follow(contoso, link)[1], 1)


def test_a_round_reports_new_changed_moved_and_deleted(contoso: Any, q: Any) -> None:
    user = contoso.user("restore-target")
    first, second, third = (create(contoso, "inbox", f"delta {n}") for n in range(3))
    _, link, _ = follow(contoso, f"{user}/mailFolders/inbox/messages/delta?{SELECT}")
    _, archive, _ = follow(contoso, f"{user}/mailFolders/archive/messages/delta?{SELECT}")
    contoso.call("PATCH", f"{user}/messages/{q(first['id'])}", json={"isRead": True})
    moved = contoso.call("POST", f"{user}/messages/{q(second['id'])}/move", json={"destinationId": "archive"}).json()
    contoso.call("DELETE", f"{user}/messages/{q(third['id'])}")
    fourth = create(contoso, "inbox", "delta 4")
    entries, link, _ = follow(contoso, link)
    removed = {entry["id"]: entry["@removed"] for entry in entries if "@removed" in entry}
    live = {entry["id"]: entry for entry in entries if "@removed" not in entry}
    assert removed == {second["id"]: {"reason": "deleted"}, third["id"]: {"reason": "deleted"}}
    assert live.keys() == {first["id"], fourth["id"]}
    assert live[first["id"]]["isRead"] is True
    assert [entry["id"] for entry in follow(contoso, archive)[0]] == [moved["id"]]
    assert moved["id"] != second["id"]
    assert follow(contoso, link)[0] == []


def test_of_a_changed_read_state_a_later_round_tells_nothing_else(contoso: Any, q: Any) -> None:
    user = contoso.user("restore-target")
    read, edited = (create(contoso, "inbox", f"flip {n}") for n in range(2))
    _, link, _ = follow(contoso, f"{user}/mailFolders/inbox/messages/delta?{SELECT},changeKey")
    before = {one["id"]: contoso.get(f"{user}/messages/{q(one['id'])}") for one in (read, edited)}
    for one, changes in ((read, {"isRead": False}), (edited, {"isRead": False}), (edited, {"categories": ["Blue"]})):
        contoso.call("PATCH", f"{user}/messages/{q(one['id'])}", json=changes)
    told = {entry["id"]: entry for entry in follow(contoso, link)[0]}
    assert told[read["id"]].keys() == {"@odata.type", "@odata.etag", "id", "isRead", "parentFolderId"}
    assert told[edited["id"]]["changeKey"] != before[edited["id"]]["changeKey"]
    after = contoso.get(f"{user}/messages/{q(read['id'])}")
    assert {name for name in after if after[name] != before[read["id"]][name]} == {"isRead"}


def test_with_immutable_ids_a_move_keeps_the_id(contoso: Any, q: Any) -> None:
    user, prefer = contoso.user("restore-target"), 'IdType="ImmutableId", odata.maxpagesize=50'
    message = create(contoso, "inbox", "immutable")
    answer = contoso.call("GET", f"{user}/messages/{q(message['id'])}?$select=id", prefer=prefer)
    assert answer.headers["preference-applied"] == 'IdType="ImmutableId", odata.maxpagesize=50'
    lasting = answer.json()["id"]
    assert lasting != message["id"]
    _, link, _ = follow(contoso, f"{user}/mailFolders/inbox/messages/delta", prefer)
    _, archive, _ = follow(contoso, f"{user}/mailFolders/archive/messages/delta", prefer)
    contoso.call("POST", f"{user}/messages/{q(lasting)}/move", json={"destinationId": "archive"})
    assert [entry["id"] for entry in follow(contoso, link, prefer)[0]] == [lasting]
    assert [entry["id"] for entry in follow(contoso, archive, prefer)[0]] == [lasting]


def test_what_changes_during_a_round_is_not_missed(contoso: Any, q: Any) -> None:
    user = contoso.user("restore-target")
    made = [create(contoso, "junkemail", f"moving target {n}") for n in range(6)]
    url = f"{user}/mailFolders/junkemail/messages/delta"
    page = contoso.get(url, prefer="odata.maxpagesize=2")
    contoso.call("DELETE", f"{user}/messages/{q(made[0]['id'])}")
    contoso.call("PATCH", f"{user}/messages/{q(made[1]['id'])}", json={"isRead": True})
    late = create(contoso, "junkemail", "late")
    entries, _, _ = follow(contoso, page["@odata.nextLink"], "odata.maxpagesize=2")
    final = {entry["id"]: entry for entry in page["value"] + entries}
    assert "@removed" in final[made[0]["id"]]
    assert final[made[1]["id"]]["isRead"] is True
    assert late["id"] in final
    assert len(final) == 7


def test_a_token_belongs_to_one_folder_and_cannot_be_made_up(contoso: Any) -> None:
    user = contoso.user("anna.gross")
    _, link, _ = follow(contoso, f"{user}/mailFolders/inbox/messages/delta")
    elsewhere = link.replace("mailFolders/inbox", "mailFolders/archive")
    for url in (elsewhere, link[:-3] + "AAA", link.split("=")[0] + "=%21"):
        answer = contoso.call("GET", url)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "SyncStateInvalid"), url


def test_the_options_of_the_first_call_stay_with_the_link(contoso: Any) -> None:
    user = contoso.user("restore-target")
    url = f"{user}/mailFolders/drafts/messages/delta?$select=subject&changeType=created"
    _, link, _ = follow(contoso, url)
    create(contoso, "drafts", "selected")
    entries, _, _ = follow(contoso, link)
    assert [entry.keys() for entry in entries] == [{"@odata.etag", "id", "subject"}]
