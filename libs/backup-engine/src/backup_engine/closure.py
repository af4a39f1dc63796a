"""Everything a restore point needs, by name: what its lock and its legal hold must cover (format, section 14)."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from backup_engine import commits, manifest, names
from backup_engine.backing import Backing
from backup_engine.model import ItemRow, Snapshot
from backup_engine.retention import lock_until

_BUCKET = timedelta(days=31)  # restore points of one class whose locks end with the same month


def objects_of(backing: Backing, snapshot: Snapshot) -> set[str]:
    """Every object that restoring `snapshot` reads, itself included."""
    rows = manifest.items(backing.objects, snapshot.segments)
    own = {names.snapshot(snapshot.shard, snapshot.id), *snapshot.segments}
    packs = _packs(backing, rows)
    return own | packs | backing.index.sources(packs) | _opening(backing)


def secure(backing: Backing, draft: Snapshot, rows: Iterable[ItemRow]) -> datetime | None:
    """Lock what `draft` needs until the end of the month in which it expires; None where nothing can be locked.

    Called directly before the commit, and safe to repeat. An earlier restore point that is locked as long vouches
    for all it shares with this one, so that an unchanged object is extended once a month and class.
    Raises StorageDenied when the store refuses, IntegrityError when something is missing.
    """
    locks = backing.locks
    if locks.lock is None:
        return None
    until = lock_until(draft.expires_at)
    packs = _packs(backing, rows)
    needed = packs | backing.index.sources(packs) | set(draft.segments) | _opening(backing)
    if locks.unknown(needed, until):
        _ask_earlier(backing, draft, until)
    locks.secure(needed, until)
    locks.keep(draft.id, until)  # the snapshot itself
    return until


def _packs(backing: Backing, rows: Iterable[ItemRow]) -> set[str]:
    """The packs a reader would use."""
    places = (backing.index.find(part.id) for row in rows for part in row.recipe)
    return {place.pack.name for place in places if place is not None}


def _opening(backing: Backing) -> set[str]:
    """What opens the repository."""
    return {names.CONFIG, *(info.key for info in backing.storage.list(names.KEYS))}


def _ask_earlier(backing: Backing, draft: Snapshot, until: datetime) -> None:
    """Take in what the newest restore point of this shard that is locked as long has made sure of."""
    for earlier in commits.listed(backing, draft.shard):
        if earlier.taken_at < draft.taken_at - _BUCKET:
            return
        if earlier.locked_until is not None and earlier.locked_until >= until:
            own = backing.storage.retention(names.snapshot(earlier.shard, earlier.id)).until
            if own is None or own < until:
                return  # copied here from a storage that locked it: what it says was true there
            backing.locks.learn(_vouched(backing, earlier), earlier.locked_until)
            return


def _vouched(backing: Backing, earlier: Snapshot) -> set[str]:
    """What `earlier` certainly needed. Later keys and merged index objects may be younger than it."""
    rows = manifest.items(backing.objects, earlier.segments)
    places = (backing.index.places(part.id) for row in rows for part in row.recipe)
    # Of a blob with two places, the one read now need not be the one that was read then.
    packs = {found[0].pack.name for found in places if len(found) == 1}
    deltas = {name for name in backing.index.sources(packs) if names.session_in(name)}
    return {names.CONFIG, names.data_key(1), *earlier.segments, *packs, *deltas}
