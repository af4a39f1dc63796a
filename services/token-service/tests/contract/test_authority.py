"""One suite for the fake and for msal against the simulated Entra ID."""

import asyncio
import base64
import http.server
import json
import ssl
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID
from pydantic import SecretStr

from chassis import tls
from chassis.clock import Clock, SystemClock
from chassis.http import client as http_client
from chassis.openbao import AppRoleVault
from chassis.testing.clock import ManualClock
from chassis.testing.vault import MemoryVault
from chassis.vault import Vault, VaultUnreachable
from contracts.errors import ErrorClass
from token_service.adapters.msal_authority import MsalAuthority
from token_service.adapters.pem import fault_of
from token_service.adapters.transit_keys import TransitKeys
from token_service.domain.credential import ClientCertificate, ClientSecret, VaultKey
from token_service.ports import Authority, Issued, NoAnswer, Refused

SCOPE = "https://graph.microsoft.com/.default"
NOBODY = "99999999-9999-9999-9999-999999999999"


@dataclass(frozen=True)
class Stage:
    """An authority with one good credential."""

    authority: Authority
    tenant_id: str
    client_id: str
    secret: ClientSecret

    async def acquire(self, **other: Any) -> Any:
        told = {"tenant": self.tenant_id, "client": self.client_id, "secret": self.secret, **other}
        return await self.authority.acquire(told["tenant"], told["client"], told["secret"])


def real(url: str, trust: ssl.SSLContext, vault: Vault | None = None) -> MsalAuthority:
    clock = SystemClock()
    keys = TransitKeys(vault or MemoryVault(clock), clock)
    return MsalAuthority(url, SCOPE, trust=trust, proxy=None, keys=keys, clock=clock)


@pytest.fixture(params=["fake", "msal"])
def stage(request: pytest.FixtureRequest, world: Any) -> Iterator[Stage]:
    if request.param == "fake":
        tenant_id = "11111111-1111-1111-1111-111111111111"
        yield Stage(world.authority, tenant_id, "app-1", ClientSecret("right"))
        return
    seeded = request.getfixturevalue("simulator")
    app = seeded.apps["exchange-backup"]
    with real(seeded.server.url, tls.client_context(seeded.server.ca_file)) as authority:
        yield Stage(authority, seeded.tenant_id, app["client_id"], ClientSecret(app["client_secret"]))


async def test_a_good_credential_gets_a_token_with_an_end(stage: Stage) -> None:
    outcome = await stage.acquire()
    assert isinstance(outcome, Issued)
    assert len(outcome.token.get_secret_value()) > 5
    assert "token" not in repr(outcome.token)


async def test_every_acquisition_gives_another_token(stage: Stage) -> None:
    tokens = {(await stage.acquire()).token.get_secret_value() for _ in range(3)}
    assert len(tokens) == 3


async def test_a_wrong_secret_is_refused_with_its_number(stage: Stage) -> None:
    outcome = await stage.acquire(secret=ClientSecret("nonsense"))
    assert isinstance(outcome, Refused)
    assert outcome.error is ErrorClass.TOKEN_EXPIRED
    assert "AADSTS7000215" in outcome.detail
    assert "nonsense" not in outcome.detail


async def test_a_corrected_secret_works_at_once(stage: Stage) -> None:
    await stage.acquire(secret=ClientSecret("nonsense"))
    assert isinstance(await stage.acquire(), Issued)


async def test_an_app_that_is_not_in_the_tenant_needs_consent(stage: Stage) -> None:
    outcome = await stage.acquire(client=NOBODY)
    assert isinstance(outcome, Refused)
    assert outcome.error is ErrorClass.CONSENT_REQUIRED
    assert "AADSTS700016" in outcome.detail


async def test_an_unknown_tenant_is_refused(stage: Stage) -> None:
    outcome = await stage.acquire(tenant=NOBODY)
    assert isinstance(outcome, Refused)
    assert outcome.error is ErrorClass.NO_VALID_TOKEN


@pytest.fixture
def saying(server_tls: Any) -> Iterator[Callable[..., MsalAuthority]]:
    running: list[Any] = []

    def start(status: int, body: bytes, discovery: int = 200) -> MsalAuthority:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                origin = f"https://127.0.0.1:{self.server.server_port}/{NOBODY}"
                urls = {
                    "issuer": f"{origin}/v2.0",
                    "token_endpoint": f"{origin}/oauth2/v2.0/token",
                    "authorization_endpoint": f"{origin}/oauth2/v2.0/authorize",
                }
                self.reply(discovery, json.dumps(urls).encode())

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                self.reply(status, body)

            def reply(self, code: int, content: bytes) -> None:
                self.send_response(code)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                return

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.socket = tls.server_context(server_tls.cert_file, server_tls.key_file).wrap_socket(
            server.socket, server_side=True
        )
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        authority = real(f"https://127.0.0.1:{server.server_port}", tls.client_context(server_tls.ca_file))
        running.append((server, authority))
        return authority

    yield start
    for server, authority in running:
        authority.__exit__(None, None, None)
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("status", "body", "discovery", "error"),
    [
        (503, b"", 200, ErrorClass.CONNECTION_TIMEOUT),
        (500, b"<html>", 200, ErrorClass.CONNECTION_TIMEOUT),
        (200, b"<html>", 200, ErrorClass.CONNECTION_TIMEOUT),
        (200, b"{}", 200, ErrorClass.CONNECTION_TIMEOUT),
        (200, b"{}", 503, ErrorClass.CONNECTION_TIMEOUT),
        (200, b"{}", 429, ErrorClass.RATE_LIMITED),
        (429, b'{"error":"temporarily_unavailable"}', 200, ErrorClass.RATE_LIMITED),
        (400, b'{"error":"something_new","error_description":"x"}', 200, ErrorClass.CONNECTION_TIMEOUT),
    ],
)
async def test_an_authority_in_trouble_is_no_refusal(
    saying: Callable[..., MsalAuthority], status: int, body: bytes, discovery: int, error: ErrorClass
) -> None:
    authority = saying(status, body, discovery)
    outcome = await authority.acquire(NOBODY, "app", ClientSecret("secret"))
    assert isinstance(outcome, NoAnswer)
    assert outcome.error is error


@pytest.mark.parametrize(
    ("number", "code", "error"),
    [
        (7000222, "invalid_client", ErrorClass.TOKEN_EXPIRED),
        (7000112, "unauthorized_client", ErrorClass.CONSENT_REQUIRED),
        (65001, "invalid_grant", ErrorClass.CONSENT_REQUIRED),
        (90002, "invalid_request", ErrorClass.NO_VALID_TOKEN),
    ],
)
async def test_refusals_carry_their_number_and_nothing_else(
    saying: Callable[..., MsalAuthority], number: int, code: str, error: ErrorClass
) -> None:
    text = f"AADSTS{number}: The app 'Backup of Anna' did something. Trace ID: 1"
    body = json.dumps({"error": code, "error_description": text, "error_codes": [number]}).encode()
    outcome = await saying(400, body).acquire(NOBODY, "app", ClientSecret("secret"))
    assert outcome == Refused(error, f"{code} AADSTS{number}")


async def test_a_dead_authority_is_no_answer() -> None:
    with real("https://127.0.0.1:1", ssl.create_default_context()) as authority:
        outcome = await authority.acquire(NOBODY, "app", ClientSecret("secret"))
    assert isinstance(outcome, NoAnswer)


async def test_an_untrusted_authority_is_no_answer(saying: Callable[..., MsalAuthority]) -> None:
    trusted = saying(200, b"{}")
    with real(trusted._url, tls.client_context(None)) as stranger:
        outcome = await stranger.acquire(NOBODY, "app", ClientSecret("secret"))
    assert outcome == NoAnswer(ErrorClass.CONNECTION_TIMEOUT, "ConnectError")


async def test_hostile_variables_do_not_matter(
    saying: Callable[..., MsalAuthority], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.setenv(name, "/nowhere/ca.pem")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    body = b'{"token_type":"Bearer","expires_in":3599,"access_token":"t"}'
    assert isinstance(await saying(200, body).acquire(NOBODY, "app", ClientSecret("s")), Issued)


def test_a_certificate_pair_says_what_is_wrong_with_it(pairs: Any) -> None:
    now = SystemClock().now()
    assert fault_of(pairs.good, now) is None
    faults = {
        "no PEM certificate": ClientCertificate("x", pairs.good.private_key),
        "no PEM key": ClientCertificate(pairs.good.certificate, "x"),
        "does not belong": ClientCertificate(pairs.good.certificate, pairs.other.private_key),
        "has expired": pairs.ended,
        "not RSA": pairs.elliptic,
    }
    for words, credential in faults.items():
        fault = fault_of(credential, now)
        assert fault is not None
        assert words in fault


async def test_an_app_signs_in_with_an_uploaded_certificate(simulator: Any, pairs: Any) -> None:
    app = simulator.apps["directory"]["client_id"]
    simulator.server.control(
        "POST", "tenants/contoso/apps/directory/certificates", {"certificate": pairs.good.certificate}
    )
    with real(simulator.server.url, tls.client_context(simulator.server.ca_file)) as authority:
        assert isinstance(await authority.acquire(simulator.tenant_id, app, pairs.good), Issued)
        refused = await authority.acquire(simulator.tenant_id, app, pairs.other)
        assert refused == Refused(ErrorClass.TOKEN_EXPIRED, "invalid_client AADSTS700027")
        broken = await authority.acquire(simulator.tenant_id, app, ClientCertificate("PLANTED", "PLANTED"))
    assert broken == Refused(ErrorClass.NO_VALID_TOKEN, "the certificate is no PEM certificate")


async def offered(vault: Vault, clock: Clock, key: str = "app.contoso.directory.1") -> VaultKey:
    await vault.transit_create_signing_key(key)
    return VaultKey(await TransitKeys(vault, clock).certificate(key, "Tenantkeep", timedelta(days=365)), key)


@pytest.fixture(params=["memory", "openbao"])
async def vault(request: pytest.FixtureRequest) -> AsyncIterator[Vault]:
    """As token-service sees it, with the policy it has in production."""
    if request.param == "memory":
        yield MemoryVault(SystemClock())
        return
    bench = request.getfixturevalue("bench")
    secret_id = SecretStr(bench.vault.secret_ids["token-service"])
    async with http_client(bench.bundle, base_url=bench.vault.url) as client:
        yield AppRoleVault(client, role_id="token-service", secret_id=secret_id, clock=SystemClock())


async def test_msal_signs_in_with_a_key_that_only_the_vault_has(simulator: Any, vault: Vault) -> None:
    clock, app = SystemClock(), simulator.apps["directory"]["client_id"]
    credential = await offered(vault, clock)
    with real(simulator.server.url, tls.client_context(simulator.server.ca_file), vault) as authority:

        async def acquired() -> Any:
            return await authority.acquire(simulator.tenant_id, app, credential)

        assert await acquired() == Refused(ErrorClass.TOKEN_EXPIRED, "invalid_client AADSTS700027")
        simulator.server.control(
            "POST", "tenants/contoso/apps/directory/certificates", {"certificate": credential.certificate}
        )
        token = (await acquired()).token.get_secret_value()
        assert jwt.decode(token, options={"verify_signature": False})["appidacr"] == "2"
        await vault.transit_destroy_signing_key(credential.key)
        gone = await acquired()
    assert gone == Refused(ErrorClass.NO_VALID_TOKEN, "the key is not in the vault any more; have a new one made")


async def test_an_assertion_is_short_lived_and_names_its_certificate_by_sha256(simulator: Any) -> None:
    clock = ManualClock()
    vault = MemoryVault(clock)
    credential = await offered(vault, clock)
    keys, loop = TransitKeys(vault, clock), asyncio.get_running_loop()
    made = [
        await asyncio.to_thread(keys.assertion, credential, loop, client_id="app-1", audience="https://login/token")
        for _ in range(2)
    ]
    certificate = x509.load_pem_x509_certificate(credential.certificate.encode())
    certificate.verify_directly_issued_by(certificate)
    key, header = certificate.public_key(), jwt.get_unverified_header(made[0])
    assert isinstance(key, rsa.RSAPublicKey)
    assert key.key_size == 3072
    thumbprint = base64.urlsafe_b64encode(certificate.fingerprint(hashes.SHA256())).rstrip(b"=").decode()
    assert header == {"alg": "PS256", "typ": "JWT", "x5t#S256": thumbprint}
    by_clock = {"verify_exp": False, "verify_nbf": False, "verify_iat": False}
    told: Any = {"algorithms": ["PS256"], "audience": "https://login/token", "options": by_clock}
    claims = [jwt.decode(each, key, **told) for each in made]
    now = int(clock.now().timestamp())
    assert {name: claims[0][name] for name in ("iss", "sub", "iat", "nbf", "exp")} == {
        "iss": "app-1",
        "sub": "app-1",
        "iat": now,
        "nbf": now,
        "exp": now + 300,
    }
    assert claims[0]["jti"] != claims[1]["jti"]


async def test_a_vault_that_does_not_answer_is_not_taken_for_a_refusal(simulator: Any, world: Any) -> None:
    credential = await offered(world.vault, SystemClock())
    world.vault.down = True
    authority = real(simulator.server.url, tls.client_context(simulator.server.ca_file), world.vault)
    with authority, pytest.raises(VaultUnreachable):
        await authority.acquire(simulator.tenant_id, simulator.apps["directory"]["client_id"], credential)


@dataclass(frozen=True)
class Pairs:
    good: ClientCertificate
    other: ClientCertificate
    ended: ClientCertificate
    elliptic: ClientCertificate


@pytest.fixture(scope="module")
def pairs() -> Pairs:
    return Pairs(make_pair(), make_pair(), make_pair(days=-1), make_pair(ec.generate_private_key(ec.SECP256R1())))


def make_pair(key: Any = None, days: int = 30) -> ClientCertificate:
    key = key or rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "app")]), SystemClock().now()
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=60))
        .not_valid_after(now + timedelta(days=days))
        .sign(key, hashes.SHA256())
    )
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    pem = key.private_bytes(encoding, form, serialization.NoEncryption()).decode()
    return ClientCertificate(certificate.public_bytes(encoding).decode(), pem)
