"""Delegated sign-in with msal as it is, the roles of those who consent, and what the directory tells about grants."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import jwt
import msal
import pytest

BACK = "https://127.0.0.1:9/api/v1/sign-in/callback"
SCOPES = ["User.Read", "AuditLog.Read.All"]
ADMIN = "admin@fabrikam.onmicrosoft.com"


def app(tenant: Any) -> msal.ConfidentialClientApplication:
    known = tenant.credentials["apps"]["directory"]
    return msal.ConfidentialClientApplication(
        known["client_id"],
        authority=f"{tenant.simulator.url}/{tenant.credentials['tenant_id']}",
        client_credential=known["client_secret"],
        instance_discovery=False,
        http_client=tenant.http,
    )


@pytest.fixture
def roles(fabrikam: Any) -> Iterator[Any]:
    def give(*names: str, person: str = ADMIN) -> None:
        fabrikam.simulator.control("PUT", f"tenants/fabrikam/roles/{person}", {"roles": names})

    yield give
    give("privileged-role-administrator")


def signed_in(tenant: Any, flow: dict[str, Any], **form: str) -> dict[str, str]:
    """Press the button of the page; return what the browser then posts to the redirect address."""
    assert tenant.http.get(flow["auth_uri"]).status_code == 200
    fields = dict(parse_qsl(urlsplit(flow["auth_uri"]).query)) | {"decision": "accept"} | form
    answer = tenant.http.post(flow["auth_uri"].partition("?")[0], data=fields)
    assert f'action="{BACK}"' in answer.text, answer.text
    return dict(re.findall(r'name="([^"]+)" value="([^"]*)"', answer.text))


def flow_of(client: msal.ConfidentialClientApplication) -> dict[str, Any]:
    return client.initiate_auth_code_flow(SCOPES, redirect_uri=BACK, response_mode="form_post")


def test_unmodified_msal_signs_a_person_in(fabrikam: Any) -> None:
    client = app(fabrikam)
    flow = flow_of(client)
    answer = client.acquire_token_by_auth_code_flow(flow, signed_in(fabrikam, flow))
    assert answer["id_token_claims"]["preferred_username"] == ADMIN
    assert {name.rpartition("/")[2] for name in answer["scope"].split()} == set(SCOPES)
    assert answer["refresh_token"]
    discovery = fabrikam.http.get(f"{fabrikam.simulator.url}/fabrikam/v2.0/.well-known/openid-configuration").json()
    keys = jwt.PyJWKSet.from_dict(fabrikam.http.get(discovery["jwks_uri"]).json())
    key = keys[jwt.get_unverified_header(answer["id_token"])["kid"]]
    audience = fabrikam.credentials["apps"]["directory"]["client_id"]
    jwt.decode(answer["id_token"], key, algorithms=["RS256"], audience=audience, issuer=discovery["issuer"])
    again = client.acquire_token_by_refresh_token(answer["refresh_token"], SCOPES)
    assert again["access_token"] != answer["access_token"]


def test_a_code_is_good_once_and_only_with_its_verifier_and_address(fabrikam: Any) -> None:
    client = app(fabrikam)

    def numbers(**changes: str) -> list[int]:
        flow = flow_of(client)
        answer = signed_in(fabrikam, flow)
        got = client.acquire_token_by_auth_code_flow({**flow, **changes}, answer)
        twice = client.acquire_token_by_auth_code_flow(flow, answer)
        assert twice["error_codes"] == [54005]
        return got.get("error_codes", [])

    assert numbers() == []
    assert numbers(code_verifier="x" * 43) == [501481]
    assert numbers(redirect_uri="https://127.0.0.1:9/elsewhere") == [50011]


def test_a_person_who_declines_comes_back_with_the_reason(fabrikam: Any) -> None:
    client = app(fabrikam)
    flow = flow_of(client)
    answer = client.acquire_token_by_auth_code_flow(flow, signed_in(fabrikam, flow, decision="decline"))
    assert (answer["error"], "AADSTS65004" in answer["error_description"]) == ("access_denied", True)


def test_what_a_person_may_not_do_no_delegated_permission_gives(fabrikam: Any, roles: Any) -> None:
    client = app(fabrikam)
    roles("reports-reader")
    flow = flow_of(client)
    token = client.acquire_token_by_auth_code_flow(flow, signed_in(fabrikam, flow))["access_token"]

    def status(path: str) -> int:
        headers = {"Authorization": f"Bearer {token}"}
        return fabrikam.http.get(f"{fabrikam.simulator.graph_url}{path}", headers=headers).status_code

    assert (status("/me"), status("/auditLogs/directoryAudits"), status("/users")) == (200, 200, 403)
    roles()
    assert (status("/me"), status("/auditLogs/directoryAudits")) == (200, 403)
    assert fabrikam.call("GET", "/me", "directory").status_code == 400


@pytest.mark.parametrize(
    ("role", "granted"),
    [
        ("application-administrator", False),
        ("cloud-application-administrator", False),
        ("privileged-role-administrator", True),
        ("global-administrator", True),
    ],
)
def test_R_C2_the_consent_page_refuses_a_lesser_role_and_says_why(
    fabrikam: Any, roles: Any, role: str, *, granted: bool
) -> None:
    client_id = fabrikam.credentials["apps"]["exchange-backup"]["client_id"]
    page = f"{fabrikam.simulator.url}/{fabrikam.credentials['tenant_id']}/v2.0/adminconsent"
    form = {"client_id": client_id, "redirect_uri": BACK, "state": "s", "scope": "https://graph.microsoft.com/.default"}
    fabrikam.simulator.control("POST", "tenants/fabrikam/apps/exchange-backup/revoke-consent")
    roles(role)
    answer = fabrikam.http.post(page, data={**form, "decision": "accept"})
    try:
        assert answer.status_code == (302 if granted else 403)
        assert ("AADSTS90093" in answer.text) != granted
        assert len(grants(fabrikam, client_id)) == (6 if granted else 0)
        back = fabrikam.http.post(page, data={**form, "decision": "return"}).headers["location"]
        told = dict(parse_qsl(urlsplit(back).query))
        assert (told["error"], told["error_description"][:11], told["state"]) == ("access_denied", "AADSTS90094", "s")
    finally:
        fabrikam.simulator.control("POST", "tenants/fabrikam/apps/exchange-backup/grant-consent")


def grants(tenant: Any, client_id: str) -> list[dict[str, Any]]:
    return tenant.get(f"servicePrincipals(appId='{client_id}')/appRoleAssignments", "directory")["value"]


def test_the_directory_tells_who_consented_to_what(fabrikam: Any) -> None:
    client_id = fabrikam.credentials["apps"]["directory"]["client_id"]
    page = f"{fabrikam.simulator.url}/{fabrikam.credentials['tenant_id']}/v2.0/adminconsent"
    form = {"client_id": client_id, "redirect_uri": BACK, "scope": "https://graph.microsoft.com/.default"}
    assert fabrikam.http.post(page, data={**form, "decision": "accept"}).status_code == 302
    principal = fabrikam.get(f"servicePrincipals(appId='{client_id}')", "directory")["id"]
    named = f"activityDisplayName eq 'Consent to application' and targetResources/any(t:t/id eq '{principal}')"
    [entry, *_] = fabrikam.get("auditLogs/directoryAudits", "directory", params={"$filter": named})["value"]
    assert entry["initiatedBy"]["user"]["userPrincipalName"] == ADMIN
    found = fabrikam.get("oauth2PermissionGrants", "directory", params={"$filter": f"clientId eq '{principal}'"})
    assert [grant["scope"] for grant in found["value"]] == ["AuditLog.Read.All User.Read"]


def test_a_deleted_enterprise_application_is_gone_until_the_next_consent(fabrikam: Any) -> None:
    act, client_id = "tenants/fabrikam/apps/files-backup", ""
    apps = fabrikam.get("servicePrincipals", "directory")["value"]
    client_id = next(one["appId"] for one in apps if one["displayName"] == "files-backup")
    path = f"servicePrincipals(appId='{client_id}')/appRoleAssignments"
    fabrikam.simulator.control("POST", f"{act}/grant-consent")
    assert len(grants(fabrikam, client_id)) == 3
    fabrikam.simulator.control("POST", f"{act}/remove-principal")
    assert fabrikam.call("GET", path, "directory").status_code == 404
    fabrikam.simulator.control("POST", f"{act}/grant-consent")
    assert len(grants(fabrikam, client_id)) == 3
    fabrikam.simulator.control("POST", f"{act}/revoke-consent")


def test_single_permissions_drift_and_new_grants_spread_with_a_delay(fabrikam: Any) -> None:
    act = "tenants/fabrikam/apps/exchange-restore"
    client_id = fabrikam.credentials["apps"]["exchange-restore"]["client_id"]
    fabrikam.simulator.control("DELETE", f"{act}/permissions/Mail.ReadWrite")
    fabrikam.simulator.control("PUT", f"{act}/permissions/Files.Read.All")
    assert len(grants(fabrikam, client_id)) == 4
    fabrikam.simulator.control("PUT", "tenants/fabrikam/consent-delay", {"seconds": 3600})
    try:
        fabrikam.simulator.control("POST", f"{act}/grant-consent")
        token = fabrikam.http.post(fabrikam.token_url, data=fabrikam.form("exchange-restore")).json()["access_token"]
        assert len(grants(fabrikam, client_id)) == 5
        assert "Mail.ReadWrite" not in jwt.decode(token, options={"verify_signature": False})["roles"]
    finally:
        fabrikam.simulator.control("PUT", "tenants/fabrikam/consent-delay", {"seconds": 0})
        fabrikam.simulator.control("POST", f"{act}/revoke-consent")
        fabrikam.simulator.control("POST", f"{act}/grant-consent")


def test_every_question_about_security_is_answered_to_those_who_may_ask(fabrikam: Any) -> None:
    fabrikam.simulator.control("POST", "tenants/fabrikam/apps/security-monitor/grant-consent")
    for path in ("roleManagement/directory/roleAssignments", "domains"):
        assert fabrikam.get(path, "directory")["value"]
    for path in ("identity/conditionalAccess/policies", f"{fabrikam.user('restore-target')}/authentication/methods"):
        assert fabrikam.call("GET", path, "directory").status_code == 403
    for path in (f"{fabrikam.user('restore-target')}/drive", "sites/root"):
        assert fabrikam.call("GET", path, "directory").status_code == 403
    fabrikam.simulator.control("POST", "tenants/fabrikam/apps/security-monitor/revoke-consent")
