"""Client certificates as msal sends them, and the admin-consent page with its redirects."""

import base64
import datetime as dt
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import jwt
import msal
import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

SCOPE = "https://graph.microsoft.com/.default"
BACK = "https://127.0.0.1:9/api/v1/consent/callback"


def certificate_pair(days: int = 30) -> tuple[str, str, str]:
    """PEM certificate, PEM key, SHA-1 thumbprint in hex."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "backup app")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=60))
        .not_valid_after(now + dt.timedelta(days=days))
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    public = certificate.public_bytes(serialization.Encoding.PEM).decode()
    return public, pem.decode(), certificate.fingerprint(hashes.SHA1()).hex()


@pytest.fixture(scope="module")
def pair(fabrikam: Any) -> tuple[str, str, str]:
    made = certificate_pair()
    thumbprints = fabrikam.simulator.control("POST", f"{APP}/certificates", {"certificate": made[0]})
    assert thumbprints.keys() == {"x5t", "x5t#S256"}
    return made


APP = "tenants/fabrikam/apps/directory"


def sign_in(tenant: Any, credential: dict[str, str]) -> dict[str, Any]:
    """With msal's own HTTP library: httpx would send the assertion's bytes as `b'…'`."""
    with requests.Session() as session:
        session.trust_env = False
        session.verify = str(tenant.simulator.ca_file)
        client = msal.ConfidentialClientApplication(
            tenant.credentials["apps"]["directory"]["client_id"],
            authority=f"{tenant.simulator.url}/{tenant.credentials['tenant_id']}",
            client_credential=credential,
            instance_discovery=False,
            http_client=session,
        )
        return client.acquire_token_for_client([SCOPE])


def test_unmodified_msal_signs_in_with_a_certificate_as_ps256(fabrikam: Any, pair: tuple[str, str, str]) -> None:
    answer = sign_in(fabrikam, {"private_key": pair[1], "public_certificate": pair[0]})
    claims = jwt.decode(answer["access_token"], options={"verify_signature": False})
    assert claims["appidacr"] == "2"
    headers = {"Authorization": f"Bearer {answer['access_token']}"}
    assert fabrikam.http.get(f"{fabrikam.simulator.graph_url}/users", headers=headers).status_code == 200


def test_unmodified_msal_signs_in_with_a_thumbprint_as_rs256(fabrikam: Any, pair: tuple[str, str, str]) -> None:
    assert "access_token" in sign_in(fabrikam, {"private_key": pair[1], "thumbprint": pair[2]})


def test_a_certificate_that_was_not_uploaded_or_has_ended_is_refused(fabrikam: Any) -> None:
    public, key, _ = certificate_pair()
    assert sign_in(fabrikam, {"private_key": key, "public_certificate": public})["error_codes"] == [700027]
    public, key, _ = certificate_pair(days=-1)
    fabrikam.simulator.control("POST", f"{APP}/certificates", {"certificate": public})
    assert sign_in(fabrikam, {"private_key": key, "public_certificate": public})["error_codes"] == [700027]


def test_a_certificate_opens_only_the_app_it_was_uploaded_for(fabrikam: Any, pair: tuple[str, str, str]) -> None:
    other = fabrikam.credentials["apps"]["exchange-backup"]["client_id"]
    form = assertion_form(fabrikam, pair, client_id=other, iss=other, sub=other)
    assert fabrikam.http.post(fabrikam.token_url, data=form).json()["error_codes"] == [700027]


def test_the_app_registration_lists_what_was_uploaded_as_graph_does(fabrikam: Any) -> None:
    path = "tenants/fabrikam/apps/exchange-restore/certificates"
    app = f"applications(appId='{fabrikam.credentials['apps']['exchange-restore']['client_id']}')"
    public, _, thumbprint = certificate_pair(days=30)
    uploaded = x509.load_pem_x509_certificate(public.encode())
    fabrikam.simulator.control("POST", path, {"certificate": public})
    (found,) = fabrikam.get(f"{app}?$select=passwordCredentials,keyCredentials", "directory")["keyCredentials"]
    assert found["customKeyIdentifier"] == thumbprint.upper()
    assert base64.b64decode(found["key"]) == uploaded.public_bytes(serialization.Encoding.DER)
    assert dt.datetime.fromisoformat(found["endDateTime"]) == uploaded.not_valid_after_utc
    assert dt.datetime.fromisoformat(found["startDateTime"]) == uploaded.not_valid_before_utc
    assert (found["type"], found["usage"], found["displayName"]) == ("AsymmetricX509Cert", "Verify", "CN=backup app")
    assert fabrikam.get(app, "directory")["keyCredentials"] == [found | {"key": None}]
    fabrikam.simulator.control("DELETE", path)
    assert fabrikam.get(app, "directory")["keyCredentials"] == []


def assertion_form(
    tenant: Any, pair: tuple[str, str, str], *, client_id: str | None = None, **changes: Any
) -> dict[str, str]:
    app = tenant.credentials["apps"]["directory"]["client_id"]
    now = dt.datetime.now(dt.UTC).timestamp()
    claims = {"aud": tenant.token_url, "iss": app, "sub": app, "jti": "1", "iat": now, "exp": now + 600} | changes
    certificate = x509.load_pem_x509_certificate(pair[0].encode())
    thumbprint = base64.urlsafe_b64encode(certificate.fingerprint(hashes.SHA256())).decode()
    assert thumbprint.endswith("=")
    return {
        "client_id": client_id or app,
        "grant_type": "client_credentials",
        "scope": SCOPE,
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": jwt.encode(claims, pair[1], algorithm="PS256", headers={"x5t#S256": thumbprint}),
    }


@pytest.mark.parametrize(
    ("changes", "number"),
    [
        ({}, None),
        ({"exp": 1_700_000_000.5}, 700024),
        ({"iss": "somebody"}, 700021),
        ({"aud": "https://elsewhere.example/token"}, 700023),
    ],
)
def test_the_claims_of_an_assertion_are_checked(
    fabrikam: Any, pair: tuple[str, str, str], changes: dict[str, Any], number: int | None
) -> None:
    answer = fabrikam.http.post(fabrikam.token_url, data=assertion_form(fabrikam, pair, **changes))
    assert answer.json().get("error_codes") == (None if number is None else [number])


def test_an_assertion_signed_with_another_key_is_refused(fabrikam: Any, pair: tuple[str, str, str]) -> None:
    form = assertion_form(fabrikam, (pair[0], certificate_pair()[1], ""))
    answer = fabrikam.http.post(fabrikam.token_url, data=form)
    assert (answer.status_code, answer.json()["error_codes"]) == (401, [700027])


def consent_url(tenant: Any, v2: str = "v2.0/", **changes: str) -> str:
    asked = {
        "client_id": tenant.credentials["apps"]["exchange-restore"]["client_id"],
        "scope": SCOPE,
        "redirect_uri": BACK,
        "state": "a&b=c",
    } | changes
    return f"{tenant.simulator.url}/{tenant.credentials['tenant_id']}/{v2}adminconsent?{urlencode(asked)}"


def decide(tenant: Any, decision: str, v2: str = "v2.0/", **changes: str) -> dict[str, list[str]]:
    url = consent_url(tenant, v2, **changes)
    assert tenant.http.get(url).status_code == 200
    form = dict(parse_qsl(urlsplit(url).query)) | {"decision": decision}
    answer = tenant.http.post(url.partition("?")[0], data=form)
    assert answer.status_code == 302
    assert answer.headers["location"].startswith(BACK)
    return parse_qs(urlsplit(answer.headers["location"]).query)


def roles(tenant: Any) -> list[str]:
    token = tenant.http.post(tenant.token_url, data=tenant.form("exchange-restore")).json()["access_token"]
    return jwt.decode(token, options={"verify_signature": False}).get("roles", [])


def test_accepting_grants_what_the_app_registered_and_declining_nothing(fabrikam: Any) -> None:
    fabrikam.simulator.control("POST", "tenants/fabrikam/apps/exchange-restore/revoke-consent")
    declined = decide(fabrikam, "decline")
    assert declined["admin_consent"] == ["True"]
    assert declined["error"] == ["consent_required"]
    assert declined["error_description"][0].startswith("AADSTS65004")
    assert roles(fabrikam) == []
    assert decide(fabrikam, "decline", "")["error"] == ["permission_denied"]
    accepted = decide(fabrikam, "accept")
    assert accepted["admin_consent"] == ["True"]
    assert accepted["tenant"] == [fabrikam.credentials["tenant_id"]]
    assert accepted["state"] == declined["state"] == ["a&b=c"]
    assert "Mail.ReadWrite" in accepted["scope"][0]
    assert roles(fabrikam) == ["Calendars.ReadWrite", "Contacts.ReadWrite", "Mail.ReadWrite", "User.Read.All"]
    assert "scope" not in decide(fabrikam, "accept", "")


def test_a_wrong_redirect_uri_or_app_stays_on_the_page(fabrikam: Any) -> None:
    for changes in ({"redirect_uri": "https://elsewhere.example/"}, {"client_id": "nobody"}):
        answer = fabrikam.http.get(consent_url(fabrikam, **changes))
        assert answer.status_code == 400
        assert "AADSTS" in answer.text
    path = "tenants/fabrikam/apps/exchange-restore/redirect-uris"
    fabrikam.simulator.control("PUT", path, {"uris": ["https://127.0.0.1:9/other"]})
    assert "AADSTS50011" in fabrikam.http.get(consent_url(fabrikam)).text
    fabrikam.simulator.control("PUT", path, {"uris": []})
    assert fabrikam.http.get(consent_url(fabrikam)).status_code == 200


def test_single_permissions_cannot_be_asked_for(fabrikam: Any) -> None:
    answer = fabrikam.http.get(consent_url(fabrikam, scope="https://graph.microsoft.com/Mail.Read"))
    assert parse_qs(urlsplit(answer.headers["location"]).query)["error"] == ["invalid_scope"]


def test_what_the_page_shows_is_escaped(fabrikam: Any) -> None:
    page = fabrikam.http.get(consent_url(fabrikam, state='"><script>alert(1)</script>'))
    assert "<script>" not in page.text
