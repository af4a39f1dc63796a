"""The proof of consent against the simulated Graph: what sign-in issues and what Graph lets in differ."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from chassis import tls
from contracts.errors import ErrorClass
from contracts.names import Profile
from token_service.adapters.graph_workloads import GraphWorkloads
from token_service.ports import Effective, NotEffective, Unproven


@pytest.fixture
async def workloads(simulator: Any) -> AsyncIterator[GraphWorkloads]:
    trust = tls.client_context(simulator.server.ca_file)
    async with GraphWorkloads(simulator.server.graph_url, trust=trust, proxy=None) as graph:
        yield graph


def token(simulator: Any, profile: Profile) -> SecretStr:
    form = {**simulator.apps[profile], "grant_type": "client_credentials"}
    form["scope"] = "https://graph.microsoft.com/.default"
    url = f"{simulator.server.url}/{simulator.tenant_id}/oauth2/v2.0/token"
    trust = tls.client_context(simulator.server.ca_file)
    return SecretStr(httpx.post(url, data=form, verify=trust, trust_env=False).json()["access_token"])


@pytest.mark.parametrize("profile", list(Profile))
async def test_only_a_consented_app_gets_through_and_nothing_is_changed(
    simulator: Any, workloads: GraphWorkloads, profile: Profile
) -> None:
    act = f"tenants/contoso/apps/{profile}"
    assert await workloads.prove(profile, token(simulator, profile)) == Effective()
    simulator.server.control("POST", f"{act}/revoke-consent")
    try:
        issued = token(simulator, profile)
        proof = await workloads.prove(profile, issued)
    finally:
        simulator.server.control("POST", f"{act}/grant-consent")
    assert isinstance(proof, NotEffective)
    assert "Authorization_RequestDenied" in proof.detail


async def test_reading_alone_does_not_prove_a_restore(simulator: Any, workloads: GraphWorkloads) -> None:
    reader = token(simulator, Profile.EXCHANGE_BACKUP)
    assert await workloads.prove(Profile.EXCHANGE_RESTORE, reader) == NotEffective("mail, writing: ErrorAccessDenied")
    people = token(simulator, Profile.DIRECTORY)
    assert await workloads.prove(Profile.EXCHANGE_BACKUP, people) == NotEffective("mail: ErrorAccessDenied")


DENIED = {"error": {"code": "ErrorAccessDenied", "message": "Access is denied."}}


@pytest.mark.parametrize(
    ("fault", "without"),
    [
        ({"status": 403, "body": DENIED, "match": "/calendars$"}, "calendars: ErrorAccessDenied"),
        ({"status": 403, "body": DENIED, "match": "/events/"}, "calendars, writing: ErrorAccessDenied"),
        ({"status": 403, "body": DENIED, "match": "/contactFolders"}, "contacts: ErrorAccessDenied"),
        ({"status": 503, "match": "/contacts/"}, "contacts, writing: HTTP 503"),
    ],
)
async def test_an_optional_workload_that_is_not_proven_is_told_and_costs_mail_nothing(
    simulator: Any, workloads: GraphWorkloads, fault: dict[str, Any], without: str
) -> None:
    restore = token(simulator, Profile.EXCHANGE_RESTORE)
    added = simulator.server.control("POST", "faults", {"kind": "status", **fault})
    try:
        proof = await workloads.prove(Profile.EXCHANGE_RESTORE, restore)
    finally:
        simulator.server.control("DELETE", f"faults/{added['id']}")
    assert proof == Effective((without,))


async def test_a_graph_in_trouble_proves_nothing_either_way(simulator: Any, workloads: GraphWorkloads) -> None:
    good = token(simulator, Profile.EXCHANGE_BACKUP)
    for fault, error in (
        ({"kind": "unavailable"}, ErrorClass.CONNECTION_TIMEOUT),
        ({"kind": "throttle", "match": "users", "retry_after": "1"}, ErrorClass.RATE_LIMITED),
    ):
        added = simulator.server.control("POST", "faults", fault)
        try:
            proof = await workloads.prove(Profile.EXCHANGE_BACKUP, good)
        finally:
            simulator.server.control("DELETE", f"faults/{added['id']}")
        assert isinstance(proof, Unproven)
        assert proof.error is error
    assert isinstance(await workloads.prove(Profile.DIRECTORY, SecretStr("nonsense")), Unproven)


async def test_a_dead_graph_proves_nothing() -> None:
    async with GraphWorkloads("https://127.0.0.1:1/v1.0", trust=tls.client_context(None), proxy=None) as graph:
        assert isinstance(await graph.prove(Profile.DIRECTORY, SecretStr("t")), Unproven)
