"""Many small files, made beside whoever reads what is in them."""

from collections.abc import Iterable
from functools import partial
from io import FileIO
from typing import Self

from backup_engine.pools import Pool

_WRITERS = 2  # threads: most of an export's time is the file system's
_TOGETHER = 1 << 20  # bytes handed to one of them at once


class NewFiles:
    """Makes files, some at a time, and writes over none; left without an error, all of them are there."""

    def __init__(self) -> None:
        self._pool = Pool(_WRITERS, _WRITERS, "write")
        self._waiting: list[tuple[str, bytes]] = []
        self._size = 0

    def add(self, file: str, body: bytes) -> None:
        """The folder must be there. Raises OSError, also about an earlier file."""
        self._waiting.append((file, body))
        self._size += len(body)
        if self._size >= _TOGETHER:
            self._submit()

    def _submit(self) -> None:
        waiting, self._waiting, self._size = self._waiting, [], 0
        self._pool.submit(partial(_create_all, waiting))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, failed: type[BaseException] | None, *_: object) -> None:
        try:
            if failed is None:
                self._submit()
                self._pool.wait()
        finally:
            self._pool.close()


def create(file: str, body: bytes) -> None:
    """Raises FileExistsError and every other OSError."""
    with FileIO(file, "x") as opened:
        left = memoryview(body)
        while left:
            left = left[opened.write(left) :]


def _create_all(files: Iterable[tuple[str, bytes]]) -> None:
    for file, body in files:
        create(file, body)
