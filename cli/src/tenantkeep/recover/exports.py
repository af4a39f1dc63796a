"""Write restore points to files on this machine."""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from backup_engine import Repository, Snapshot
from backup_engine.exporting import FORMATS, Letter, letters
from backup_engine.model import ItemRow
from tenantkeep.commands.download import refuse_existing

Watch = Callable[[int], None]


@dataclass(frozen=True)
class Selection:
    """Which mails: all, or those of some folders (with what lies below them), or some by key."""

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
    bytes: int = 0
    damaged: list[Letter] = field(default_factory=list)


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
        FORMATS[name](_counted(letters(repository, snapshot.shard, snapshot.id, selection), written, watch), part)
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


def _remove(part: Path) -> None:
    if part.is_dir():
        shutil.rmtree(part)
    else:
        part.unlink(missing_ok=True)
