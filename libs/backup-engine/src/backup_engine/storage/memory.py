"""Objects in memory: for tests and for looking at what a session writes."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime

from backup_engine.errors import AlreadyExists, NotFound, ObjectLocked
from backup_engine.storage.base import (
    LockMode,
    ObjectInfo,
    Retention,
    check_aware,
    check_key,
    check_range,
    lock_unsupported,
)


def _utc_now() -> datetime:
    return datetime.now(UTC)


class MemoryStorage:
    """Keeps the promises of the port; `objects` is the whole visible content, open to tests.

    With `lock` it enforces retentions and keeps the version that `hide` or `cover` put out of sight. `clock` is the
    time it keeps for itself; without one it goes by this machine's.
    """

    def __init__(self, *, lock: LockMode | None = None, clock: Callable[[], datetime] | None = None) -> None:
        self.objects: dict[str, bytes] = {}
        self._covered: dict[str, bytes] = {}
        self._retained: dict[str, Retention] = {}
        self._mode = lock
        self._clock = clock
        self._mutex = threading.Lock()

    @property
    def lock(self) -> LockMode | None:
        return self._mode

    def put(self, key: str, body: bytes, *, retain_until: datetime | None = None) -> None:
        if retain_until is not None:
            self._require_lock(key)
            check_aware(retain_until)
        with self._mutex:
            if check_key(key) in self.objects:
                raise AlreadyExists(f"{key} exists", key=key)
            self.objects[key] = bytes(body)
            if retain_until is not None:
                self._retained[key] = Retention(until=retain_until)

    def get(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        check_range(offset, length)
        with self._mutex:
            body = self.objects.get(check_key(key), self._covered.get(key))
        if body is None:
            raise NotFound(f"{key} does not exist", key=key)
        return _cut(body, offset, length)

    def versions(self, key: str, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        check_range(offset, length)
        if self._mode is None:
            return iter(())
        with self._mutex:
            found = [store[key] for store in (self._covered, self.objects) if key in store]
        return (_cut(body, offset, length) for body in found)

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        with self._mutex:
            oldest = {**self.objects, **self._covered}
            found = [
                ObjectInfo(key, len(oldest[key]), hidden=key not in self.objects)
                for key in sorted(oldest)
                if key.startswith(prefix)
            ]
        return iter(found)

    def delete(self, key: str) -> None:
        with self._mutex:
            retained = self._retained.get(check_key(key), Retention())
            if retained.held or (retained.until is not None and retained.until > (self._clock or _utc_now)()):
                raise ObjectLocked(f"{key} is locked until {retained.until}, legal hold: {retained.held}", key=key)
            for store in (self.objects, self._covered, self._retained):
                store.pop(key, None)

    def extend(self, key: str, retain_until: datetime) -> None:
        self._require_lock(key)
        check_aware(retain_until)
        with self._mutex:
            current = self._retention(key)
            if current.until is None or current.until < retain_until:
                self._retained[key] = replace(current, until=retain_until)

    def shorten(self, key: str, retain_until: datetime) -> None:
        """Ask to end a retention sooner; no part of the port, and always refused, with ObjectLocked."""
        self._require_lock(key)
        raise ObjectLocked(f"{key} stays locked, whatever is wanted at {retain_until}", key=key)

    def hold(self, key: str, *, on: bool) -> None:
        self._require_lock(key)
        with self._mutex:
            self._retained[key] = replace(self._retention(key), held=on)

    def retention(self, key: str) -> Retention:
        with self._mutex:
            return self._retention(key)

    def unhide(self, key: str) -> None:
        with self._mutex:
            if key not in self.objects and key in self._covered:
                self.objects[key] = self._covered.pop(key)

    def clock(self) -> datetime | None:
        return self._clock() if self._clock is not None else None

    def hide(self, key: str) -> None:
        """What somebody with the storage's credentials can do to a locked object: put a delete marker on it."""
        self._require_lock(key)
        with self._mutex:
            self._covered.setdefault(key, self.objects.pop(key))

    def cover(self, key: str, body: bytes) -> None:
        """The other thing he can do: store a version of his own on top."""
        self.hide(key)
        self.objects[key] = body

    def _require_lock(self, key: str) -> None:
        if self._mode is None:
            raise lock_unsupported(key)

    def _retention(self, key: str) -> Retention:
        if check_key(key) not in self.objects and key not in self._covered:
            raise NotFound(f"{key} does not exist", key=key)
        return self._retained.get(key, Retention())


def _cut(body: bytes, offset: int, length: int | None) -> bytes:
    return body[offset:] if length is None else body[offset : offset + length]
