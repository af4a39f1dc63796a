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


def bodies(repository: Repository, rows: Iterable[ItemRow]) -> Iterator[tuple[ItemRow, bytes | None, str]]:
    """Each row with its bytes, or with what is wrong with them, in the order of the packs; after all rows were read."""
    for row, body in repository.read_each(rows):
        if isinstance(body, IntegrityError):
            yield row, None, str(body)
        else:
            yield row, body, ""
