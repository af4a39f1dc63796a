"""Examples about a tenant's life, for the OpenAPI document."""

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
