"""The real servers behind the ports, started once."""

from collections.abc import Iterator
from itertools import count

import pytest
from pydantic import SecretStr

from chassis.documents import Database, connect
from chassis.settings import StoreSettings
from chassis.testing.pki import ServerTls, make_server_tls
from chassis.testing.servers import SecantusProcess

_NUMBER = count()


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
