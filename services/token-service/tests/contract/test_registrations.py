"""App registrations on the simulated Graph: what the directory's token may read and what it may not change."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from pydantic import SecretStr

from chassis import tls
from token_service.adapters.graph_registrations import GraphRegistrations
from token_service.domain.credential import end_of, thumbprint_of
from token_service.ports import NotDisabled, NotRead, Registered, RegisteredCertificate, Unanswered


@pytest.fixture
async def registrations(simulator: Any) -> AsyncIterator[GraphRegistrations]:
    trust = tls.client_context(simulator.server.ca_file)
    async with GraphRegistrations(simulator.server.graph_url, trust=trust, proxy=None) as graph:
        yield graph


def token(simulator: Any, profile: str) -> SecretStr:
    form = {**simulator.apps[profile], "grant_type": "client_credentials"}
    form["scope"] = "https://graph.microsoft.com/.default"
    url = f"{simulator.server.url}/{simulator.tenant_id}/oauth2/v2.0/token"
    trust = tls.client_context(simulator.server.ca_file)
    return SecretStr(httpx.post(url, data=form, verify=trust, trust_env=False).json()["access_token"])


async def test_the_end_of_a_secret_is_found_by_its_hint(simulator: Any, registrations: GraphRegistrations) -> None:
    app = simulator.apps["exchange-backup"]
    found = await registrations.credentials(app["client_id"], token(simulator, "directory"))
    assert isinstance(found, Registered)
    (mine,) = [each for each in found.secrets if app["client_secret"].startswith(each.hint)]
    assert timedelta(days=700) < mine.ends_at - datetime.now(UTC) < timedelta(days=731)


async def test_a_certificate_is_found_by_its_thumbprint_while_it_is_uploaded(
    simulator: Any, registrations: GraphRegistrations
) -> None:
    path, pem = "tenants/contoso/apps/files-backup/certificates", uploadable()
    simulator.server.control("POST", path, {"certificate": pem})
    app, reader = simulator.apps["files-backup"]["client_id"], token(simulator, "directory")
    found = await registrations.credentials(app, reader)
    assert isinstance(found, Registered)
    assert found.certificates == (RegisteredCertificate(thumbprint_of(pem), end_of(pem)),)
    simulator.server.control("DELETE", path)
    emptied = await registrations.credentials(app, reader)
    assert isinstance(emptied, Registered)
    assert (emptied.certificates, emptied.secrets) == ((), found.secrets)


def uploadable() -> str:
    """A certificate (PEM) of a new RSA key."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "app")]), datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    made = builder.not_valid_before(now).not_valid_after(now + timedelta(days=90)).sign(key, hashes.SHA256())
    return made.public_bytes(serialization.Encoding.PEM).decode()


async def test_an_app_of_another_publisher_or_a_token_without_the_right_reads_nothing(
    simulator: Any, registrations: GraphRegistrations
) -> None:
    nobody = "99999999-9999-9999-9999-999999999999"
    assert isinstance(await registrations.credentials(nobody, token(simulator, "directory")), NotRead)
    app = simulator.apps["exchange-backup"]["client_id"]
    refused = await registrations.credentials(app, token(simulator, "exchange-backup"))
    assert refused == NotRead("Authorization_RequestDenied")


async def test_the_directory_profile_may_not_disable_an_app(simulator: Any, registrations: GraphRegistrations) -> None:
    app = simulator.apps["exchange-restore"]["client_id"]
    refused = await registrations.disable(app, token(simulator, "directory"))
    assert refused == NotDisabled("Authorization_RequestDenied")


async def test_a_graph_that_is_away_is_no_answer(simulator: Any) -> None:
    trust = tls.client_context(simulator.server.ca_file)
    async with GraphRegistrations("https://127.0.0.1:1/v1.0", trust=trust, proxy=None) as away:
        assert isinstance(await away.credentials("app", SecretStr("x")), Unanswered)
        assert isinstance(await away.disable("app", SecretStr("x")), Unanswered)
