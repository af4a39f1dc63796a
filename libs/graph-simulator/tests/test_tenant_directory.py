"""Users of every sort, groups, organisational contacts, their delta, and writing users."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from graph_simulator.database import open_database
from graph_simulator.testing import seed
from graph_simulator.web import sealing
from graph_simulator.web.directory_delta import PAGE, TOKEN_LIFE

FIELDS = "id,displayName,jobTitle,department,mail,accountEnabled"
EVENTUAL = {"ConsistencyLevel": "eventual"}


@pytest.fixture
def control(simulator: Any) -> Any:
    return lambda method, path, body=None: simulator.control(method, f"tenants/globex/{path}", body)


@pytest.fixture
def person(control: Any, request: pytest.FixtureRequest) -> Any:
    count = iter(range(100))

    def create(**spec: Any) -> str:
        name = f"t{abs(hash(request.node.name)) % 10**8}x{next(count)}"
        return control("POST", "users", {"name": name, **spec})["id"]

    return create


def follow(tenant: Any, url: str, **options: Any) -> tuple[list[dict[str, Any]], str]:
    entries: list[dict[str, Any]] = []
    while True:
        page = tenant.get(url, **options)
        entries += page["value"]
        if "@odata.deltaLink" in page:
            return entries, page["@odata.deltaLink"]
        url = page["@odata.nextLink"]


def patch(tenant: Any, user: str, body: dict[str, Any], profile: str = "directory") -> tuple[int, str]:
    answer = tenant.call("PATCH", f"users/{user}", profile, json=body)
    return answer.status_code, answer.json()["error"]["code"] if answer.content else ""


def test_the_invented_directory_has_every_sort(globex: Any) -> None:
    users, url = [], "users?$top=999&$select=id,userType,mail,accountEnabled,onPremisesSyncEnabled,displayName"
    users = globex.get(url)["value"]
    assert {user["userType"] for user in users} == {"Member", "Guest"}
    assert {user["accountEnabled"] for user in users} == {True, False}
    assert {user["onPremisesSyncEnabled"] for user in users} == {None, True}
    assert any(user["mail"] is None for user in users)
    assert any(not user["displayName"].isascii() for user in users)
    groups = globex.get("groups", "directory")["value"]
    assert {tuple(group["groupTypes"]) for group in groups} == {(), ("Unified",), ("DynamicMembership",)}
    assert len([group for group in groups if group["displayName"] == "Verteiler distribution"]) == 2
    assert globex.get("contacts")["value"][0]["mail"].endswith("@partner.example")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("mailEnabled eq true and securityEnabled eq true", 1),
        ("groupTypes/any(c:c eq 'Unified')", 1),
        ("startswith(displayName,'KlarKonform-Globex-')", 4),
    ],
)
def test_groups_can_be_filtered(globex: Any, query: str, found: int) -> None:
    assert len(globex.get(f"groups?$filter={query}", "directory")["value"]) == found


def test_a_user_without_a_mailbox_is_refused_in_two_ways(globex: Any, person: Any) -> None:
    user = person(mailbox=False)
    paths = ("mailFolders", "contacts", "calendars", "mailFolders/inbox/messages/delta")
    answers = [globex.call("GET", f"users/{user}/{path}", "exchange-backup") for path in paths * 2]
    assert {answer.status_code for answer in answers} == {404}
    assert {answer.json()["error"]["code"] for answer in answers} == {"MailboxNotEnabledForRESTAPI", "ResourceNotFound"}
    assert globex.get(f"users/{user}")["id"] == user


def test_membership_goes_through_groups_and_casts_need_eventual_consistency(
    globex: Any, control: Any, person: Any
) -> None:
    user = person(admin=True)
    outer, middle, inner = [control("POST", "groups", {"displayName": name, "groupTypes": []})["id"] for name in "abc"]
    for group, member in ((outer, middle), (middle, inner), (inner, outer), (inner, user)):
        control("PUT", f"groups/{group}/members/{member}")
    direct = globex.get(f"groups/{outer}/members", "directory")["value"]
    assert [(each["@odata.type"], each["id"]) for each in direct] == [("#microsoft.graph.group", middle)]
    everybody = {each["id"] for each in globex.get(f"groups/{outer}/transitiveMembers", "directory")["value"]}
    assert everybody == {middle, inner, user}
    cast = f"groups/{outer}/transitiveMembers/microsoft.graph.user"
    refused = globex.call("GET", cast, "directory")
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "Request_UnsupportedQuery")
    people = globex.get(f"{cast}?$count=true&$select=id", "directory", headers=EVENTUAL)
    assert (people["@odata.count"], [each["id"] for each in people["value"]]) == (1, [user])
    above = globex.get(f"users/{user}/transitiveMemberOf", "directory")["value"]
    assert {each["@odata.type"] for each in above} == {"#microsoft.graph.group", "#microsoft.graph.directoryRole"}
    assert {each["id"] for each in above} >= {outer, middle, inner}


def test_users_delta_tracks_what_was_selected(globex: Any, control: Any, person: Any) -> None:
    user = person(properties={"jobTitle": "Prüfer"})
    entries, link = follow(globex, f"users/delta?$select={FIELDS}")
    assert len(entries) > PAGE
    assert sum("@removed" in entry for entry in entries) > 0
    mine = next(entry for entry in entries if entry["id"] == user)
    assert mine["jobTitle"] == "Prüfer"
    assert "department" not in mine
    control("PATCH", f"users/{user}", {"city": "Bonn"})
    assert follow(globex, link)[0] == []
    control("PATCH", f"users/{user}", {"jobTitle": None, "department": "Vertrieb"})
    [entry], link = follow(globex, link)
    assert (entry["jobTitle"], entry["department"], entry["id"]) == (None, "Vertrieb", user)
    control("PATCH", f"users/{user}", {"jobTitle": "Leiterin"})
    [entry], link = follow(globex, link, prefer="return=minimal")
    assert entry == {"id": user, "jobTitle": "Leiterin"}


def test_a_user_is_deleted_restored_purged_and_made_again(globex: Any, control: Any, person: Any) -> None:
    user = person(properties={"jobTitle": "Prüfer"})
    name = globex.get(f"users/{user}")["userPrincipalName"]
    link = globex.get("users/delta?$deltatoken=latest&$select=id,jobTitle")["@odata.deltaLink"]
    control("POST", f"users/{user}/delete")
    entries, link = follow(globex, link)
    assert entries == [{"id": user, "@removed": {"reason": "changed"}}]
    assert globex.call("GET", f"users/{user}").status_code == 404
    control("POST", f"users/{user}/restore")
    [entry], link = follow(globex, link)
    assert (entry["id"], entry["jobTitle"]) == (user, "Prüfer")
    control("POST", f"users/{user}/delete")
    again = control("POST", "users", {"name": name.split("@")[0]})
    assert (again["id"] != user, again["properties"]["userPrincipalName"]) == (True, name)
    control("POST", f"users/{user}/purge")
    entries, link = follow(globex, link)
    assert {entry["id"]: entry.get("@removed") for entry in entries} == {user: {"reason": "deleted"}, again["id"]: None}
    assert user not in {entry["id"] for entry in follow(globex, "users/delta")[0]}


def test_groups_delta_names_who_came_and_who_left(globex: Any, control: Any, person: Any) -> None:
    one, two = person(), person()
    group = control("POST", "groups", {"displayName": "Projekt", "groupTypes": [], "securityEnabled": True})["id"]
    control("PUT", f"groups/{group}/members/{one}")
    entries, link = follow(globex, "groups/delta?$select=displayName,members", profile="directory")
    mine = next(entry for entry in entries if entry["id"] == group)
    assert mine["members@delta"] == [{"@odata.type": "#microsoft.graph.user", "id": one}]
    control("PUT", f"groups/{group}/members/{two}")
    control("DELETE", f"groups/{group}/members/{one}")
    [entry], link = follow(globex, link, profile="directory")
    assert {each["id"]: "@removed" in each for each in entry["members@delta"]} == {one: True, two: False}
    control("DELETE", f"groups/{group}")
    assert follow(globex, link, profile="directory")[0] == [{"id": group, "@removed": {"reason": "deleted"}}]


def test_org_contacts_delta(globex: Any, control: Any) -> None:
    _, link = follow(globex, "contacts/delta")
    made = control("POST", "org-contacts", {"displayName": "Extern", "mail": "e@partner.example"})["id"]
    [entry], link = follow(globex, link)
    assert (entry["id"], entry["mail"]) == (made, "e@partner.example")
    control("DELETE", f"org-contacts/{made}")
    assert follow(globex, link)[0] == [{"id": made, "@removed": {"reason": "deleted"}}]


def test_a_token_lives_seven_days_and_is_nobody_elses(globex: Any, state: Path, faults: Any) -> None:
    _, link = follow(globex, "users/delta?$select=id")
    base, _, token = link.partition("deltatoken=")
    connection = open_database(state)
    position = sealing.unseal(connection, token)
    late = datetime.now(UTC) - TOKEN_LIFE - timedelta(seconds=5)
    expired = sealing.seal(connection, {**position, "issued": late.timestamp()})
    connection.close()
    for url in (f"{base}deltatoken={expired}",):
        answer = globex.call("GET", url, "exchange-backup")
        assert (answer.status_code, answer.json()["error"]["code"]) == (410, "syncStateNotFound")
        assert answer.headers["location"].endswith("/users/delta?$deltatoken=")
    assert len(follow(globex, answer.headers["location"])[0]) > PAGE
    for url in (link.replace("/users/", "/groups/"), link[:-3] + "AAA"):
        assert globex.call("GET", url, "directory").status_code == 400
    assert globex.call("GET", "users/delta?$top=5", "directory").status_code == 400
    faults(kind="gone-delta", match="/users/delta")
    assert globex.call("GET", link, "directory").status_code == 410


def test_some_ids_can_be_followed(globex: Any, control: Any, person: Any) -> None:
    one, two = person(), person()
    entries, link = follow(globex, f"users/delta?$filter=id eq '{one}' or id eq '{two}'")
    assert {entry["id"] for entry in entries} == {one, two}
    control("PATCH", f"users/{person()}", {"jobTitle": "x"})
    assert follow(globex, link)[0] == []
    assert globex.call("GET", "users/delta?$filter=jobTitle eq 'x'", "directory").status_code == 400


def test_a_user_is_written_and_read_back(globex: Any, person: Any, faults: Any) -> None:
    user = person()
    assert patch(globex, user, {"jobTitle": "Leiterin", "businessPhones": ["+49 1"], "mobilePhone": None}) == (204, "")
    read = globex.get(f"users/{user}?$select=jobTitle,businessPhones,mobilePhone")
    assert (read["jobTitle"], read["businessPhones"], read["mobilePhone"]) == ("Leiterin", ["+49 1"], None)
    faults(kind="stale-read", match=user, count=2)
    patch(globex, user, {"jobTitle": "Vorstand"})
    titles = [globex.get(f"users/{user}?$select=jobTitle")["jobTitle"] for _ in range(3)]
    assert titles == ["Leiterin", "Leiterin", "Vorstand"]


@pytest.mark.parametrize(
    ("spec", "body", "answer"),
    [
        ({}, {"businessPhones": ["1", "2"]}, (400, "Request_BadRequest")),
        ({}, {"displayName": ""}, (400, "Request_BadRequest")),
        ({}, {"displayName": None}, (400, "Request_BadRequest")),
        ({}, {"usageLocation": None}, (400, "Request_BadRequest")),
        ({}, {"userPrincipalName": "a@elsewhere.example"}, (400, "Request_BadRequest")),
        ({}, {"proxyAddresses": []}, (400, "Request_BadRequest")),
        ({}, {"accountEnabled": "no"}, (400, "Request_BadRequest")),
        ({}, {"shoeSize": 42}, (400, "Request_BadRequest")),
        ({"properties": {"onPremisesSyncEnabled": True}}, {"jobTitle": "x"}, (400, "Request_BadRequest")),
        ({"properties": {"onPremisesSyncEnabled": True}}, {"usageLocation": "DE"}, (204, "")),
        ({"admin": True}, {"mobilePhone": "1"}, (403, "Authorization_RequestDenied")),
        ({"admin": True}, {"jobTitle": "x"}, (204, "")),
    ],
)
def test_what_may_be_written(globex: Any, person: Any, spec: Any, body: Any, answer: tuple[int, str]) -> None:
    assert patch(globex, person(**spec), body) == answer


def test_a_new_mail_address_leaves_the_old_one_reachable(globex: Any, person: Any) -> None:
    user = person()
    old = globex.get(f"users/{user}")["mail"]
    assert patch(globex, user, {"mail": "neu@globex.onmicrosoft.com"}) == (204, "")
    addresses = globex.get(f"users/{user}?$select=proxyAddresses")["proxyAddresses"]
    assert addresses == ["SMTP:neu@globex.onmicrosoft.com", f"smtp:{old}"]


def test_writing_needs_its_permission_and_lists_refuse_what_sharepoint_keeps(globex: Any, person: Any) -> None:
    assert patch(globex, person(), {"jobTitle": "x"}, "exchange-backup") == (403, "Authorization_RequestDenied")
    assert globex.call("GET", "users?$select=aboutMe", "directory").status_code == 501
    assert globex.call("GET", "groups", "exchange-restore").status_code == 403


def test_the_same_seed_invents_the_same_people(state: Path, globex: Any) -> None:
    for name in ("initech", "initrode"):
        seed(state, name, "--generate", "0", "--people", "12", "--seed", "5")
    connection = open_database(state)
    query = "SELECT json_extract(profile, '$.displayName', '$.mobilePhone', '$.city') AS facts FROM user"
    query += " JOIN tenant ON tenant.id = tenant_id WHERE tenant.name = ? ORDER BY pk"
    twins = [[row["facts"] for row in connection.execute(query, (name,))] for name in ("initech", "initrode")]
    connection.close()
    assert len(twins[0]) > 12
    assert twins[0] == twins[1]
