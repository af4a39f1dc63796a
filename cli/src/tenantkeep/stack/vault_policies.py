"""What each service may do in the vault, as data. Nobody may do anything that is not written here."""

from typing import Any

Policy = dict[str, dict[str, Any]]
"""Path pattern → rule; `+` stands for one segment, a final `*` for any rest."""


def _may(*capabilities: str) -> dict[str, Any]:
    return {"capabilities": list(capabilities)}


# A tenant's key stays in the vault, as it is: no other parameter, at creation or later, and so no `exportable`, no
# `deletion_allowed`, no `min_decryption_version` that would make what exists unreadable, no key brought from outside.
_MADE_HERE: dict[str, list[str]] = {"type": ["aes256-gcm96"]}

# An app's key likewise, but for the end of its life: whoever signs with it destroys it when it is replaced.
_APP_KEY: dict[str, list[Any]] = {"type": ["rsa-3072"], "deletion_allowed": [True]}

_DELETABLE: dict[str, list[bool]] = {"deletion_allowed": [True]}

POLICIES: dict[str, Policy] = {
    "gateway": {
        # Secrets enter here: it may put a new one down, not read or replace any.
        "kv/data/tenants/+/intake/+": _may("create"),
        "kv/metadata/tenants/+/intake/+": _may("delete"),
        "kv/data/tenants/+/storage/+": _may("create"),
        "kv/metadata/tenants/+/storage/+": _may("delete"),
    },
    "token-service": {
        "kv/data/tenants/+/intake/+": _may("read"),
        "kv/metadata/tenants/+/intake/+": _may("delete"),
        "kv/metadata/tenants/+/intake/": _may("list"),
        "kv/data/tenants/+/credentials/+": _may("create", "read", "update"),
        "kv/metadata/tenants/+/credentials/+": _may("delete"),
        "kv/data/tenants/+/tokens/+": _may("create", "read", "update"),
        "kv/metadata/tenants/+/tokens/+": _may("create", "update", "read", "delete"),
        "kv/data/tenants/+/sign-in/+": _may("create", "read", "update"),
        "kv/metadata/tenants/+/sign-in/+": _may("create", "update", "delete"),
        "kv/data/tenants/+/recovery-key": _may("create", "read", "update"),
        "transit/keys/tenant-*": {**_may("create", "update", "read"), "allowed_parameters": _MADE_HERE},
        "transit/keys/app.*": {**_may("create", "update", "read", "delete"), "allowed_parameters": _APP_KEY},
        "transit/sign/app.*": _may("update"),
    },
    "sync-service": {
        "kv/data/tenants/+/tokens/directory": _may("read"),
    },
    "backup-service": {
        "kv/data/tenants/+/storage/+": _may("read"),
        "kv/data/tenants/+/recovery-key": _may("read"),
        "kv/data/tenants/+/tokens/exchange-backup": _may("read"),
        "kv/data/tenants/+/tokens/exchange-restore": _may("read"),
        "transit/datakey/plaintext/tenant-*": _may("update"),
        "transit/encrypt/tenant-*": _may("update"),
        "transit/decrypt/tenant-*": _may("update"),
    },
    "monitor-service": {},
    # No service has this role: an operator uses it at the end of a tenant, to destroy the key that no service may.
    "shredder": {
        "transit/keys/tenant-*": {**_may("update", "read", "delete"), "allowed_parameters": _DELETABLE},
        "kv/metadata/tenants/+/storage/": _may("list"),
        "kv/metadata/tenants/+/storage/+": _may("delete"),
        "kv/metadata/tenants/+/recovery-key": _may("delete"),
    },
}
