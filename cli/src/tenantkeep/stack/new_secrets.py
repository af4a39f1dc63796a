"""Passwords and keys of the embedded stack, made once: 0600, one file each below secrets/."""

import json
import os
import secrets as randoms
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tenantkeep.stack import bus_keys, files, secrets
from tenantkeep.stack.home import Home

UNSEAL_BYTES = 32


def ensure(
    home: Home, *, bus_users: tuple[str, ...], database_users: tuple[str, ...], vault_roles: tuple[str, ...]
) -> None:
    """Make what is missing; what exists stays, so a later version may add users to an old folder."""
    for user in bus_users:
        _once(secrets.nats_seed(home, user), bus_keys.new_seed())
    for user in database_users:
        _once(secrets.mongo_password(home, user), randoms.token_urlsafe(32))
    for role in vault_roles:
        _once(secrets.vault_secret_id(home, role), randoms.token_urlsafe(32))
    _once(secrets.vault_unseal_key(home), os.urandom(UNSEAL_BYTES))
    _once(secrets.objects_admin(home), _json(access_key=randoms.token_hex(10), secret_key=randoms.token_urlsafe(30)))
    _once(secrets.objects_signing(home), randoms.token_urlsafe(32))
    _once(secrets.operator_client(home), _json(client_id="operator", client_secret=randoms.token_urlsafe(32)))
    if not secrets.issuer_key(home).exists():
        _once(secrets.issuer_key(home), _rsa_pem())


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
