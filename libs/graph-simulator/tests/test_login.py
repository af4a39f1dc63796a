import base64
from typing import Any

import httpx
import jwt
import msal
import pytest

JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
SCOPES = ["https://graph.microsoft.com/.default"]


def msal_app(tenant: Any, profile: str = "exchange-backup", **changes: str) -> msal.ConfidentialClientApplication:
    app = tenant.credentials["apps"][profile] | changes
    return msal.ConfidentialClientApplication(
        app["client_id"],
        authority=f"{tenant.simulator.url}/{tenant.credentials['tenant_id']}",
        client_credential=app["client_secret"],
        instance_discovery=False,
        http_client=tenant.http,
    )


def test_unmodified_msal_gets_a_token_and_lists_users(contoso: Any) -> None:
    answer = msal_app(contoso).acquire_token_for_client(SCOPES)
    assert answer["token_source"] == "identity_provider"
    assert answer["expires_in"] == 3599
    headers = {"Authorization": f"Bearer {answer['access_token']}"}
    users = contoso.http.get(f"{contoso.simulator.graph_url}/users", headers=headers).json()["value"]
    assert {user["mail"].split("@")[0] for user in users} == {"anna.gross", "mehmet.yildiz", "restore-target"}


def test_msal_discovers_the_instance_when_it_is_told_where(contoso: Any) -> None:
    app = contoso.credentials["apps"]["directory"]
    client = msal.ConfidentialClientApplication(
        app["client_id"],
        authority=f"{contoso.simulator.url}/contoso.onmicrosoft.com",
        client_credential=app["client_secret"],
        instance_discovery=f"{contoso.simulator.url}/common/discovery/instance",
        http_client=contoso.http,
    )
    assert "access_token" in client.acquire_token_for_client(SCOPES)


def test_msal_reports_a_wrong_secret_as_an_error_dictionary(contoso: Any) -> None:
    answer = msal_app(contoso, client_secret="wrong").acquire_token_for_client(SCOPES)
    assert answer["error"] == "invalid_client"
    assert answer["error_codes"] == [7000215]


def test_the_token_verifies_against_the_published_keys(contoso: Any) -> None:
    token = contoso.token("exchange-restore")
    discovery = contoso.http.get(f"{contoso.simulator.url}/contoso/v2.0/.well-known/openid-configuration").json()
    assert contoso.credentials["tenant_id"] in discovery["issuer"]
    keys = jwt.PyJWKSet.from_dict(contoso.http.get(discovery["jwks_uri"]).json())
    key = next(key for key in keys.keys if key.key_id == jwt.get_unverified_header(token)["kid"])
    claims = jwt.decode(token, key, algorithms=["RS256"], audience="https://graph.microsoft.com")
    assert claims["ver"] == "1.0"
    assert claims["appidacr"] == "1"
    assert claims["idtyp"] == "app"
    assert claims["tid"] == contoso.credentials["tenant_id"]
    assert claims["appid"] == contoso.credentials["apps"]["exchange-restore"]["client_id"]
    assert claims["roles"] == ["Calendars.ReadWrite", "Contacts.ReadWrite", "Mail.ReadWrite", "User.Read.All"]


def test_keys_rotate_and_old_tokens_stay_valid(contoso: Any) -> None:
    before = contoso.token("directory")
    kid = contoso.simulator.control("POST", "keys/rotate")["kid"]
    after = contoso.http.post(contoso.token_url, data=contoso.form("directory")).json()["access_token"]
    assert jwt.get_unverified_header(after)["kid"] == kid != jwt.get_unverified_header(before)["kid"]
    assert contoso.call("GET", "users", "directory").status_code == 200


def test_the_secret_may_be_sent_as_basic_authentication(contoso: Any) -> None:
    form = contoso.form("directory")
    pair = f"{form.pop('client_id')}:{form.pop('client_secret')}"
    headers = {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
    assert contoso.http.post(contoso.token_url, data=form, headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("changes", "status", "error", "number"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client", 7000215),
        ({"client_secret": ""}, 401, "invalid_client", 7000218),
        ({"client_id": "00000000-0000-4000-8000-000000000000"}, 400, "unauthorized_client", 700016),
        ({"client_id": ""}, 400, "invalid_request", 900144),
        ({"client_assertion": "x.y.z"}, 400, "invalid_request", 900144),
        ({"client_assertion": "x.y.z", "client_assertion_type": JWT_BEARER}, 401, "invalid_client", 700027),
        ({"grant_type": "password"}, 400, "unsupported_grant_type", 70003),
        ({"scope": "User.Read"}, 400, "invalid_scope", 1002012),
        ({"scope": "https://elsewhere.example/.default"}, 400, "invalid_resource", 500011),
    ],
)
def test_a_refused_sign_in_says_why(
    contoso: Any, changes: dict[str, str], status: int, error: str, number: int
) -> None:
    answer = contoso.http.post(contoso.token_url, data=contoso.form("directory") | changes)
    body = answer.json()
    assert (answer.status_code, body["error"], body["error_codes"]) == (status, error, [number])
    assert body["error_description"].startswith(f"AADSTS{number}: ")
    assert {"timestamp", "trace_id", "correlation_id"} <= body.keys()


def test_an_unknown_tenant_is_refused(contoso: Any) -> None:
    answer = contoso.http.post(f"{contoso.simulator.url}/nobody/oauth2/v2.0/token", data=contoso.form("directory"))
    assert answer.json()["error_codes"] == [90002]


def test_an_administrator_can_take_an_app_apart(fabrikam: Any) -> None:
    def sign_in() -> httpx.Response:
        return fabrikam.http.post(fabrikam.token_url, data=fabrikam.form("exchange-backup"))

    def act(action: str) -> Any:
        return fabrikam.simulator.control("POST", f"tenants/fabrikam/apps/exchange-backup/{action}")

    act("expire-secret")
    assert sign_in().json()["error_codes"] == [7000222]
    fabrikam.credentials["apps"]["exchange-backup"]["client_secret"] = act("rotate-secret")["client_secret"]
    assert sign_in().status_code == 200
    act("disable")
    assert sign_in().json()["error_codes"] == [7000112]
    act("enable")
    act("revoke-consent")
    claims = jwt.decode(sign_in().json()["access_token"], options={"verify_signature": False})
    assert "roles" not in claims
    act("grant-consent")
    claims = jwt.decode(sign_in().json()["access_token"], options={"verify_signature": False})
    assert claims["roles"] == [
        "Calendars.Read",
        "Contacts.Read",
        "GroupMember.Read.All",
        "Mail.Read",
        "OrgContact.Read.All",
        "User.Read.All",
    ]


def test_revoked_tokens_answer_401_and_new_ones_work(fabrikam: Any) -> None:
    assert fabrikam.call("GET", "users", "directory").status_code == 200
    fabrikam.simulator.control("POST", "tenants/fabrikam/revoke-tokens")
    refused = fabrikam.call("GET", "users", "directory")
    assert refused.status_code == 401
    assert refused.json()["error"]["code"] == "InvalidAuthenticationToken"
    fabrikam.tokens.clear()
    assert fabrikam.call("GET", "users", "directory").status_code == 200


def test_a_forged_token_is_refused(contoso: Any) -> None:
    claims = jwt.decode(contoso.token("directory"), options={"verify_signature": False})
    key = base64.b64decode("AAAA") * 16
    forged = jwt.encode(claims | {"roles": ["Mail.ReadWrite"]}, key, algorithm="HS256")
    for token in (forged, "not-a-token", f"EwB{claims['uti'][:-1]}!rest"):
        headers = {"Authorization": f"Bearer {token}"}
        answer = contoso.http.get(f"{contoso.simulator.graph_url}/users", headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "InvalidAuthenticationToken")
