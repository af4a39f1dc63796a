"""Legal holds: what they cover never expires until they are released (format, section 13)."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

from backup_engine import names
from backup_engine.backing import Backing
from backup_engine.errors import AlreadyExists, IntegrityError
from backup_engine.header import Kind
from backup_engine.model import Snapshot
from backup_engine.moments import read_moment, written_moment


@dataclass(frozen=True, slots=True)
class Scope:
    """One restore point; with `snapshot` None every one of a shard; with both None the whole repository."""

    shard: str | None = None
    snapshot: str | None = None

    def __post_init__(self) -> None:
        if self.shard is not None:
            names.check_shard(self.shard)
        if self.snapshot is not None:
            names.check_session(self.snapshot)
            if self.shard is None:
                raise ValueError("a hold on one restore point names its shard, too")

    def covers(self, shard: str, snapshot: str) -> bool:
        """Restore points made while the hold lasts are covered as well."""
        return self.shard in {None, shard} and self.snapshot in {None, snapshot}


@dataclass(frozen=True, slots=True)
class Release:
    by: str
    at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Hold:
    id: str  # a ULID, drawn by the caller
    scope: Scope
    reason: str
    placed_by: str
    placed_at: datetime
    released: Release | None = None

    @property
    def active(self) -> bool:
        return self.released is None


def is_expired(snapshot: Snapshot, now: datetime, holds: Iterable[Hold]) -> bool:
    """True when `snapshot` may be removed: its date has passed and no active hold covers it."""
    return snapshot.expires_at <= now and not is_held(snapshot, holds)


def is_held(snapshot: Snapshot, holds: Iterable[Hold]) -> bool:
    return any(hold.active and hold.scope.covers(snapshot.shard, snapshot.id) for hold in holds)


def read_all(backing: Backing) -> list[Hold]:
    """Every hold, released ones included, oldest first.

    Raises IntegrityError when one cannot be read: a hold nobody understands must not be taken for none.
    """
    listed = [info.key for info in backing.storage.list(names.HOLDS)]
    released = {name for name in listed if name.endswith(names.RELEASED)}
    placed = [name for name in listed if name not in released]
    if orphans := released - {names.release(names.hold_id(name)) for name in placed}:
        missing = min(orphans).removesuffix(names.RELEASED)
        raise IntegrityError(f"{missing} was released but is missing", key=missing)
    return [_read(backing, name, released) for name in placed]


def place(backing: Backing, hold: Hold) -> None:
    """Make the hold durable; from here on the engine keeps it. Repeating it changes nothing."""
    payload = {
        "shard": hold.scope.shard,
        "snapshot": hold.scope.snapshot,
        "reason": hold.reason,
        "by": hold.placed_by,
        "at": written_moment(hold.placed_at),
    }
    name = names.hold(hold.id)
    try:
        backing.objects.put(name, Kind.HOLD, payload)
    except AlreadyExists:
        if backing.objects.get(name, Kind.HOLD) != payload:
            raise


def release(backing: Backing, hold: str, release: Release) -> Hold:
    """Add the record that ends the hold; the first one counts. Raises NotFound for a hold nobody placed."""
    name = names.hold(names.check_session(hold))
    backing.objects.get(name, Kind.HOLD)
    payload = {"by": release.by, "at": written_moment(release.at), "reason": release.reason}
    with suppress(AlreadyExists):
        backing.objects.put(names.release(hold), Kind.HOLD, payload)
    return _read(backing, name, {names.release(hold)})


def _read(backing: Backing, name: str, released: set[str]) -> Hold:
    ident = names.hold_id(name)
    payload = backing.objects.get(name, Kind.HOLD)
    try:
        scope = Scope(payload["shard"], payload["snapshot"])
        found = Hold(ident, scope, payload["reason"], payload["by"], read_moment(payload["at"]))
        if names.release(ident) in released:
            end = backing.objects.get(names.release(ident), Kind.HOLD)
            found = replace(found, released=Release(end["by"], read_moment(end["at"]), end["reason"]))
    except (KeyError, TypeError, ValueError) as error:
        raise IntegrityError(f"{name} is no hold", key=name) from error
    return found
