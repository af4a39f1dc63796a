"""The OpenAPI document: complete, truthful, committed."""

import json
from pathlib import Path
from typing import Any

import pytest

from contracts import api, permissions, tokens, views
from contracts import employees as records
from contracts import sign_in as contracts_sign_in
from contracts.authorization import ROUTES
from contracts.employee_changes import LocalChange, ProfileChange
from contracts.operations import employees
from gateway.openapi import document

COMMITTED = Path(__file__).parents[4] / "docs" / "reference" / "openapi.json"

MODELS: dict[str, tuple[Any, Any]] = {
    "list_tenants": (views.Listing[views.Tenant], None),
    "register_tenant": (views.Tenant, api.TenantBody),
    "get_tenant": (views.Tenant, None),
    "list_tokens": (views.Listing[views.TokenView], None),
    "set_credential": (views.TokenView, api.CredentialBody),
    "set_certificate": (views.TokenView, api.CertificateBody),
    "offer_vault_key": (tokens.VaultKeyOffer, None),
    "set_vault_key": (views.TokenView, api.VaultKeyBody),
    "set_recovery_key": (views.Tenant, api.RecoveryKeyBody),
    "start_consent": (views.ConsentLink, api.ConsentBody),
    "start_sign_in": (contracts_sign_in.SignInLink, None),
    "list_profiles": (views.Listing[permissions.ProfileView], None),
    "check_permissions": (permissions.PermissionCheck, None),
    "set_consent_giver": (permissions.ProfileView, api.ConsentGiverBody),
    "recover_storage_target": (views.StorageTarget, None),
    "list_storage_targets": (views.Listing[views.StorageTarget], None),
    "create_storage_target": (api.StorageTargetResult, api.StorageTargetBody),
    "list_backup_configurations": (views.Listing[views.BackupConfiguration], None),
    "create_backup_configuration": (views.BackupConfiguration, api.BackupConfigurationBody),
    "get_backup_configuration": (views.BackupConfiguration, None),
    "change_backup_configuration": (views.BackupConfiguration, api.BackupConfigurationChange),
    "renew_storage_credentials": (api.StorageTargetResult, api.StorageCredentialsBody),
    "test_storage_target": (api.StorageTargetResult, None),
    "start_backup": (api.Accepted, None),
    "list_runs": (views.Listing[views.Run], None),
    "get_run": (views.Run, None),
    "follow_run": (None, None),
    "list_jobs": (views.Listing[views.Job], None),
    "get_job": (views.Job, None),
    "list_restore_points": (views.Listing[views.RestorePoint], None),
    "open_export": (api.Download, api.ExportBody),
    "download": (None, None),
    "list_restore_problems": (views.Listing[views.ItemProblem], None),
    "start_restore": (api.Accepted, api.RestoreBody),
    "start_upkeep": (api.Accepted, api.UpkeepBody),
    "get_health": (views.Listing[views.HealthView], None),
    "list_employees": (views.Listing[records.Employee], None),
    "get_employee": (records.Employee, None),
    "change_employee_profile": (employees.ProfileUpdate, ProfileChange),
    "change_employee_local_fields": (records.Employee, LocalChange),
    "list_import_candidates": (views.Listing[employees.Candidate], None),
    "import_employee": (records.Employee, None),
    "list_employee_activity": (views.Listing[records.Activity], None),
    "list_activity": (views.Listing[records.Activity], None),
    "export_employee": (api.EmployeeExport, None),
    "erase_employee": (employees.Erasure, api.ErasureBody),
    "list_erasures": (views.Listing[employees.Erasure], None),
    "get_sync_overview": (records.SyncOverview, None),
    "set_sync_settings": (records.SyncSettings, api.SyncSettingsBody),
    "start_sync": (records.SyncRun, api.SyncBody),
    "list_syncs": (views.Listing[records.SyncRun], None),
    "get_sync": (records.SyncRun, None),
}


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    return document()


def _operations(described: dict[str, Any]) -> dict[str, tuple[str, str, dict[str, Any]]]:
    return {
        operation["operationId"]: (method.upper(), path, operation)
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    }


def test_it_has_exactly_the_routes_of_the_table(described: dict[str, Any]) -> None:
    found = {name: (method, path) for name, (method, path, _) in _operations(described).items()}
    assert found == {name: (route.method, f"/api/v1{route.path}") for name, route in ROUTES.items()}


def test_every_operation_has_words_problems_and_an_example(described: dict[str, Any]) -> None:
    for name, (_, path, operation) in _operations(described).items():
        assert operation["summary"], name
        assert "Roles: " in operation["description"], name
        assert {"401", "403", "500", "503"} <= operation["responses"].keys(), name
        assert ("404" in operation["responses"]) == ("{" in path), name
        success = next(answer for status, answer in operation["responses"].items() if status[0] == "2")
        assert success["description"] != "Successful Response", name
        if name not in {"download", "follow_run"}:
            assert "example" in success["content"]["application/json"], name
        if "requestBody" in operation:
            assert "example" in operation["requestBody"]["content"]["application/json"], name


def test_the_examples_are_true(described: dict[str, Any]) -> None:
    operations = _operations(described)
    for name, (answer, body) in MODELS.items():
        operation = operations[name][2]
        success = next(answer for status, answer in operation["responses"].items() if status[0] == "2")
        if answer is not None:
            example = success["content"]["application/json"]["example"]
            assert answer.model_validate(example).model_dump(mode="json") == example, name
        if body is not None:
            body.model_validate(operation["requestBody"]["content"]["application/json"]["example"])


def test_every_reference_leads_somewhere_and_nothing_is_left_over(described: dict[str, Any]) -> None:
    references = set(_references(described))
    components = {
        f"#/components/{kind}/{name}" for kind in ("schemas", "responses") for name in described["components"][kind]
    }
    assert references == components


def _references(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        return own + [found for value in node.values() for found in _references(value)]
    if isinstance(node, list):
        return [found for value in node for found in _references(value)]
    return []


def test_bearer_tokens_are_asked_for_everywhere(described: dict[str, Any]) -> None:
    assert described["security"] == [{"bearer": []}]
    assert described["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    assert all("security" not in operation for _, _, operation in _operations(described).values())


def test_the_committed_document_is_this_one(described: dict[str, Any]) -> None:
    assert json.loads(COMMITTED.read_text(encoding="utf-8")) == described, "run: make generate"
