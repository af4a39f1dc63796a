"""Tries again what is worth trying again, and settles puts whose answer was lost."""

import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from backup_engine.errors import AlreadyExists, NotFound, StorageFull, StorageUnreachable
from backup_engine.storage.base import LockMode, ObjectInfo, Retention, Storage

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    attempts: int = 5
    first_delay: float = 0.2  # seconds; doubles with every attempt, full jitter
    max_delay: float = 10.0  # seconds


def _wait(seconds: float) -> None:
    threading.Event().wait(seconds)


class RetryingStorage:
    """Retries StorageUnreachable only; every other error is an answer, and a full store does not empty in seconds."""

    def __init__(
        self,
        inner: Storage,
        policy: RetryPolicy | None = None,
        *,
        wait: Callable[[float], None] = _wait,
        rng: random.Random | None = None,
    ) -> None:
        self._inner = inner
        self._policy = policy or RetryPolicy()
        self._wait = wait
        self._rng = rng or random.Random()  # noqa: S311 - jitter is no secret

    @property
    def lock(self) -> LockMode | None:
        return self._inner.lock

    def put(self, key: str, body: bytes, *, retain_until: datetime | None = None) -> None:
        lost_answers = 0

        def attempt() -> None:
            nonlocal lost_answers
            try:
                self._inner.put(key, body, retain_until=retain_until)
            except StorageUnreachable:
                lost_answers += 1
                raise
            except AlreadyExists:
                # An earlier attempt whose answer was lost may have stored it: equal bytes are our success.
                if not lost_answers or self._inner.get(key) != body:
                    raise

        try:
            self._retry(attempt)
        except NotFound as error:
            # Not once more: who removed it at once takes the session for dead, and nothing of it may come back.
            raise StorageUnreachable(f"{key} was removed while it was being stored", key=key) from error

    def get(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        return self._retry(lambda: self._inner.get(key, offset, length))

    def versions(self, key: str, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        return iter(self._retry(lambda: list(self._inner.versions(key, offset, length))))

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        return iter(self._retry(lambda: list(self._inner.list(prefix))))

    def delete(self, key: str) -> None:
        self._retry(lambda: self._inner.delete(key))

    def extend(self, key: str, retain_until: datetime) -> None:
        self._retry(lambda: self._inner.extend(key, retain_until))

    def hold(self, key: str, *, on: bool) -> None:
        self._retry(lambda: self._inner.hold(key, on=on))

    def retention(self, key: str) -> Retention:
        return self._retry(lambda: self._inner.retention(key))

    def unhide(self, key: str) -> None:
        self._retry(lambda: self._inner.unhide(key))

    def clock(self) -> datetime | None:
        return self._retry(self._inner.clock)

    def _retry(self, attempt: Callable[[], T]) -> T:
        delay = self._policy.first_delay
        for _ in range(self._policy.attempts - 1):
            try:
                return attempt()
            except StorageFull:
                raise
            except StorageUnreachable:
                self._wait(self._rng.uniform(0, delay))
                delay = min(delay * 2, self._policy.max_delay)
        return attempt()
