"""The commit names of a shard: snapshots and tombstones (format, section 8)."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import fields
from typing import Any

from backup_engine import names
from backup_engine.backing import Backing
from backup_engine.errors import AlreadyExists, IntegrityError, NotFound, SessionFenced
from backup_engine.header import Kind
from backup_engine.model import FailedItem, PackRef, Skipped, Snapshot
from backup_engine.moments import read_moment, written_moment
from backup_engine.sealed import SealedObjects

_ATTEMPTS = 3
_AS_IS = [
    field.name
    for field in fields(Snapshot)
    if field.name not in {"id", "taken_at", "expires_at", "locked_until", "packs", "failed", "skipped", "segments"}
]


def read(objects: SealedObjects, shard: str, session: str, size: int | None = None) -> Snapshot | None:
    """The snapshot under a commit name, None for a tombstone. Raises NotFound.

    With the `size` a listing has just given, a copy on this machine will do if it is that long: once a snapshot has
    expired and was removed, a collector that takes its session for dead may put a tombstone under the same name.
    """
    name = names.snapshot(shard, session)
    kind, payload = _first(objects, name) if size is None else objects.get_kept(name, size)
    if kind is Kind.TOMBSTONE:
        return None
    if kind is not Kind.SNAPSHOT:
        raise IntegrityError(f"{name} holds a {kind.name.lower()}", key=name)
    snapshot = _decoded(payload, name)
    if (snapshot.shard, snapshot.id) != (shard, session):
        raise IntegrityError(f"{name} holds the snapshot of another session", key=name)
    return snapshot


def existing(objects: SealedObjects, shard: str, session: str) -> Snapshot:
    """Like read; raises NotFound for a tombstone, too."""
    found = read(objects, shard, session)
    if found is None:
        name = names.snapshot(shard, session)
        raise NotFound(f"{name} is a fenced session, not a snapshot", key=name)
    return found


def listed(backing: Backing, shard: str | None = None) -> Iterator[Snapshot]:
    """The restore points of one shard, newest session first, or of all: one listing, one read of each not kept here."""
    prefix = names.SNAPSHOTS if shard is None else names.snapshot(names.check_shard(shard), "")
    for info in reversed(list(backing.storage.list(prefix))):
        owner, session = names.snapshot_parts(info.key)
        if shard in {None, owner}:  # a shard may lie below another
            with suppress(NotFound):  # expired and removed since the listing
                found = read(backing.objects, owner, session, info.size)
                if found is not None:
                    yield found


def commit(objects: SealedObjects, snapshot: Snapshot) -> None:
    """The one write that makes a restore point. Raises SessionFenced."""
    name = names.snapshot(snapshot.shard, snapshot.id)
    try:
        objects.put(name, Kind.SNAPSHOT, _encoded(snapshot))
        found = objects.oldest(name)  # a put over somebody's delete marker is accepted, whatever lies under it
    except AlreadyExists:
        found = _first(objects, name)
    if found is None:
        return
    kind, payload = found
    if kind is Kind.TOMBSTONE:
        raise SessionFenced(snapshot.id, fenced_by=payload["fenced_by"])
    # A put whose answer was lost: the nonce tells that the snapshot is ours.
    if payload.get("nonce") != snapshot.nonce:
        raise IntegrityError(f"{name} was written by somebody else", key=name)


def fence(objects: SealedObjects, shard: str, session: str, *, by: str) -> Snapshot | None:
    """Make sure `session` never commits; its snapshot when it did already."""
    name, payload = names.snapshot(shard, session), {"session": session, "fenced_by": by}
    for _ in range(_ATTEMPTS):
        with suppress(AlreadyExists):
            objects.put(name, Kind.TOMBSTONE, payload)
        with suppress(NotFound):  # an expired snapshot, removed since: its name is free now
            return read(objects, shard, session)
    raise IntegrityError(f"{name} can neither be written nor read", key=name)


def raise_if_fenced(objects: SealedObjects, shard: str, session: str) -> None:
    """Raises SessionFenced when there is a tombstone at the commit name."""
    with suppress(NotFound):
        kind, payload = _first(objects, names.snapshot(shard, session))
        if kind is Kind.TOMBSTONE:
            raise SessionFenced(session, fenced_by=payload["fenced_by"])


def has_committed(objects: SealedObjects, shard: str, session: str) -> bool:
    try:
        return read(objects, shard, session) is not None
    except NotFound:
        return False


def _first(objects: SealedObjects, name: str) -> tuple[Kind, dict[str, Any]]:
    """What was written under a commit name first: it decides, whatever was put on top of it. Raises NotFound."""
    return objects.oldest(name) or objects.get_any(name)


def _encoded(snapshot: Snapshot) -> dict[str, Any]:
    return {
        **{name: getattr(snapshot, name) for name in _AS_IS},
        "session": snapshot.id,
        "taken_at": written_moment(snapshot.taken_at),
        "expires_at": written_moment(snapshot.expires_at),
        "locked_until": None if snapshot.locked_until is None else written_moment(snapshot.locked_until),
        "segments": list(snapshot.segments),
        "packs": encode_packs(snapshot.packs),
        "failed": [[item.key, item.reason, item.detail] for item in snapshot.failed],
        "skipped": [[item.key, item.reason, item.detail] for item in snapshot.skipped],
    }


def _decoded(payload: dict[str, Any], name: str) -> Snapshot:
    try:
        return Snapshot(
            **{field: payload[field] for field in _AS_IS},
            id=payload["session"],
            taken_at=read_moment(payload["taken_at"]),
            expires_at=read_moment(payload["expires_at"]),
            locked_until=None if payload["locked_until"] is None else read_moment(payload["locked_until"]),
            segments=tuple(payload["segments"]),
            packs=decode_packs(payload["packs"]),
            failed=tuple(FailedItem(*item) for item in payload["failed"]),
            skipped=tuple(Skipped(*item) for item in payload["skipped"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise IntegrityError(f"{name} is no snapshot", key=name) from error


def encode_packs(packs: tuple[PackRef, ...]) -> list[list[Any]]:
    return [[pack.key, pack.size] for pack in packs]


def decode_packs(packs: list[list[Any]]) -> tuple[PackRef, ...]:
    return tuple(PackRef(key, size, names.pack_sha256(key)) for key, size in packs)
