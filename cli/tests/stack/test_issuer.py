import base64
import datetime as dt

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from tenantkeep.stack.issuer_server import Issuer, application

SECRET = "invented-secret"
NOW = dt.datetime.now(dt.UTC)


@pytest.fixture(scope="module")
def issuer() -> Issuer:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return Issuer("https://127.0.0.1:8445", "operator", SECRET, key)


@pytest.fixture
def client(issuer: Issuer) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(application(issuer)), base_url=issuer.issuer)


def _grant(**changes: str) -> dict[str, str]:
    return {"grant_type": "client_credentials", "client_id": "operator", "client_secret": SECRET, **changes}


async def test_a_token_carries_role_and_tenants_for_an_hour(issuer: Issuer, client: httpx.AsyncClient) -> None:
    answer = (await client.post("/token", data=_grant())).json()
    keys = jwt.PyJWKSet.from_dict((await client.get("/jwks.json")).json())
    claims = jwt.decode(
        answer["access_token"], keys[issuer.key_id], algorithms=["RS256"], audience="tenantkeep", issuer=issuer.issuer
    )
    assert (claims["sub"], claims["roles"], claims["tenants"]) == ("operator", ["operator"], ["*"])
    assert claims["exp"] - claims["iat"] == answer["expires_in"] == 3600


async def test_credentials_may_come_as_basic_authorisation(client: httpx.AsyncClient) -> None:
    basic = base64.b64encode(f"operator:{SECRET}".encode()).decode()
    headers = {"authorization": f"Basic {basic}"}
    answer = await client.post("/token", data={"grant_type": "client_credentials"}, headers=headers)
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("form", "headers", "status", "error"),
    [
        (_grant(client_secret="wrong"), {}, 401, "invalid_client"),
        (_grant(client_id="somebody"), {}, 401, "invalid_client"),
        ({"grant_type": "client_credentials"}, {}, 401, "invalid_client"),
        (_grant(), {"authorization": "Basic %%%"}, 401, "invalid_client"),
        (_grant(grant_type="password"), {}, 400, "unsupported_grant_type"),
        ({}, {}, 400, "unsupported_grant_type"),
    ],
)
async def test_a_wrong_request_gets_the_standard_error(
    client: httpx.AsyncClient, form: dict[str, str], headers: dict[str, str], status: int, error: str
) -> None:
    answer = await client.post("/token", data=form, headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert SECRET not in answer.text


async def test_the_key_set_holds_no_private_part(client: httpx.AsyncClient) -> None:
    (key,) = (await client.get("/jwks.json")).json()["keys"]
    assert key["use"] == "sig"
    assert {"d", "p", "q", "dp", "dq", "qi"}.isdisjoint(key)
