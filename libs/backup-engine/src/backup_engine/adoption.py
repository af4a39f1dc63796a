"""Taking over from a dead session (format, section 9)."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from backup_engine import commits, manifest, names, recheck
from backup_engine.backing import Backing
from backup_engine.errors import AlreadyCommitted, IntegrityError, NotFound
from backup_engine.header import Kind
from backup_engine.model import PackRef
from backup_engine.pack import TAIL, PackEntry, open_trailer, trailer_size
from backup_engine.storage.base import ObjectInfo

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Progress:
    """What a session has made durable: the content of a checkpoint."""

    parent: str | None
    segments: tuple[str, ...] = ()  # newest first, the parent's included
    cursor: bytes | None = None
    changed: int = 0
    removed: int = 0
    stored_bytes: int = 0
    packs: tuple[PackRef, ...] = ()


@dataclass(frozen=True, slots=True)
class Inheritance:
    progress: Progress
    dead: tuple[str, ...] = ()  # sessions whose objects go with the commit
    orphans: tuple[PackEntry, ...] = field(default=())  # packs no delta names yet
    indexed: tuple[PackRef, ...] = field(default=())  # packs a delta names and no checkpoint does


def from_parent(backing: Backing, shard: str, parent: str | None) -> Progress:
    """Start from a snapshot, or from the newest one before it that no damage record concerns.

    From nothing when it has expired and a collector is about to remove it: call it after the session's `open` is
    durable and the condemned lists are read. Raises NotFound when there is none of that name.
    """
    if parent is None or names.snapshot(shard, parent) in backing.condemned.snapshots:
        return Progress(parent=None)
    name = names.snapshot(shard, names.check_session(parent))
    if name in backing.damage.named:
        return Progress(parent=None)
    snapshot = commits.read(backing.objects, shard, parent)
    if snapshot is None:
        raise NotFound(f"{parent} is a fenced session, not a snapshot", key=name)
    if not backing.damage.named.keys().isdisjoint(snapshot.segments):
        return from_parent(backing, shard, snapshot.parent)
    return Progress(parent=parent, segments=snapshot.segments, cursor=snapshot.cursor)


def take_over(backing: Backing, shard: str, session: str, dead: str, parent: str | None) -> Inheritance:
    """Fence `dead` and everything it had taken over itself, and find their last progress.

    Raises AlreadyCommitted when one of them did commit.
    """
    chain: list[str] = []
    progress: Progress | None = None
    candidate: str | None = dead
    while candidate is not None:
        _fence(backing, shard, candidate, by=session)
        chain.append(candidate)
        progress = _progress_of(backing, shard, candidate)
        if progress is not None:
            break
        candidate = _predecessor(backing, shard, candidate, parent, known={session, *chain})
    if progress is None:
        progress = from_parent(backing, shard, parent)
    backing.index.refresh()
    covered = {pack.key for pack in progress.packs}
    left = [
        info
        for one in chain
        for info in backing.storage.list(names.packs_of(one))
        if info.key not in covered | backing.condemned.packs
    ]
    known = [info for info in left if backing.index.pack(info.key) is not None]
    return Inheritance(
        progress,
        tuple(chain),
        orphans=tuple(_read_trailer(backing, info) for info in left if info not in known),
        indexed=tuple(PackRef(info.key, info.size, names.pack_sha256(info.key)) for info in known),
    )


def _progress_of(backing: Backing, shard: str, session: str) -> Progress | None:
    """The last checkpoint, unless a collector has taken away what it covers."""
    if session in backing.condemned.sessions:
        return None
    progress = _last_checkpoint(backing, shard, session)
    if progress is None or not backing.condemned.packs:
        return progress
    inherited = from_parent(backing, shard, progress.parent).segments
    own = [name for name in progress.segments if name not in inherited]
    backing.index.refresh()
    if not _are_stored(backing, shard, own) or recheck.is_lost(backing, manifest.items(backing.objects, own)):
        _log.warning("progress of a dead session was collected: starting from its parent", extra={"session": session})
        return None
    return progress


def _are_stored(backing: Backing, shard: str, segments: list[str]) -> bool:
    return set(segments) <= {info.key for info in backing.storage.list(names.segments(shard))}


def encode_checkpoint(shard: str, progress: Progress) -> dict[str, Any]:
    return {
        "shard": shard,
        "parent": progress.parent,
        "segments": list(progress.segments),
        "cursor": progress.cursor,
        "changed": progress.changed,
        "removed": progress.removed,
        "stored_bytes": progress.stored_bytes,
        "packs": commits.encode_packs(progress.packs),
    }


def _fence(backing: Backing, shard: str, dead: str, *, by: str) -> None:
    if commits.fence(backing.objects, shard, dead, by=by) is not None:
        raise AlreadyCommitted(dead)


def _last_checkpoint(backing: Backing, shard: str, session: str) -> Progress | None:
    listed = backing.storage.list(names.checkpoints(session))
    found = [info.key for info in listed if info.key not in backing.damage.named]
    if not found:
        return None
    payload = backing.objects.require(found[-1], Kind.CHECKPOINT)
    try:
        if payload["shard"] != shard:
            raise IntegrityError(f"{found[-1]} belongs to shard {payload['shard']}", key=found[-1])
        return Progress(
            parent=payload["parent"],
            segments=tuple(payload["segments"]),
            cursor=payload["cursor"],
            changed=payload["changed"],
            removed=payload["removed"],
            stored_bytes=payload["stored_bytes"],
            packs=commits.decode_packs(payload["packs"]),
        )
    except (KeyError, TypeError) as error:
        raise IntegrityError(f"{found[-1]} is no checkpoint", key=found[-1]) from error


def _predecessor(backing: Backing, shard: str, session: str, parent: str | None, known: set[str]) -> str | None:
    """Whom `session` was about to take over when it died before its first checkpoint."""
    try:
        opened = backing.objects.get(names.session_open(session), Kind.SESSION_OPEN)
    except NotFound:
        # It died before it could say so: the newest unfinished session that started from the same snapshot.
        return next(_unfinished(backing, shard, parent, known), None)
    adopts: str | None = opened["adopts"]
    return adopts


def _unfinished(backing: Backing, shard: str, parent: str | None, known: set[str]) -> Iterator[str]:
    opened = {"shard": shard, "parent": parent}
    sessions = {info.key.split("/")[1] for info in backing.storage.list(names.SESSIONS) if info.key.endswith("/open")}
    for session in sorted(sessions - known - backing.condemned.sessions, reverse=True):
        payload = backing.objects.get(names.session_open(session), Kind.SESSION_OPEN)
        if {"shard": payload["shard"], "parent": payload["parent"]} != opened:
            continue
        if not commits.has_committed(backing.objects, shard, session):
            yield session


def _read_trailer(backing: Backing, info: ObjectInfo) -> PackEntry:
    start = max(0, info.size - TAIL)
    tail = backing.storage.get(info.key, start)
    needed = trailer_size(tail, info.key)
    if len(tail) < needed <= info.size:
        tail = backing.storage.get(info.key, info.size - needed)
    return open_trailer(backing.ring, info.key, info.size, tail)
