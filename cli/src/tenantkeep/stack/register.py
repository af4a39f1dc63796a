"""The register of foreign sources: who may sign in to the bus beside our own services (ADR 0020).

It keeps public keys. A source's seed is drawn, written into one file and forgotten.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from contracts.foreign_sources import ForeignSource, Register
from tenantkeep.stack import bus_keys, files
from tenantkeep.stack.errors import StackError


@dataclass(frozen=True)
class Added:
    """`credentials` is None when the source was registered before: its seed was written then and is not kept."""

    source: ForeignSource
    credentials: Path | None


def load(path: Path) -> Register:
    """The register, empty when there is none yet."""
    if not path.exists():
        return Register()
    try:
        return Register.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise StackError(
            f"{path} cannot be read as a register of foreign sources ({error.error_count()} faults).",
            remedy="Restore the file from a copy; without it no foreign source can sign in.",
        ) from None


def add(path: Path, name: str, tenants: tuple[str, ...], credentials: Path) -> Added:
    """Register a source, or give a registered one these tenants. Its seed goes into `credentials`, once.

    Raises StackError when that file exists already, and ValidationError for a name or tenant that cannot be.
    """
    with _changing(path) as register:
        known = register.get(name)
        if known is not None:
            changed = ForeignSource.model_validate({**known.model_dump(), "tenants": tenants})
            _save(path, register.with_(changed))
            return Added(changed, None)
        seed = bus_keys.new_seed()
        public_key = bus_keys.public_key_of(seed)
        now = datetime.now(UTC).replace(microsecond=0)
        source = ForeignSource(name=name, tenants=tenants, public_key=public_key, created_at=now)
        _write_once(credentials, seed)
        try:
            _save(path, register.with_(source))
        except BaseException:
            credentials.unlink(missing_ok=True)
            raise
        return Added(source, credentials)


def remove(path: Path, name: str) -> ForeignSource:
    """Take a source off the register."""
    with _changing(path) as register:
        known = register.get(name)
        if known is None:
            names = ", ".join(source.name for source in register.sources) or "none"
            raise StackError(f"There is no foreign source {name}.", remedy=f"Registered: {names}.")
        _save(path, register.without(name))
        return known


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Keep others from changing the register or acting on it until this is over."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f".{path.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def _changing(path: Path) -> Iterator[Register]:
    with held(path):
        yield load(path)


def _save(path: Path, register: Register) -> None:
    files.write(path, register.model_dump_json(indent=2) + "\n")


def _write_once(path: Path, seed: bytes) -> None:
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, files.SECRET_MODE)
    except FileExistsError:
        raise StackError(
            f"{path} exists already.", remedy="Move it away, or choose another file with --credentials."
        ) from None
    with os.fdopen(handle, "wb") as file:
        file.write(seed + b"\n")
        file.flush()
        os.fsync(file.fileno())
