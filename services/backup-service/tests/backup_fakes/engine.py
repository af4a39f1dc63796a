"""Repositories of the real engine on objects in memory."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from backup_engine import Repository, Tuning
from backup_engine.storage import MemoryStorage
from backup_engine.testing.faulty import WrappedStorage
from backup_engine.testing.keys import LocalKeyWrapper
from backup_fakes.fuse import Fuse
from contracts.views import ProbeStep

T = TypeVar("T")


class FusedStorage(WrappedStorage):
    """May die before or after each operation."""

    def __init__(self, inner: MemoryStorage, fuse: Fuse) -> None:
        super().__init__(inner)
        self._fuse = fuse

    def _run(self, operation: str, key: str, effect: Callable[[], T]) -> T:
        self._fuse.step()
        result = effect()
        self._fuse.step()
        return result


class EngineInMemory:
    """Implements ports.Repositories with the real engine on objects in memory; `storage` survives a crash."""

    def __init__(self, fuse: Fuse) -> None:
        self.storage = MemoryStorage()
        self.error: Exception | None = None
        self.steps: tuple[ProbeStep, ...] = (ProbeStep(name="write", ok=True),)
        self._fuse = fuse
        self._wrapper = LocalKeyWrapper(bytes(32))
        self._opened: Repository | None = None

    async def open(self, tenant: str, target: str) -> Repository:
        if self.error is not None:
            raise self.error
        if self._opened is None:
            self._opened = self._open(tenant)
        return self._opened

    async def probe(self, tenant: str, target: str, where: Mapping[str, Any]) -> tuple[ProbeStep, ...]:
        return self.steps

    def forget(self) -> None:
        """The process is gone, and with it what it had opened."""
        self._opened = None

    def _open(self, tenant: str) -> Repository:
        # Threads would make the order of steps, and so the place of a crash, a matter of chance.
        tuning = Tuning(compressors=0, uploaders=0)
        return Repository.open_or_create(
            FusedStorage(self.storage, self._fuse), self._wrapper, tenant=tenant, tuning=tuning
        )
