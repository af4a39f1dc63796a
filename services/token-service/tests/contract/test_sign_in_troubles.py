"""What Microsoft's sign-in and an administrator may do to an app: real msal, simulated Entra ID, time that is moved."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from chassis import tls
from chassis.clock import SystemClock
from contracts import rpc
from contracts.entra_errors import explained
from contracts.errors import ErrorClass
from contracts.events.tokens import ConsentChanged, TokenRejected
from contracts.names import Answer, Profile, TokenStatus
from contracts.onboarding import NextStep, OnboardingCause
from contracts.operations.permissions import CheckPermissions
from contracts.problem import ProblemError
from token_service.adapters.graph_grants import GraphGrants
from token_service.adapters.graph_probes import GraphProbes
from token_service.adapters.graph_workloads import GraphWorkloads
from token_service.adapters.msal_authority import MsalAuthority
from token_service.adapters.transit_keys import TransitKeys
from token_service.domain.credential import ClientCertificate
from token_service.ports import Issued, Refused

SCOPE = "https://graph.microsoft.com/.default"
APP = "tenants/contoso/apps/exchange-backup"
SIGN_IN = {"match": "oauth2/v2.0/token", "count": None}
LATE = 3_000.0
"""Seconds after which a token of an hour is due for its renewal, and near its end."""


@dataclass
class Stage:
    """The use cases on fakes for what is ours and on the real adapters for what is Microsoft's."""

    world: Any
    simulator: Any
    keys: TransitKeys

    async def control(self, method: str, path: str, body: object = None) -> Any:
        return await asyncio.to_thread(self.simulator.server.control, method, path, body)

    async def generate(self, secret: str, intake: str) -> Any:
        client_id = self.simulator.apps["exchange-backup"]["client_id"]
        return await self.world.set_credential(secret, client_id, intake=intake)

    async def later(self, seconds: float) -> int:
        """Let so much time pass; how many renewals were tried."""
        await self.world.clock.advance(seconds)
        return int(await self.world.app.renew.sweep())

    async def status(self) -> TokenStatus:
        found: TokenStatus = (await self.world.state()).status(self.world.clock.now())
        return found

    async def complain(self) -> None:
        """A worker tells that Graph refused the token that lies in the vault."""
        kept = await self.world.token()
        told = TokenRejected(
            tenant="contoso",
            at=self.world.clock.now(),
            profile=Profile.EXCHANGE_BACKUP,
            fingerprint=kept["fingerprint"],
        )
        await self.world.app.answer_rejection(told)


@pytest.fixture
async def stage(simulator: Any, world: Any) -> AsyncIterator[Stage]:
    trust = tls.client_context(simulator.server.ca_file)
    secret, keys = simulator.apps["exchange-backup"]["client_secret"], TransitKeys(world.vault, world.clock)
    url = simulator.server.url
    async with (
        GraphWorkloads(simulator.server.graph_url, trust=trust, proxy=None) as workloads,
        httpx.AsyncClient(base_url=simulator.server.graph_url, verify=trust, trust_env=False) as graph,
    ):
        with MsalAuthority(url, SCOPE, trust=trust, proxy=None, keys=keys, clock=world.clock) as authority:
            world.authority, world.workloads = authority, workloads
            world.grants, world.probes = GraphGrants(graph), GraphProbes(graph)
            world.app = world.replica()
            world.permissions = world.permissions_of(world.app)
            made = Stage(world, simulator, keys)
            await world.register(entra=simulator.tenant_id)
            await made.generate(secret, "i1")
            yield made
    await made.control("DELETE", "faults")
    await made.control("POST", f"{APP}/enable")
    await made.control("POST", f"{APP}/grant-consent")


@pytest.fixture
def pair() -> ClientCertificate:
    key, now = rsa.generate_private_key(public_exponent=65537, key_size=2048), SystemClock().now()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "app")])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return ClientCertificate(certificate.public_bytes(serialization.Encoding.PEM).decode(), pem.decode())


async def test_an_expired_secret_costs_nothing_while_the_token_lives_and_a_new_one_heals_it(stage: Stage) -> None:
    before = await stage.world.token()
    await stage.control("POST", f"{APP}/expire-secret")
    assert await stage.later(LATE) == 1
    trouble = (await stage.world.state()).trouble
    assert (trouble.error, trouble.detail) == (ErrorClass.TOKEN_EXPIRED, "invalid_client AADSTS7000222")
    assert (await stage.status(), await stage.world.token()) == (TokenStatus.EXPIRING, before)
    await stage.later(600)
    assert await stage.status() is TokenStatus.EXPIRED
    fresh = await stage.control("POST", f"{APP}/rotate-secret")
    stage.simulator.apps["exchange-backup"]["client_secret"] = fresh["client_secret"]
    assert (await stage.generate(fresh["client_secret"], "i2")).status is TokenStatus.ACTIVE
    assert (await stage.world.state()).trouble is None


async def test_a_wrong_secret_is_named_and_replaces_nothing(stage: Stage) -> None:
    before = await stage.world.token()
    with pytest.raises(ProblemError) as caught:
        await stage.generate("the-id-of-the-secret", "i2")
    (named,) = caught.value.problem.errors
    assert named == {"class": "token_expired", "detail": "invalid_client AADSTS7000215"}
    told = explained(str(named["detail"]))
    assert told is not None
    assert "its value, not its id" in told.en
    assert (await stage.status(), await stage.world.token()) == (TokenStatus.ACTIVE, before)


async def test_an_enterprise_application_that_is_switched_off_is_said_so_and_comes_back_by_itself(stage: Stage) -> None:
    await stage.control("POST", f"{APP}/disable")
    await stage.later(LATE)
    assert (await stage.world.state()).trouble.detail == "unauthorized_client AADSTS7000112"
    assert await stage.status() is TokenStatus.CONSENT_REQUIRED
    told = explained("unauthorized_client AADSTS7000112")
    assert told is not None
    assert "switched off" in told.en
    view = await stage.world.ask(stage.world.onboarding.questions.onboarding_get, rpc.Nothing())
    assert (view.cause, view.next_step) == (OnboardingCause.APP_DISABLED, NextStep.ENABLE_APP)
    await stage.control("POST", f"{APP}/enable")
    assert await stage.later(10) == 1
    assert await stage.status() is TokenStatus.ACTIVE


async def test_a_consent_that_is_withdrawn_is_noticed_by_the_check_and_its_return_by_the_renewals(stage: Stage) -> None:
    await stage.control("POST", f"{APP}/revoke-consent")
    assert await stage.later(LATE) == 1
    assert await stage.status() is TokenStatus.ACTIVE  # sign-in issues tokens without permissions, too
    questions, wish = stage.world.permissions.questions, CheckPermissions(profile=Profile.EXCHANGE_BACKUP)
    found = await stage.world.ask(questions.permissions_check, wish)
    assert found.in_order is Answer.NO
    assert await stage.status() is TokenStatus.CONSENT_REQUIRED
    await stage.control("POST", f"{APP}/grant-consent")
    await stage.later(10)
    assert await stage.status() is TokenStatus.ACTIVE
    assert [event.effective for event in stage.world.announcements(ConsentChanged)] == [False, True]


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"kind": "unavailable"}, ErrorClass.CONNECTION_TIMEOUT),
        ({"kind": "status", "status": 500, "body": "<html>"}, ErrorClass.CONNECTION_TIMEOUT),
        ({"kind": "reset"}, ErrorClass.CONNECTION_TIMEOUT),
        ({"kind": "throttle", "retry_after": None}, ErrorClass.RATE_LIMITED),
    ],
    ids=["503", "500", "reset", "429"],
)
async def test_a_sign_in_in_trouble_leaves_the_valid_token_in_use(
    stage: Stage, fault: dict[str, Any], error: ErrorClass
) -> None:
    before = await stage.world.token()
    await stage.control("POST", "faults", {**SIGN_IN, **fault})
    assert await stage.later(LATE) == 1
    state = await stage.world.state()
    assert (state.trouble.error, state.status(stage.world.clock.now())) == (error, TokenStatus.EXPIRING)
    assert await stage.world.token() == before
    await stage.control("DELETE", "faults")
    assert await stage.later(30) == 1
    assert await stage.status() is TokenStatus.ACTIVE
    assert (await stage.world.token())["fingerprint"] != before["fingerprint"]


@pytest.mark.parametrize("path", ["oauth2/v2.0/token", "openid-configuration"])
async def test_the_pause_that_sign_in_asks_for_is_kept_whatever_workers_complain(stage: Stage, path: str) -> None:
    await stage.control("POST", "faults", {"kind": "throttle", "retry_after": 120, "match": path})
    assert await stage.later(LATE) == 1
    assert (await stage.world.state()).trouble.error is ErrorClass.RATE_LIMITED
    for _ in range(3):
        await stage.complain()
        assert await stage.later(39) == 0
    assert await stage.later(4) == 1
    assert await stage.status() is TokenStatus.ACTIVE


@pytest.mark.parametrize("ahead", [300, -300])
async def test_a_clock_that_is_five_minutes_off_gets_tokens_by_secret_and_by_certificate(
    stage: Stage, pair: Any, ahead: int
) -> None:
    app, clock = stage.simulator.apps["directory"], SystemClock()
    await stage.control("POST", "tenants/contoso/apps/directory/certificates", {"certificate": pair.certificate})
    await stage.control("PUT", "clock", {"ahead": ahead})
    url, trust = stage.simulator.server.url, tls.client_context(stage.simulator.server.ca_file)
    try:
        with MsalAuthority(url, SCOPE, trust=trust, proxy=None, keys=stage.keys, clock=clock) as authority:
            outcome = await authority.acquire(stage.simulator.tenant_id, app["client_id"], pair)
            assert isinstance(outcome, Issued)
            # By our own clock: a skew shortens no token and lengthens none.
            assert abs(outcome.expires_at - clock.now() - timedelta(hours=1)) < timedelta(seconds=30)
            await stage.control("PUT", "clock", {"ahead": ahead * 7})
            late = await authority.acquire(stage.simulator.tenant_id, app["client_id"], pair)
        if ahead > 0:  # the assertion has ended by then
            assert isinstance(late, Refused)
            assert late.detail == "invalid_client AADSTS700024"
            told = explained(late.detail)
            assert told is not None
            assert "clock" in told.en
        assert await stage.later(LATE) == 1
        assert await stage.status() is TokenStatus.ACTIVE
    finally:
        await stage.control("PUT", "clock", {"ahead": 0})
        await stage.control("DELETE", "tenants/contoso/apps/directory/certificates")
