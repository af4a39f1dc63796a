"""The mails of a restore point, one after the other, past whatever is damaged."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count

from backup_engine.exporting.names import folder_paths, mail_path
from backup_engine.exporting.pieces import Wanted, bodies
from backup_engine.exporting.subject import subject_of
from backup_engine.model import ItemRow
from backup_engine.repository import Repository

MAIL = "mail"
FOLDER = "folder"


@dataclass(frozen=True, slots=True)
class Letter:
    """One mail with its place; `body` is None when the repository does not give it back whole, `problem` says why."""

    row: ItemRow
    folder: tuple[str, ...]  # names from the top
    number: int  # unique in one export
    body: bytes | None = field(repr=False)
    problem: str = ""

    @property
    def path(self) -> str:
        """A readable name, safe to unpack on any system."""
        return mail_path(self.folder, self.number, "" if self.body is None else subject_of(self.body))


def letters(repository: Repository, shard: str, snapshot: str, wanted: Wanted | None = None) -> Iterator[Letter]:
    """Every mail, or those `wanted(row, folder)` says, in the order of the packs. Blocking.

    A damaged item costs only itself. Raises NotFound, StorageUnreachable, StorageDenied, KeyUnavailable, OSError for a
    full scratch folder, and IntegrityError when the list of items itself cannot be read.
    """
    folders: dict[str, tuple[str, str]] = {}
    if wanted is None:
        rows = _mails(repository.items(shard, snapshot), folders)
    else:
        # Whether a mail is wanted may depend on its folder: these are read before.
        folders |= {row.key: _place(row) for row in repository.items(shard, snapshot, FOLDER)}
        rows = _wanted(repository.items(shard, snapshot, MAIL), folder_paths(folders), wanted)
    paths: dict[str, tuple[str, ...]] | None = None
    for number, (row, body, problem) in enumerate(bodies(repository, rows), start=1):
        if paths is None:
            paths = folder_paths(folders)  # complete: all rows are read before the first body
        yield Letter(row, paths.get(row.parent, ()), number, body, problem)


def _mails(rows: Iterable[ItemRow], folders: dict[str, tuple[str, str]]) -> Iterator[ItemRow]:
    """The mails; the folders that come by are noted."""
    for row in rows:
        if row.kind == FOLDER:
            folders[row.key] = _place(row)
        elif row.kind == MAIL:
            yield row


def _wanted(mails: Iterable[ItemRow], paths: Mapping[str, tuple[str, ...]], wanted: Wanted) -> Iterator[ItemRow]:
    return (row for row in mails if wanted(row, paths.get(row.parent, ())))


def _place(row: ItemRow) -> tuple[str, str]:
    """Of a folder: name and parent."""
    return str(row.meta["name"]), row.parent


def mail_rows(
    repository: Repository, shard: str, snapshot: str, wanted: Wanted | None = None
) -> list[tuple[ItemRow, tuple[str, ...]]]:
    """The mails with their folders, without their bytes. Blocking."""
    rows = list(repository.items(shard, snapshot))
    paths = folder_paths({row.key: _place(row) for row in rows if row.kind == FOLDER})
    found = [(row, paths.get(row.parent, ())) for row in rows if row.kind == MAIL]
    return [place for place in found if wanted is None or wanted(*place)]


def letters_by_place(
    repository: Repository,
    shard: str,
    snapshot: str,
    place: Callable[[tuple[str, ...]], str],
    wanted: Wanted | None = None,
) -> Iterator[tuple[str, Iterator[Letter]]]:
    """Every mail as with `letters`, together with those whose folder has the same place; read each before the next.

    Places that differ in case only are one: not every system tells them apart.
    """
    folders: dict[str, tuple[str, ...]] = {}
    places: dict[str, tuple[str, list[ItemRow]]] = {}
    for row, folder in mail_rows(repository, shard, snapshot, wanted):
        folders[row.key] = folder
        name = place(folder)
        places.setdefault(name.casefold(), (name, []))[1].append(row)
    number = count(1)
    for _, (name, chosen) in sorted(places.items()):
        read = bodies(repository, chosen)
        yield name, (Letter(row, folders[row.key], next(number), body, why) for row, body, why in read)
