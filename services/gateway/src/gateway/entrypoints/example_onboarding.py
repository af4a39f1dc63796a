"""Examples about a tenant's life and its end, for the OpenAPI document."""

from typing import Any

CONTACTS: dict[str, Any] = {
    "support": {"name": "IT service desk", "mail": "it@contoso.example"},
    "security": {"name": "Security officer", "mail": "security@contoso.example"},
}
_REACHED = {"reached_at": "2026-03-02T08:00:00Z", "first_reached_at": "2026-03-02T08:00:00Z"}
_AHEAD = {"reached_at": None, "first_reached_at": None}
ONBOARDING: dict[str, Any] = {
    "tenant": "contoso",
    "state": "integration_configured",
    "since": "2026-03-02T08:00:00Z",
    "steps": [
        {"step": "tenant_created", **_REACHED},
        {"step": "integration_configured", **_REACHED},
        {"step": "consent_effective", **_AHEAD},
        {"step": "permissions_verified", **_AHEAD},
        {"step": "test_backup_succeeded", **_AHEAD},
        {"step": "productive", **_AHEAD},
    ],
    "missing": "consent_effective",
    "cause": "consent_declined",
    "next_step": "ask_consent",
    "profile": "exchange-backup",
    "detail": "access_denied",
    "test_backup": None,
    "looked_at": "2026-03-02T08:10:00Z",
}

_FINGERPRINT = "300c9c9603b92a4b39ed3958bf9240114804db4fd373012c0ca47432d63425ae"
OFFBOARDING: dict[str, Any] = {
    "tenant": "contoso",
    "state": "shredding",
    "deeds": [
        {"deed": "begun", "at": "2026-03-02T08:00:00Z", "by": "operator", "note": ""},
        {"deed": "exported", "at": "2026-03-02T09:00:00Z", "by": "operator", "note": "ZIP files to Erika Beispiel"},
    ],
    "keys": [
        {"kind": "transit", "name": "tenant-contoso", "destroyed_at": None, "destroyed_by": ""},
        {"kind": "recovery", "name": _FINGERPRINT, "destroyed_at": None, "destroyed_by": ""},
    ],
    "holdings": {
        "tenant": "contoso",
        "restore_points": 120,
        "newest_restore_point_at": "2026-01-20T02:00:00Z",
        "legal_holds": 0,
        "held_until": "2026-02-19T02:00:00Z",
        "scheduled": 0,
        "running": 0,
        "targets": [],
    },
    "block": "transit_key_there",
}
EXPORT_DECISION = {"exported": True, "note": "ZIP files to Erika Beispiel"}
SHREDDING = {"confirm": "contoso"}
ATTESTED_KEY = {"fingerprint": _FINGERPRINT, "by": "Erika Beispiel"}
