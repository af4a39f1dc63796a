"""Repositories of tenants: target document + credentials and keys from the vault → an opened repository."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from backup_engine import Repository
from backup_engine.errors import StorageDenied
from backup_engine.storage import PrefixedStorage, RetryingStorage, S3Storage, Storage, probe
from backup_service.adapters.mongo_store import Store, key
from backup_service.adapters.transit_wrapper import TransitWrapper
from chassis.vault import Vault, VaultNotFound
from contracts.problem import not_found
from contracts.views import ProbeStep


class EngineRepositories:
    """Implements ports.Repositories; an opened repository is shared by all jobs of the process."""

    def __init__(self, store: Store, vault: Vault, ca_file: Path | None) -> None:
        self._targets = store.targets
        self._vault = vault
        self._ca_file = ca_file
        self._opened: dict[tuple[str, str], Repository] = {}
        self._lock = asyncio.Lock()

    async def open(self, tenant: str, target: str) -> Repository:
        async with self._lock:
            known = self._opened.get((tenant, target))
            if known is not None:
                return known
            document = await self._targets.find_one({"_id": key(tenant, target)})
            if document is None:
                raise not_found("storage target")
            storage = RetryingStorage(await self._storage(tenant, target, document))
            wrapper = TransitWrapper(self._vault, tenant, asyncio.get_running_loop())
            opened = await asyncio.to_thread(Repository.open_or_create, storage, wrapper, tenant=tenant)
            self._opened[tenant, target] = opened
            return opened

    async def probe(self, tenant: str, target: str, where: Mapping[str, str]) -> tuple[ProbeStep, ...]:
        try:
            storage = await self._storage(tenant, target, where)
        except StorageDenied as error:
            return (ProbeStep(name="credentials", ok=False, detail=str(error)),)
        report = await asyncio.to_thread(probe, storage)
        return tuple(ProbeStep(name=step.name, ok=step.ok, detail=step.error) for step in report.steps)

    async def _storage(self, tenant: str, target: str, where: Mapping[str, Any]) -> Storage:
        try:
            found = await self._vault.kv_read(f"tenants/{tenant}/storage/{target}")
        except VaultNotFound:
            found = None
        if found is None:
            raise StorageDenied("the vault holds no credentials for this target; create the target again")
        credentials, _ = found
        address = urlsplit(str(where["endpoint"]))
        storage = S3Storage(
            address.netloc,
            where["bucket"],
            credentials["access_key"],
            credentials["secret_key"],
            region=where["region"],
            ca_file=self._ca_file,
        )
        return PrefixedStorage(storage, repository_prefix(str(where["prefix"]), tenant))


def repository_prefix(prefix: str, tenant: str) -> str:
    """Every tenant has its own prefix, whatever the target's says."""
    return f"{prefix.strip('/')}/{tenant}".lstrip("/")
