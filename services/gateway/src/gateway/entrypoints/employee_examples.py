"""Examples of the routes about employees and syncs."""

from typing import Any

_ANNA = "0f0f3c52-7a55-4d0a-8a64-51f2b1f3c9d7"
FIELDS: dict[str, Any] = {
    "display_name": "Anna Schmidt",
    "first_name": "Anna",
    "last_name": "Schmidt",
    "primary_mail": "anna.schmidt@contoso.example",
    "job_title": "Buchhalterin",
    "department": "Finanzen",
    "mobile_number": "+49 171 5550101",
    "business_phones": ["+49 228 5550100"],
    "office_location": "B 2.14",
    "street": "Hauptstraße 1",
    "city": "Bonn",
    "postal_code": "53111",
    "country": "Deutschland",
    "preferred_language": "de-DE",
    "account_enabled": True,
}
_LOCAL: dict[str, Any] = {
    "employee_type": "employee",
    "employee_status": "active",
    "remote_worker": True,
    "gdpr_exempt": False,
    "gdpr_reason": None,
    "entry_date": "2024-05-01",
    "exit_date": None,
}
EMPLOYEE: dict[str, Any] = {
    "tenant": "contoso",
    "id": _ANNA,
    "version": 7,
    "fields": FIELDS,
    "local": _LOCAL,
    "roles": ["user", "accounting"],
    "directory_state": "present",
    "imported_at": "2026-03-02T08:00:00Z",
    "synced_at": "2026-03-02T14:00:00Z",
    "stale": False,
    "deleted_at": None,
    "predecessor": None,
    "successor": None,
    "offered": None,
}
_ACTIVITY: dict[str, Any] = {
    "id": f"{_ANNA}-7-city",
    "employee": _ANNA,
    "version": 7,
    "action": "updated",
    "field": "city",
    "old": "Köln",
    "new": "Bonn",
    "by": "admin@contoso.example",
    "origin": "profile",
    "at": "2026-03-02T14:00:00Z",
}
_CANDIDATE: dict[str, Any] = {
    "id": "1c2d3c52-7a55-4d0a-8a64-51f2b1f3c9d7",
    "display_name": "Bert Klein",
    "user_principal_name": "bert.klein@contoso.example",
    "primary_mail": "bert.klein@contoso.example",
    "job_title": None,
    "account_enabled": True,
    "guest": False,
}
_ERASURE: dict[str, Any] = {
    "tenant": "contoso",
    "employee": "2c2d3c52-7a55-4d0a-8a64-51f2b1f3c9d7",
    "erased_at": "2026-03-02T15:00:00Z",
    "erased_by": "admin@contoso.example",
    "reason": "asked for by the person, 2026-02-27",
    "activities": 12,
}
_SETTINGS: dict[str, Any] = {
    "every_hours": 6,
    "group_pattern": "KlarKonform-{tenant}-{role}",
    "guests": False,
    "employee_types": ["employee", "freelancer", "trainee", "temporary", "external"],
    "employee_statuses": ["active", "on leave", "left"],
}
_RUN: dict[str, Any] = {
    "tenant": "contoso",
    "id": "8c1de5a4-6c1b-5f7e-9d38-0d9a2f0a6c55",
    "kind": "incremental",
    "state": "succeeded",
    "requested_at": "2026-03-02T14:00:00Z",
    "requested_by": "schedule",
    "started_at": "2026-03-02T14:00:00Z",
    "finished_at": "2026-03-02T14:00:02Z",
    "hold": None,
    "error": None,
    "detail": "",
    "counts": {
        "listed": 3,
        "created": 0,
        "updated": 2,
        "unchanged": 1,
        "deactivated": 0,
        "restored": 0,
        "role_changes": 1,
        "without_mail": 0,
        "guests": 0,
        "not_found": 0,
        "requests": 4,
    },
    "warnings": [],
}
_OVERVIEW: dict[str, Any] = {
    "tenant": "contoso",
    "settings": _SETTINGS,
    "last_sync_at": "2026-03-02T14:00:02Z",
    "next_sync_at": "2026-03-02T20:00:00Z",
    "present": 212,
    "deleted": 9,
    "stale": 0,
    "roles": {"user": 212, "admin": 2, "hr": 3, "accounting": 4},
    "role_groups": {"admin": "3c2d3c52-7a55-4d0a-8a64-51f2b1f3c9d7"},
    "running": None,
}

Answers = dict[str, tuple[dict[str, Any], dict[str, Any] | None]]


def _page(item: dict[str, Any]) -> dict[str, Any]:
    return {"items": [item], "cursor": None}


ANSWERS: Answers = {
    "list_employees": (_page(EMPLOYEE), None),
    "get_employee": (EMPLOYEE, None),
    "change_employee_profile": ({"finished": True, "employee": EMPLOYEE}, {"city": "Bonn", "version": 6}),
    "change_employee_local_fields": (EMPLOYEE, {"remote_worker": True}),
    "list_import_candidates": (_page(_CANDIDATE), None),
    "import_employee": (EMPLOYEE, None),
    "list_employee_activity": (_page(_ACTIVITY), None),
    "list_activity": (_page(_ACTIVITY), None),
    "export_employee": ({"employee": EMPLOYEE, "activity": [_ACTIVITY]}, None),
    "erase_employee": (_ERASURE, {"reason": _ERASURE["reason"]}),
    "list_erasures": (_page(_ERASURE), None),
    "get_sync_overview": (_OVERVIEW, None),
    "set_sync_settings": (_SETTINGS, {"every_hours": 6}),
    "start_sync": ({**_RUN, "state": "waiting", "started_at": None, "finished_at": None}, {"kind": "incremental"}),
    "list_syncs": (_page(_RUN), None),
    "get_sync": (_RUN, None),
}
"""Answer and request of each route."""
