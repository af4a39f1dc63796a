"""Objects in memory: for tests and for looking at what a session writes."""

import threading
from collections.abc import Iterator

from backup_engine.errors import AlreadyExists, NotFound
from backup_engine.storage.base import ObjectInfo, check_key, check_range


class MemoryStorage:
    """Keeps the promises of the port; `objects` is the whole content, open to tests."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self._lock = threading.Lock()

    def put(self, key: str, body: bytes) -> None:
        with self._lock:
            if check_key(key) in self.objects:
                raise AlreadyExists(f"{key} exists", key=key)
            self.objects[key] = bytes(body)

    def get(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        check_range(offset, length)
        with self._lock:
            body = self.objects.get(check_key(key))
        if body is None:
            raise NotFound(f"{key} does not exist", key=key)
        return body[offset:] if length is None else body[offset : offset + length]

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        with self._lock:
            found = sorted((key, len(body)) for key, body in self.objects.items() if key.startswith(prefix))
        return (ObjectInfo(key, size) for key, size in found)

    def delete(self, key: str) -> None:
        with self._lock:
            self.objects.pop(check_key(key), None)
