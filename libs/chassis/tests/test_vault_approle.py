"""Login, renewal and errors of the real client."""

import uuid
from collections.abc import AsyncIterator, Callable

import httpx
import hvac
import pytest
from pydantic import SecretStr

from chassis import http
from chassis.openbao import AppRoleVault, open_vault
from chassis.settings import ServiceSettings
from chassis.testing.clock import ManualClock
from chassis.testing.pki import ServerTls
from chassis.testing.servers import BaoProcess
from chassis.vault import VaultDenied, VaultError, VaultNotFound, VaultUnreachable

LOGIN = "/v1/auth/approle/login"
RENEW = "/v1/auth/token/renew-self"


class Recorded:
    """A client on the real vault with the paths it asked for and the tokens it sent."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client
        self.paths: list[str] = []
        self.tokens: list[str] = []
        client.event_hooks = {"request": [self._note]}

    async def _note(self, request: httpx.Request) -> None:
        self.paths.append(request.url.path)
        self.tokens.append(request.headers.get("X-Vault-Token", ""))

    def logins(self) -> tuple[int, int]:
        return self.paths.count(LOGIN), self.paths.count(RENEW)


@pytest.fixture
async def recorded(bao: BaoProcess, server_tls: ServerTls) -> AsyncIterator[Recorded]:
    async with http.client(server_tls.ca_file, base_url=bao.url) as client:
        yield Recorded(client)


@pytest.fixture
def vault(recorded: Recorded, bao: BaoProcess, clock: ManualClock) -> AppRoleVault:
    return login(recorded.client, clock, "keeper", bao.secret_ids["keeper"])


def login(client: httpx.AsyncClient, clock: ManualClock, role: str, secret_id: str) -> AppRoleVault:
    return AppRoleVault(client, role_id=role, secret_id=SecretStr(secret_id), clock=clock)


def scripted(answer: Callable[[httpx.Request], httpx.Response]) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url="https://vault.invalid", transport=httpx.MockTransport(answer))


async def test_logs_in_once_and_renews_at_half_life(
    vault: AppRoleVault, recorded: Recorded, clock: ManualClock
) -> None:
    await vault.kv_read("any")
    await clock.advance(599)
    await vault.kv_read("any")
    assert recorded.logins() == (1, 0)
    await clock.advance(2)
    await vault.kv_read("any")
    await vault.kv_read("any")
    assert recorded.logins() == (1, 1)


async def test_logs_in_anew_after_a_long_silence(vault: AppRoleVault, recorded: Recorded, clock: ManualClock) -> None:
    await vault.kv_read("any")
    await clock.advance(1200)
    await vault.kv_read("any")
    assert recorded.logins() == (2, 0)


async def test_a_revoked_token_is_replaced_within_the_call(vault: AppRoleVault, recorded: Recorded) -> None:
    await vault.kv_read("any")
    token = recorded.tokens[-1]
    revoked = await recorded.client.post("/v1/auth/token/revoke-self", headers={"X-Vault-Token": token})
    assert revoked.is_success
    path = uuid.uuid4().hex
    assert await vault.kv_create(path, {"value": "after all"}) == 1
    assert recorded.logins() == (2, 0)


async def test_a_token_that_nears_its_maximum_is_replaced(clock: ManualClock) -> None:
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.url.path)
        if request.url.path in {LOGIN, RENEW}:
            lease = 1200 if request.url.path == LOGIN else 30
            auth = {"client_token": "t", "renewable": True, "lease_duration": lease}
            return httpx.Response(200, json={"auth": auth})
        return httpx.Response(404, json={"errors": []})

    async with scripted(answer) as client:
        vault = login(client, clock, "keeper", "secret-id")
        await vault.kv_read("any")
        await clock.advance(700)
        await vault.kv_read("any")
    assert [path for path in seen if path in {LOGIN, RENEW}] == [LOGIN, RENEW, LOGIN]


async def test_a_role_may_only_what_its_policy_says(recorded: Recorded, bao: BaoProcess, clock: ManualClock) -> None:
    stranger = login(recorded.client, clock, "stranger", bao.secret_ids["stranger"])
    path = f"stranger/{uuid.uuid4().hex}"
    assert await stranger.kv_create(path, {"value": "planted"}) == 1
    for refused in (
        stranger.kv_read(path),
        stranger.kv_read("tenants/contoso/tokens/directory"),
        stranger.kv_delete(path),
        stranger.transit_data_key("tenant-contoso"),
    ):
        with pytest.raises(VaultDenied):
            await refused


async def test_errors_name_operation_and_path_and_no_secret(
    recorded: Recorded, bao: BaoProcess, clock: ManualClock
) -> None:
    with pytest.raises(VaultDenied) as denied:
        await login(recorded.client, clock, "keeper", "planted-secret-id").kv_read("a/b")
    assert "planted" not in str(denied.value)
    vault = login(recorded.client, clock, "keeper", bao.secret_ids["keeper"])
    with pytest.raises(VaultError) as rejected:
        await vault.transit_decrypt("no-such-key", "planted-ciphertext")
    assert str(rejected.value).startswith("vault POST transit/decrypt/no-such-key")
    assert "planted" not in str(rejected.value)


async def test_no_answer_is_unreachable(settings: ServiceSettings, clock: ManualClock) -> None:
    async with open_vault(settings, clock) as vault:
        with pytest.raises(VaultUnreachable):
            await vault.kv_read("any")


@pytest.mark.parametrize(
    ("response", "error"),
    [
        (httpx.Response(503, json={"errors": ["Vault is sealed"]}), VaultUnreachable),
        (httpx.Response(500, json={"errors": ["internal error"]}), VaultUnreachable),
        (httpx.Response(307, headers={"Location": "https://elsewhere.invalid"}), VaultUnreachable),
        (httpx.Response(200, text="<html>a captive portal</html>"), VaultUnreachable),
        (httpx.Response(404, json={"errors": ["no handler for route"]}), VaultNotFound),
    ],
)
async def test_other_answers_are_told_apart(
    clock: ManualClock, response: httpx.Response, error: type[VaultError]
) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == LOGIN:
            auth = {"client_token": "t", "renewable": True, "lease_duration": 1200}
            return httpx.Response(200, json={"auth": auth})
        return response

    async with scripted(answer) as client:
        with pytest.raises(error):
            await login(client, clock, "keeper", "secret-id").kv_read("any")


async def test_an_independent_client_reads_what_we_wrote(
    vault: AppRoleVault, bao: BaoProcess, server_tls: ServerTls
) -> None:
    path = uuid.uuid4().hex
    await vault.kv_create(path, {"value": "shared"})
    independent = hvac.Client(url=bao.url, verify=str(server_tls.ca_file))
    independent.auth.approle.login(role_id="keeper", secret_id=bao.secret_ids["keeper"])
    answer = independent.secrets.kv.v2.read_secret_version(path, mount_point="kv", raise_on_deleted_version=True)
    assert answer["data"]["data"] == {"value": "shared"}
    independent.adapter.close()
