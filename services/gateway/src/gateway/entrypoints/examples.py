"""Examples of the OpenAPI document, one per route; a test reads each with the model it stands for."""

from typing import Any, NamedTuple

from gateway.entrypoints import employee_examples, profile_examples, token_examples
from gateway.entrypoints import example_onboarding as onboarding
from gateway.entrypoints.example_monitoring import AUDIT_RECORD, AUDIT_SEAL, DEAD_LETTER, HEALTH, REVIEW

_TENANT = {
    "tenant": "contoso",
    "entra_tenant_id": "6d3f6a4e-0f8c-4a6f-9d5e-2b1c7a9e4f10",
    "display_name": "Contoso GmbH",
    "support_contact": "it@contoso.example",
    "created_at": "2026-03-02T08:00:00Z",
    "contacts": onboarding.CONTACTS,
    "recovery_key": {
        "public_key": "x25519:hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=",
        "fingerprint": "300c9c9603b92a4b39ed3958bf9240114804db4fd373012c0ca47432d63425ae",
        "since": "2026-03-02T08:00:00Z",
    },
}
_RECOVERY_KEY = "x25519:hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo="
_TENANT_BODY = {
    **{name: value for name, value in _TENANT.items() if name not in {"created_at", "recovery_key", "contacts"}},
    "recovery_key": _RECOVERY_KEY,
}
_TOKEN = token_examples.TOKEN
_TARGET_BODY = {
    "name": "Hetzner",
    "kind": "s3",
    "endpoint": "https://fsn1.your-objectstorage.example",
    "bucket": "contoso-backup",
    "region": "fsn1",
    "prefix": "tenantkeep",
    "style": "auto",
    "lock": "COMPLIANCE",
    "proxy": "http://proxy.contoso.example:3128",
    "rate_limit": 25_000_000,
}
_TARGET: dict[str, Any] = {
    **_TARGET_BODY,
    "user": "",
    "host_keys": [],
    "tenant": "contoso",
    "id": "01KJQ3V6E8Z0T5M4W2N7R9XCAB",
    "created_at": "2026-03-02T08:01:00Z",
    "tested_at": "2026-03-02T08:01:00Z",
    "recovery_key": "300c9c9603b92a4b39ed3958bf9240114804db4fd373012c0ca47432d63425ae",
    "exported_at": "2026-03-02T08:01:02Z",
    "recovery": None,
    "credentials": "",
    "retired": [],
}
_RECOVERED = {
    **_TARGET,
    "recovery": {
        "state": "waiting",
        "requested_at": "2026-03-02T08:02:00Z",
        "finished_at": None,
        "configurations": 0,
        "employees": 0,
        "restore_points": 0,
        "detail": "",
    },
}
_CONFIGURATION_BODY = {
    "name": "Mail, daily",
    "target": _TARGET["id"],
    "sources": ["mail"],
    "retention_days": 90,
    "retention": "90d",
    "schedule": "daily 02:00",
    "time_zone": "Europe/Berlin",
    "automatic": True,
    "include": [],
    "exclude": ["*@test.contoso.example"],
}
_CONFIGURATION = {
    **_CONFIGURATION_BODY,
    "paused": False,
    "next_run_at": "2026-03-03T01:00:00Z",
    "tenant": "contoso",
    "id": "01KJQ3W0C4R7Y2H9D6B1K8M5TE",
    "created_at": "2026-03-02T08:02:00Z",
    "last_run": None,
}
_FLOOR = {
    "tenant": "contoso",
    "period": "90d",
    "changes": [{"period": "90d", "set_by": "admin@contoso.example", "set_at": "2026-03-02T08:01:30Z"}],
}
_RUN_ID = "5f0c3f6e-93a1-5d0b-8f4e-0a9d2c7b6e11"
_FOLDER_ID = "AAMkAGI2TG93AAA="
_RESTORE_POINT_ID = "01KJQ40Z9S3F6V8X1A5C7E2GHJ"
_COUNTS = {
    "listed": 1280,
    "stored": 1279,
    "unchanged": 0,
    "removed": 0,
    "failed": 1,
    "skipped": 0,
    "bytes_read": 58_720_256,
    "bytes_stored": 31_457_280,
    "requests": 1402,
    "reconciled": 0,
    "verified": 1279,
    "by_source": {"mail": {"listed": 1280, "stored": 1279, "unchanged": 0, "failed": 1, "skipped": 0}},
}
_RUN = {
    "tenant": "contoso",
    "id": _RUN_ID,
    "kind": "backup",
    "configuration": _CONFIGURATION["id"],
    "target": None,
    "state": "partial",
    "requested_at": "2026-03-02T08:03:00Z",
    "started_at": "2026-03-02T08:03:01Z",
    "finished_at": "2026-03-02T08:04:10Z",
    "jobs": 1,
    "succeeded": 0,
    "partial": 1,
    "failed": 0,
    "held": 0,
    "hold": None,
    "counts": _COUNTS,
    "left_out": [
        {
            "resource": "7b0c2f7e-5a55-4b1e-9d3e-0d8f5a6b7c8d",
            "name": "extern_kanzlei.example#EXT#@contoso.example",
            "reason": "guest",
            "since": None,
        }
    ],
    "left_out_counts": {"guest": 1},
    "fatal": None,
    "version": 3,
}
_JOB = {
    "tenant": "contoso",
    "id": "01KJQ3X7N2B5Q8S1U4W6Y9ZCDF",
    "run": _RUN_ID,
    "kind": "backup",
    "resource": "4d1a7c7e-3c6e-4f5a-8f0a-6f1b2c3d4e5f",
    "resource_name": "anna.schmidt@contoso.example",
    "state": "partial",
    "hold": None,
    "attempt": 1,
    "queued_at": "2026-03-02T08:03:01Z",
    "started_at": "2026-03-02T08:03:02Z",
    "finished_at": "2026-03-02T08:04:10Z",
    "counts": _COUNTS,
    "restore_point": _RESTORE_POINT_ID,
    "fatal": None,
    "item_errors": [
        {
            "item": "AAMkAGI2TG93AAA=",
            "error": "corrupt_source_item",
            "detail": "the item's content cannot be read",
        }
    ],
    "skipped": [],
    "check": None,
    "maintenance": None,
    "restored": None,
    "version": 3,
}
_RESTORE_POINT = {
    "tenant": "contoso",
    "id": _RESTORE_POINT_ID,
    "configuration": _CONFIGURATION["id"],
    "resource": _JOB["resource"],
    "resource_name": _JOB["resource_name"],
    "taken_at": "2026-03-02T08:04:10Z",
    "expires_at": "2026-05-31T08:04:10Z",
    "complete": False,
    "items": 1279,
    "bytes": 58_720_256,
    "failed_items": 1,
    "verified": [{"level": 1, "at": "2026-03-02T08:04:12Z", "covered": 1279, "denominator": 1279, "problems": 0}],
    "content_digest": "b5bb9d8014a0f9b1d61e21e796d78dccdf1352f23cd32812f4850b878ae4944c",
    "retention_class": "90d",
    "immutable_until": "2026-06-01T00:00:00Z",
    "held": False,
    "by_source": _COUNTS["by_source"],
    "departed_since": None,
}
_LEGAL_HOLD = {
    "tenant": "contoso",
    "id": "01KJQ4A2T6M8P0R4X7Z1B3D5FG",
    "target": _TARGET["id"],
    "configuration": _CONFIGURATION["id"],
    "resource": _JOB["resource"],
    "restore_point": _RESTORE_POINT_ID,
    "reason": "Lawsuit 4711",
    "placed_by": "admin@contoso.example",
    "placed_at": "2026-03-02T09:00:00Z",
    "state": "active",
    "detail": "",
    "released_by": None,
    "released_at": None,
    "release_reason": "",
}


_PERSON = {"name": "Jürgen Müller", "address": "juergen.mueller@fabrikam.example"}
_ATTACHMENT = {"number": 1, "name": "Angebot.pdf", "content_type": "application/pdf", "size": 48213, "inline": False}
_ITEM = {
    "id": "AAkALgAAAAAAHYQDEapmEc2byACqAC-EWg0AxW9F",
    "kind": "mail",
    "folder": "AAMkAGVmMDEzMTM4LTZmYWUtNDdkNC1hMDZiAAA",
    "subject": "Angebot für die Straßenbeleuchtung",
    "sender": _PERSON,
    "to": [{"name": "Anna Schmidt", "address": "anna.schmidt@contoso.example"}],
    "recipients": 1,
    "date": "2026-03-02T07:41:00Z",
    "size": 65804,
    "read": True,
    "draft": False,
    "flagged": False,
    "importance": "normal",
    "categories": ["Angebote"],
    "attachments": [_ATTACHMENT],
    "attachment_count": 1,
    "first_seen": _RESTORE_POINT_ID,
    "last_seen": _RESTORE_POINT_ID,
    "excerpt": "… anbei das Angebot für die Straßenbeleuchtung im Gewerbegebiet …",
}
_FOLDER_VIEW = {
    "id": _ITEM["folder"],
    "kind": "folder",
    "name": "Projekte",
    "path": ["Posteingang", "Projekte"],
    "parent": "AAMkAGVmMDEzMTM4LTZmYWUtNDdkNC1hMDZiBBB",
    "items": 214,
    "bytes": 18_400_233,
}
_MESSAGE = {
    "item": _ITEM,
    "cc": [],
    "bcc": [],
    "reply_to": [],
    "text": "Guten Tag Frau Schmidt,\n\nanbei das Angebot.",
    "html": "<p>Guten Tag Frau Schmidt,</p><p>anbei das Angebot.</p>",
    "truncated": False,
}
_COMPARISON = {
    "earlier": _RESTORE_POINT_ID,
    "later": "01KJS0ZQ4T7V2B5N8D1G6H3J9K",
    "added": 1,
    "removed": 0,
    "changed": 0,
    "moved": 0,
    "items": [{"change": "added", "before": None, "after": _ITEM}],
    "cursor": None,
}


class Example(NamedTuple):
    response: dict[str, Any] | None = None
    request: dict[str, Any] | None = None


def _page(item: dict[str, Any]) -> dict[str, Any]:
    return {"items": [item], "cursor": None}


EXAMPLES: dict[str, Example] = {
    "list_tenants": Example(_page(_TENANT)),
    "register_tenant": Example(_TENANT, _TENANT_BODY),
    "get_tenant": Example(_TENANT),
    "set_recovery_key": Example(_TENANT, {"public_key": _RECOVERY_KEY}),
    "set_contacts": Example(_TENANT, onboarding.CONTACTS),
    "get_onboarding": Example(onboarding.ONBOARDING),
    "get_offboarding": Example(onboarding.OFFBOARDING),
    "begin_offboarding": Example(onboarding.OFFBOARDING),
    "cancel_offboarding": Example(onboarding.OFFBOARDING),
    "decide_export": Example(onboarding.OFFBOARDING, onboarding.EXPORT_DECISION),
    "order_shredding": Example(onboarding.OFFBOARDING, onboarding.SHREDDING),
    "attest_recovery_key": Example(onboarding.OFFBOARDING, onboarding.ATTESTED_KEY),
    "list_tokens": Example(_page(_TOKEN)),
    "set_credential": Example(
        _TOKEN,
        {"client_id": _TOKEN["client_id"], "client_secret": "the app's client secret"},
    ),
    "set_certificate": Example(
        _TOKEN,
        {
            "client_id": _TOKEN["client_id"],
            "certificate": "-----BEGIN CERTIFICATE-----\n…",
            "private_key": "the certificate's key, PEM without passphrase",
        },
    ),
    "start_consent": Example(
        {
            "url": f"https://login.microsoftonline.com/{_TENANT['entra_tenant_id']}/v2.0/adminconsent?client_id=…",
            "expires_at": "2026-03-02T08:10:00Z",
        },
        {"client_id": _TOKEN["client_id"]},
    ),
    **{name: Example(*pair) for name, pair in token_examples.EXAMPLES.items()},
    **{name: Example(*pair) for name, pair in profile_examples.EXAMPLES.items()},
    "list_storage_targets": Example(_page(_TARGET)),
    "create_storage_target": Example(
        {"target": _TARGET, "steps": [{"name": "write", "ok": True, "detail": "", "finding": None}]},
        {**_TARGET_BODY, "credentials": {"access_key": "the access key", "secret_key": "the secret key"}},
    ),
    "renew_storage_credentials": Example(
        {"target": _TARGET, "steps": [{"name": "write", "ok": True, "detail": "", "finding": None}]},
        {"credentials": {"access_key": "the new access key", "secret_key": "the new secret key"}},
    ),
    "test_storage_target": Example(
        {"target": _TARGET, "steps": [{"name": "write", "ok": True, "detail": "", "finding": None}]}
    ),
    "recover_storage_target": Example(_RECOVERED),
    "list_backup_configurations": Example(_page(_CONFIGURATION)),
    "create_backup_configuration": Example(_CONFIGURATION, _CONFIGURATION_BODY),
    "get_backup_configuration": Example(_CONFIGURATION),
    "change_backup_configuration": Example({**_CONFIGURATION, "paused": True, "next_run_at": None}, {"paused": True}),
    "get_retention_floor": Example(_FLOOR),
    "set_retention_floor": Example(_FLOOR, {"period": _FLOOR["period"]}),
    "list_legal_holds": Example(_page(_LEGAL_HOLD)),
    "place_legal_hold": Example(
        _LEGAL_HOLD,
        {"restore_point": _RESTORE_POINT_ID, "reason": _LEGAL_HOLD["reason"]},
    ),
    "release_legal_hold": Example(
        {
            **_LEGAL_HOLD,
            "state": "releasing",
            "released_by": "admin@contoso.example",
            "released_at": "2027-03-02T09:00:00Z",
            "release_reason": "settled",
        },
        {"reason": "settled"},
    ),
    "start_backup": Example({"run": _RUN_ID}),
    "start_upkeep": Example({"run": _RUN_ID}, {"kind": "verify", "whole": False}),
    "list_runs": Example(_page(_RUN)),
    "get_run": Example(_RUN),
    "follow_run": Example(),
    "list_jobs": Example(_page(_JOB)),
    "get_job": Example(_JOB),
    "list_restore_points": Example(_page(_RESTORE_POINT)),
    "list_folders": Example(_page(_FOLDER_VIEW)),
    "list_items": Example(_page(_ITEM)),
    "get_item": Example(_ITEM),
    "get_message": Example(_MESSAGE),
    "open_item_download": Example(
        {"url": "/api/v1/tenants/contoso/downloads/6mJ0yq7s", "filename": "item.eml"}, {"attachment": None}
    ),
    "search_items": Example(_page(_ITEM)),
    "compare_restore_points": Example(_COMPARISON),
    "open_export": Example(
        {"url": "/api/v1/tenants/contoso/downloads/6mJ0yq7s", "filename": "anna.schmidt.zip"}, {"format": "eml"}
    ),
    "download": Example(),
    "list_restore_problems": Example(
        _page({"item": _ITEM["id"], "error": "integrity", "detail": "the restored mail differs in: received"})
    ),
    "start_restore": Example(
        {"run": _RUN_ID},
        {
            "restore_point": _RESTORE_POINT_ID,
            "target_user": "restore-target@contoso.example",
            "target_folder": "",
            "place": "folder",
            "conflict": "skip",
            "selection": {"items": [], "folders": [_FOLDER_ID], "sources": ["mail"]},
            "dry_run": False,
        },
    ),
    "list_dead_letters": Example(_page(DEAD_LETTER)),
    "get_dead_letter": Example(
        {
            "letter": DEAD_LETTER,
            "headers": {"ce-type": "m365.backup.requested.v1", "content-type": "application/json"},
            "payload": "eyJ0ZW5hbnQiOiAiY29udG9zbyJ9",
        }
    ),
    "replay_dead_letter": Example(
        {**DEAD_LETTER, "replayed_at": "2026-03-02T09:00:00Z", "replayed_by": "operator@tenantkeep"}
    ),
    "list_reviews": Example(_page(REVIEW)),
    "get_review": Example(REVIEW),
    "complete_review": Example(
        {**REVIEW, "state": "done", "completed_at": "2026-03-02T08:00:00Z", "completed_by": "admin", "note": "retried"},
        {"note": "retried"},
    ),
    "list_audit_records": Example(_page(AUDIT_RECORD)),
    "list_audit_seals": Example(_page(AUDIT_SEAL)),
    "list_installation_audit": Example(_page({**AUDIT_RECORD, "tenant": "_"})),
    "get_health": Example(_page(HEALTH)),
    **{name: Example(*both) for name, both in employee_examples.ANSWERS.items()},
}
