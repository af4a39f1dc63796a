"""What anybody relies on: live sessions first, snapshots second (format, section 17)."""

from collections.abc import Callable, Iterable, Iterator
from collections.abc import Set as AbstractSet
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from backup_engine import holds, names, upkeep
from backup_engine.backing import Backing
from backup_engine.errors import UNREADABLE, IntegrityError, InvalidName, NotFound
from backup_engine.header import Kind
from backup_engine.holds import Hold
from backup_engine.model import Problem, Snapshot

_UNREADABLE = (*UNREADABLE, InvalidName)


@dataclass(slots=True)
class SessionObjects:
    """What lies under `sessions/<id>/`."""

    id: str
    keys: list[str]
    shard: str = upkeep.SHARD
    parents: set[str] = field(default_factory=set)  # commit names
    states: list[tuple[str, ...]] = field(default_factory=list)  # segments, newest first

    def take(self, payload: dict[str, Any]) -> None:
        """Raises IntegrityError for a payload no session writes."""
        try:
            self.shard = payload["shard"]
            if parent := payload.get("parent"):
                self.parents.add(names.snapshot(self.shard, parent))
            if segments := payload.get("segments"):
                self.states.append(tuple(segments))
        except (KeyError, TypeError) as error:
            raise IntegrityError(f"the objects of session {self.id} say nothing", key=self.keys[0]) from error


ReadCommit = Callable[
    [str, str, int], Snapshot | None
]  # shard, session, listed size; None: a tombstone; raises NotFound
Fence = Callable[[SessionObjects], bool]  # True when it has put a tombstone: the session cannot commit any more


@dataclass(slots=True)
class Roots:
    """One reading. Everything in it is spared; `blocked` says that the reading is not complete."""

    sessions: dict[str, SessionObjects] = field(default_factory=dict)
    live_shards: set[str] = field(default_factory=set)
    protected: set[str] = field(default_factory=set)  # sessions: live, or of a shard with a live one
    closed: set[str] = field(default_factory=set)  # sessions with an object at their commit name, whatever it is
    snapshots: dict[str, Snapshot] = field(default_factory=dict)  # by commit name
    holds: list[Hold] = field(default_factory=list)
    blocked: list[Problem] = field(default_factory=list)

    @property
    def finished(self) -> set[str]:
        """Sessions that have committed and left objects behind."""
        return {one.id for one in self.sessions.values() if names.snapshot(one.shard, one.id) in self.snapshots}

    @property
    def dead(self) -> frozenset[str]:
        """Sessions that never commit and that nobody is taking over."""
        return frozenset(self.sessions.keys() - self.protected - self.finished)

    @property
    def barred(self) -> frozenset[str]:
        """Sessions that cannot commit any more, though one may be taken over: a stalled writer may write on in them."""
        return frozenset(self.sessions.keys() & self.closed - self.finished)

    @property
    def parents(self) -> set[str]:
        """Snapshots that live shards start from, as commit names, and those before: a damaged one is stepped over."""
        found: set[str] = set()
        names_left = [name for session in self.protected for name in self.sessions[session].parents]
        while names_left:
            name = names_left.pop()
            if name not in found and (snapshot := self.snapshots.get(name)) is not None:
                found.add(name)
                if snapshot.parent is not None:
                    names_left.append(names.snapshot(snapshot.shard, snapshot.parent))
        return found

    def states(self, sessions: AbstractSet[str], *, without: Iterable[str] = ()) -> Iterator[tuple[str, ...]]:
        """The segments, newest first, of every snapshot but `without` (commit names) and of what `sessions` say."""
        left_out = set(without)
        yield from (one.segments for name, one in self.snapshots.items() if name not in left_out)
        for session in sessions:
            yield from self.sessions[session].states

    def owns(self, session: str) -> bool:
        """Whether packs and segments of `session` are its own business."""
        return session in self.protected


def read(backing: Backing, read_commit: ReadCommit, fence: Fence) -> Roots:
    """Read sessions, then snapshots, then holds: a session that commits meanwhile shows in one of the first two.

    `fence` is asked about every session before the snapshots are listed.
    """
    roots = Roots()
    _read_sessions(backing, roots)
    for one in roots.sessions.values():
        with _blocking(roots, names.session_objects(one.id)):
            roots.closed |= {one.id} if fence(one) else set()
    _read_snapshots(backing, read_commit, roots)
    open_sessions = [one for one in roots.sessions.values() if one.id not in roots.closed]
    roots.live_shards = {one.shard for one in open_sessions if one.shard != upkeep.SHARD}
    roots.protected = {one.id for one in open_sessions if one.shard == upkeep.SHARD}
    roots.protected |= {one.id for one in roots.sessions.values() if one.shard in roots.live_shards}
    with _blocking(roots, names.HOLDS):
        roots.holds = holds.read_all(backing)
    return roots


def _read_sessions(backing: Backing, roots: Roots) -> None:
    for info in backing.storage.list(names.SESSIONS):
        with _blocking(roots, info.key):
            session = names.session_of(info.key)
            roots.sessions.setdefault(session, SessionObjects(session, [])).keys.append(info.key)
    for one in roots.sessions.values():
        with _blocking(roots, names.session_objects(one.id)), suppress(NotFound):
            for name, kind in _telling(one):
                one.take(backing.objects.get(name, kind))


def _telling(session: SessionObjects) -> Iterator[tuple[str, Kind]]:
    """The objects that say what the session relies on: its last checkpoint covers those before.

    One that has vanished since the listing belongs to a session that has just committed: its snapshot, listed later,
    says the same.
    """
    checkpoints = [key for key in session.keys if key.startswith(names.checkpoints(session.id))]
    for name, kind in (
        (names.session_open(session.id), Kind.SESSION_OPEN),
        (max(checkpoints, default=""), Kind.CHECKPOINT),
        (names.intent(session.id), Kind.INTENT),
    ):
        if name in session.keys:
            yield name, kind


def _read_snapshots(backing: Backing, read_commit: ReadCommit, roots: Roots) -> None:
    for info in backing.storage.list(names.SNAPSHOTS):
        with _blocking(roots, info.key), suppress(NotFound):  # removed by another collector since the listing
            shard, session = names.snapshot_parts(info.key)
            roots.closed.add(session)
            snapshot = read_commit(shard, session, info.size)
            if snapshot is not None:
                roots.snapshots[info.key] = snapshot


@contextmanager
def _blocking(roots: Roots, key: str) -> Iterator[None]:
    """What cannot be read may rely on anything: it stops the collector, and the report names it."""
    try:
        yield
    except _UNREADABLE as error:
        roots.blocked.append(Problem("unreadable", getattr(error, "key", "") or key, str(error)))
