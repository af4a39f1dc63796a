"""Search files: what restore points hold, without bodies."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from backup_engine import Repository
from backup_service.domain.searching.found import Differences, Header, Page, Place
from backup_service.domain.searching.query import Query


class Preparing(Exception):
    """The search file is being made; ask again in a while."""


class SearchFile(Protocol):
    """Folders, items and words of one mailbox in all its restore points, without bodies. Blocking, thread-safe.

    Restore points are named by id; NotFound for one the file does not cover. Cursors that are none raise BadCursor.
    """

    def places(self, point: str) -> Sequence[Place]: ...

    def page(self, point: str, folder: str, cursor: str | None, limit: int) -> Page: ...

    def item(self, point: str, key: str) -> Header | None: ...

    def search(self, point: str | None, query: Query, cursor: str | None, limit: int) -> Page:
        """Hits in one restore point, or in all of them with None; newest first."""
        ...

    def differences(
        self, before: str, after: str, change: str | None, cursor: str | None, limit: int
    ) -> Differences: ...


class SearchFiles(Protocol):
    """Search files of all mailboxes, made when they are missing."""

    def opened(self, repository: Repository, shard: str, point: str | None) -> AbstractAsyncContextManager[SearchFile]:
        """The file that covers `point` (None: the newest one). Raises Preparing when that takes too long, NotFound."""
        ...

    async def prepare(self, repository: Repository, shard: str) -> None:
        """Have it at hand, and in the repository, for the newest restore point."""
        ...
