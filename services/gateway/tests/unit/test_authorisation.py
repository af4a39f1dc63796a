"""Who may do what, cell by cell; and what a caller cannot even learn."""

from typing import Any

import httpx
import pytest

from contracts.authorization import ROUTES
from contracts.names import Role

MATRIX = {
    "list_tenants": "operator admin user hr accounting",
    "register_tenant": "operator",
    "get_tenant": "operator admin user hr accounting",
    "set_recovery_key": "operator admin",
    "set_contacts": "operator admin",
    "get_onboarding": "operator admin user hr accounting",
    "get_offboarding": "operator admin",
    "begin_offboarding": "operator admin",
    "cancel_offboarding": "operator admin",
    "decide_export": "operator admin",
    "order_shredding": "operator",
    "attest_recovery_key": "operator admin",
    "list_tokens": "operator admin user hr accounting",
    "set_credential": "operator admin user hr accounting",
    "set_certificate": "operator admin user hr accounting",
    "offer_vault_key": "operator admin user hr accounting",
    "set_vault_key": "operator admin user hr accounting",
    "start_consent": "operator admin user hr accounting",
    "list_incidents": "operator admin user hr accounting",
    "open_incident": "operator admin user hr accounting",
    "get_incident": "operator admin user hr accounting",
    "note_incident": "operator admin user hr accounting",
    "close_incident": "operator admin",
    "get_token": "operator admin user hr accounting",
    "renew_token": "operator admin user hr accounting",
    "verify_token": "operator admin user hr accounting",
    "deactivate_token": "operator admin",
    "delete_token": "admin",
    "note_token": "operator admin user hr accounting",
    "start_sign_in": "operator admin user hr accounting",
    "list_profiles": "operator admin user hr accounting",
    "check_permissions": "operator admin user hr accounting",
    "set_consent_giver": "operator admin user hr accounting",
    "list_storage_targets": "operator admin",
    "create_storage_target": "operator admin",
    "recover_storage_target": "operator admin",
    "list_backup_configurations": "operator admin",
    "create_backup_configuration": "operator admin",
    "get_backup_configuration": "operator admin",
    "change_backup_configuration": "operator admin",
    "renew_storage_credentials": "operator admin",
    "test_storage_target": "operator admin",
    "get_retention_floor": "operator admin",
    "set_retention_floor": "operator admin",
    "list_legal_holds": "operator admin",
    "place_legal_hold": "operator admin",
    "release_legal_hold": "operator admin",
    "start_backup": "operator admin",
    "list_runs": "operator admin",
    "get_run": "operator admin",
    "follow_run": "operator admin",
    "list_jobs": "operator admin",
    "get_job": "operator admin",
    "list_restore_points": "operator admin",
    "list_folders": "operator admin",
    "list_items": "operator admin",
    "get_item": "operator admin",
    "get_message": "operator admin",
    "open_item_download": "operator admin",
    "search_items": "operator admin",
    "compare_restore_points": "operator admin",
    "open_export": "operator admin",
    "download": "operator admin",
    "start_restore": "operator admin",
    "list_restore_problems": "operator admin",
    "start_upkeep": "operator admin",
    "list_employees": "operator admin user hr accounting",
    "get_employee": "operator admin user hr accounting",
    "change_employee_profile": "operator admin",
    "change_employee_local_fields": "operator admin hr",
    "list_import_candidates": "operator admin",
    "import_employee": "operator admin",
    "list_employee_activity": "operator admin user hr accounting",
    "list_activity": "operator admin user hr accounting",
    "export_employee": "operator admin",
    "erase_employee": "operator admin",
    "list_erasures": "operator admin",
    "get_sync_overview": "operator admin user hr accounting",
    "set_sync_settings": "operator admin",
    "start_sync": "operator admin",
    "list_syncs": "operator admin user hr accounting",
    "get_sync": "operator admin user hr accounting",
    "list_dead_letters": "operator",
    "get_dead_letter": "operator",
    "replay_dead_letter": "operator",
    "list_reviews": "operator admin",
    "get_review": "operator admin",
    "complete_review": "operator admin",
    "list_audit_records": "operator admin",
    "list_audit_seals": "operator admin",
    "list_installation_audit": "operator",
    "get_health": "operator admin user hr accounting",
}
"""Written by hand, so that a slip in the table is seen here."""


def test_the_matrix_has_every_route() -> None:
    assert MATRIX.keys() == ROUTES.keys()


@pytest.mark.parametrize("name", MATRIX)
async def test_every_cell_of_the_table(gateway: Any, attempts: Any, name: str) -> None:
    """One gateway for the roles of a route: making one takes longer than asking it."""
    attempt, allowed = attempts[name], MATRIX[name].split()
    for role in sorted(Role, key=lambda role: role.value in allowed):
        gateway.upstream["/v1/downloads/contoso/ticket-1"] = (200, b"zip")
        mine = {"roles": [role.value], "tenants": ["contoso"]}
        answer = await gateway.call(ROUTES[name].method, attempt.path, json=attempt.body, **mine)
        assert answer.status_code == (attempt.status if role.value in allowed else 403), (role, answer.text)
        if role.value not in allowed:
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["code"] == "forbidden"
            assert gateway.world.asked == []


@pytest.mark.parametrize("name", sorted(ROUTES))
async def test_nothing_is_answered_without_a_token(gateway: Any, attempts: Any, name: str) -> None:
    answer = await gateway.client.request(ROUTES[name].method, f"/api/v1{attempts[name].path}", content=b"{not json")
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    assert answer.headers["www-authenticate"].startswith("Bearer ")
    assert gateway.world.asked == []


@pytest.mark.parametrize("name", sorted(name for name in ROUTES if "{tenant}" in ROUTES[name].path))
async def test_a_foreign_tenant_answers_like_one_that_does_not_exist(gateway: Any, attempts: Any, name: str) -> None:
    """Same status, same body, same headers but for the request id; and no service was asked about the foreign one."""
    method, path, body = ROUTES[name].method, attempts[name].path, attempts[name].body
    mine = {"tenants": ["contoso", "ghost"], "roles": [*MATRIX[name].split()]}
    foreign = await gateway.call(method, path.replace("contoso", "fabrikam"), json=body, **mine)
    assert gateway.world.asked == []
    invented = await gateway.call(method, path.replace("contoso", "nobody"), json=body, **mine)
    missing = await gateway.call(method, path.replace("contoso", "ghost"), json=body, **mine)
    for other in (invented, missing):
        assert (other.status_code, other.json()) == (foreign.status_code, foreign.json())
        assert _headers(other) == _headers(foreign)
    assert foreign.status_code == 404
    assert foreign.json()["code"] == "not-found"


async def test_a_role_does_not_open_a_foreign_tenant_nor_reveal_it(gateway: Any) -> None:
    for tenant in ("fabrikam", "nobody", "NOT A SLUG", "*"):
        answer = await gateway.call("GET", f"/tenants/{tenant}/runs", roles=["hr"], tenants=["contoso"])
        assert answer.status_code == 404


async def test_a_tenant_that_does_not_exist_is_not_found_for_an_operator_of_all(gateway: Any) -> None:
    answer = await gateway.call("GET", "/tenants/nobody/runs")
    assert answer.status_code == 404
    assert [asked.operation for asked in gateway.world.asked] == ["tenant.get"]


async def test_a_known_tenant_is_looked_up_once(gateway: Any) -> None:
    for _ in range(3):
        await gateway.call("GET", "/tenants/contoso/runs")
    assert [asked.operation for asked in gateway.world.asked] == ["tenant.get", "run.list", "run.list", "run.list"]


async def test_the_list_shows_only_the_callers_tenants_and_pages_through_them(gateway: Any) -> None:
    mine = {"roles": ["user"], "tenants": ["fabrikam", "contoso", "ghost"]}
    seen, cursor = [], ""
    for _ in range(3):
        query = f"?limit=1{cursor}"
        page = (await gateway.call("GET", f"/tenants{query}", **mine)).json()
        seen += [tenant["tenant"] for tenant in page["items"]]
        if page["cursor"] is None:
            break
        cursor = f"&cursor={page['cursor']}"
    assert seen == ["contoso", "fabrikam"]
    assert not gateway.world.of("tenant.list")


async def test_a_tenant_outside_the_token_cannot_be_registered_and_is_not_looked_up(gateway: Any) -> None:
    body = {"tenant": "fabrikam", "entra_tenant_id": "6d3f6a4e-0f8c-4a6f-9d5e-2b1c7a9e4f10", "display_name": "F"}
    answer = await gateway.call("POST", "/tenants", json=body, tenants=["contoso"])
    assert answer.status_code == 403
    assert gateway.world.asked == []


async def test_services_learn_who_asks(gateway: Any) -> None:
    answer = await gateway.call("GET", "/tenants/contoso/runs", roles=["user", "admin", "unheard-of"])
    [asked] = gateway.world.of("run.list")
    assert (asked.caller.subject, asked.caller.roles) == ("anna", ("admin", "user"))
    assert asked.caller.request_id == answer.headers["x-request-id"]


def _headers(answer: httpx.Response) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name != "x-request-id"}


@pytest.mark.parametrize("name", ["list_dead_letters", "get_dead_letter", "replay_dead_letter"])
@pytest.mark.parametrize(("tenants", "seen"), [(["*"], None), (["fabrikam", "contoso"], ("contoso", "fabrikam"))])
async def test_dead_letters_are_asked_for_the_tenants_of_the_token_alone(
    gateway: Any, attempts: Any, name: str, tenants: list[str], seen: tuple[str, ...] | None
) -> None:
    await gateway.call(ROUTES[name].method, attempts[name].path, tenants=tenants)
    assert gateway.world.asked[-1].question.tenants == seen
