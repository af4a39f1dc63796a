"""A tenant's own people have the roles its directory gives them, whatever their token claims (ADR 0029)."""

from typing import Any

import pytest

from contracts.events.employees import EmployeeRoleChanged
from contracts.names import Role
from contracts.problem import unavailable

ENTRA = "6d3f6a4e-0f8c-4a6f-9d5e-2b1c7a9e4f10"
ANNA = "0f0f3c52-7a55-4d0a-8a64-51f2b1f3c9d7"
BERT = "1f0f3c52-7a55-4d0a-8a64-51f2b1f3c9d7"
RUNS, HEALTH = "/tenants/contoso/runs", "/tenants/contoso/health"


async def call(gateway: Any, path: str, *, claimed: list[str], person: str = ANNA, entra: str = ENTRA) -> Any:
    claims = {"roles": claimed, "tenants": ["contoso", "fabrikam"], "oid": person.upper(), "tid": entra}
    return await gateway.call("GET", path, claims=claims)


@pytest.mark.parametrize(
    ("claimed", "directory", "runs", "health"),
    [
        ([], (Role.USER, Role.ADMIN), 200, 200),
        ([], (Role.USER,), 403, 200),
        (["admin"], (Role.USER,), 403, 200),
        (["admin", "hr"], (), 403, 403),
        (["operator"], (), 200, 200),
        (["accounting"], (Role.OPERATOR,), 403, 403),
    ],
)
async def test_the_directory_decides_on_tenant_roles_and_the_token_on_operators_alone(
    gateway: Any, claimed: list[str], directory: tuple[Role, ...], runs: int, health: int
) -> None:
    gateway.world.roles[ANNA] = directory
    assert (await call(gateway, RUNS, claimed=claimed)).status_code == runs
    assert (await call(gateway, HEALTH, claimed=claimed)).status_code == health


async def test_people_of_another_entra_tenant_and_machines_have_what_their_token_claims(gateway: Any) -> None:
    stranger = await call(gateway, RUNS, claimed=["admin"], entra=BERT)
    machine = await gateway.call("GET", RUNS, roles=["admin"])
    claims = {"roles": ["admin"], "oid": ANNA, "tid": ENTRA, "idtyp": "app"}
    app = await gateway.call("GET", RUNS, claims=claims)
    assert (stranger.status_code, machine.status_code, app.status_code) == (200, 200, 200)
    assert not gateway.world.of("employee.roles")


async def test_roles_of_one_tenant_open_no_other(gateway: Any) -> None:
    gateway.world.roles[ANNA] = (Role.ADMIN,)
    assert (await call(gateway, "/tenants/fabrikam/runs", claimed=[])).status_code == 403


async def test_a_tenant_the_token_does_not_name_stays_unknown(gateway: Any) -> None:
    gateway.world.roles[ANNA] = (Role.ADMIN,)
    claims = {"roles": [], "tenants": ["fabrikam"], "oid": ANNA, "tid": ENTRA}
    assert (await gateway.call("GET", RUNS, claims=claims)).status_code == 404
    assert gateway.world.asked == []


async def test_services_are_told_the_roles_that_count(gateway: Any) -> None:
    gateway.world.roles[ANNA] = (Role.ADMIN, Role.USER)
    await call(gateway, RUNS, claimed=["hr"])
    assert gateway.world.of("run.list")[0].caller.roles == ("admin", "user")


async def test_roles_are_asked_for_once_until_an_event_or_their_age(gateway: Any) -> None:
    gateway.world.roles[ANNA] = (Role.ADMIN,)
    for _ in range(3):
        assert (await call(gateway, RUNS, claimed=[])).status_code == 200
    assert len(gateway.world.of("employee.roles")) == 1
    gateway.world.roles[ANNA] = (Role.USER,)
    await _announce(gateway, BERT)
    assert (await call(gateway, RUNS, claimed=[])).status_code == 200
    await _announce(gateway, ANNA)
    assert (await call(gateway, RUNS, claimed=[])).status_code == 403
    gateway.world.roles[ANNA] = (Role.ADMIN,)
    await gateway.clock.advance(59)
    assert (await call(gateway, RUNS, claimed=[])).status_code == 403
    await gateway.clock.advance(1)
    assert (await call(gateway, RUNS, claimed=[])).status_code == 200


async def test_an_answer_that_an_event_overtook_is_not_remembered(gateway: Any) -> None:
    gateway.world.roles[ANNA] = (Role.ADMIN,)
    gateway.world.before_roles = lambda: _announce(gateway, ANNA)
    await call(gateway, RUNS, claimed=[])
    gateway.world.before_roles = None
    gateway.world.roles[ANNA] = ()
    assert (await call(gateway, RUNS, claimed=[])).status_code == 403


async def test_without_sync_service_nobody_of_the_tenant_gets_in_but_operators_and_machines_do(gateway: Any) -> None:
    gateway.world.roles[ANNA] = (Role.ADMIN,)
    assert (await call(gateway, RUNS, claimed=["admin"])).status_code == 200
    gateway.world.fail_with["employee.roles"] = unavailable("sync-service does not answer")
    await gateway.clock.advance(60)
    assert (await call(gateway, RUNS, claimed=["admin"])).status_code == 503
    assert (await gateway.call("GET", RUNS, roles=["admin"])).status_code == 200


@pytest.mark.parametrize("claims", [{"oid": ANNA}, {"tid": ENTRA}, {"oid": "anna", "tid": ENTRA}, {"oid": 1, "tid": 2}])
async def test_half_an_identity_is_none(gateway: Any, claims: dict[str, Any]) -> None:
    answer = await gateway.call("GET", RUNS, claims=claims)
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")


async def _announce(gateway: Any, person: str) -> None:
    now = gateway.clock.now()
    event = EmployeeRoleChanged(tenant="contoso", at=now, employee=person, version=int(now.timestamp()), roles=())
    await gateway.world.broker.bus("sync-service").publish(event)
