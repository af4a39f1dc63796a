from typing import Any


def tree(tenant: Any, user: str) -> dict[str, dict[str, Any]]:
    page = tenant.get(f"{tenant.user(user)}/mailFolders?$top=100&includeHiddenFolders=true")
    return {folder["displayName"]: folder for folder in page["value"]}


def test_the_top_level_is_localized_and_hides_what_is_hidden(contoso: Any) -> None:
    top = tree(contoso, "anna.gross")
    assert {"Posteingang", "Gesendete Elemente", "Rechnungen/Verträge", "Leerer Ordner"} <= top.keys()
    assert "Projekte" not in top
    assert top["Leerer Ordner"]["totalItemCount"] == 0
    hidden = [name for name, folder in top.items() if folder["isHidden"]]
    visible = contoso.get(f"{contoso.user('anna.gross')}/mailFolders?$top=100")["value"]
    assert len(visible) == len(top) - len(hidden)


def test_well_known_names_are_ids(contoso: Any, q: Any) -> None:
    user = contoso.user("anna.gross")
    inbox = contoso.get(f"{user}/mailFolders/inbox")
    assert inbox["displayName"] == "Posteingang"
    assert contoso.get(f"{user}/mailFolders/{q(inbox['id'])}")["id"] == inbox["id"]
    assert inbox["parentFolderId"] == contoso.get(f"{user}/mailFolders/msgfolderroot")["id"]
    children = contoso.get(f"{user}/mailFolders/inbox/childFolders")["value"]
    assert [child["displayName"] for child in children] == ["Projekte"]
    assert children[0]["childFolderCount"] == 1


def test_folder_pages_follow_on(contoso: Any) -> None:
    url, names = f"{contoso.user('anna.gross')}/mailFolders?$top=3", []
    while url:
        page = contoso.get(url)
        names += [folder["displayName"] for folder in page["value"]]
        url = page.get("@odata.nextLink")
    assert len(names) == len(set(names)) >= 9


def test_create_rename_and_delete_show_in_the_folder_delta(contoso: Any, q: Any) -> None:
    user = contoso.user("restore-target")
    page = contoso.get(f"{user}/mailFolders/delta")
    assert page["value"]
    while "@odata.nextLink" in page:
        page = contoso.get(page["@odata.nextLink"])
    created = contoso.call("POST", f"{user}/mailFolders", json={"displayName": "A/B"})
    assert created.status_code == 201
    again = contoso.call("POST", f"{user}/mailFolders", json={"displayName": "a/b"})
    assert (again.status_code, again.json()["error"]["code"]) == (409, "ErrorFolderExists")
    folder = f"{user}/mailFolders/{q(created.json()['id'])}"
    assert contoso.call("PATCH", folder, json={"displayName": "C"}).json()["displayName"] == "C"
    child = contoso.call("POST", f"{folder}/childFolders", json={"displayName": "D", "isHidden": True}).json()
    assert child["isHidden"]
    page = contoso.get(page["@odata.deltaLink"])
    assert {"C", "D"} <= {entry["displayName"] for entry in page["value"]}
    assert contoso.call("DELETE", folder).status_code == 204
    page = contoso.get(page["@odata.deltaLink"])
    removed = {entry["id"] for entry in page["value"] if "@removed" in entry}
    assert removed == {created.json()["id"], child["id"]}


def test_well_known_folders_cannot_be_deleted(contoso: Any) -> None:
    answer = contoso.call("DELETE", f"{contoso.user('restore-target')}/mailFolders/inbox")
    assert answer.json()["error"]["code"] == "ErrorDeleteDistinguishedFolder"
