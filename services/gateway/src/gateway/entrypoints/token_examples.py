"""Examples of the routes about tokens and incidents: answer and, where there is one, body."""

from typing import Any

TOKEN: dict[str, Any] = {
    "tenant": "contoso",
    "profile": "exchange-backup",
    "status": "active",
    "client_id": "0b7f3c52-7a55-4d0a-8a64-51f2b1f3c9d7",
    "generation": 3,
    "expires_at": "2026-03-02T09:00:00Z",
    "proven_at": "2026-03-02T08:00:05Z",
    "problem": None,
    "problem_since": None,
    "detail": "",
    "credential": "certificate",
    "generated_at": "2026-03-01T10:00:00Z",
    "generated_by": "admin@contoso.example",
    "credential_expires_at": "2027-03-01T10:00:00Z",
    "credential_expiry": "certificate",
    "deactivated_at": None,
    "consent_proven_at": "2026-03-02T08:00:05Z",
    "without": ["calendars: ErrorAccessDenied"],
    "consent": None,
}
_NOTE = {"at": "2026-03-01T10:05:00Z", "by": "admin@contoso.example", "text": "Renewed after the move to the new app."}
_DETAILS = {
    **TOKEN,
    "support_contact": "it@contoso.example",
    "records": [
        {
            "number": 2,
            "client_id": TOKEN["client_id"],
            "credential": "certificate",
            "generated_at": "2026-03-01T10:00:00Z",
            "generated_by": "admin@contoso.example",
            "consent_by": "global.admin@contoso.example",
            "consent_source": "audit",
            "ended": None,
            "ended_at": None,
            "ended_by": "",
            "thumbprint": "4BD3F1E0A97C25D86E0F1B2A3C4D5E6F70819203",
            "key": None,
            "key_destroyed_at": None,
        }
    ],
    "notes": [_NOTE],
}
_OFF = {**TOKEN, "status": "deactivated", "expires_at": None, "deactivated_at": "2026-03-02T08:30:00Z"}
_OFF |= {"credential": None, "generated_at": None, "generated_by": ""}

_OFFER = {
    "tenant": "contoso",
    "profile": "exchange-backup",
    "number": 1,
    "certificate": "-----BEGIN CERTIFICATE-----\nMIID…\n-----END CERTIFICATE-----\n",
    "thumbprint": "4BD3F1E0A97C25D86E0F1B2A3C4D5E6F70819203",
    "thumbprint_sha256": "C0FFEE" * 10 + "C0FF",
    "expires_at": "2027-03-02T08:00:00Z",
    "offered_at": "2026-03-02T08:00:00Z",
    "offered_by": "admin@contoso.example",
}

_INCIDENT: dict[str, Any] = {
    "tenant": "contoso",
    "id": "01KJQ5B3V7N9Q1S5Y8A2C4E6GH",
    "profile": "exchange-backup",
    "client_id": TOKEN["client_id"],
    "open": True,
    "opened_at": "2026-03-02T08:30:00Z",
    "opened_by": "anna.schmidt@contoso.example",
    "security": {"name": "IT security", "mail": "security@contoso.example"},
    "replaced_at": None,
    "cause": "",
    "closed_at": None,
    "timeline": [
        {
            "at": "2026-03-02T08:30:00Z",
            "step": "opened",
            "by": "anna.schmidt@contoso.example",
            "detail": "The client secret stood in a ticket.",
        }
    ],
}

EXAMPLES: dict[str, tuple[dict[str, Any], dict[str, Any] | None]] = {
    "get_token": (_DETAILS, None),
    "renew_token": (TOKEN, None),
    "verify_token": (
        {
            "tenant": "contoso",
            "profile": "exchange-backup",
            "at": "2026-03-02T08:00:05Z",
            "status": "active",
            "probe": "effective",
            "detail": "",
            "without": TOKEN["without"],
            "test_backup": True,
        },
        None,
    ),
    "offer_vault_key": (_OFFER, None),
    "set_vault_key": ({**TOKEN, "credential": "vault-key"}, {"client_id": TOKEN["client_id"]}),
    "deactivate_token": (_OFF, None),
    "delete_token": ({**_OFF, "status": "unknown", "client_id": None}, None),
    "note_token": (_DETAILS, {"text": _NOTE["text"]}),
    "list_incidents": ({"items": [{**_INCIDENT, "timeline": []}], "cursor": None}, None),
    "open_incident": (_INCIDENT, {"profile": "exchange-backup", "report": "The client secret stood in a ticket."}),
    "get_incident": (_INCIDENT, None),
    "note_incident": (_INCIDENT, {"text": "The ticket is locked."}),
    "close_incident": (
        {**_INCIDENT, "open": False, "cause": "Copied by mistake.", "closed_at": "2026-03-02T10:00:00Z"},
        {"cause": "Copied by mistake."},
    ),
}
