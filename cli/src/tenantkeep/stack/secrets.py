"""Where passwords and keys of the embedded stack lie: one file each below secrets/."""

import json
from pathlib import Path
from typing import Any

from tenantkeep.stack.home import Home


def nats_seed(home: Home, user: str) -> Path:
    return home.secrets / f"nats-{user}.nk"


def mongo_password(home: Home, user: str) -> Path:
    return home.secrets / f"mongo-{user}.password"


def vault_secret_id(home: Home, role: str) -> Path:
    return home.secrets / f"vault-{role}.secret-id"


def vault_unseal_key(home: Home) -> Path:
    return home.secrets / "vault-unseal.key"


def issuer_key(home: Home) -> Path:
    return home.secrets / "issuer-key.pem"


def operator_client(home: Home) -> Path:
    """Client id and secret with which the operator of this stack gets a bearer token."""
    return home.secrets / "operator.json"


def objects_admin(home: Home) -> Path:
    return home.secrets / "objects-admin.json"


def objects_signing(home: Home) -> Path:
    """With which the object store's parts sign what they ask of each other."""
    return home.secrets / "objects-signing.key"


def objects_tenant(home: Home, tenant: str) -> Path:
    return home.secrets / f"objects-tenant-{tenant}.json"


def read_pair(path: Path) -> dict[str, str]:
    """A JSON file of named strings."""
    stored: dict[str, Any] = json.loads(path.read_text())
    return {name: str(value) for name, value in stored.items()}
