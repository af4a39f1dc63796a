"""A storage that fails when told to."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self, TypeVar

from backup_engine.storage.base import LockMode, ObjectInfo, Retention, Storage

T = TypeVar("T")


class SimulatedCrash(BaseException):
    """The process dies here: nothing may catch it."""


@dataclass(slots=True)
class Fault:
    operation: str  # put, get, versions, list, delete, extend, hold, retention, unhide, clock
    prefix: str  # of the key
    error: BaseException
    times: int = 1
    applied: bool = False  # the operation takes effect and only its answer is lost
    left: int = field(init=False)

    def __post_init__(self) -> None:
        self.left = self.times


class WrappedStorage(ABC):
    """Passes every operation on; what happens around each is said by `_run`."""

    def __init__(self, inner: Storage) -> None:
        self._inner = inner

    @abstractmethod
    def _run(self, operation: str, key: str, effect: Callable[[], T]) -> T:
        """`effect` does the operation; `key` is a prefix where it is `list`."""

    @property
    def lock(self) -> LockMode | None:
        return self._inner.lock

    def put(self, key: str, body: bytes, *, retain_until: datetime | None = None) -> None:
        self._run("put", key, lambda: self._inner.put(key, body, retain_until=retain_until))

    def get(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        return self._run("get", key, lambda: self._inner.get(key, offset, length))

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        return iter(self._run("list", prefix, lambda: list(self._inner.list(prefix))))

    def delete(self, key: str) -> None:
        self._run("delete", key, lambda: self._inner.delete(key))

    def versions(self, key: str, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        return iter(self._run("versions", key, lambda: list(self._inner.versions(key, offset, length))))

    def extend(self, key: str, retain_until: datetime) -> None:
        self._run("extend", key, lambda: self._inner.extend(key, retain_until))

    def hold(self, key: str, *, on: bool) -> None:
        self._run("hold", key, lambda: self._inner.hold(key, on=on))

    def retention(self, key: str) -> Retention:
        return self._run("retention", key, lambda: self._inner.retention(key))

    def unhide(self, key: str) -> None:
        self._run("unhide", key, lambda: self._inner.unhide(key))

    def clock(self) -> datetime | None:
        return self._run("clock", "", self._inner.clock)


class FaultyStorage(WrappedStorage):
    """Raises planned faults; leaving the context without having met every one of them is an error."""

    def __init__(self, inner: Storage) -> None:
        super().__init__(inner)
        self._faults: list[Fault] = []

    def plan(self, operation: str, prefix: str, error: BaseException, **options: int | bool) -> None:
        self._faults.append(Fault(operation, prefix, error, **options))  # type: ignore[arg-type]  # times, applied

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        unused = [fault for fault in self._faults if fault.left]
        if kind is None and unused:
            message = f"planned faults were never met: {unused}"
            raise AssertionError(message)

    def _run(self, operation: str, key: str, effect: Callable[[], T]) -> T:
        for fault in self._faults:
            if fault.left and fault.operation == operation and key.startswith(fault.prefix):
                fault.left -= 1
                if fault.applied:
                    effect()
                raise fault.error
        return effect()


class CrashingStorage(WrappedStorage):
    """Dies at the n-th operation from now, before or after its effect; counts all of them.

    Once it has died every further operation dies as well: a dead process writes nothing.
    """

    def __init__(self, inner: Storage) -> None:
        super().__init__(inner)
        self._left: int | None = None
        self._applied = False
        self._dead = False
        self.operations = 0

    def crash_in(self, operations: int, *, applied: bool) -> None:
        """0 is the very next operation; `applied` lets it take effect first."""
        self._left, self._applied = operations, applied

    def _run(self, operation: str, key: str, effect: Callable[[], T]) -> T:  # noqa: ARG002 - every operation counts
        if self._dead:
            raise SimulatedCrash
        self.operations += 1
        if self._left == 0:
            self._dead = True
            if self._applied:
                effect()
            raise SimulatedCrash
        if self._left is not None:
            self._left -= 1
        return effect()
