"""Between intent and commit: whether everything the session relies on still stands (format, section 10).

The intent names what the session relies on; only when it is durable the condemned lists are read. A collector writes
its list first and looks for intents second, so that one of the two sees the other.
"""

from collections.abc import Iterable

from backup_engine import names
from backup_engine.backing import Backing
from backup_engine.errors import IntegrityError, NotFound
from backup_engine.index import Place
from backup_engine.model import ItemRow
from backup_engine.pack import PackEntry, PackOpener
from backup_engine.packer import Packer


def own_copies(backing: Backing, rows: Iterable[ItemRow], packer: Packer) -> list[PackEntry]:
    """Store again every blob of `rows` that lies only in condemned packs; the packs written for it.

    One listing and nothing to do while no such blob is in the index. Raises IntegrityError when one has been deleted
    already: this session cannot be completed, and who adopts it starts from the last restore point.
    """
    backing.condemned.refresh()
    doomed = _doomed(backing)
    if not doomed:
        return []
    for ident in _referred(rows, doomed):
        packer.add(ident, _read(backing, doomed[ident]))
    return packer.flush()


def is_lost(backing: Backing, rows: Iterable[ItemRow]) -> bool:
    """Whether a blob of `rows` lies nowhere, or only in packs that a collector has deleted."""
    doomed = _doomed(backing)
    doubtful: list[set[str]] = []
    for row in rows:
        for part in row.recipe:
            if part.id in doomed:
                doubtful.append({place.pack.name for place in doomed[part.id]})
            elif not backing.index.places(part.id):
                return True
    sessions = sorted({names.pack_session(name) for packs in doubtful for name in packs})
    listed = {info.key for session in sessions for info in backing.storage.list(names.packs_of(session))}
    return any(not packs & listed for packs in doubtful)


def _doomed(backing: Backing) -> dict[bytes, list[Place]]:
    """The blobs no writer may rely on, with their condemned places. Damaged packs are another matter."""
    condemned = backing.condemned.packs
    suspects = (entry.id for name in condemned for entry in backing.index.entries(name))
    return {
        ident: [place for place in backing.index.places(ident) if place.pack.name in condemned]
        for ident in suspects
        if ident not in backing.index
    }


def _referred(rows: Iterable[ItemRow], doomed: dict[bytes, list[Place]]) -> set[bytes]:
    return {part.id for row in rows for part in row.recipe if part.id in doomed}


def _read(backing: Backing, places: list[Place]) -> bytes:
    cause: Exception | None = None
    for pack, entry in places:
        try:
            record = backing.storage.get(pack.name, entry.offset, entry.stored)
            return PackOpener(backing.ring, pack.header, pack.name).blob(entry, record)
        except (NotFound, IntegrityError) as error:
            cause = error
    name = places[0].pack.name
    raise IntegrityError(f"{name} was collected while the session relied on it: start again", key=name) from cause
