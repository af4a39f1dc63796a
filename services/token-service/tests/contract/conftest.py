"""The real servers behind the ports, each started once and only when a test needs it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import nkeys
import pytest
from pydantic import SecretStr

from chassis.documents import Database, connect
from chassis.settings import StoreSettings
from chassis.testing.pki import ServerTls, make_server_tls
from chassis.testing.servers import BaoProcess, MongoUser, NatsProcess, SecantusProcess
from contracts.bus_users import BUS_USERS, BusUser
from graph_simulator.testing import SimulatorProcess

_NUMBER = count()

POLICIES = {
    "token-service": """
path "kv/data/tenants/+/intake/+" { capabilities = ["read"] }
path "kv/metadata/tenants/+/intake/+" { capabilities = ["delete"] }
path "kv/metadata/tenants/+/intake/" { capabilities = ["list"] }
path "kv/data/tenants/+/credentials/+" { capabilities = ["create", "read", "update"] }
path "kv/metadata/tenants/+/credentials/+" { capabilities = ["delete"] }
path "kv/data/tenants/+/tokens/+" { capabilities = ["create", "read", "update"] }
path "kv/metadata/tenants/+/tokens/+" { capabilities = ["create", "read", "update", "delete"] }
path "kv/data/tenants/+/sign-in/+" { capabilities = ["create", "read", "update"] }
path "kv/metadata/tenants/+/sign-in/+" { capabilities = ["create", "update", "delete"] }
path "transit/keys/tenant-*" { capabilities = ["create", "read", "update"] }
path "transit/keys/app.*" {
  capabilities = ["create", "read", "update", "delete"]
  allowed_parameters = { "type" = ["rsa-3072"], "deletion_allowed" = [true] }
}
path "transit/sign/app.*" { capabilities = ["update"] }
""",
    "gateway": 'path "kv/data/tenants/+/intake/+" { capabilities = ["create"] }\n',
    "backup-service": """
path "kv/data/tenants/+/tokens/exchange-backup" { capabilities = ["read"] }
path "transit/datakey/plaintext/tenant-*" { capabilities = ["update"] }
path "transit/decrypt/tenant-*" { capabilities = ["update"] }
""",
}


@pytest.fixture(scope="session")
def server_tls(tmp_path_factory: pytest.TempPathFactory) -> ServerTls:
    return make_server_tls(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="session")
def secantus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecantusProcess]:
    with SecantusProcess(tmp_path_factory.mktemp("secantus")) as running:
        yield running


@pytest.fixture
def database(secantus: SecantusProcess) -> Iterator[Database]:
    """A database of its own for each test."""
    settings = StoreSettings(
        health_port=0,
        nats_url="tls://127.0.0.1:1",
        nats_nkey=SecretStr("unused"),
        mongo_url=secantus.url,
    )
    db = connect(settings, f"token_service_{next(_NUMBER)}")
    yield db
    db.client.close()


@dataclass(frozen=True)
class Seeded:
    """A simulated tenant with its apps: profile -> {client_id, client_secret}."""

    server: SimulatorProcess
    tenant_id: str
    apps: dict[str, dict[str, str]]


@pytest.fixture(scope="session")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seeded]:
    state = tmp_path_factory.mktemp("simulator")
    apps = state / "apps.json"
    seed = ["seed", "--state", str(state), "--tenant", "contoso", "--generate", "4", "--every-app", "--apps", str(apps)]
    subprocess.run([sys.executable, "-m", "graph_simulator", *seed], check=True, capture_output=True)
    known = json.loads(apps.read_text())
    with SimulatorProcess(state) as server:
        yield Seeded(server, known["tenant_id"], known["apps"])


class Bench:
    """Bus, documents (authentication and TLS) and vault as in production, and what each process needs to know."""

    def __init__(self, directory: Path, server_tls: ServerTls, simulator: Seeded) -> None:
        self.directory = directory
        self.tls = server_tls
        self.simulator = simulator
        self.seeds = {user.name: _nkey_seed() for user in BUS_USERS}
        self.bundle = directory / "bundle.pem"
        self.bundle.write_text(server_tls.ca_file.read_text() + Path(simulator.server.ca_file).read_text())
        users = [MongoUser("token-service", "mongo-password", "token_service")]
        config = f"accounts: {json.dumps({'M365': {'jetstream': 'enabled', 'users': self._bus_users()}})}"
        self.nats = NatsProcess(directory / "nats", config=config, server_tls=server_tls)
        self.documents = SecantusProcess(directory / "documents", users=users, server_tls=server_tls)
        self.vault = BaoProcess(directory / "vault", server_tls, policies=POLICIES)

    def environment(self, user: str, **more: str) -> dict[str, str]:
        """Variables of a process that signs in as `user`; hostile ones included, which must not matter."""
        known = {
            "HOME": str(self.directory / "home"),
            "CA_FILE": str(self.bundle),
            "NATS_URL": self.nats.url,
            "NATS_NKEY": self.seeds[user],
            "MONGO_URL": self.documents.url,
            "MONGO_USER": "token-service",
            "MONGO_PASSWORD": "mongo-password",
            "VAULT_URL": self.vault.url,
            "VAULT_ROLE_ID": user,
            "VAULT_SECRET_ID": self.vault.secret_ids.get(user, "none"),
            "AUTHORITY_URL": self.simulator.server.url,
            "GRAPH_URL": f"{self.simulator.server.url}/v1.0",
            "TLS_CERT_FILE": str(self.tls.cert_file),
            "TLS_KEY_FILE": str(self.tls.key_file),
            "HEALTH_PORT": "0",
            "SWEEP_INTERVAL": "0.2",
            **more,
        }
        hostile = dict.fromkeys(
            ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "AWS_CA_BUNDLE"), "/nowhere/ca.pem"
        )
        return {
            "PATH": os.defpath,
            "HTTPS_PROXY": "http://127.0.0.1:1",
            **hostile,
            **{f"TENANTKEEP_{name}": value for name, value in known.items()},
        }

    def _bus_users(self) -> list[dict[str, Any]]:
        return [{"nkey": _public(self.seeds[user.name]), "permissions": _grants(user)} for user in BUS_USERS]


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory, server_tls: ServerTls, simulator: Seeded) -> Iterator[Bench]:
    made = Bench(tmp_path_factory.mktemp("bench"), server_tls, simulator)
    with made.nats, made.documents, made.vault:
        boot = made.environment("bootstrap")
        subprocess.run([sys.executable, "-m", "chassis.bootstrap"], env=boot, check=True, capture_output=True)
        yield made


def _nkey_seed() -> str:
    return bytes(nkeys.encode_seed(os.urandom(32), nkeys.PREFIX_BYTE_USER)).decode()


def _public(seed: str) -> str:
    return bytes(nkeys.from_seed(seed.encode()).public_key).decode()


def _grants(user: BusUser) -> dict[str, Any]:
    grants: dict[str, Any] = {
        "publish": {"allow": list(user.publish)} if user.publish else {"deny": [">"]},
        "subscribe": {"allow": list(user.subscribe)} if user.subscribe else {"deny": [">"]},
    }
    return {**grants, "allow_responses": True} if user.responds else grants
