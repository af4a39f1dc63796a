"""Tokens in links that only this simulator can write: JSON behind a MAC."""

import base64
import hmac
import json
import sqlite3
from collections.abc import Mapping
from typing import Any

from graph_simulator.database import state_secret

_MAC_LENGTH = 16


class SealBrokenError(ValueError):
    """Somebody else has written the token."""


def seal(connection: sqlite3.Connection, content: Mapping[str, Any]) -> str:
    payload = json.dumps(content, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(_mac(connection, payload) + payload).decode().rstrip("=")


def unseal(connection: sqlite3.Connection, token: str) -> dict[str, Any]:
    """Return what was sealed. Raises SealBrokenError."""
    try:
        sealed = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except ValueError as error:
        raise SealBrokenError("no token of ours") from error
    mac, payload = sealed[:_MAC_LENGTH], sealed[_MAC_LENGTH:]
    if not hmac.compare_digest(mac, _mac(connection, payload)):
        raise SealBrokenError("no token of ours")
    content: dict[str, Any] = json.loads(payload)
    return content


def _mac(connection: sqlite3.Connection, payload: bytes) -> bytes:
    return hmac.digest(state_secret(connection), payload, "sha256")[:_MAC_LENGTH]
