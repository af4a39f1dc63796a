"""Destroy the keys in the vault that nothing needs any more: replaced, switched off, or offered in vain."""

from datetime import datetime

from chassis.vault import Vault
from token_service.domain import places
from token_service.domain.connection import Connection
from token_service.domain.credential import VaultKey, credential_in


async def destroy_keys(vault: Vault, connection: Connection, now: datetime) -> Connection:
    """Destroy the connection's spent keys and give what is to be saved. Raises VaultError; repeating it is harmless.

    The list is saved before anything is destroyed, with the change that made it so: what a crash leaves is destroyed by
    the next renewal. A key that the kept credential names stays, whatever the list says: the vault is written first, so
    a crash may have left it one step ahead of the list.
    """
    if not connection.spent_keys:
        return connection
    kept = await vault.kv_read(places.credentials(connection.tenant, connection.profile))
    credential = None if kept is None else credential_in(kept[0])
    in_use = credential.number if isinstance(credential, VaultKey) else None
    spent = [number for number in connection.spent_keys if number != in_use]
    for number in spent:
        await vault.transit_destroy_signing_key(places.app_key(connection.tenant, connection.profile, number))
    return connection.keys_destroyed(spent, now)
