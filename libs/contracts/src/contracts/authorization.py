"""The one authorisation table: route by role. Every cell is tested."""

from typing import NamedTuple

from contracts.auditing import AuditAction
from contracts.names import Role

_ALL = frozenset(Role)
_MANAGE = frozenset({Role.OPERATOR, Role.ADMIN})
_OPERATE = frozenset({Role.OPERATOR})
_ADMIN = frozenset({Role.ADMIN})


class Route(NamedTuple):
    """A route of `/api/v1` and who may use it; `{tenant}` in the path is checked before any look-up.

    `audits` is what the owning service records when the route changed something; every route but GET has one, or its
    reason in tests/architecture.
    """

    method: str
    path: str
    roles: frozenset[Role]
    audits: AuditAction | None = None


_TOKEN = "/tenants/{tenant}/profiles/{profile}/token"  # noqa: S105 - a path
_INCIDENTS = "/tenants/{tenant}/incidents"
_EDIT = frozenset({Role.OPERATOR, Role.ADMIN, Role.HR})
_EMPLOYEE = "/tenants/{tenant}/employees/{employee}"
_POINT = "/tenants/{tenant}/restore-points/{restore_point}"

CONSENT_CALLBACK = "/consent/callback"
"""The one address below `/api/v1` without a bearer token: an administrator's browser comes back here with a state."""

SIGN_IN_CALLBACK = "/sign-in/callback"
"""The other one: Microsoft has the browser of a person who signed in post a code and a state here."""

ROUTES: dict[str, Route] = {
    "list_tenants": Route("GET", "/tenants", _ALL),
    "register_tenant": Route("POST", "/tenants", _OPERATE, AuditAction.TENANT_REGISTER),
    "get_tenant": Route("GET", "/tenants/{tenant}", _ALL),
    "set_recovery_key": Route("PUT", "/tenants/{tenant}/recovery-key", _MANAGE, AuditAction.TENANT_SET_RECOVERY_KEY),
    "set_contacts": Route("PUT", "/tenants/{tenant}/contacts", _MANAGE, AuditAction.TENANT_SET_CONTACTS),
    "get_onboarding": Route("GET", "/tenants/{tenant}/onboarding", _ALL),
    "get_offboarding": Route("GET", "/tenants/{tenant}/offboarding", _MANAGE),
    "begin_offboarding": Route("POST", "/tenants/{tenant}/offboarding", _MANAGE, AuditAction.OFFBOARDING_BEGIN),
    "cancel_offboarding": Route("DELETE", "/tenants/{tenant}/offboarding", _MANAGE, AuditAction.OFFBOARDING_CANCEL),
    "decide_export": Route(
        "POST", "/tenants/{tenant}/offboarding/export", _MANAGE, AuditAction.OFFBOARDING_DECIDE_EXPORT
    ),
    "order_shredding": Route(
        "POST", "/tenants/{tenant}/offboarding/shredding", _OPERATE, AuditAction.OFFBOARDING_ORDER_SHREDDING
    ),
    "attest_recovery_key": Route(
        "POST", "/tenants/{tenant}/offboarding/recovery-keys", _MANAGE, AuditAction.OFFBOARDING_ATTEST_KEY
    ),
    "list_tokens": Route("GET", "/tenants/{tenant}/tokens", _ALL),
    "get_token": Route("GET", _TOKEN, _ALL),
    "renew_token": Route("POST", f"{_TOKEN}/renewal", _ALL, AuditAction.PROFILE_RENEW),
    "verify_token": Route("POST", f"{_TOKEN}/verification", _ALL),
    "deactivate_token": Route("POST", f"{_TOKEN}/deactivation", _MANAGE, AuditAction.PROFILE_DEACTIVATE),
    "delete_token": Route("DELETE", _TOKEN, _ADMIN, AuditAction.PROFILE_DELETE),
    "note_token": Route("POST", f"{_TOKEN}/notes", _ALL, AuditAction.PROFILE_NOTE),
    "set_credential": Route(
        "PUT", "/tenants/{tenant}/profiles/{profile}/credential", _ALL, AuditAction.PROFILE_SET_CREDENTIAL
    ),
    "set_certificate": Route(
        "PUT", "/tenants/{tenant}/profiles/{profile}/certificate", _ALL, AuditAction.PROFILE_SET_CREDENTIAL
    ),
    "offer_vault_key": Route(
        "POST", "/tenants/{tenant}/profiles/{profile}/vault-key", _ALL, AuditAction.PROFILE_OFFER_KEY
    ),
    "set_vault_key": Route(
        "PUT", "/tenants/{tenant}/profiles/{profile}/vault-key", _ALL, AuditAction.PROFILE_SET_CREDENTIAL
    ),
    "start_consent": Route(
        "POST", "/tenants/{tenant}/profiles/{profile}/consent", _ALL, AuditAction.PROFILE_ASK_CONSENT
    ),
    "list_incidents": Route("GET", _INCIDENTS, _ALL),
    "open_incident": Route("POST", _INCIDENTS, _ALL, AuditAction.INCIDENT_OPEN),
    "get_incident": Route("GET", f"{_INCIDENTS}/{{incident}}", _ALL),
    "note_incident": Route("POST", f"{_INCIDENTS}/{{incident}}/notes", _ALL, AuditAction.INCIDENT_NOTE),
    "close_incident": Route("POST", f"{_INCIDENTS}/{{incident}}/closure", _MANAGE, AuditAction.INCIDENT_CLOSE),
    "start_sign_in": Route("POST", "/tenants/{tenant}/sign-ins", _ALL),
    "list_profiles": Route("GET", "/tenants/{tenant}/profiles", _ALL),
    "check_permissions": Route("POST", "/tenants/{tenant}/profiles/{profile}/permission-check", _ALL),
    "set_consent_giver": Route(
        "PUT", "/tenants/{tenant}/profiles/{profile}/consent-giver", _ALL, AuditAction.PROFILE_NAME_CONSENT_GIVER
    ),
    "list_storage_targets": Route("GET", "/tenants/{tenant}/storage-targets", _MANAGE),
    "create_storage_target": Route("POST", "/tenants/{tenant}/storage-targets", _MANAGE, AuditAction.TARGET_CREATE),
    "renew_storage_credentials": Route(
        "POST", "/tenants/{tenant}/storage-targets/{target}/credentials", _MANAGE, AuditAction.TARGET_RENEW
    ),
    "test_storage_target": Route("POST", "/tenants/{tenant}/storage-targets/{target}/test", _MANAGE),
    "recover_storage_target": Route(
        "POST", "/tenants/{tenant}/storage-targets/{target}/recovery", _MANAGE, AuditAction.TARGET_RECOVER
    ),
    "list_backup_configurations": Route("GET", "/tenants/{tenant}/backup-configurations", _MANAGE),
    "create_backup_configuration": Route(
        "POST", "/tenants/{tenant}/backup-configurations", _MANAGE, AuditAction.CONFIGURATION_CREATE
    ),
    "get_backup_configuration": Route("GET", "/tenants/{tenant}/backup-configurations/{configuration}", _MANAGE),
    "change_backup_configuration": Route(
        "PATCH", "/tenants/{tenant}/backup-configurations/{configuration}", _MANAGE, AuditAction.CONFIGURATION_CHANGE
    ),
    "get_retention_floor": Route("GET", "/tenants/{tenant}/retention-floor", _MANAGE),
    "set_retention_floor": Route(
        "PUT", "/tenants/{tenant}/retention-floor", _MANAGE, AuditAction.TENANT_SET_RETENTION_FLOOR
    ),
    "list_legal_holds": Route("GET", "/tenants/{tenant}/legal-holds", _MANAGE),
    "place_legal_hold": Route("POST", "/tenants/{tenant}/legal-holds", _MANAGE, AuditAction.LEGAL_HOLD_PLACE),
    "release_legal_hold": Route(
        "POST", "/tenants/{tenant}/legal-holds/{hold}/release", _MANAGE, AuditAction.LEGAL_HOLD_RELEASE
    ),
    "start_backup": Route(
        "POST", "/tenants/{tenant}/backup-configurations/{configuration}/runs", _MANAGE, AuditAction.RUN_START
    ),
    "start_upkeep": Route("POST", "/tenants/{tenant}/storage-targets/{target}/runs", _MANAGE, AuditAction.RUN_START),
    "list_runs": Route("GET", "/tenants/{tenant}/runs", _MANAGE),
    "get_run": Route("GET", "/tenants/{tenant}/runs/{run}", _MANAGE),
    "follow_run": Route("GET", "/tenants/{tenant}/runs/{run}/progress", _MANAGE),
    "list_jobs": Route("GET", "/tenants/{tenant}/runs/{run}/jobs", _MANAGE),
    "get_job": Route("GET", "/tenants/{tenant}/jobs/{job}", _MANAGE),
    "list_restore_points": Route("GET", "/tenants/{tenant}/restore-points", _MANAGE),
    "list_folders": Route("GET", f"{_POINT}/folders", _MANAGE),
    "list_items": Route("GET", f"{_POINT}/folders/{{folder}}/items", _MANAGE),
    "get_item": Route("GET", f"{_POINT}/items/{{item}}", _MANAGE),
    "get_message": Route("GET", f"{_POINT}/items/{{item}}/message", _MANAGE),
    "open_item_download": Route(
        "POST", f"{_POINT}/items/{{item}}/downloads", _MANAGE, AuditAction.RESTORE_POINT_EXPORT
    ),
    "search_items": Route("GET", f"{_POINT}/search", _MANAGE),
    "compare_restore_points": Route("GET", f"{_POINT}/compare", _MANAGE),
    "open_export": Route(
        "POST", "/tenants/{tenant}/restore-points/{restore_point}/exports", _MANAGE, AuditAction.RESTORE_POINT_EXPORT
    ),
    "download": Route("GET", "/tenants/{tenant}/downloads/{ticket}", _MANAGE),
    "start_restore": Route("POST", "/tenants/{tenant}/restores", _MANAGE, AuditAction.RUN_START),
    "list_restore_problems": Route("GET", "/tenants/{tenant}/jobs/{job}/restore-problems", _MANAGE),
    "list_employees": Route("GET", "/tenants/{tenant}/employees", _ALL),
    "get_employee": Route("GET", _EMPLOYEE, _ALL),
    "change_employee_profile": Route("PATCH", f"{_EMPLOYEE}/profile", _MANAGE, AuditAction.EMPLOYEE_CHANGE_PROFILE),
    "change_employee_local_fields": Route(
        "PATCH", f"{_EMPLOYEE}/local-fields", _EDIT, AuditAction.EMPLOYEE_CHANGE_LOCAL
    ),
    "list_import_candidates": Route("GET", "/tenants/{tenant}/import-candidates", _MANAGE),
    "import_employee": Route("POST", f"{_EMPLOYEE}/import", _MANAGE, AuditAction.EMPLOYEE_IMPORT),
    "list_employee_activity": Route("GET", f"{_EMPLOYEE}/activity", _ALL),
    "list_activity": Route("GET", "/tenants/{tenant}/activity", _ALL),
    "export_employee": Route("POST", f"{_EMPLOYEE}/export", _MANAGE, AuditAction.EMPLOYEE_EXPORT),
    "erase_employee": Route("POST", f"{_EMPLOYEE}/erasure", _MANAGE, AuditAction.EMPLOYEE_ERASE),
    "list_erasures": Route("GET", "/tenants/{tenant}/erasures", _MANAGE),
    "get_sync_overview": Route("GET", "/tenants/{tenant}/sync", _ALL),
    "set_sync_settings": Route("PATCH", "/tenants/{tenant}/sync/settings", _MANAGE, AuditAction.SYNC_CHANGE_SETTINGS),
    "start_sync": Route("POST", "/tenants/{tenant}/sync/runs", _MANAGE, AuditAction.RUN_START),
    "list_syncs": Route("GET", "/tenants/{tenant}/sync/runs", _ALL),
    "get_sync": Route("GET", "/tenants/{tenant}/sync/runs/{run}", _ALL),
    "list_dead_letters": Route("GET", "/dead-letters", _OPERATE),
    "get_dead_letter": Route("GET", "/dead-letters/{letter}", _OPERATE),
    "replay_dead_letter": Route("POST", "/dead-letters/{letter}/replay", _OPERATE, AuditAction.DEAD_LETTER_REPLAY),
    "list_audit_records": Route("GET", "/tenants/{tenant}/audit", _MANAGE),
    "list_audit_seals": Route("GET", "/tenants/{tenant}/audit/seals", _MANAGE),
    "list_installation_audit": Route("GET", "/audit", _OPERATE),
    "list_reviews": Route("GET", "/tenants/{tenant}/reviews", _MANAGE),
    "get_review": Route("GET", "/tenants/{tenant}/reviews/{review}", _MANAGE),
    "complete_review": Route(
        "POST", "/tenants/{tenant}/reviews/{review}/completion", _MANAGE, AuditAction.REVIEW_COMPLETE
    ),
    "get_health": Route("GET", "/tenants/{tenant}/health", _ALL),
}
