"""The bytes of what is restored, read ahead a little, for several who work side by side."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from backup_engine import IntegrityError, Repository
from backup_engine.model import ItemRow

Body = tuple[ItemRow, bytes]

_TOGETHER = 16
_BYTES_TOGETHER = 16 << 20


class Supply:
    """Hands out what `source` (blocking) yields; a few are in memory together, fewer if they are large."""

    def __init__(self, source: Iterator[Body]) -> None:
        self._source = source
        self._ready: deque[Body] = deque()
        self._refilling = asyncio.Lock()

    async def next(self) -> Body | None:
        """The next one; None when there are no more."""
        async with self._refilling:
            if not self._ready:
                self._ready.extend(await asyncio.to_thread(self._few))
            return self._ready.popleft() if self._ready else None

    def _few(self) -> list[Body]:
        few: list[Body] = []
        size = 0
        for row, body in islice(self._source, _TOGETHER):
            few.append((row, body))
            size += len(body)
            if size >= _BYTES_TOGETHER:
                break
        return few


def readable(
    repository: Repository, rows: Sequence[ItemRow], damaged: Callable[[ItemRow, IntegrityError], None]
) -> Iterator[Body]:
    """Every row that the repository still gives whole; the others are told. Blocking."""
    for row, body in repository.read_each(rows):
        if isinstance(body, IntegrityError):
            damaged(row, body)
        else:
            yield row, body
