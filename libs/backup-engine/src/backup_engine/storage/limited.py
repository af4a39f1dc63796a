"""Keeps a storage's use within what its link or its owner allows."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from backup_engine.storage.base import LockMode, ObjectInfo, Retention, Storage


@dataclass(frozen=True, slots=True)
class Limits:
    """None is no limit. A single object may exceed a second's bytes; what follows it then waits longer."""

    requests: int | None = None  # at the same time
    upload: int | None = None  # bytes per second
    download: int | None = None  # bytes per second


def _wait(seconds: float) -> None:
    threading.Event().wait(seconds)


class _Rate:
    """Hands out moments at which bytes may pass, one second's worth at once after a pause; thread-safe."""

    def __init__(self, per_second: int | None, now: Callable[[], float], wait: Callable[[float], None]) -> None:
        self._per_second = per_second
        self._now = now
        self._wait = wait
        self._free_at = 0.0  # seconds of `now`; all bytes handed out so far have passed then
        self._mutex = threading.Lock()

    def pass_through(self, size: int) -> None:
        if self._per_second is None:
            return
        with self._mutex:
            now = self._now()
            delay = self._free_at - now
            self._free_at = max(self._free_at, now - 1.0) + size / self._per_second
        if delay > 0:
            self._wait(delay)


class LimitedStorage:
    """Wrap the retrying storage with it, so that repeated attempts count once."""

    def __init__(
        self,
        inner: Storage,
        limits: Limits,
        *,
        now: Callable[[], float] = time.monotonic,
        wait: Callable[[float], None] = _wait,
    ) -> None:
        self._inner = inner
        self._slots = None if limits.requests is None else threading.BoundedSemaphore(limits.requests)
        self._upload = _Rate(limits.upload, now, wait)
        self._download = _Rate(limits.download, now, wait)

    @property
    def lock(self) -> LockMode | None:
        return self._inner.lock

    def put(self, key: str, body: bytes, *, retain_until: datetime | None = None) -> None:
        self._upload.pass_through(len(body))
        with self._slot():
            self._inner.put(key, body, retain_until=retain_until)

    def get(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        with self._slot():
            body = self._inner.get(key, offset, length)
        self._download.pass_through(len(body))
        return body

    def versions(self, key: str, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        with self._slot():
            found = list(self._inner.versions(key, offset, length))
        for body in found:
            self._download.pass_through(len(body))
            yield body

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        with self._slot():
            return iter(list(self._inner.list(prefix)))

    def delete(self, key: str) -> None:
        with self._slot():
            self._inner.delete(key)

    def extend(self, key: str, retain_until: datetime) -> None:
        with self._slot():
            self._inner.extend(key, retain_until)

    def hold(self, key: str, *, on: bool) -> None:
        with self._slot():
            self._inner.hold(key, on=on)

    def retention(self, key: str) -> Retention:
        with self._slot():
            return self._inner.retention(key)

    def unhide(self, key: str) -> None:
        with self._slot():
            self._inner.unhide(key)

    def clock(self) -> datetime | None:
        with self._slot():
            return self._inner.clock()

    @contextmanager
    def _slot(self) -> Iterator[None]:
        if self._slots is None:
            yield
            return
        with self._slots:
            yield
