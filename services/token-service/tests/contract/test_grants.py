"""What the simulated directory says of grants, and what each call proves, with the real adapters."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from chassis import tls
from chassis.testing.clock import ManualClock
from contracts.names import Answer, ConsentSource, PermissionFinding, PermissionKind, Profile
from contracts.permissions import PermissionState
from contracts.profiles import PROFILES
from token_service.adapters.graph_grants import GraphGrants
from token_service.adapters.graph_probes import GraphProbes
from token_service.adapters.mongo_permissions import MongoPermissions
from token_service.domain.permissions import ConsentGiver, PermissionRecord
from token_service.ports import Granted, PermissionRecords, Unreadable

NOT_TRIED = {"UserAuthMethod-Passkey.Read.All", "RoleEligibilitySchedule.Read.Directory"}
NOT_TRIED |= {"RoleAssignmentSchedule.Read.Directory"}


@pytest.fixture
async def graph(simulator: Any) -> AsyncIterator[httpx.AsyncClient]:
    trust = tls.client_context(simulator.server.ca_file)
    async with httpx.AsyncClient(base_url=simulator.server.graph_url, verify=trust, trust_env=False) as client:
        yield client


@pytest.fixture
async def token(simulator: Any, graph: httpx.AsyncClient) -> Callable[[Profile], Awaitable[SecretStr]]:
    async def ask(profile: Profile) -> SecretStr:
        form = {**simulator.apps[profile], "grant_type": "client_credentials"}
        form["scope"] = "https://graph.microsoft.com/.default"
        answer = await graph.post(f"{simulator.server.url}/{simulator.tenant_id}/oauth2/v2.0/token", data=form)
        return SecretStr(answer.json()["access_token"])

    return ask


async def control(simulator: Any, method: str, path: str, body: object = None) -> Any:
    return await asyncio.to_thread(simulator.server.control, method, f"tenants/contoso/{path}", body)


@pytest.mark.parametrize("profile", list(Profile))
async def test_every_permission_of_a_consented_profile_is_granted_and_let_through(
    simulator: Any, graph: httpx.AsyncClient, token: Any, profile: Profile
) -> None:
    reader = await token(Profile.DIRECTORY)
    granted = await GraphGrants(graph).read(simulator.apps[profile]["client_id"], reader)
    assert isinstance(granted, Granted)
    assert granted.application == PROFILES[profile].allowed
    delegated = {one.name for one in PROFILES[profile].of_kind(PermissionKind.DELEGATED)}
    assert (granted.delegated, granted.enabled) == (delegated, True)
    probed = await GraphProbes(graph).try_each(PROFILES[profile].allowed, await token(profile))
    assert {name for name, found in probed.items() if found.answer is not Answer.YES} <= NOT_TRIED
    stranger = await token(Profile.FILES_BACKUP if profile is Profile.DIRECTORY else Profile.DIRECTORY)
    others = await GraphProbes(graph).try_each(PROFILES[profile].required, stranger)
    assert Answer.NO in {found.answer for found in others.values()}


async def test_a_deleted_enterprise_application_has_no_grants_and_a_switched_off_one_says_so(
    simulator: Any, graph: httpx.AsyncClient, token: Any
) -> None:
    client_id, reader = simulator.apps[Profile.FILES_RESTORE]["client_id"], await token(Profile.DIRECTORY)
    await control(simulator, "POST", "apps/files-restore/disable")
    found = await GraphGrants(graph).read(client_id, reader)
    assert isinstance(found, Granted)
    assert not found.enabled
    await control(simulator, "POST", "apps/files-restore/enable")
    await control(simulator, "POST", "apps/files-restore/remove-principal")
    assert await GraphGrants(graph).read(client_id, reader) == Granted(None)
    await control(simulator, "POST", "apps/files-restore/grant-consent")


async def test_grants_that_may_not_be_read_are_unreadable_and_not_empty(
    simulator: Any, graph: httpx.AsyncClient, token: Any
) -> None:
    client_id = simulator.apps[Profile.EXCHANGE_BACKUP]["client_id"]
    reader = await token(Profile.EXCHANGE_BACKUP)
    assert await GraphGrants(graph).read(client_id, reader) == Unreadable("Authorization_RequestDenied")
    assert await GraphGrants(graph).read(client_id, SecretStr("x")) == Unreadable(
        "InvalidAuthenticationToken", rejected=True
    )
    for permission in ("Directory.Read.All", "AuditLog.Read.All"):
        await control(simulator, "DELETE", f"apps/directory/permissions/{permission}")
    try:
        found = await GraphGrants(graph).read(client_id, await token(Profile.DIRECTORY))
    finally:
        await control(simulator, "POST", "apps/directory/grant-consent")
    assert isinstance(found, Granted)
    assert (found.delegated, found.giver) == (None, None)
    assert found.application == PROFILES[Profile.EXCHANGE_BACKUP].allowed


async def test_who_consented_is_read_from_the_directory_audit(
    simulator: Any, graph: httpx.AsyncClient, token: Any
) -> None:
    client_id = simulator.apps[Profile.SECURITY_MONITOR]["client_id"]
    page = f"{simulator.server.url}/{simulator.tenant_id}/v2.0/adminconsent"
    form = {"client_id": client_id, "redirect_uri": "https://127.0.0.1:9/", "decision": "accept"}
    answer = await graph.post(page, data={**form, "scope": "https://graph.microsoft.com/.default"})
    assert answer.status_code == 302
    found = await GraphGrants(graph).read(client_id, await token(Profile.DIRECTORY))
    assert isinstance(found, Granted)
    assert found.giver is not None
    assert (found.giver.name, found.giver.source) == ("admin@contoso.onmicrosoft.com", ConsentSource.AUDIT)
    assert found.giver.at is not None


async def test_a_dead_graph_leaves_everything_unknown() -> None:
    async with httpx.AsyncClient(base_url="https://127.0.0.1:1/v1.0", trust_env=False) as client:
        assert isinstance(await GraphGrants(client).read("app", SecretStr("t")), Unreadable)
        probed = await GraphProbes(client).try_each({"Mail.Read", "User.Read.All"}, SecretStr("t"))
    assert {found.answer for found in probed.values()} == {Answer.UNKNOWN}


@pytest.fixture(params=["memory", "mongo"])
async def records(request: pytest.FixtureRequest, world: Any) -> PermissionRecords:
    if request.param == "memory":
        return world.records
    return await MongoPermissions.open(request.getfixturevalue("database"), ManualClock())


async def test_a_record_is_found_as_it_was_saved_and_only_the_newest_is_written_over(
    records: PermissionRecords,
) -> None:
    at = ManualClock().now().replace(microsecond=0)
    state = PermissionState(name="Mail.Read", kind=PermissionKind.APPLICATION, finding=PermissionFinding.MISSING)
    record = PermissionRecord(
        "contoso",
        Profile.DIRECTORY,
        due_at=at,
        seen="app-1 i1",
        checked_at=at,
        states=(state,),
        detail="x",
        principal_id="p",
        application=Answer.YES,
        enabled=Answer.NO,
        giver=ConsentGiver("Erika", ConsentSource.TYPED, at),
        change=3,
    )
    saved = await records.save(record)
    assert saved is not None
    assert await records.get("contoso", Profile.DIRECTORY) == saved
    assert list(await records.everything()) == [saved]
    assert list(await records.due(at, 5)) == [saved]
    assert await records.save(record) is None
    assert (await records.save(saved)) is not None
    assert await records.save(saved) is None
    assert await records.get("contoso", Profile.EXCHANGE_BACKUP) is None
