"""Write restore points to files on this machine."""

import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from backup_engine import Repository, Snapshot
from backup_engine.exporting import CALENDAR_KINDS, EVENT, FILES, FORMATS, File, Letter, Piece, letters, other_files
from backup_engine.model import ItemRow
from tenantkeep.commands.download import refuse_existing

Watch = Callable[[int], None]


@dataclass(frozen=True)
class Selection:
    """Which items: all, or those of some folders (with what lies below them), or some by key."""

    folders: tuple[str, ...] = ()
    items: tuple[str, ...] = ()

    def __call__(self, row: ItemRow, folder: tuple[str, ...]) -> bool:
        if self.items:
            return row.key in self.items
        path = "/".join(folder).casefold()
        return not self.folders or any(
            path == wanted or path.startswith(f"{wanted}/")
            for wanted in (name.strip("/").casefold() for name in self.folders)
        )


@dataclass
class Written:
    """What one export holds, and what it could not."""

    place: Path
    snapshot: Snapshot
    mails: int = 0
    events: int = 0
    contacts: int = 0
    """With entries of the tenant's address book."""
    bytes: int = 0
    damaged: list[Letter | Piece] = field(default_factory=list)


def write(
    repository: Repository, snapshot: Snapshot, target: Path, *, name: str, selection: Selection, watch: Watch
) -> Written:
    """Export in the format called `name`; `target` appears only when it is complete, and nothing is written over.

    Each mail was compared with the SHA-256 in its manifest before it is written. `watch` is told its bytes.
    """
    refuse_existing(target)
    written = Written(target, snapshot)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        place = repository, snapshot.shard, snapshot.id, selection
        mails = () if name in FILES else _counted(letters(*place), written, watch)
        files = FILES[name](*place) if name in FILES else other_files(*place)
        FORMATS[name](mails, part, _counted_files(files, written, watch))
        part.replace(target)
    finally:
        _remove(part)
    return written


def _counted(found: Iterator[Letter], written: Written, watch: Watch) -> Iterator[Letter]:
    for letter in found:
        if letter.body is None:
            written.damaged.append(letter)
        else:
            written.mails += 1
            written.bytes += len(letter.body)
            watch(len(letter.body))
        yield letter


def _counted_files(files: Iterable[File], written: Written, watch: Watch) -> Iterator[File]:
    for path, pieces in files:
        yield path, _counted_pieces(pieces, written, watch)


def _counted_pieces(pieces: Iterator[Piece], written: Written, watch: Watch) -> Iterator[Piece]:
    for piece in pieces:
        if piece.problem:
            written.damaged.append(piece)
        if piece.data is not None:
            written.events += piece.row.kind == EVENT
            written.contacts += piece.row.kind not in CALENDAR_KINDS
            written.bytes += len(piece.data)
            watch(piece.row.size)
        yield piece


def _remove(part: Path) -> None:
    if part.is_dir():
        shutil.rmtree(part)
    else:
        part.unlink(missing_ok=True)
