"""Bearer tokens: what is accepted, what is not, and how keys are found."""

from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from contracts.problem import ProblemError


async def _status(gateway: Any, token: str) -> int:
    answer = await gateway.client.get("/api/v1/tenants", headers={"authorization": f"Bearer {token}"})
    assert token not in answer.text
    return answer.status_code


@pytest.mark.parametrize(
    ("claims", "status"),
    [
        ({}, 200),
        ({"aud": ["other", "tenantkeep"]}, 200),
        ({"exp": -30}, 200),
        ({"nbf": 30}, 200),
        ({"exp": -90}, 401),
        ({"nbf": 90}, 401),
        ({"exp": None}, 401),
        ({"sub": None}, 401),
        ({"iss": "https://evil.example"}, 401),
        ({"iss": None}, 401),
        ({"aud": "other"}, 401),
        ({"aud": None}, 401),
        ({"sub": "anna\r\nm365-roles: operator"}, 401),
        ({"roles": "operator"}, 401),
        ({"roles": ["emperor"]}, 403),
        ({"roles": None}, 403),
        ({"tenants": None}, 200),
    ],
)
async def test_claims(gateway: Any, claims: dict[str, Any], status: int) -> None:
    assert await _status(gateway, gateway.issuer.token(**claims)) == status


async def test_without_tenants_the_list_is_empty(gateway: Any) -> None:
    token = gateway.issuer.token(tenants=None)
    answer = await gateway.client.get("/api/v1/tenants", headers={"authorization": f"Bearer {token}"})
    assert answer.json() == {"items": [], "cursor": None}


async def test_algorithms(gateway: Any, ec_key: Any) -> None:
    gateway.issuer.keys["e1"] = ec_key
    assert await _status(gateway, gateway.issuer.token(algorithm="RS256")) == 200
    assert await _status(gateway, gateway.issuer.token(algorithm="PS256")) == 200
    assert await _status(gateway, gateway.issuer.token(algorithm="ES256", kid="e1")) == 200
    assert await _status(gateway, gateway.issuer.token(algorithm="RS512")) == 401
    assert await _status(gateway, gateway.issuer.token(algorithm="HS256", key="x" * 64)) == 401
    unsigned = jwt.encode({"sub": "anna"}, None, algorithm="none", headers={"kid": "k1"})
    assert await _status(gateway, unsigned) == 401


async def test_an_elliptic_key_id_on_an_rsa_token_is_refused(gateway: Any, ec_key: Any) -> None:
    gateway.issuer.keys["e1"] = ec_key
    token = gateway.issuer.token(algorithm="RS256", kid="e1", key=gateway.issuer.keys["k1"])
    assert await _status(gateway, token) == 401


async def test_a_signature_of_somebody_else_is_refused(gateway: Any) -> None:
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    assert await _status(gateway, gateway.issuer.token(key=stranger)) == 401
    tampered = gateway.issuer.token()
    head, body, signature = tampered.split(".")
    assert await _status(gateway, f"{head}.{body[:-2]}AA.{signature}") == 401


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Basic YW5uYTp4", "Bearer not.a.token", "Bearer " + "x" * 20_000]
)
async def test_what_is_no_token(gateway: Any, header: str) -> None:
    answer = await gateway.client.get("/api/v1/tenants", headers={"authorization": header})
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")


async def test_keys_are_fetched_once_and_again_for_an_unknown_key_but_not_too_often(gateway: Any) -> None:
    issuer, clock = gateway.issuer, gateway.clock
    for _ in range(3):
        assert await _status(gateway, issuer.token()) == 200
    assert len(issuer.fetches) == 2  # discovery and keys
    issuer.keys["k2"] = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    await clock.advance(31)
    assert await _status(gateway, issuer.token(kid="k2")) == 200
    assert len(issuer.fetches) == 4
    for number in range(5):
        assert await _status(gateway, issuer.token(kid=f"invented-{number}", key=issuer.keys["k1"])) == 401
    assert len(issuer.fetches) == 4


async def test_a_withdrawn_key_stops_working_within_the_hour(gateway: Any) -> None:
    token = gateway.issuer.token()
    assert await _status(gateway, token) == 200
    gateway.issuer.keys = {"k2": rsa.generate_private_key(public_exponent=65537, key_size=2048)}
    await gateway.clock.advance(3600)
    assert await _status(gateway, token) == 401


async def test_known_keys_work_while_the_issuer_is_gone(gateway: Any) -> None:
    assert await _status(gateway, gateway.issuer.token()) == 200
    gateway.issuer.reachable = False
    await gateway.clock.advance(4000)
    assert await _status(gateway, gateway.issuer.token()) == 200
    assert await _status(gateway, gateway.issuer.token(kid="new", key=gateway.issuer.keys["k1"])) == 503


async def test_without_any_key_the_answer_is_unavailable_not_wrong_and_recovers_soon(gateway: Any) -> None:
    gateway.issuer.reachable = False
    with pytest.raises(ProblemError):
        await gateway.keys.ready()
    assert await _status(gateway, gateway.issuer.token()) == 503
    gateway.issuer.reachable = True
    await gateway.clock.advance(2)
    assert await _status(gateway, gateway.issuer.token()) == 200
    await gateway.keys.ready()


async def test_a_discovery_document_of_another_issuer_is_not_used(
    gateway: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def impostor(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"issuer": "https://evil.example", "jwks_uri": "https://evil.example/jwks"})

    monkeypatch.setattr(gateway.keys._client._transport, "handler", impostor)
    assert await _status(gateway, gateway.issuer.token()) == 503
