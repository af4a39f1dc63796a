"""The real servers, started once per test run."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from chassis.settings import ServiceSettings
from chassis.testing.clock import ManualClock
from chassis.testing.pki import ServerTls, make_server_tls
from chassis.testing.servers import BaoProcess, MongoUser, SecantusProcess

KEEPER_POLICY = """
path "kv/data/*" { capabilities = ["create", "read", "update"] }
path "kv/metadata/*" { capabilities = ["create", "read", "update", "delete", "list"] }
path "transit/keys/*" { capabilities = ["create", "read", "update", "delete"] }
path "transit/sign/*" { capabilities = ["update"] }
path "transit/datakey/plaintext/*" { capabilities = ["update"] }
path "transit/encrypt/*" { capabilities = ["update"] }
path "transit/decrypt/*" { capabilities = ["update"] }
"""
STRANGER_POLICY = 'path "kv/data/stranger/*" { capabilities = ["create"] }\n'


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(scope="session")
def server_tls(tmp_path_factory: pytest.TempPathFactory) -> ServerTls:
    return make_server_tls(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="session")
def other_tls(tmp_path_factory: pytest.TempPathFactory) -> ServerTls:
    """An authority nobody should trust."""
    return make_server_tls(tmp_path_factory.mktemp("other-pki"))


@pytest.fixture(scope="session")
def secantus(tmp_path_factory: pytest.TempPathFactory, server_tls: ServerTls) -> Iterator[SecantusProcess]:
    users = [MongoUser("alpha", "alpha-password", "alpha"), MongoUser("beta", "beta-password", "beta")]
    directory: Path = tmp_path_factory.mktemp("secantus")
    with SecantusProcess(directory, users=users, server_tls=server_tls) as running:
        yield running


@pytest.fixture(scope="session")
def bao(tmp_path_factory: pytest.TempPathFactory, server_tls: ServerTls) -> Iterator[BaoProcess]:
    policies = {"keeper": KEEPER_POLICY, "stranger": STRANGER_POLICY}
    with BaoProcess(tmp_path_factory.mktemp("bao"), server_tls, policies=policies) as running:
        yield running


@pytest.fixture
def settings(server_tls: ServerTls) -> ServiceSettings:
    """Settings that point nowhere; a test replaces what it needs by model_copy(update=...)."""
    return ServiceSettings(
        ca_file=server_tls.ca_file,
        health_port=0,
        nats_url="tls://127.0.0.1:1",
        nats_nkey=SecretStr("unused"),
        mongo_url="mongodb://127.0.0.1:1",
        vault_url="https://127.0.0.1:1",
        vault_role_id="keeper",
        vault_secret_id=SecretStr("unused"),
    )
