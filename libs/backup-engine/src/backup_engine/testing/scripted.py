"""A storage that does something unusual at chosen operations: dies, loses an answer, lets others go first."""

import enum
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import TypeVar

from backup_engine.errors import StorageUnreachable
from backup_engine.storage.base import LockMode, ObjectInfo, Retention, Storage
from backup_engine.testing.faulty import SimulatedCrash

T = TypeVar("T")


class Event(enum.Enum):
    DIES_BEFORE = "the process dies, the operation did not happen"
    DIES_AFTER = "the process dies, the operation did happen"
    UNREACHABLE = "no answer, the operation did not happen"
    LOST = "no answer, the operation did happen"


Script = Mapping[int, "Event | Callable[[], object]"]  # by number of the operation from now; a call goes first


class ScriptedStorage:
    """One process's way to a shared storage; not thread-safe. Once dead it stays dead.

    Others who go first at a listing do so in the middle of it: the first half is as it was before them, the second
    half as it is after them, which is all that stores promise.
    """

    def __init__(self, inner: Storage) -> None:
        self._inner = inner
        self._script: Script = {}
        self._at = 0
        self.dead = False
        self.operations: list[tuple[str, str]] = []  # every operation since the last script, with its key or prefix

    def play(self, script: Script) -> None:
        self._script, self._at, self.operations = script, 0, []

    @property
    def lock(self) -> LockMode | None:
        return self._inner.lock

    def put(self, key: str, body: bytes, *, retain_until: datetime | None = None) -> None:
        self._run("put", key, lambda: self._inner.put(key, body, retain_until=retain_until))

    def get(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        return self._run("get", key, lambda: self._inner.get(key, offset, length))

    def versions(self, key: str, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        return iter(self._run("versions", key, lambda: list(self._inner.versions(key, offset, length))))

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        before = sorted(self._inner.list(prefix), key=lambda info: info.key)
        after = self._run("list", prefix, lambda: list(self._inner.list(prefix)))
        middle = before[len(before) // 2].key if before else ""
        return iter([info for info in before if info.key < middle] + [info for info in after if info.key >= middle])

    def delete(self, key: str) -> None:
        self._run("delete", key, lambda: self._inner.delete(key))

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

    def _run(self, operation: str, key: str, effect: Callable[[], T]) -> T:
        if self.dead:
            raise SimulatedCrash
        self.operations.append((operation, key))
        event = self._script.get(self._at)
        self._at += 1
        if event is None:
            return effect()
        if not isinstance(event, Event):
            event()
            return effect()
        if event in {Event.DIES_AFTER, Event.LOST}:
            effect()
        if event in {Event.DIES_BEFORE, Event.DIES_AFTER}:
            self.dead = True
            raise SimulatedCrash
        raise StorageUnreachable("no answer", key=key)
