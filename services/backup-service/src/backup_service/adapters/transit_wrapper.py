"""Data keys of tenants, wrapped by OpenBao transit."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from backup_engine.errors import KeyUnavailable
from chassis.vault import Vault, VaultNotFound, VaultRejected

T = TypeVar("T")


class TransitWrapper:
    """Implements backup_engine.KeyWrapper. Called from engine threads, asks on the event loop.

    A key that is not there or does not fit is KeyUnavailable; a vault that does not answer keeps its own error,
    because that passes by itself.
    """

    def __init__(self, vault: Vault, tenant: str, loop: asyncio.AbstractEventLoop) -> None:
        self._vault = vault
        self._loop = loop
        self.name = f"tenant-{tenant}"  # token-service creates it at registration

    def new_data_key(self) -> tuple[bytes, str]:
        return self._on_loop(self._vault.transit_data_key(self.name))

    def wrap(self, data_key: bytes) -> str:
        return self._on_loop(self._vault.transit_encrypt(self.name, data_key))

    def unwrap(self, wrapped: str) -> bytes:
        return self._on_loop(self._vault.transit_decrypt(self.name, wrapped))

    def _on_loop(self, call: Coroutine[Any, Any, T]) -> T:
        try:
            return asyncio.run_coroutine_threadsafe(call, self._loop).result()
        except (VaultNotFound, VaultRejected) as error:
            raise KeyUnavailable(
                f"the vault's key {self.name} does not open this repository: was the vault replaced?"
                " The customer's recovery key still opens it"
            ) from error
