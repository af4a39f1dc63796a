"""Repositories of tenants: target document + credentials and keys from the vault → an opened repository."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from backup_engine import RecoveryPublicKey, Repository, Tuning, shredding
from backup_engine.errors import KeyUnavailable, NotFound, RepositoryError, StorageDenied
from backup_engine.storage import S3Storage, probe
from backup_service.adapters.mongo_store import Store, key
from backup_service.adapters.storage_targets import storage_of, wrapped
from backup_service.adapters.transit_wrapper import TransitWrapper
from chassis.vault import Vault, VaultError, VaultNotFound
from contracts.names import StorageFinding
from contracts.offboarding import TargetKeys
from contracts.problem import not_found
from contracts.views import ProbeStep, StorageTarget

if TYPE_CHECKING:
    from backup_engine.storage import SFTPStorage

log = structlog.get_logger()


class EngineRepositories:
    """Implements ports.Repositories; an opened repository is shared by all jobs of the process."""

    def __init__(self, store: Store, vault: Vault, ca_file: Path | None, tuning: Tuning) -> None:
        self._targets = store.targets
        self._vault = vault
        self._ca_file = ca_file
        self._tuning = tuning
        self._opened: dict[tuple[str, str], Repository] = {}
        self._credentials: dict[tuple[str, str], str] = {}
        """With which they were opened, by their name in the vault."""
        self._wrapped_to: dict[tuple[str, str], RecoveryPublicKey | None] = {}
        self._lock = asyncio.Lock()

    async def open(self, tenant: str, target: str) -> Repository:
        """Open it, or give it as it was opened before; the tenant's recovery key of today opens it either way.

        With other credentials it is opened anew; who has the one of before goes on with it.
        """
        recovery = await self._recovery_key(tenant)
        async with self._lock:
            document = await self._document(tenant, target)
            credentials = _credentials_of(target, document)
            known = self._opened.get((tenant, target))
            if known is None or self._credentials[tenant, target] != credentials:
                known = self._opened[tenant, target] = await self._open(tenant, target, document, recovery)
                self._credentials[tenant, target] = credentials
            if (tenant, target) not in self._wrapped_to or self._wrapped_to[tenant, target] != recovery:
                await self._require(known, target, recovery)
                self._wrapped_to[tenant, target] = recovery
            return known

    async def _document(self, tenant: str, target: str) -> Mapping[str, Any]:
        document = await self._targets.find_one({"_id": key(tenant, target)})
        if document is None:
            raise not_found("storage target")
        return document

    async def _open(
        self, tenant: str, target: str, document: Mapping[str, Any], recovery: RecoveryPublicKey | None
    ) -> Repository:
        storage = wrapped(await self._storage(tenant, target, document), document)
        return await asyncio.to_thread(
            Repository.open_or_create,
            storage,
            self._wrapper(tenant),
            tenant=tenant,
            recovery=recovery,
            tuning=self._tuning,
        )

    async def _require(self, repository: Repository, target: str, recovery: RecoveryPublicKey | None) -> None:
        """Wrap what the recovery key does not open yet, and say with the target which one opens it."""
        told = log.bind(tenant=repository.tenant, target=target)
        if recovery is None:
            told.warning("the vault alone opens this repository: the tenant has no recovery key")
            return
        done = await asyncio.to_thread(repository.keys.require, self._wrapper(repository.tenant), recovery)
        if done.written:
            told.info("data keys wrapped to the recovery key", recovery_key=recovery.fingerprint, keys=done.written)
        if done.kept:
            told.warning("a replaced recovery key opens older data: storage keeps its records", keys=done.kept)
        where = {"_id": key(repository.tenant, target)}
        await self._targets.update_one(where, {"$set": {"recovery_key": recovery.fingerprint}})

    async def _recovery_key(self, tenant: str) -> RecoveryPublicKey | None:
        found = await self._vault.kv_read(f"tenants/{tenant}/recovery-key")
        try:
            return None if found is None else RecoveryPublicKey.parse(str(found[0].get("public_key")))
        except ValueError as error:
            raise KeyUnavailable("the tenant's recovery key is no key; replace it") from error

    def _wrapper(self, tenant: str) -> TransitWrapper:
        return TransitWrapper(self._vault, tenant, asyncio.get_running_loop())

    async def probe(self, tenant: str, target: str, where: Mapping[str, Any]) -> tuple[ProbeStep, ...]:
        try:
            storage = await self._storage(tenant, target, where)
        except StorageDenied as error:
            return (ProbeStep(name="credentials", ok=False, detail=str(error)),)
        try:
            report = await asyncio.to_thread(probe, storage)
        finally:
            await asyncio.to_thread(storage.close)
        return tuple(
            ProbeStep(
                name=step.name,
                ok=step.ok,
                detail=step.error,
                finding=None if step.finding is None else StorageFinding(step.finding),
            )
            for step in report.steps
        )

    async def keys_of(self, target: StorageTarget) -> TargetKeys:
        """Every key that opens the repository there, read from its key records; it needs none of them.

        A place without a repository has none; what cannot be read is a problem, never an empty list.
        """
        told = TargetKeys(target=target.id, name=target.name, endpoint=target.endpoint)
        try:
            storage = await self._storage(target.tenant, target.id, target.model_dump())
            try:
                needed = await asyncio.to_thread(shredding.required, storage)
            finally:
                await asyncio.to_thread(storage.close)
        except NotFound:
            return told
        except (RepositoryError, VaultError) as error:
            return told.model_copy(update={"problem": type(error).__name__})
        named = {
            "transit_keys": tuple(sorted(needed.transit_keys)),
            "recovery_keys": tuple(sorted(needed.recovery_keys)),
        }
        return told.model_copy(update=named)

    async def _storage(self, tenant: str, target: str, where: Mapping[str, Any]) -> "S3Storage | SFTPStorage":
        try:
            found = await self._vault.kv_read(f"tenants/{tenant}/storage/{_credentials_of(target, where)}")
        except VaultNotFound:
            found = None
        if found is None:
            raise StorageDenied("the vault holds no credentials for this target; give it new ones")
        credentials, _ = found
        return storage_of(where, credentials, tenant, self._ca_file)


def _credentials_of(target: str, where: Mapping[str, Any]) -> str:
    """Their name in the vault: that of the target until they were renewed."""
    return str(where.get("credentials") or target)
