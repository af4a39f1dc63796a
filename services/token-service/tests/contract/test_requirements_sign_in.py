"""R-C1: a person signs in through msal as it is; the id_token is ours to validate; rights are an intersection."""

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from chassis import tls
from chassis.clock import SystemClock
from chassis.testing.vault import MemoryVault
from contracts.names import AdminRole, Answer, Profile
from contracts.operations.sign_in import FinishSignIn
from contracts.problem import ProblemError
from token_service.adapters.graph_person_roles import GraphPersonRoles
from token_service.adapters.graph_probes import GraphProbes
from token_service.adapters.id_tokens import IdTokenInvalid, validated
from token_service.adapters.msal_people import MsalPeople
from token_service.adapters.transit_keys import TransitKeys
from token_service.domain.tenant import TenantRecord
from token_service.ports import Probed
from token_service.usecases.sign_in import SignIn, effective_scope

BACK = "https://127.0.0.1:8443/api/v1/sign-in/callback"
NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


class Bench:
    def __init__(self, sign_in: SignIn, vault: MemoryVault, simulator: Any, browser: httpx.AsyncClient) -> None:
        self.sign_in, self.vault, self.simulator, self.browser = sign_in, vault, simulator, browser

    async def posted(self, **form: str) -> dict[str, str]:
        """Start, press the button of Microsoft's page; what the browser then posts to us."""
        link = await self.sign_in.start("contoso", BACK)
        fields = dict(parse_qsl(urlsplit(link.url).query)) | {"decision": "accept"} | form
        answer = await self.browser.post(link.url.partition("?")[0], data=fields)
        return dict(re.findall(r'name="([^"]+)" value="([^"]*)"', answer.text))

    async def finish(self, posted: dict[str, str]) -> Any:
        known = {name: posted[name] for name in ("state", "code", "error", "error_description") if name in posted}
        return await self.sign_in.finish("contoso", FinishSignIn(**known))

    async def roles(self, *names: str) -> None:
        path = "tenants/contoso/roles/admin@contoso.onmicrosoft.com"
        await asyncio.to_thread(self.simulator.server.control, "PUT", path, {"roles": names})


@pytest.fixture
async def bench(simulator: Any, world: Any) -> AsyncIterator[Bench]:
    trust, clock = tls.client_context(simulator.server.ca_file), SystemClock()
    vault = MemoryVault(clock)
    await vault.kv_write("tenants/contoso/credentials/directory", dict(simulator.apps[Profile.DIRECTORY]))
    await world.tenants.add(TenantRecord("contoso", simulator.tenant_id, "Contoso", "", clock.now()))
    states = iter(f"state-{number}-of-256-random-bits" for number in range(9))
    async with httpx.AsyncClient(base_url=simulator.server.graph_url, verify=trust, trust_env=False) as graph:
        keys = TransitKeys(vault, clock)
        with MsalPeople(simulator.server.url, trust=trust, proxy=None, keys=keys, clock=clock) as people:
            sign_in = SignIn(
                world.tenants,
                vault,
                people=people,
                roles=GraphPersonRoles(graph),
                probes=GraphProbes(graph),
                clock=clock,
                new_state=lambda: next(states),
            )
            yield Bench(sign_in, vault, simulator, graph)


async def test_R_C1_a_person_has_what_was_consented_and_their_own_rights_allow(bench: Bench) -> None:
    await bench.roles("global-administrator")
    person = await bench.finish(await bench.posted())
    assert (person.name, person.may_consent) == ("admin@contoso.onmicrosoft.com", Answer.YES)
    assert {scope.name: scope.effective for scope in person.scopes} == {
        "User.Read": Answer.YES,
        "AuditLog.Read.All": Answer.YES,
    }
    await bench.roles("application-administrator")
    person = await bench.finish(await bench.posted())
    assert (person.roles, person.may_consent) == ((AdminRole.APPLICATION_ADMINISTRATOR,), Answer.NO)
    audit = next(scope for scope in person.scopes if scope.name == "AuditLog.Read.All")
    assert (audit.consented, audit.own, audit.effective) == (Answer.YES, Answer.NO, Answer.NO)
    await bench.roles("privileged-role-administrator")


@pytest.mark.parametrize("ahead", [290, -290])
async def test_a_clock_that_is_five_minutes_off_keeps_nobody_out(bench: Bench, ahead: int) -> None:
    """Microsoft's clock against ours; what the way takes comes on top."""
    await asyncio.to_thread(bench.simulator.server.control, "PUT", "clock", {"ahead": ahead})
    try:
        person = await bench.finish(await bench.posted())
    finally:
        await asyncio.to_thread(bench.simulator.server.control, "PUT", "clock", {"ahead": 0})
    assert person.name == "admin@contoso.onmicrosoft.com"


async def test_a_sign_in_is_good_once_and_its_secrets_are_gone_with_it(bench: Bench) -> None:
    posted = await bench.posted()
    await bench.finish(posted)
    hashed = hashlib.sha256(posted["state"].encode()).hexdigest()
    assert await bench.vault.kv_read(f"tenants/contoso/sign-in/{hashed}") is None
    for state in (posted["state"], "contoso.invented-by-somebody-else"):
        with pytest.raises(ProblemError) as caught:
            await bench.finish({**posted, "state": state})
        assert caught.value.problem.code == "sign-in-state"


async def test_people_sign_in_to_an_app_whose_key_is_in_the_vault(bench: Bench) -> None:
    key, clock = "app.contoso.directory.1", SystemClock()
    await bench.vault.transit_create_signing_key(key)
    pem = await TransitKeys(bench.vault, clock).certificate(key, "Tenantkeep", timedelta(days=1))
    uploaded = ("POST", "tenants/contoso/apps/directory/certificates", {"certificate": pem})
    await asyncio.to_thread(bench.simulator.server.control, *uploaded)
    client_id = bench.simulator.apps[Profile.DIRECTORY]["client_id"]
    kept = {"client_id": client_id, "certificate": pem, "vault_key": key}
    await bench.vault.kv_write("tenants/contoso/credentials/directory", kept)
    assert (await bench.finish(await bench.posted())).name == "admin@contoso.onmicrosoft.com"


async def test_a_refusal_and_an_invented_code_sign_nobody_in(bench: Bench) -> None:
    for posted, words in (
        (await bench.posted(decision="decline"), "access_denied AADSTS65004"),
        ({**await bench.posted(), "code": "invented"}, "invalid_grant AADSTS54005"),
    ):
        with pytest.raises(ProblemError) as caught:
            await bench.finish(posted)
        assert (caught.value.problem.code, caught.value.problem.detail) == ("sign-in-refused", words)


KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER = rsa.generate_private_key(public_exponent=65537, key_size=2048)
KEYS = {"keys": [{**jwt.algorithms.RSAAlgorithm.to_jwk(KEY.public_key(), as_dict=True), "kid": "k1", "use": "sig"}]}


def claims(**changes: Any) -> dict[str, Any]:
    known: dict[str, Any] = {
        "aud": "app-1",
        "iss": "https://login.example/t1/v2.0",
        "iat": int(NOW.timestamp()),
        "exp": int((NOW + timedelta(hours=1)).timestamp()),
        "sub": "s",
        "oid": "o",
        "tid": "t1",
        "nonce": "n1",
    }
    return {name: value for name, value in {**known, **changes}.items() if value is not None}


def judged(told: dict[str, Any], key: Any = KEY, kid: str = "k1", algorithm: str = "RS256") -> dict[str, Any]:
    token = jwt.encode(told, key, algorithm=algorithm, headers={"kid": kid})
    expected = {"client_id": "app-1", "issuer": "https://login.example/t1/v2.0", "tenant_id": "t1", "nonce": "n1"}
    return validated(token, KEYS, **expected, now=NOW)


def test_a_good_id_token_is_believed() -> None:
    assert judged(claims())["oid"] == "o"


@pytest.mark.parametrize(
    "told",
    [
        claims(aud="another-app"),
        claims(iss="https://login.example/t2/v2.0"),
        claims(tid="t2"),
        claims(nonce="n2"),
        claims(nonce=None),
        claims(exp=int((NOW - timedelta(minutes=6)).timestamp())),
        claims(iat=int((NOW + timedelta(minutes=6)).timestamp())),
        claims(oid=None),
    ],
)
def test_R_C1_an_id_token_of_another_app_issuer_tenant_time_or_sign_in_is_refused(told: dict[str, Any]) -> None:
    with pytest.raises(IdTokenInvalid):
        judged(told)


def test_a_signature_that_is_not_the_issuers_is_refused() -> None:
    for arguments in ((OTHER, "k1"), (KEY, "k2"), ("a-shared-secret-of-at-least-32-bytes!", "k1", "HS256")):
        with pytest.raises(IdTokenInvalid):
            judged(claims(), *arguments)


def test_rights_that_could_not_be_read_are_unknown_unless_the_call_says_more() -> None:
    silent = {"AuditLog.Read.All": Probed(Answer.UNKNOWN)}
    found = effective_scope("AuditLog.Read.All", frozenset({"AuditLog.Read.All"}), None, silent)
    assert (found.own, found.effective) == (Answer.UNKNOWN, Answer.UNKNOWN)
    assert effective_scope("AuditLog.Read.All", frozenset(), None, silent).effective is Answer.NO
