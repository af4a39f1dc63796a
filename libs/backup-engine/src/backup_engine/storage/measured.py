"""Counts what passes through: requests and bytes per operation."""

import threading
from collections import Counter
from collections.abc import Iterator

from backup_engine.storage.base import ObjectInfo, Storage

_PAGE = 1000  # keys S3 returns per LIST request


class Meter:
    """Counters by operation: put, get, list (pages of 1,000 keys), delete; thread-safe."""

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

    def put(self, key: str, body: bytes) -> None:
        self._meter.add("put", len(body))
        self._inner.put(key, body)

    def get(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        body = self._inner.get(key, offset, length)
        self._meter.add("get", len(body))
        return body

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        count = 0
        for found in self._inner.list(prefix):
            count += 1
            yield found
        self._meter.add("list", requests=max(1, -(-count // _PAGE)))

    def delete(self, key: str) -> None:
        self._meter.add("delete")
        self._inner.delete(key)
