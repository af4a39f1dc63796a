"""Examples of the routes about app profiles: answer and body."""

from typing import Any

_ENTRA = "6d3f6a4e-0f8c-4a6f-9d5e-2b1c7a9e4f10"
_CHECK = {
    "tenant": "contoso",
    "profile": "exchange-backup",
    "checked_at": "2026-03-02T08:00:06Z",
    "in_order": "no",
    "permissions": [
        {
            "name": "Mail.Read",
            "kind": "application",
            "optional": False,
            "feature": None,
            "granted": "no",
            "in_token": "unknown",
            "effective": "no",
            "finding": "missing",
            "detail": "ErrorAccessDenied",
        }
    ],
    "detail": "",
    "enterprise_application": "yes",
    "enabled": "yes",
    "next_check_at": "2026-03-02T08:15:06Z",
}
_PROFILE = {
    "tenant": "contoso",
    "profile": "exchange-backup",
    "status": "consent_required",
    "in_use": True,
    "client_id": "0b7f3c52-7a55-4d0a-8a64-51f2b1f3c9d7",
    "consent_role": "privileged-role-administrator",
    "registration_role": "application-administrator",
    "check": _CHECK,
    "consent_giver": {"name": "Erika Muster", "source": "typed", "at": "2026-03-02T08:00:00Z"},
    "consent_effective_seconds": 4.2,
    "withdraw_url": f"https://entra.microsoft.com/{_ENTRA}/#view/Microsoft_AAD_IAM/…",
}

EXAMPLES: dict[str, tuple[Any, ...]] = {
    "start_sign_in": (
        {
            "url": f"https://login.microsoftonline.com/{_ENTRA}/oauth2/v2.0/authorize?client_id=…",
            "expires_at": "2026-03-02T08:10:00Z",
        },
    ),
    "list_profiles": ({"items": [_PROFILE], "cursor": None},),
    "check_permissions": (_CHECK,),
    "set_consent_giver": (_PROFILE, {"name": "Erika Muster", "at": "2026-03-02T08:00:00Z"}),
}
