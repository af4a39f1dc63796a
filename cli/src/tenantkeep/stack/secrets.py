"""Passwords and keys of the embedded stack: made once, 0600, one file each below secrets/."""

import json
import os
import secrets
from pathlib import Path
from typing import Any

import nkeys
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tenantkeep.stack import files
from tenantkeep.stack.home import Home

SEED_BYTES = 32
UNSEAL_BYTES = 32


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


def ensure(
    home: Home, *, bus_users: tuple[str, ...], database_users: tuple[str, ...], vault_roles: tuple[str, ...]
) -> None:
    """Make what is missing; what exists stays, so a later version may add users to an old folder."""
    for user in bus_users:
        seed = nkeys.encode_seed(os.urandom(SEED_BYTES), nkeys.PREFIX_BYTE_USER)
        _once(nats_seed(home, user), bytes(seed))
    for user in database_users:
        _once(mongo_password(home, user), secrets.token_urlsafe(32))
    for role in vault_roles:
        _once(vault_secret_id(home, role), secrets.token_urlsafe(32))
    _once(vault_unseal_key(home), os.urandom(UNSEAL_BYTES))
    _once(objects_admin(home), _json(access_key=secrets.token_hex(10), secret_key=secrets.token_urlsafe(30)))
    _once(objects_signing(home), secrets.token_urlsafe(32))
    _once(operator_client(home), _json(client_id="operator", client_secret=secrets.token_urlsafe(32)))
    if not issuer_key(home).exists():
        _once(issuer_key(home), _rsa_pem())


def nats_public_key(home: Home, user: str) -> str:
    """The user's name on the bus, computed from its seed."""
    pair = nkeys.from_seed(nats_seed(home, user).read_bytes().strip())
    return bytes(pair.public_key).decode()


def nats_signature(home: Home, user: str, nonce: str) -> bytes:
    """The user's answer to the server's challenge."""
    pair = nkeys.from_seed(nats_seed(home, user).read_bytes().strip())
    return bytes(pair.sign(nonce.encode()))


def read_pair(path: Path) -> dict[str, str]:
    """A JSON file of named strings."""
    stored: dict[str, Any] = json.loads(path.read_text())
    return {name: str(value) for name, value in stored.items()}


def _json(**values: str) -> str:
    return json.dumps(values) + "\n"


def _once(path: Path, content: bytes | str) -> None:
    if not path.exists():
        files.write(path, content, mode=files.SECRET_MODE)


def _rsa_pem() -> bytes:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
