"""A wrapper that keeps its key in memory."""

import base64
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from backup_engine.errors import KeyUnavailable

_NONCE = 12


class LocalKeyWrapper:
    """Keeps the promises of KeyWrapper; `available = False` makes it refuse, as a vault out of reach does."""

    def __init__(self, key: bytes | None = None, name: str = "tenant-contoso") -> None:
        self.name = name
        self._aead = AESGCM(key or secrets.token_bytes(32))
        self.available = True
        self.unwrapped = 0

    def new_data_key(self) -> tuple[bytes, str]:
        self._require()
        key = secrets.token_bytes(32)
        return key, self.wrap(key)

    def wrap(self, data_key: bytes) -> str:
        self._require()
        nonce = secrets.token_bytes(_NONCE)
        return base64.b64encode(nonce + self._aead.encrypt(nonce, data_key, None)).decode()

    def unwrap(self, wrapped: str) -> bytes:
        self._require()
        try:
            body = base64.b64decode(wrapped)
            key = self._aead.decrypt(body[:_NONCE], body[_NONCE:], None)
        except (InvalidTag, ValueError) as error:
            raise KeyUnavailable("the wrapped key is not of this wrapper") from error
        self.unwrapped += 1
        return key

    def _require(self) -> None:
        if not self.available:
            raise KeyUnavailable("the key keeper is out of reach")
