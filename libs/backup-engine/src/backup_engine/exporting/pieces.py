"""Files of an export that hold many items, such as the vCards of a folder: piece by piece, past whatever is damaged."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from backup_engine.errors import IntegrityError
from backup_engine.model import ItemRow
from backup_engine.repository import Repository

Wanted = Callable[[ItemRow, tuple[str, ...]], bool]


@dataclass(frozen=True, slots=True)
class Piece:
    """What one item adds to a file; `data` is None when the repository does not give it back, `problem` says why.

    A piece may be there and have a problem: a contact whose picture is damaged.
    """

    row: ItemRow
    folder: tuple[str, ...]
    data: bytes | None = field(repr=False)
    problem: str = ""


File = tuple[str, Iterator[Piece]]
"""Path inside the export, and the pieces in their order; to be read before the next file."""
Files = Callable[[Repository, str, str, Wanted | None], Iterator[File]]
"""Repository, shard, snapshot, which items: the files of one kind of items. Blocking."""


def bodies(repository: Repository, rows: list[ItemRow]) -> Iterator[tuple[ItemRow, bytes | None, str]]:
    """Each row with its bytes, or with what is wrong with them; in the order of the packs."""
    left = {row.key: row for row in rows}
    try:
        for row, body in repository.read_many(rows):
            del left[row.key]
            yield row, body, ""
    except IntegrityError:
        # One by one is slow, and it tells the damaged ones from the others.
        yield from _one_by_one(repository, left.values())


def _one_by_one(repository: Repository, rows: Iterable[ItemRow]) -> Iterator[tuple[ItemRow, bytes | None, str]]:
    for row in rows:
        try:
            body = repository.read(row)
        except IntegrityError as error:
            yield row, None, str(error)
        else:
            yield row, body, ""
