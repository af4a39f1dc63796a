from typing import Any

import pytest

from graph_simulator.permissions import APP_ROLES


def test_users_are_paged_with_links_that_keep_the_options(contoso: Any) -> None:
    seen, url, pages = [], "users?%24top=1&$select=id,accountEnabled", 0
    while url:
        page = contoso.get(url)
        seen += page["value"]
        pages += 1
        url = page.get("@odata.nextLink")
    assert (len(seen), pages) == (3, 3)
    assert all(user.keys() == {"id", "accountEnabled"} for user in seen)


def test_the_default_user_has_no_account_state(contoso: Any) -> None:
    user = contoso.get(contoso.user("anna.gross"))
    assert user["displayName"] == "Anna Groß"
    assert "accountEnabled" not in user
    assert contoso.get(f"users/{user['id']}")["userPrincipalName"] == user["userPrincipalName"]


def test_users_can_be_filtered(contoso: Any) -> None:
    mail = "anna.gross@contoso.onmicrosoft.com"
    assert len(contoso.get(f"users?$filter=mail eq '{mail}'")["value"]) == 1
    assert len(contoso.get("users?$filter=accountEnabled eq true")["value"]) == 3
    assert contoso.get("users?$filter=accountEnabled eq false")["value"] == []


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("users/nobody@contoso.onmicrosoft.com", 404, "Request_ResourceNotFound"),
        ("users/anna.gross@fabrikam.onmicrosoft.com", 404, "Request_ResourceNotFound"),
        ("users?$select=shoeSize", 400, "RequestBroker--ParseUri"),
        ("users?$filter=contains(mail,'a')", 400, "ErrorInvalidUrlQueryFilter"),
        ("users?$top=5000", 400, "RequestBroker--ParseUri"),
        ("planets", 404, "ResourceNotFound"),
    ],
)
def test_errors_have_graph_s_shape(contoso: Any, fabrikam: Any, path: str, status: int, code: str) -> None:
    answer = contoso.call("GET", path, headers={"client-request-id": "from-the-client"})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (status, code)
    assert error["innerError"]["request-id"] == answer.headers["request-id"]
    assert error["innerError"]["client-request-id"] == answer.headers["client-request-id"] == "from-the-client"


def test_paths_are_read_as_generously_as_graph_reads_them(contoso: Any) -> None:
    token = {"Authorization": f"Bearer {contoso.token('exchange-backup')}"}
    user = contoso.user("anna.gross")
    for path in (f"//{user}", f"Users/{user[6:]}/MAILFOLDERS('inbox')", f"{user}/mailFolders/inbox/messages/delta()"):
        answer = contoso.http.get(f"{contoso.simulator.graph_url}/{path}", headers=token)
        assert answer.status_code == 200, path


def test_grants_can_be_read_with_the_directory_profile(contoso: Any) -> None:
    app = contoso.credentials["apps"]["exchange-restore"]
    principal = contoso.get(f"servicePrincipals(appId='{app['client_id']}')", "directory")
    assignments = contoso.get(f"servicePrincipals/{principal['id']}/appRoleAssignments", "directory")["value"]
    graph = contoso.get("servicePrincipals(appId='00000003-0000-0000-c000-000000000000')", "directory")
    names = {role["id"]: role["value"] for role in graph["appRoles"]}
    assert {names[each["appRoleId"]] for each in assignments} == {
        "Calendars.ReadWrite",
        "Contacts.ReadWrite",
        "Mail.ReadWrite",
        "User.Read.All",
    }
    assert {each["resourceId"] for each in assignments} == {graph["id"]}
    assert names[APP_ROLES["Mail.Read"]] == "Mail.Read"


def test_secrets_show_their_end_but_not_their_text(contoso: Any) -> None:
    app = contoso.credentials["apps"]["directory"]
    url = f"applications(appId='{app['client_id']}')?$select=passwordCredentials"
    secret = contoso.get(url, "directory")["passwordCredentials"][0]
    assert secret["secretText"] is None
    assert app["client_secret"].startswith(secret["hint"])
    assert secret["endDateTime"] > secret["startDateTime"]


def test_the_organization_names_its_domain(contoso: Any) -> None:
    organization = contoso.get("organization")["value"][0]
    assert organization["id"] == contoso.credentials["tenant_id"]
    assert organization["verifiedDomains"][0]["name"] == "contoso.onmicrosoft.com"


@pytest.mark.parametrize(
    ("profile", "method", "path", "code"),
    [
        ("exchange-backup", "GET", "servicePrincipals", "Authorization_RequestDenied"),
        ("directory", "GET", "{user}/mailFolders", "ErrorAccessDenied"),
        ("exchange-backup", "POST", "{user}/mailFolders", "ErrorAccessDenied"),
        ("exchange-backup", "POST", "{user}/mailFolders/inbox/messages", "ErrorAccessDenied"),
        ("exchange-backup", "DELETE", "{user}/messages/x", "ErrorAccessDenied"),
    ],
)
def test_each_profile_can_do_its_own_job_only(contoso: Any, profile: str, method: str, path: str, code: str) -> None:
    answer = contoso.call(method, path.format(user=contoso.user("anna.gross")), profile)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, code)


def test_without_a_token_graph_answers_401(contoso: Any) -> None:
    answer = contoso.http.get(f"{contoso.simulator.graph_url}/users")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
