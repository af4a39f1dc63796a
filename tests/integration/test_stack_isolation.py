"""What one user of the embedded servers may not do to another."""

import io
import json
import ssl
from collections.abc import Iterator

import httpx
import jwt
import nats
import pytest
import urllib3
from minio import Minio
from minio.error import S3Error
from nats.js.errors import APIError
from pymongo import MongoClient
from pymongo.errors import OperationFailure, ServerSelectionTimeoutError
from stack_fixture import RunningStack

from tenantkeep.stack import documents, issuer, objects, secrets, trust, vault
from tenantkeep.stack import nats as stack_nats

pytestmark = pytest.mark.integration


def _s3(stack: RunningStack, tenant: str) -> Minio:
    keys = json.loads(stack.command("objects", "identity", tenant, "--json").stdout)
    pool = urllib3.PoolManager(ssl_context=trust.context(stack.home.ca))
    return Minio(
        f"127.0.0.1:{stack.ports['objects']}",
        access_key=keys["access_key"],
        secret_key=keys["secret_key"],
        region=keys["region"],
        http_client=pool,
    )


def _put(client: Minio, key: str, body: bytes = b"x") -> None:
    client.put_object(objects.BUCKET, key, io.BytesIO(body), len(body))


def test_a_tenants_identity_reaches_its_own_prefix_only(servers: RunningStack) -> None:
    ours, theirs = _s3(servers, "contoso"), _s3(servers, "fabrikam")
    _put(ours, "contoso/mail/one", b"ours")
    _put(theirs, "fabrikam/mail/one", b"theirs")
    answer = ours.get_object(objects.BUCKET, "contoso/mail/one")
    assert answer.read() == b"ours"
    answer.release_conn()
    listed = [o.object_name for o in ours.list_objects(objects.BUCKET, prefix="contoso/", recursive=True)]
    assert listed == ["contoso/mail/one"]
    refused = [
        lambda: ours.get_object(objects.BUCKET, "fabrikam/mail/one"),
        lambda: _put(ours, "fabrikam/mail/two"),
        lambda: _put(ours, "contoso2/mail/two"),
        lambda: _put(ours, "elsewhere"),
        lambda: ours.remove_object(objects.BUCKET, "fabrikam/mail/one"),
        lambda: list(ours.list_objects(objects.BUCKET, prefix="fabrikam/", recursive=True)),
        lambda: list(ours.list_objects(objects.BUCKET, recursive=True)),
        lambda: ours.make_bucket("another"),
        lambda: ours.remove_bucket(objects.BUCKET),
    ]
    for attempt in refused:
        with pytest.raises(S3Error) as denied:
            attempt()
        assert denied.value.code == "AccessDenied"


def test_a_tenant_called_like_the_stores_operator_gets_no_more_than_others(servers: RunningStack) -> None:
    client = _s3(servers, "operator")
    _put(client, "operator/mail/one")
    with pytest.raises(S3Error) as denied:
        _put(client, "contoso/mail/two")
    assert denied.value.code == "AccessDenied"


def test_objects_are_not_served_by_the_filer_whoever_asks(servers: RunningStack) -> None:
    place = f"127.0.0.1:{servers.ports['objects_filer']}/buckets/{objects.BUCKET}/"
    stranger = trust.context(servers.home.ca)
    for scheme in ("http", "https"):  # in plain text, and without a certificate of the store's parts
        for method in ("GET", "DELETE"):
            assert not _served(method, f"{scheme}://{place}?recursive=true", stranger)
    member = ssl_of_a_member(servers)
    with httpx.Client(verify=member, trust_env=False) as client:
        for method in ("GET", "DELETE"):
            assert client.request(method, f"https://{place}?recursive=true").status_code == httpx.codes.NOT_FOUND


def _served(method: str, url: str, context: ssl.SSLContext) -> bool:
    with httpx.Client(verify=context, trust_env=False) as client:
        try:
            return client.request(method, url).status_code != httpx.codes.BAD_REQUEST
        except httpx.TransportError:
            return False


def ssl_of_a_member(stack: RunningStack) -> ssl.SSLContext:
    """What the store's own parts present to each other."""
    context = trust.context(stack.home.ca)
    context.load_cert_chain(*stack.home.certificate(objects.NAME))
    return context


@pytest.fixture
def vault_client(servers: RunningStack) -> Iterator[httpx.Client]:
    with httpx.Client(
        base_url=vault.url(servers.ports), verify=trust.context(servers.home.ca), trust_env=False
    ) as client:
        yield client


def _login(client: httpx.Client, stack: RunningStack, role: str) -> dict[str, str]:
    body = {"role_id": role, "secret_id": secrets.vault_secret_id(stack.home, role).read_text()}
    answer = client.post("/v1/auth/approle/login", json=body)
    assert answer.status_code == httpx.codes.OK, answer.text
    return {"X-Vault-Token": answer.json()["auth"]["client_token"]}


VAULT_RULES = [
    ("gateway", "POST", "kv/data/tenants/contoso/intake/a", 200),
    ("gateway", "GET", "kv/data/tenants/contoso/intake/a", 403),
    ("gateway", "POST", "kv/data/tenants/contoso/intake/a", 403),
    ("gateway", "POST", "kv/data/tenants/contoso/credentials/directory", 403),
    ("token-service", "GET", "kv/data/tenants/contoso/intake/a", 200),
    ("token-service", "DELETE", "kv/metadata/tenants/contoso/intake/a", 204),
    ("token-service", "POST", "kv/data/tenants/contoso/credentials/directory", 200),
    ("token-service", "GET", "kv/data/tenants/contoso/credentials/directory", 200),
    ("token-service", "POST", "kv/data/tenants/contoso/tokens/exchange-backup", 200),
    ("token-service", "POST", "kv/data/tenants/contoso/tokens/directory", 200),
    ("token-service", "GET", "kv/data/tenants/contoso/storage/main", 403),
    ("token-service", "POST", "transit/datakey/plaintext/tenant-contoso", 403),
    ("gateway", "POST", "kv/data/tenants/contoso/storage/main", 200),
    ("gateway", "GET", "kv/data/tenants/contoso/storage/main", 403),
    ("backup-service", "GET", "kv/data/tenants/contoso/storage/main", 200),
    ("backup-service", "GET", "kv/data/tenants/contoso/tokens/exchange-backup", 200),
    ("backup-service", "GET", "kv/data/tenants/contoso/tokens/directory", 403),
    ("backup-service", "GET", "kv/data/tenants/contoso/credentials/directory", 403),
    ("backup-service", "POST", "kv/data/tenants/contoso/tokens/exchange-backup", 403),
    ("monitor-service", "GET", "kv/data/tenants/contoso/tokens/exchange-backup", 403),
    ("monitor-service", "GET", "kv/data/tenants/contoso/storage/main", 403),
    ("gateway", "DELETE", "kv/metadata/tenants/contoso/storage/main", 204),
]


def test_each_service_reaches_only_its_paths_of_the_vault(servers: RunningStack, vault_client: httpx.Client) -> None:
    tokens = {role: _login(vault_client, servers, role) for role in vault.POLICIES}
    answers = []
    for role, method, path, _ in VAULT_RULES:
        body = {"data": {"value": "invented"}} if method == "POST" and path.startswith("kv/data") else None
        answer = vault_client.request(method, f"/v1/{path}", headers=tokens[role], json=body)
        answers.append((role, method, path, answer.status_code))
    assert answers == VAULT_RULES


def test_a_tenants_key_never_leaves_the_vault(servers: RunningStack, vault_client: httpx.Client) -> None:
    token_service = _login(vault_client, servers, "token-service")
    backup = _login(vault_client, servers, "backup-service")

    def post(path: str, headers: dict[str, str], **body: object) -> int:
        return vault_client.post(f"/v1/transit/{path}", headers=headers, json=body).status_code

    assert post("keys/tenant-a", token_service, exportable=True) == 403
    assert post("keys/tenant-a", token_service) == 200
    assert post("keys/tenant-a/config", token_service, exportable=True) == 403
    assert post("keys/tenant-a/config", token_service, deletion_allowed=True) == 403
    assert vault_client.get("/v1/transit/export/encryption-key/tenant-a", headers=token_service).status_code == 403
    assert vault_client.get("/v1/transit/export/encryption-key/tenant-a", headers=backup).status_code == 403
    assert post("datakey/plaintext/tenant-a", backup) == 200
    assert post("keys/tenant-b", backup) == 403


def test_a_wrong_secret_id_is_refused(servers: RunningStack, vault_client: httpx.Client) -> None:
    body = {"role_id": "gateway", "secret_id": "wrong"}
    assert vault_client.post("/v1/auth/approle/login", json=body).status_code == 400


def test_each_service_reads_only_its_own_database(servers: RunningStack) -> None:
    url = documents.url(servers.ports)
    options = {"tls": True, "tlsCAFile": str(servers.home.ca), "serverSelectionTimeoutMS": 3_000}
    for user, database in documents.DATABASES.items():
        password = secrets.mongo_password(servers.home, user).read_text()
        with MongoClient(url, username=user, password=password, **options) as client:
            client[database]["own"].insert_one({"value": 1})
            for other in set(documents.DATABASES.values()) - {database}:
                with pytest.raises(OperationFailure):
                    client[other]["own"].find_one({})
    with MongoClient(url, **options) as anonymous, pytest.raises(OperationFailure):
        anonymous["token_service"]["own"].find_one({})


def test_the_document_store_speaks_tls_only(servers: RunningStack) -> None:
    with (
        MongoClient(documents.url(servers.ports), serverSelectionTimeoutMS=1_000) as plain,
        pytest.raises(ServerSelectionTimeoutError),
    ):
        plain.admin.command("ping")


async def test_a_bus_user_publishes_only_where_it_may(servers: RunningStack) -> None:
    refused: list[str] = []

    async def note(error: Exception) -> None:
        refused.append(str(error))

    connection = await nats.connect(
        stack_nats.url(servers.ports),
        connect_timeout=10,  # a handshake on a busy machine
        tls=trust.context(servers.home.ca),
        nkeys_seed=str(secrets.nats_seed(servers.home, "gateway")),
        inbox_prefix=b"_INBOX_gateway",
        error_cb=note,
    )
    try:
        await connection.publish("m365.ext.v1.gateway.contoso.backup.requested", b"{}")
        await connection.publish("m365.evt.v1.contoso.job.succeeded", b"{}")
        await connection.subscribe("m365.evt.v1.>")
        await connection.flush()
        with pytest.raises((APIError, TimeoutError, nats.errors.Error)):
            await connection.jetstream(timeout=1).delete_stream("M365_EVT")
        await connection.flush()
    finally:
        await connection.close()
    assert any("m365.evt.v1.contoso.job.succeeded" in text for text in refused)
    assert any("subscription" in text.lower() for text in refused)
    assert not any("m365.ext.v1.gateway" in text for text in refused)


async def test_the_bus_refuses_a_stranger(servers: RunningStack) -> None:
    with pytest.raises(nats.errors.Error):
        await nats.connect(stack_nats.url(servers.ports), tls=trust.context(servers.home.ca), allow_reconnect=False)


def test_the_issuer_gives_the_operator_a_token_that_its_keys_verify(servers: RunningStack) -> None:
    operator = secrets.read_pair(secrets.operator_client(servers.home))
    with httpx.Client(verify=trust.context(servers.home.ca), trust_env=False) as client:
        wrong = {"grant_type": "client_credentials", "client_id": "operator", "client_secret": "wrong"}
        refusal = client.post(issuer.token_url(servers.ports), data=wrong)
        assert (refusal.status_code, refusal.json()["error"]) == (401, "invalid_client")
        token = client.post(issuer.token_url(servers.ports), data={**wrong, **operator}).json()["access_token"]
        discovery = client.get(f"{issuer.url(servers.ports)}/.well-known/openid-configuration").json()
        keys = jwt.PyJWKSet.from_dict(client.get(discovery["jwks_uri"]).json())
    key = keys[jwt.get_unverified_header(token)["kid"]]
    claims = jwt.decode(token, key, algorithms=["RS256"], audience="tenantkeep", issuer=discovery["issuer"])
    assert (claims["sub"], claims["roles"], claims["tenants"]) == ("operator", ["operator"], ["*"])
    assert claims["exp"] - claims["iat"] == 3600


@pytest.mark.parametrize("name", ["vault", "objects", "issuer"])
def test_a_server_is_not_trusted_without_the_stacks_authority(servers: RunningStack, name: str) -> None:
    with (
        httpx.Client(verify=ssl.create_default_context(), trust_env=False) as client,
        pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"),
    ):
        client.get(f"https://127.0.0.1:{servers.ports[name]}/")
