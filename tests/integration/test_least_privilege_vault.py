"""Every role of the vault tries every path of the others, and the vault's own commands."""

import json
from collections.abc import Iterator

import httpx
import pytest
from stack_fixture import RunningStack

from tenantkeep.stack import secrets, trust, vault

pytestmark = pytest.mark.integration

TENANT = "vault-trial"
KV = f"tenants/{TENANT}"
APP_KEY = f"app.{TENANT}.directory.1"
SECRETS = [
    f"{KV}/intake/one",
    f"{KV}/credentials/directory",
    f"{KV}/credentials/exchange-backup",
    f"{KV}/tokens/directory",
    f"{KV}/tokens/exchange-backup",
    f"{KV}/tokens/exchange-restore",
    f"{KV}/storage/one",
    f"{KV}/recovery-key",
    f"{KV}/sign-in/one",
    f"{KV}/else/one",
    "elsewhere",
]
COMMANDS = [
    *((method, f"kv/data/{path}") for path in SECRETS for method in ("GET", "POST", "PATCH", "DELETE")),
    *((method, f"kv/metadata/{path}") for path in SECRETS for method in ("GET", "POST", "DELETE")),
    *((method, f"kv/{verb}/{path}") for path in SECRETS for method, verb in (("POST", "undelete"), ("PUT", "destroy"))),
    *(
        ("LIST", path)
        for path in (
            *("kv/metadata", "kv/metadata/tenants", f"kv/metadata/{KV}"),
            *(f"kv/metadata/{KV}/{below}" for below in ("intake", "credentials", "tokens", "storage")),
        )
    ),
    *((method, f"transit/keys/tenant-{TENANT}") for method in ("GET", "POST", "DELETE")),
    ("LIST", "transit/keys"),
    *(
        ("POST", f"transit/{verb}/tenant-{TENANT}")
        for verb in ("datakey/plaintext", "datakey/wrapped", "decrypt", "encrypt", "rewrap", "sign", "hmac")
    ),
    *(("GET", f"transit/{verb}/tenant-{TENANT}") for verb in ("export/encryption-key", "backup")),
    ("POST", f"transit/keys/tenant-{TENANT}/rotate"),
    ("POST", f"transit/keys/tenant-{TENANT}/config"),
    ("POST", "transit/keys/other"),
    *((method, f"transit/keys/{APP_KEY}") for method in ("GET", "POST", "DELETE")),
    *(("POST", f"transit/{verb}/{APP_KEY}") for verb in ("sign", "verify", "decrypt", "encrypt", "hmac")),
    *(("GET", f"transit/{verb}/{APP_KEY}") for verb in ("export/signing-key", "export/public-key", "backup")),
    *(("POST", f"transit/keys/{APP_KEY}/{verb}") for verb in ("rotate", "config")),
    *(("GET", path) for path in ("sys/policies/acl/gateway", "sys/mounts", "sys/auth", "sys/audit", "sys/raw/core")),
    *(("PUT", path) for path in ("sys/policies/acl/gateway", "sys/seal", "sys/step-down")),
    ("POST", "sys/rekey/init"),
    ("POST", "sys/mounts/more"),
    ("POST", "auth/token/create"),
    ("POST", "auth/token/create-orphan"),
    ("GET", "auth/approle/role/gateway/role-id"),
    ("POST", "auth/approle/role/gateway/secret-id"),
    ("POST", "auth/approle/role/gateway"),
    ("LIST", "auth/approle/role"),
]

MAY: dict[str, set[tuple[str, str]]] = {
    "gateway": {
        ("POST", f"kv/data/{KV}/intake/one"),
        ("DELETE", f"kv/metadata/{KV}/intake/one"),
        ("POST", f"kv/data/{KV}/storage/one"),
        ("DELETE", f"kv/metadata/{KV}/storage/one"),
    },
    "token-service": {
        ("GET", f"kv/data/{KV}/intake/one"),
        ("DELETE", f"kv/metadata/{KV}/intake/one"),
        ("LIST", f"kv/metadata/{KV}/intake"),
        *((m, f"kv/data/{KV}/credentials/{p}") for m in ("GET", "POST") for p in ("directory", "exchange-backup")),
        *(("DELETE", f"kv/metadata/{KV}/credentials/{p}") for p in ("directory", "exchange-backup")),
        *(
            (method, f"kv/{kind}/{KV}/tokens/{profile}")
            for profile in ("directory", "exchange-backup", "exchange-restore")
            for kind, methods in {"data": ("GET", "POST"), "metadata": ("GET", "POST", "DELETE")}.items()
            for method in methods
        ),
        ("GET", f"kv/data/{KV}/recovery-key"),
        ("POST", f"kv/data/{KV}/recovery-key"),
        *((method, f"kv/data/{KV}/sign-in/one") for method in ("GET", "POST")),
        *((method, f"kv/metadata/{KV}/sign-in/one") for method in ("POST", "DELETE")),
        ("GET", f"transit/keys/tenant-{TENANT}"),
        ("POST", f"transit/keys/tenant-{TENANT}"),
        # Without parameters: the first harmless, the second nothing. With any that matters: below.
        ("POST", f"transit/keys/tenant-{TENANT}/rotate"),
        ("POST", f"transit/keys/tenant-{TENANT}/config"),
        *((method, f"transit/keys/{APP_KEY}") for method in ("GET", "POST", "DELETE")),
        *(("POST", f"transit/keys/{APP_KEY}/{verb}") for verb in ("rotate", "config")),
        ("POST", f"transit/sign/{APP_KEY}"),
    },
    "backup-service": {
        ("GET", f"kv/data/{KV}/storage/one"),
        ("GET", f"kv/data/{KV}/recovery-key"),
        ("GET", f"kv/data/{KV}/tokens/exchange-backup"),
        ("GET", f"kv/data/{KV}/tokens/exchange-restore"),
        ("POST", f"transit/datakey/plaintext/tenant-{TENANT}"),
        ("POST", f"transit/encrypt/tenant-{TENANT}"),
        ("POST", f"transit/decrypt/tenant-{TENANT}"),
    },
    "sync-service": {("GET", f"kv/data/{KV}/tokens/directory")},
    "monitor-service": set(),
    "shredder": {
        *((method, f"transit/keys/tenant-{TENANT}") for method in ("GET", "POST", "DELETE")),
        *(("POST", f"transit/keys/tenant-{TENANT}/{verb}") for verb in ("rotate", "config")),
        ("LIST", f"kv/metadata/{KV}/storage"),
        ("DELETE", f"kv/metadata/{KV}/storage/one"),
        ("DELETE", f"kv/metadata/{KV}/recovery-key"),
    },
    "nobody": set(),
}
"""Written by hand. Whatever is not here must be refused with 403 (405: no such command), which is
what a missing path answers too."""


@pytest.fixture
def client(servers: RunningStack) -> Iterator[httpx.Client]:
    context = trust.context(servers.home.ca)
    with httpx.Client(base_url=f"{vault.url(servers.ports)}/v1/", verify=context, trust_env=False) as client:
        yield client


def _token(client: httpx.Client, stack: RunningStack, role: str) -> dict[str, str]:
    if role == "nobody":
        return {}
    body = {"role_id": role, "secret_id": secrets.vault_secret_id(stack.home, role).read_text()}
    return {"X-Vault-Token": client.post("auth/approle/login", json=body).json()["auth"]["client_token"]}


@pytest.mark.parametrize("role", MAY)
def test_a_role_is_refused_whatever_it_was_not_given(servers: RunningStack, client: httpx.Client, role: str) -> None:
    token, allowed = _token(client, servers, role), set()
    for method, path in COMMANDS:
        body = {"data": {"value": "invented"}} if "kv/data" in path else {}
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        content = json.dumps(body) if method in {"POST", "PUT", "PATCH"} else None
        answer = client.request(method, path, headers={**token, "content-type": kind}, content=content)
        if answer.status_code not in {httpx.codes.FORBIDDEN, httpx.codes.METHOD_NOT_ALLOWED}:
            allowed.add((method, path))
    assert allowed == MAY[role]


@pytest.mark.parametrize(
    ("verb", "body"),
    [
        ("", {"type": "aes256-gcm96", "exportable": True}),
        ("", {"type": "aes256-gcm96", "derived": True}),
        ("", {"type": "rsa-4096"}),
        *(("/config", {name: True}) for name in ("exportable", "allow_plaintext_backup", "deletion_allowed")),
        *(("/config", {name: 2}) for name in ("min_decryption_version", "min_encryption_version")),
        ("/config", {"auto_rotate_period": "1h"}),
        ("/trim", {"min_available_version": 2}),
        ("/import", {"type": "aes256-gcm96", "ciphertext": "vGVzdA=="}),
        ("/import_version", {"ciphertext": "vGVzdA=="}),
    ],
    ids=str,
)
def test_a_tenants_key_is_made_in_one_way_and_changed_in_none(
    servers: RunningStack, client: httpx.Client, verb: str, body: dict[str, object]
) -> None:
    token = _token(client, servers, "token-service")
    key = f"transit/keys/tenant-{TENANT}"
    assert client.post(key, headers=token, json={"type": "aes256-gcm96"}).is_success
    before = client.get(key, headers=token).json()["data"]
    assert client.post(f"{key}{verb}", headers=token, json=body).status_code == httpx.codes.FORBIDDEN
    assert client.get(key, headers=token).json()["data"] == before


def test_a_tenants_key_is_destroyed_by_the_operators_own_role_alone(
    servers: RunningStack, client: httpx.Client
) -> None:
    service, shredder = (_token(client, servers, role) for role in ("token-service", "shredder"))
    key = f"transit/keys/tenant-{TENANT}-gone"
    assert client.post(key, headers=service, json={"type": "aes256-gcm96"}).is_success
    for body in ({"min_decryption_version": 2}, {"exportable": True}, {"allow_plaintext_backup": True}):
        assert client.post(f"{key}/config", headers=shredder, json=body).status_code == httpx.codes.FORBIDDEN
    assert client.delete(key, headers=shredder).status_code == httpx.codes.BAD_REQUEST  # not in passing
    assert client.post(f"{key}/config", headers=shredder, json={"deletion_allowed": True}).is_success
    assert client.delete(key, headers=service).status_code == httpx.codes.FORBIDDEN
    assert client.delete(key, headers=shredder).is_success
    assert client.get(key, headers=service).status_code == httpx.codes.NOT_FOUND


@pytest.mark.parametrize(
    ("verb", "body"),
    [
        ("", {"type": "rsa-3072", "exportable": True}),
        ("", {"type": "rsa-3072", "allow_plaintext_backup": True}),
        ("", {"type": "rsa-2048"}),
        ("", {"type": "ed25519"}),
        *(("/config", {name: True}) for name in ("exportable", "allow_plaintext_backup")),
        ("/config", {"min_decryption_version": 2}),
        ("/trim", {"min_available_version": 2}),
        ("/import", {"type": "rsa-3072", "ciphertext": "vGVzdA=="}),
        ("/import_version", {"ciphertext": "vGVzdA=="}),
    ],
    ids=str,
)
def test_an_apps_key_is_made_in_one_way_and_never_leaves(
    servers: RunningStack, client: httpx.Client, verb: str, body: dict[str, object]
) -> None:
    token = _token(client, servers, "token-service")
    key = f"transit/keys/{APP_KEY}-made"
    assert client.post(key, headers=token, json={"type": "rsa-3072"}).is_success
    before = client.get(key, headers=token).json()["data"]
    assert (before["type"], before["exportable"], before["allow_plaintext_backup"]) == ("rsa-3072", False, False)
    assert client.post(f"{key}{verb}", headers=token, json=body).status_code == httpx.codes.FORBIDDEN
    assert client.get(key, headers=token).json()["data"] == before


def test_an_apps_key_is_destroyed_by_token_service_and_not_in_passing(
    servers: RunningStack, client: httpx.Client
) -> None:
    service, shredder = (_token(client, servers, role) for role in ("token-service", "shredder"))
    key = f"transit/keys/{APP_KEY}-gone"
    assert client.post(key, headers=service, json={"type": "rsa-3072"}).is_success
    assert client.delete(key, headers=service).status_code == httpx.codes.BAD_REQUEST
    for method, path, body in (("POST", f"{key}/config", {"deletion_allowed": True}), ("DELETE", key, None)):
        assert client.request(method, path, headers=shredder, json=body).status_code == httpx.codes.FORBIDDEN
        assert client.request(method, path, headers=service, json=body).is_success
    assert client.get(key, headers=service).status_code == httpx.codes.NOT_FOUND


def test_every_role_is_tried() -> None:
    assert MAY.keys() == {*vault.POLICIES, "nobody"}
