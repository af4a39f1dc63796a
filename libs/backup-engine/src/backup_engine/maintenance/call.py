"""One call of Repository.maintain: what it may do, and a tally of what it did."""

import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from backup_engine import commits, upkeep
from backup_engine.backing import Backing
from backup_engine.errors import ObjectLocked
from backup_engine.maintenance import roots
from backup_engine.maintenance.roots import ReadCommit, Roots, SessionObjects
from backup_engine.model import Problem

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_TIME_CHARACTERS = 10
COLLECTOR = "collector"  # who fenced a session, as its tombstone says


@dataclass(frozen=True, slots=True)
class Policy:
    grace: timedelta = timedelta(hours=24)  # between condemning a pack and deleting it
    session_grace: timedelta = timedelta(days=7)  # age at which a session without commit is given up for dead
    rewrite_below: float = 0.5  # share of a pack that must be needed; 0 rewrites nothing
    rewrite_limit: int = 1 << 30  # bytes of packs rewritten in one call


@dataclass(slots=True)
class Call:
    backing: Backing
    read_commit: ReadCommit
    now: datetime
    policy: Policy
    expired: list[str] = field(default_factory=list)
    fenced: list[str] = field(default_factory=list)
    spared: set[str] = field(default_factory=set)
    locked: set[str] = field(default_factory=set)
    blocked: list[Problem] = field(default_factory=list)
    damaged: list[Problem] = field(default_factory=list)
    deleted: int = 0
    deleted_bytes: int = 0
    rewritten: int = 0
    sparse: int = 0  # bytes of packs in use that nothing needs
    merged: int = 0

    def remove(self, key: str, size: int = 0) -> bool:
        """False when the store refuses because of a lock: later."""
        try:
            self.backing.storage.delete(key)
        except ObjectLocked:
            self.locked.add(key)
            return False
        self.deleted += 1
        self.deleted_bytes += size
        return True

    def roots(self) -> Roots:
        return roots.read(self.backing, self.read_commit, self._fence)

    def _fence(self, session: SessionObjects) -> bool:
        """Give up a session that is too old by this collector's clock. A mistake costs its commit, never data."""
        if self.now - _born(session.id) < self.policy.session_grace:
            return False
        if session.shard != upkeep.SHARD:
            committed = commits.fence(self.backing.objects, session.shard, session.id, by=COLLECTOR)
            if committed is not None:
                return False
        if session.id not in self.fenced:
            self.fenced.append(session.id)
        return True


def _born(session: str) -> datetime:
    """The time in a ULID."""
    milliseconds = 0
    for character in session[:_TIME_CHARACTERS]:
        milliseconds = milliseconds * 32 + _CROCKFORD.index(character)
    return _EPOCH + timedelta(milliseconds=milliseconds)


def new_session(now: datetime) -> str:
    """A ULID for a session of maintenance itself."""
    milliseconds = int(now.timestamp() * 1000)
    number = milliseconds << 80 | int.from_bytes(secrets.token_bytes(10), "big")
    return "".join(_CROCKFORD[number >> shift & 31] for shift in range(125, -1, -5))
