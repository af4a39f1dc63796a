"""Counts what passes through: requests and bytes per operation."""

import threading
from collections import Counter
from collections.abc import Iterator
from datetime import datetime

from backup_engine.storage.base import LockMode, ObjectInfo, Retention, Storage

_PAGE = 1000  # keys S3 returns per LIST request


class Meter:
    """Counters by operation, named like the methods of the port (list: pages of 1,000 keys); thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: Counter[str] = Counter()
        self._bytes: Counter[str] = Counter()

    def add(self, operation: str, size: int = 0, *, requests: int = 1) -> None:
        with self._lock:
            self._requests[operation] += requests
            self._bytes[operation] += size

    @property
    def requests(self) -> dict[str, int]:
        with self._lock:
            return dict(self._requests)

    @property
    def bytes(self) -> dict[str, int]:
        with self._lock:
            return dict(self._bytes)


class MeasuredStorage:
    def __init__(self, inner: Storage, meter: Meter) -> None:
        self._inner = inner
        self._meter = meter

    @property
    def lock(self) -> LockMode | None:
        return self._inner.lock

    def put(self, key: str, body: bytes, *, retain_until: datetime | None = None) -> None:
        self._meter.add("put", len(body))
        self._inner.put(key, body, retain_until=retain_until)

    def get(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        body = self._inner.get(key, offset, length)
        self._meter.add("get", len(body))
        return body

    def versions(self, key: str, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        for body in self._inner.versions(key, offset, length):
            self._meter.add("versions", len(body))
            yield body

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        count = 0
        for found in self._inner.list(prefix):
            count += 1
            yield found
        self._meter.add("list", requests=max(1, -(-count // _PAGE)))

    def delete(self, key: str) -> None:
        self._meter.add("delete")
        self._inner.delete(key)

    def extend(self, key: str, retain_until: datetime) -> None:
        self._meter.add("extend")
        self._inner.extend(key, retain_until)

    def hold(self, key: str, *, on: bool) -> None:
        self._meter.add("hold")
        self._inner.hold(key, on=on)

    def retention(self, key: str) -> Retention:
        self._meter.add("retention")
        return self._inner.retention(key)

    def unhide(self, key: str) -> None:
        self._meter.add("unhide")
        self._inner.unhide(key)

    def clock(self) -> datetime | None:
        self._meter.add("clock")
        return self._inner.clock()
