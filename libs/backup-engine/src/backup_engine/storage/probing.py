"""The connection test: whether a store keeps the promises the engine relies on."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from backup_engine.errors import (
    AlreadyExists,
    NotFound,
    RepositoryError,
    StorageDenied,
    StorageUnreachable,
)
from backup_engine.storage.base import Storage

_BODY = b"tenantkeep connection test\n" * 64


@dataclass(frozen=True, slots=True)
class ProbeStep:
    name: str  # write, read, range_read, list, overwrite_refused, delete
    ok: bool
    error: str = ""  # in words a person can act on; empty when ok


@dataclass(frozen=True, slots=True)
class ProbeReport:
    """Steps in the order they ran; the first failure ends the test, except that it still cleans up."""

    steps: tuple[ProbeStep, ...]

    @property
    def ok(self) -> bool:
        return all(step.ok for step in self.steps)


class _Broken(Exception):
    pass


def probe(storage: Storage) -> ProbeReport:
    """Write, read, list and delete one small object below `probe/`."""
    key = f"probe/{secrets.token_hex(16)}"
    steps: list[ProbeStep] = []
    for name, check in (
        ("write", lambda: storage.put(key, _BODY)),
        ("read", lambda: _expect(storage.get(key) == _BODY, "other bytes came back than were written")),
        ("range_read", lambda: _expect(storage.get(key, 10, 20) == _BODY[10:30], "range reads are ignored")),
        ("list", lambda: _listed(storage, key)),
        ("overwrite_refused", lambda: _refused(storage, key)),
    ):
        steps.append(_step(name, check))
        if not steps[-1].ok:
            break
    if steps[0].ok:
        steps.append(_step("delete", lambda: _deleted(storage, key)))
    return ProbeReport(tuple(steps))


def _step(name: str, check: Callable[[], None]) -> ProbeStep:
    try:
        check()
    except StorageDenied as error:
        return ProbeStep(name, ok=False, error=f"refused: check credentials, bucket and permissions ({error})")
    except StorageUnreachable as error:
        return ProbeStep(name, ok=False, error=f"no usable answer: check address, TLS and network ({error})")
    except (RepositoryError, _Broken) as error:
        return ProbeStep(name, ok=False, error=str(error))
    return ProbeStep(name, ok=True)


def _expect(promise: bool, otherwise: str) -> None:  # noqa: FBT001 - private, reads like assert
    if not promise:
        raise _Broken(otherwise)


def _listed(storage: Storage, key: str) -> None:
    _expect(
        [found.size for found in storage.list(key)] == [len(_BODY)],
        "a finished write does not show in a listing",
    )


def _refused(storage: Storage, key: str) -> None:
    try:
        storage.put(key, b"other")
    except AlreadyExists:
        return
    raise _Broken("the store overwrites: it does not honour If-None-Match, which every commit relies on")


def _deleted(storage: Storage, key: str) -> None:
    storage.delete(key)
    try:
        storage.get(key)
    except NotFound:
        return
    raise _Broken("a deleted object is still there")
