"""The search files a worker has at hand: fetched from the repository, or made, and brought up to the newest point.

A file lies in the state folder without a name: it is unlinked as soon as SQLite has opened it, and dies with the
process (ADR 0023). Each file belongs to one shard of one tenant.
"""

import asyncio
import sqlite3
import threading
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, closing, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import structlog

from backup_engine import DerivedFile, IntegrityError, Repository, Snapshot
from backup_engine.errors import FormatUnsupported, NotFound, StorageError
from backup_service.adapters import search_schema
from backup_service.adapters.search_file import SearchFile
from backup_service.adapters.search_writer import SearchWriter
from backup_service.ports.searching import Preparing

log = structlog.get_logger()

KIND = "search"
_FAST = "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -32768;"
_NEWS = 0.1  # share of a file that is new before it is stored again: what is less is quickly read from the repository
_OLD = timedelta(days=7)  # after which it is stored all the same, before its restore points expire
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
            shelved = self._shelved.get(key)
            if shelved is None:  # made, and gone again for others that were made at the same moment
                raise Preparing
            if not shelved.file.covers(wanted):
                raise NotFound(f"the search file of {shard} knows no restore point {wanted}", key=wanted)
        self._shelved.move_to_end(key)
        with self._in_use(shelved, key):
            yield shelved.file

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
            self._making[key].add_done_callback(lambda task: self._is_made(key, task))
        return self._making[key]

    def _is_made(self, key: tuple[str, str], task: asyncio.Task[SearchFile]) -> None:
        del self._making[key]
        if not task.cancelled() and (error := task.exception()) is not None:
            # Whoever waited hears it, too; perhaps nobody has.
            log.warning("a search file could not be made", shard=key[1], error=str(error))

    async def _put(self, repository: Repository, shard: str) -> SearchFile:
        key = (repository.tenant, shard)
        held = self._shelved.get(key)
        with nullcontext() if held is None else self._in_use(held, key):
            file = await asyncio.to_thread(self._make, repository, shard, None if held is None else held.file)
        old = self._shelved.pop(key, None)
        if old is not None and not old.users:
            old.file.close()
        self._shelved[key] = _Shelved(file)
        self._bound(key)
        return file

    @contextmanager
    def _in_use(self, shelved: _Shelved, key: tuple[str, str]) -> Iterator[None]:
        """Nobody closes it meanwhile; the last user does when it was replaced."""
        shelved.users += 1
        try:
            yield
        finally:
            shelved.users -= 1
            if shelved is not self._shelved.get(key) and not shelved.users:
                shelved.file.close()

    def _bound(self, newest: tuple[str, str]) -> None:
        """Close what was not asked for the longest time; what is in use, and the newest, stay."""
        for key, shelved in list(self._shelved.items()):
            if sum(one.file.size for one in self._shelved.values()) <= self._limit:
                return
            if key != newest and not shelved.users:
                del self._shelved[key]
                shelved.file.close()

    def _make(self, repository: Repository, shard: str, held: SearchFile | None) -> SearchFile:
        """Blocking. Raises Stopped, NotFound without a restore point, and what the engine raises."""
        points = repository.snapshots(shard)[::-1]
        if not points:
            raise NotFound(f"{shard} has no restore point", key=shard)
        path = self._folder / f"{self._new_id()}.part"
        try:
            path.touch(mode=0o600, exist_ok=False)
            version = self._current(repository, points, path, held)
            if version is None:
                path.unlink()
                path.touch(mode=0o600, exist_ok=False)
                self._bring_up(repository, points, path)
                version = self._store(repository, points, path, shared=False)
            return _opened(path, version)
        finally:
            path.unlink(missing_ok=True)

    def _current(
        self, repository: Repository, points: list[Snapshot], path: Path, held: SearchFile | None
    ) -> str | None:
        """Put the stored file, brought up to date if needed, at `path`; its version, None when there is none."""
        stored = _fetched(repository, points[0].shard, path, held)
        if stored is None:
            return None
        with closing(sqlite3.connect(path)) as connection:
            writer = SearchWriter(connection, repository, self._stopping.is_set)
            if not search_schema.is_current(connection) or not writer.can_reach(points):
                return None
            if set(writer.covers()) >= {point.id for point in points}:
                return stored.id
            connection.executescript(_FAST)
            writer.bring_up(points)
            news = writer.news_since(stored.snapshots)
        if news < _NEWS and _age(points, stored.snapshots) < _OLD:
            return stored.id
        return self._store(repository, points, path, shared=True)

    def _bring_up(self, repository: Repository, points: list[Snapshot], path: Path) -> None:
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript(_FAST)
            search_schema.create(connection)
            SearchWriter(connection, repository, self._stopping.is_set).bring_up(points)

    def _store(self, repository: Repository, points: list[Snapshot], path: Path, *, shared: bool) -> str:
        """Into the repository, for other workers and later; what fails here costs only that. Its version."""
        shard, covered = points[0].shard, [point.id for point in points]
        try:
            with path.open("rb") as file:
                return repository.derived.store(KIND, shard, self._new_id(), file, covered, shared=shared).id
        except StorageError as error:
            log.warning("a search file could not be stored: the next one will be", shard=shard, error=str(error))
            return ""


def _newest(repository: Repository, shard: str) -> str:
    points = repository.snapshots(shard)
    if not points:
        raise NotFound(f"{shard} has no restore point", key=shard)
    return points[0].id


def _fetched(repository: Repository, shard: str, path: Path, held: SearchFile | None) -> DerivedFile | None:
    """Put the stored file, or what is at hand of it, at `path`; None when there is none that can be read."""
    try:
        stored = repository.derived.newest(KIND, shard)
        if stored is not None and held is not None and held.version == stored.id:
            held.copy_to(path)
        elif stored is not None:
            with path.open("wb") as file:
                repository.derived.fetch(stored, file)
    except (IntegrityError, FormatUnsupported) as error:
        log.warning("the stored search file cannot be read: it is made anew", shard=shard, error=str(error))
        return None
    return stored


def _age(points: list[Snapshot], stored: Sequence[str]) -> timedelta:
    """How far the newest restore point is ahead of the newest stored one; `points` are oldest first."""
    known = [point.taken_at for point in points if point.id in set(stored)]
    return points[-1].taken_at - known[-1] if known else timedelta.max


def _opened(path: Path, version: str) -> SearchFile:
    size = path.stat().st_size
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False)
    try:
        connection.execute(f"PRAGMA mmap_size = {_MAPPED}")
        return SearchFile(
            connection, size, version
        )  # which reads, so that SQLite has opened the file when it loses its name
    except BaseException:
        connection.close()
        raise
