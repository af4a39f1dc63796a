"""The search files a worker has at hand: fetched from the repository, or made, and brought up to the newest point.

A file lies in the state folder without a name: it is unlinked as soon as SQLite has opened it, and dies with the
process (ADR 0023). Each file belongs to one shard of one tenant.
"""

import asyncio
import sqlite3
import threading
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path

import structlog

from backup_engine import IntegrityError, Repository, Snapshot
from backup_engine.errors import FormatUnsupported, NotFound, StorageError
from backup_service.adapters import search_schema
from backup_service.adapters.search_file import SearchFile
from backup_service.adapters.search_writer import SearchWriter
from backup_service.ports.searching import Preparing

log = structlog.get_logger()

KIND = "search"
_FAST = "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -32768;"
_MAPPED = 1 << 31  # bytes of a file that are read through the system's cache


@dataclass
class _Shelved:
    file: SearchFile
    users: int = 0


class SearchShelf:
    """Implements ports.SearchFiles. Open and use it on one event loop; the work is done in threads."""

    def __init__(self, folder: Path, *, limit: int, patience: float, new_id: Callable[[], str]) -> None:
        """`limit`: bytes of files kept at hand; `patience`: seconds a question waits for a file that is being made."""
        search_schema.require_full_text()
        self._folder = folder
        self._limit = limit
        self._patience = patience
        self._new_id = new_id
        self._shelved: OrderedDict[tuple[str, str], _Shelved] = OrderedDict()
        self._making: dict[tuple[str, str], asyncio.Task[SearchFile]] = {}
        self._stopping = threading.Event()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for left in folder.glob("*.part"):  # of a process that died while one was open
            left.unlink(missing_ok=True)

    @asynccontextmanager
    async def opened(self, repository: Repository, shard: str, point: str | None) -> AsyncIterator[SearchFile]:
        key = (repository.tenant, shard)
        wanted = await asyncio.to_thread(_newest, repository, shard) if point is None else point
        shelved = self._shelved.get(key)
        if shelved is None or not shelved.file.covers(wanted):
            await self._made(repository, shard)
            shelved = self._shelved[key]
            if not shelved.file.covers(wanted):
                raise NotFound(f"the search file of {shard} knows no restore point {wanted}", key=wanted)
        self._shelved.move_to_end(key)
        shelved.users += 1
        try:
            yield shelved.file
        finally:
            shelved.users -= 1
            if shelved is not self._shelved.get(key) and not shelved.users:
                shelved.file.close()

    async def prepare(self, repository: Repository, shard: str) -> None:
        """Bring the file up to the newest restore point and store it, however long that takes."""
        await asyncio.shield(self._task(repository, shard))

    async def close(self) -> None:
        """Stop what is being made, and forget everything."""
        self._stopping.set()
        if self._making:
            await asyncio.wait(set(self._making.values()))
        for shelved in self._shelved.values():
            shelved.file.close()
        self._shelved.clear()

    async def _made(self, repository: Repository, shard: str) -> None:
        task = self._task(repository, shard)
        done, _ = await asyncio.wait({task}, timeout=self._patience)
        if not done:
            raise Preparing
        task.result()

    def _task(self, repository: Repository, shard: str) -> asyncio.Task[SearchFile]:
        """One at a time for each file, however many ask."""
        key = (repository.tenant, shard)
        if key not in self._making:
            self._making[key] = asyncio.create_task(self._put(repository, shard))
            self._making[key].add_done_callback(lambda _: self._making.pop(key, None))
        return self._making[key]

    async def _put(self, repository: Repository, shard: str) -> SearchFile:
        key = (repository.tenant, shard)
        file = await asyncio.to_thread(self._make, repository, shard)
        old = self._shelved.pop(key, None)
        if old is not None and not old.users:
            old.file.close()
        self._shelved[key] = _Shelved(file)
        self._bound(key)
        return file

    def _bound(self, newest: tuple[str, str]) -> None:
        """Close what was not asked for the longest time; what is in use, and the newest, stay."""
        for key, shelved in list(self._shelved.items()):
            if sum(one.file.size for one in self._shelved.values()) <= self._limit:
                return
            if key != newest and not shelved.users:
                del self._shelved[key]
                shelved.file.close()

    def _make(self, repository: Repository, shard: str) -> SearchFile:
        """Blocking. Raises Stopped, NotFound without a restore point, and what the engine raises."""
        points = repository.snapshots(shard)[::-1]
        if not points:
            raise NotFound(f"{shard} has no restore point", key=shard)
        path = self._folder / f"{self._new_id()}.part"
        try:
            path.touch(mode=0o600, exist_ok=False)
            if not self._current(repository, shard, points, path):
                path.unlink()
                path.touch(mode=0o600, exist_ok=False)
                self._bring_up(repository, points, path)
                self._store(repository, shard, points, path, shared=False)
            return _opened(path)
        finally:
            path.unlink(missing_ok=True)

    def _current(self, repository: Repository, shard: str, points: list[Snapshot], path: Path) -> bool:
        """Put the stored file, brought up to date if needed, at `path`; False when there is none to build on."""
        try:
            stored = repository.derived.newest(KIND, shard)
            if stored is None:
                return False
            with path.open("wb") as file:
                repository.derived.fetch(stored, file)
        except (IntegrityError, FormatUnsupported) as error:
            log.warning("the stored search file cannot be read: it is made anew", shard=shard, error=str(error))
            return False
        with closing(sqlite3.connect(path)) as connection:
            if not search_schema.is_current(connection):
                return False
            writer = SearchWriter(connection, repository, self._stopping.is_set)
            if not writer.can_reach(points):
                return False
            if set(writer.covers()) >= {point.id for point in points}:
                return True
            connection.executescript(_FAST)
            writer.bring_up(points)
        self._store(repository, shard, points, path, shared=True)
        return True

    def _bring_up(self, repository: Repository, points: list[Snapshot], path: Path) -> None:
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript(_FAST)
            search_schema.create(connection)
            SearchWriter(connection, repository, self._stopping.is_set).bring_up(points)

    def _store(self, repository: Repository, shard: str, points: list[Snapshot], path: Path, *, shared: bool) -> None:
        """Into the repository, for other workers and later; what fails here costs only that."""
        try:
            with path.open("rb") as file:
                covered = [point.id for point in points]
                repository.derived.store(KIND, shard, self._new_id(), file, covered, shared=shared)
        except StorageError as error:
            log.warning("a search file could not be stored: the next one will be", shard=shard, error=str(error))


def _newest(repository: Repository, shard: str) -> str:
    points = repository.snapshots(shard)
    if not points:
        raise NotFound(f"{shard} has no restore point", key=shard)
    return points[0].id


def _opened(path: Path) -> SearchFile:
    size = path.stat().st_size
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False)
    try:
        connection.execute(f"PRAGMA mmap_size = {_MAPPED}")
        return SearchFile(connection, size)  # which reads, so that SQLite has opened the file when it loses its name
    except BaseException:
        connection.close()
        raise
