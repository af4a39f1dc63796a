"""Object lock: what a restore point needs cannot be deleted before it expires (format, section 14).

Two halves: every object is locked by its put, and what a new restore point reuses is locked for longer before the
commit. What a process remembers about locks only saves requests; what it does not know is extended again.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

from backup_engine import names
from backup_engine.errors import IntegrityError, NotFound, StorageDenied
from backup_engine.pools import Pool
from backup_engine.retention import lock_until
from backup_engine.storage.base import LockMode, ObjectInfo, Retention, Storage

_LOCKED = (
    names.CONFIG, names.KEYS, names.DATA, names.INDEX, names.MANIFESTS, names.SNAPSHOTS, names.RECEIPTS,
    names.POLICIES, names.HOLDS, names.DAMAGE,
)  # fmt: skip
_MERGED = timedelta(days=31)  # a merged index is replaced by the next one; commits lock the current one for longer
_AT_ONCE = 8  # requests that extend or hold


def _utc_now() -> datetime:
    return datetime.now(UTC)


class LockingStorage:
    """Locks what the repository puts, on stores that can; never sessions/ and gc/, which must stay deletable."""

    def __init__(self, inner: Storage, *, clock: Callable[[], datetime] = _utc_now) -> None:
        self._inner = inner
        self._clock = clock
        self._mutex = threading.Lock()
        self._sessions: dict[str, datetime] = {}
        self._known: dict[str, datetime] = {}  # name: locked at least until
        self._farthest: datetime | None = None
        self._asked = False

    @property
    def lock(self) -> LockMode | None:
        return self._inner.lock

    def keep(self, session: str, expires_at: datetime) -> None:
        """What `session` puts from now on is locked until the end of the month of `expires_at`."""
        with self._mutex:
            self._sessions[session] = lock_until(expires_at)

    def put(self, key: str, body: bytes, *, retain_until: datetime | None = None) -> None:
        until = retain_until or self._until(key)
        self._inner.put(key, body, retain_until=until)
        if until is not None:
            self.learn({key}, until)

    def learn(self, keys: Iterable[str], until: datetime) -> None:
        """These are locked at least until then: whoever said so had made sure of it."""
        with self._mutex:
            for key in keys:
                self._known[key] = max(until, self._known.get(key, until))

    def unknown(self, keys: Iterable[str], until: datetime) -> set[str]:
        """Those of `keys` not known to be locked until then."""
        with self._mutex:
            return {key for key in keys if (known := self._known.get(key)) is None or known < until}

    def secure(self, keys: Iterable[str], until: datetime) -> int:
        """Lock each object until then, unless that is known already; how many requests it took.

        Raises StorageDenied when the store refuses and IntegrityError when an object is missing.
        """
        return self._each(sorted(self.unknown(keys, until)), lambda key: self._extend(key, until))

    def hold_all(self, keys: Iterable[str], *, on: bool) -> int:
        """Set or lift the legal hold of each object; how many requests it took. Raises like `secure`."""
        return self._each(sorted(keys), lambda key: self._hold(key, on=on))

    def get(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        return self._inner.get(key, offset, length)

    def versions(self, key: str, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        return self._inner.versions(key, offset, length)

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        return self._inner.list(prefix)

    def delete(self, key: str) -> None:
        self._inner.delete(key)

    def extend(self, key: str, retain_until: datetime) -> None:
        self._inner.extend(key, retain_until)

    def hold(self, key: str, *, on: bool) -> None:
        self._inner.hold(key, on=on)

    def retention(self, key: str) -> Retention:
        return self._inner.retention(key)

    def unhide(self, key: str) -> None:
        self._inner.unhide(key)

    def clock(self) -> datetime | None:
        return self._inner.clock()

    def _until(self, key: str) -> datetime | None:
        if self.lock is None or not key.startswith(_LOCKED):
            return None
        if key.startswith(names.INDEX_MERGED):
            return lock_until(self._clock() + _MERGED)
        with self._mutex:
            until = self._sessions.get(names.session_in(key)) or max(self._sessions.values(), default=None)
        return until or self._farthest_lock()

    def _farthest_lock(self) -> datetime | None:
        """`config` is locked as long as the longest restore point: asked once, for processes that only maintain."""
        if not self._asked:
            try:
                self._farthest = self._inner.retention(names.CONFIG).until
            except NotFound:
                return None  # the repository is being made
            self._asked = True
        # A date that has passed is no lock, and stores refuse it.
        return self._farthest if self._farthest is not None and self._farthest > self._clock() else None

    def _each(self, keys: Sequence[str], change: Callable[[str], None]) -> int:
        pool = Pool(min(_AT_ONCE, len(keys)), 2 * _AT_ONCE, "lock")
        try:
            for key in keys:
                pool.submit(partial(change, key))
            pool.wait()
        finally:
            pool.close()
        return len(keys)

    def _extend(self, key: str, until: datetime) -> None:
        try:
            self._inner.extend(key, until)
        except NotFound as error:
            raise IntegrityError(f"{key} is referred to but missing", key=key) from error
        except StorageDenied as error:
            message = f"{key} cannot be locked until {until:%Y-%m-%d}, so nothing is committed ({error})"
            raise StorageDenied(message, key=key) from error
        self.learn({key}, until)

    def _hold(self, key: str, *, on: bool) -> None:
        try:
            self._inner.hold(key, on=on)
        except NotFound as error:
            if on:
                raise IntegrityError(f"{key} is referred to but missing", key=key) from error
