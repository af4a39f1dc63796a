"""The connection test: whether a store keeps the promises the engine relies on, and locks what it says it locks."""

import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Protocol, runtime_checkable

from backup_engine.errors import (
    AlreadyExists,
    LockUnsupported,
    NotFound,
    NotPrepared,
    ObjectLocked,
    RepositoryError,
    StorageDenied,
    StorageError,
    StorageFull,
    StorageUnreachable,
)
from backup_engine.storage.base import CLOCKS_AGREE, Storage

_BODY = b"tenantkeep connection test\n" * 64
_RACERS = 4
_LOCKED_FOR = timedelta(minutes=15)  # long enough for a clock that is off, short enough to be no burden
_LEAST_ROOM = 1 << 30  # bytes
_LOCKED_PROBES = "probe/locked-"


class Finding(StrEnum):
    """What is wrong, or worth knowing, in one word; texts for people hang on it."""

    DENIED = "denied"
    UNREACHABLE = "unreachable"
    FULL = "full"
    OTHER_BYTES = "other_bytes"
    RANGE_IGNORED = "range_ignored"
    NOT_LISTED = "not_listed"
    OVERWRITES = "overwrites"
    NOT_DELETED = "not_deleted"
    APPEND_ONLY = "append_only"  # no failure
    NOT_LOCKABLE = "not_lockable"
    LOCK_NOT_KEPT = "lock_not_kept"
    LOCK_SHORTENED = "lock_shortened"
    LITTLE_ROOM = "little_room"
    CLOCK_OFF = "clock_off"
    NOT_PREPARED = "not_prepared"
    FAILED = "failed"


_MEANINGS = (
    (NotPrepared, Finding.NOT_PREPARED, "make the folders with an account that may"),
    (StorageDenied, Finding.DENIED, "refused: check credentials, region, bucket or folder, and permissions"),
    (StorageFull, Finding.FULL, "no room: free some, or raise the quota"),
    (StorageUnreachable, Finding.UNREACHABLE, "no usable answer: check address, TLS and network"),
)


@dataclass(frozen=True, slots=True)
class ProbeStep:
    name: str  # folders (SFTP), write, read, range_read, list, overwrite_refused, delete, lock, free_space, clock
    ok: bool
    error: str = ""  # in words a person can act on; empty when there is nothing to say
    finding: Finding | None = None


@dataclass(frozen=True, slots=True)
class ProbeReport:
    """Steps in the order they ran; the first failure ends the test, except that it still cleans up."""

    steps: tuple[ProbeStep, ...]

    @property
    def ok(self) -> bool:
        return all(step.ok for step in self.steps)


@runtime_checkable
class _Shortening(Protocol):
    def shorten(self, key: str, retain_until: datetime) -> None:
        """Ask the store to end a retention sooner, as a thief would. Raises ObjectLocked when it refuses."""


@runtime_checkable
class _Preparable(Protocol):
    def prepare(self) -> None: ...


@runtime_checkable
class _Roomy(Protocol):
    def free_space(self) -> int | None: ...


class _Broken(Exception):
    def __init__(self, finding: Finding, text: str) -> None:
        super().__init__(text)
        self.finding = finding


def _utc_now() -> datetime:
    return datetime.now(UTC)


def probe(storage: Storage, *, now: Callable[[], datetime] = _utc_now) -> ProbeReport:
    """Write, read, list, race for and delete small objects below `probe/`; then look at lock, room and clock.

    Where `storage.lock` claims a lock, one object stays locked for a quarter of an hour; a later test removes it.
    """
    key = f"probe/{secrets.token_hex(16)}"
    steps: list[ProbeStep] = []
    for name, check in _checks(storage, key, now):
        steps.append(_step(name, check))
        if not steps[-1].ok:
            break
    run = {step.name: step.ok for step in steps}
    if run.get("write") and "delete" not in run:
        steps.append(_step("delete", lambda: _deleted(storage, key)))
    return ProbeReport(tuple(steps))


_Check = Callable[[], Finding | None]


def _checks(storage: Storage, key: str, now: Callable[[], datetime]) -> Iterator[tuple[str, _Check]]:
    if isinstance(storage, _Preparable):
        yield "folders", storage.prepare
    yield "write", lambda: storage.put(key, _BODY)
    yield "read", lambda: _read(storage, key)
    yield "range_read", lambda: _range_read(storage, key)
    yield "list", lambda: _listed(storage, key)
    yield "overwrite_refused", lambda: _refused(storage, key)
    yield "delete", lambda: _deleted(storage, key)
    if storage.lock is not None:
        yield "lock", lambda: _locked(storage, now)
    if isinstance(storage, _Roomy):
        yield "free_space", lambda: _has_room(storage)
    yield "clock", lambda: _agrees(storage, now)


def _step(name: str, check: _Check) -> ProbeStep:
    try:
        found = check()
    except _Broken as error:
        return ProbeStep(name, ok=False, error=str(error), finding=error.finding)
    except RepositoryError as error:
        finding, text = next(
            ((finding, text) for kind, finding, text in _MEANINGS if isinstance(error, kind)),
            (Finding.FAILED, "failed"),
        )
        return ProbeStep(name, ok=False, error=f"{text} ({error})", finding=finding)
    if found is Finding.APPEND_ONLY:
        return ProbeStep(name, ok=True, error="the account may not delete: append-only", finding=found)
    return ProbeStep(name, ok=True)


def _read(storage: Storage, key: str) -> None:
    if storage.get(key) != _BODY:
        raise _Broken(Finding.OTHER_BYTES, "other bytes came back than were written")


def _range_read(storage: Storage, key: str) -> None:
    if storage.get(key, 10, 20) != _BODY[10:30]:
        raise _Broken(Finding.RANGE_IGNORED, "range reads are ignored")


def _listed(storage: Storage, key: str) -> None:
    if [found.size for found in storage.list(key)] != [len(_BODY)]:
        raise _Broken(Finding.NOT_LISTED, "a finished write does not show in a listing")


def _refused(storage: Storage, key: str) -> None:
    """One after the other, and at the same moment: commits rely on a single winner."""
    text = "the store overwrites: it does not honour If-None-Match (S3) or its rename replaces (SFTP)"
    if _puts(storage, key, b"other"):
        raise _Broken(Finding.OVERWRITES, text)
    race = f"{key}-race"
    try:
        with ThreadPoolExecutor(_RACERS) as pool:
            won = sum(pool.map(lambda n: _puts(storage, race, b"%d" % n), range(_RACERS)))
    finally:
        with suppress(ObjectLocked):
            storage.delete(race)
    if won != 1:
        raise _Broken(Finding.OVERWRITES, f"{text}: of {_RACERS} writers at once {won} succeeded")


def _puts(storage: Storage, key: str, body: bytes) -> bool:
    try:
        storage.put(key, body)
    except AlreadyExists:
        return False
    return True


def _deleted(storage: Storage, key: str) -> Finding | None:
    try:
        storage.delete(key)
    except ObjectLocked:
        return Finding.APPEND_ONLY
    try:
        storage.get(key)
    except NotFound:
        return None
    raise _Broken(Finding.NOT_DELETED, "a deleted object is still there")


def _locked(storage: Storage, now: Callable[[], datetime]) -> None:
    for earlier in list(storage.list(_LOCKED_PROBES)):
        with suppress(StorageError):
            storage.delete(earlier.key)
    key, until = f"{_LOCKED_PROBES}{secrets.token_hex(16)}", now() + _LOCKED_FOR
    try:
        storage.put(key, _BODY, retain_until=until)
    except (StorageDenied, LockUnsupported) as error:
        text = f"nothing can be locked: the bucket has no object lock, or the key may not set a retention ({error})"
        raise _Broken(Finding.NOT_LOCKABLE, text) from error
    kept = storage.retention(key).until
    if kept is None or kept < until:
        raise _Broken(Finding.LOCK_NOT_KEPT, f"the lock was accepted but not kept: until {kept} instead of {until}")
    _refuses_deletion(storage, key)
    if isinstance(storage, _Shortening):
        _refuses_shortening(storage, key, now() + timedelta(seconds=1))
        if storage.get(key) != _BODY:
            raise _Broken(Finding.OTHER_BYTES, "other bytes came back than were locked")


def _refuses_deletion(storage: Storage, key: str) -> None:
    try:
        storage.delete(key)
    except ObjectLocked:
        return
    raise _Broken(Finding.LOCK_NOT_KEPT, "the lock was accepted but a locked object could be deleted")


def _refuses_shortening(storage: _Shortening, key: str, sooner: datetime) -> None:
    try:
        storage.shorten(key, sooner)
    except ObjectLocked:
        return
    raise _Broken(Finding.LOCK_SHORTENED, "the lock could be shortened with these credentials")


def _has_room(storage: _Roomy) -> None:
    free = storage.free_space()
    if free is not None and free < _LEAST_ROOM:
        raise _Broken(Finding.LITTLE_ROOM, f"only {free >> 20} MiB are free; a backup needs 1 GiB to begin with")


def _agrees(storage: Storage, now: Callable[[], datetime]) -> None:
    theirs = storage.clock()  # without one it goes by ours
    offset = theirs - now() if theirs is not None else timedelta(0)
    if abs(offset) > CLOCKS_AGREE:
        raise _Broken(Finding.CLOCK_OFF, f"the clocks are {int(offset.total_seconds())} seconds apart: set them by NTP")
