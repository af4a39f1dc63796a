"""Between intent and commit: whether everything the session relies on still stands (format, section 10).

The intent names what the session relies on; only when it is durable the condemned lists are read. A collector writes
its list first and looks for intents second, so that one of the two sees the other.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from backup_engine import floor, names
from backup_engine.backing import Backing
from backup_engine.errors import IntegrityError, NotFound
from backup_engine.floor import Floor
from backup_engine.index import Place
from backup_engine.model import ItemRow, PackRef, Problem, VerificationReport
from backup_engine.pack import PackEntry, PackOpener
from backup_engine.packer import Packer
from backup_engine.pools import side_by_side
from backup_engine.storage.authentic import read_authentic
from backup_engine.verification import References, listed_packs


def own_copies(backing: Backing, rows: Iterable[ItemRow], packer: Packer) -> list[PackEntry]:
    """Store again every blob of `rows` that lies only in condemned packs, as read last; the packs written for it.

    Nothing to do while no such blob is in the index. Raises IntegrityError when one has been deleted
    already: this session cannot be completed, and who adopts it starts from the last restore point.
    """
    doomed = _doomed(backing)
    if not doomed:
        return []
    for ident in _referred(rows, doomed):
        packer.add(ident, _read(backing, doomed[ident]))
    return packer.flush()


@dataclass(frozen=True, slots=True)
class Answers:
    """What storage said after the intent was durable."""

    floor: Floor | None
    missing: tuple[str, ...]  # segments that are not there
    packs: Mapping[str, int]  # sizes of those listed, of the session and those it took over


def ask(backing: Backing, shard: str, segments: Sequence[str], packs: Iterable[PackRef]) -> Answers:
    """Read the condemned lists and, beside them, whatever else the commit must know. Raises IntegrityError.

    Segments may have come from what this machine keeps: storage has the last word on whether they are there.
    """
    calls: list[Callable[[], Any]] = [
        backing.condemned.refresh,
        lambda: floor.current(backing),
        lambda: {info.key for info in backing.storage.list(names.segments(shard))},
        lambda: sizes(backing, packs),
    ]
    _, least, listed, found = side_by_side(calls, backing.tuning.uploaders)
    return Answers(least, tuple(name for name in segments if name not in listed), found)


def sizes(backing: Backing, packs: Iterable[PackRef]) -> dict[str, int]:
    return listed_packs(backing, [pack.key for pack in packs])


def verified(
    backing: Backing, found: References, storage: Answers, packs: Iterable[PackRef], failed: set[str]
) -> VerificationReport:
    """V0 of what is about to be committed, but for items that failed. Raises IntegrityError."""
    report = found.report(backing, [pack.key for pack in packs], storage.packs)
    problems = [Problem("missing_segment", name, "not in storage") for name in storage.missing]
    problems += [one for one in report.problems if one.key not in failed]
    if problems:
        first = problems[0]
        message = f"V0 found {len(problems)} problems, first {first.kind} {first.key}: {first.detail}"
        raise IntegrityError(message, key=first.key)
    return report


def standing(backing: Backing, packs: Iterable[PackRef]) -> tuple[PackRef, ...]:
    """Those that no collector has condemned or removed: what a snapshot may name as written for it."""
    condemned = backing.condemned.packs
    return tuple(one for one in packs if one.key not in condemned and backing.index.pack(one.key) is not None)


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
            opened = partial(PackOpener(backing.ring, pack.header, pack.name).blob, entry)
            return read_authentic(backing.storage, pack.name, opened, entry.offset, entry.stored)
        except (NotFound, IntegrityError) as error:
            cause = error
    name = places[0].pack.name
    raise IntegrityError(f"{name} was collected while the session relied on it: start again", key=name) from cause
