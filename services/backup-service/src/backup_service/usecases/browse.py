"""Answer what restore points hold: folders, items, hits, differences. Nothing of it is kept or logged."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

from pydantic import BaseModel

from backup_engine import Repository
from backup_engine.errors import NotFound, UnknownItem
from backup_service.domain import item_views, mime, rendering
from backup_service.domain.jobs import Finished, Outcome
from backup_service.domain.searching.entries import entry_of
from backup_service.domain.searching.found import BadCursor, Differences, Header, Page
from backup_service.domain.searching.query import Query
from backup_service.ports import Catalogue, Judge, Repositories
from backup_service.ports.searching import Preparing, SearchFile, SearchFiles
from contracts import rpc
from contracts.browsing import ChangedItem, Comparison, Folder, Item, ItemChange, Message
from contracts.problem import ProblemError, damaged, invalid, not_found, preparing, unavailable
from contracts.views import Listing, RestorePoint

V = TypeVar("V", bound=BaseModel)

_ROOM = 200_000
"""Bytes of JSON in one answer; the bus takes 256 KiB."""


class Browse:
    """Every question is about a restore point of the asker's tenant; anything else is not found."""

    def __init__(self, catalogue: Catalogue, repositories: Repositories, files: SearchFiles, *, judge: Judge) -> None:
        self._catalogue = catalogue
        self._repositories = repositories
        self._files = files
        self._judge = judge

    async def folders(self, tenant: str, asked: rpc.FoldersOf) -> Listing[Folder]:
        """In order of their paths."""
        async with self._opened(tenant, asked.restore_point) as (file, _, _):
            found = item_views.folders(await asyncio.to_thread(file.places, asked.restore_point))
        ids = [folder.id for folder in found]
        start = ids.index(asked.cursor) + 1 if asked.cursor in ids else 0
        wanted = found[start : start + asked.limit]
        fits = _fitting(wanted)
        more = start + fits < len(found)
        return Listing[Folder](items=tuple(wanted[:fits]), cursor=ids[start + fits - 1] if more else None)

    async def items(self, tenant: str, asked: rpc.ItemsOf) -> Listing[Item]:
        """Newest first."""
        async with self._opened(tenant, asked.restore_point) as (file, _, _):
            page = await asyncio.to_thread(file.page, asked.restore_point, asked.folder, asked.cursor, asked.limit)
        return _listing(page)

    async def item(self, tenant: str, asked: rpc.OneItem) -> Item:
        async with self._opened(tenant, asked.restore_point) as (file, _, _):
            return item_views.item(await _header(file, asked), whole=True)

    async def message(self, tenant: str, asked: rpc.OneItem) -> Message:
        async with self._opened(tenant, asked.restore_point) as (file, repository, shard):
            header = await _header(file, asked)
            return await asyncio.to_thread(_message, repository, shard, asked, header)

    async def search(self, tenant: str, asked: rpc.SearchItems) -> Listing[Item]:
        """Newest first; in all restore points of the mailbox each text once."""
        query = Query(
            text=asked.q, subject=asked.subject, sender=asked.sender, people=asked.people, attachment=asked.attachment,
            since=asked.since, until=asked.until, has_attachment=asked.has_attachment, folder=asked.folder or "",
            kind=asked.kind,
        )  # fmt: skip
        async with self._opened(tenant, asked.restore_point, newest=asked.everywhere) as (file, _, _):
            point = None if asked.everywhere else asked.restore_point
            page = await asyncio.to_thread(file.search, point, query, asked.cursor, asked.limit)
        return _listing(page)

    async def compare(self, tenant: str, asked: rpc.Compare) -> Comparison:
        """From the earlier to the later of two restore points of one mailbox."""
        points = [await self._point(tenant, one) for one in (asked.restore_point, asked.other)]
        if len({(point.configuration, point.resource) for point in points}) > 1:
            raise invalid("only restore points of the same mailbox and configuration can be compared")
        earlier, later = (point.id for point in sorted(points, key=lambda point: point.taken_at))
        async with self._opened(tenant, later) as (file, _, _):
            found = await asyncio.to_thread(file.differences, earlier, later, asked.change, asked.cursor, asked.limit)
        return _comparison(earlier, later, found)

    async def _point(self, tenant: str, point: str) -> RestorePoint:
        found = await self._catalogue.restore_point(tenant, point)
        if found is None:
            raise not_found("restore point")
        return found

    @asynccontextmanager
    async def _opened(
        self, tenant: str, point_id: str, *, newest: bool = False
    ) -> AsyncIterator[tuple[SearchFile, Repository, str]]:
        """The search file that covers the restore point, its repository and shard. Raises problems."""
        point = await self._point(tenant, point_id)
        configuration = await self._catalogue.configuration(tenant, point.configuration)
        if configuration is None:
            raise not_found("backup configuration of the restore point")
        shard = f"{point.configuration}/{point.resource}"
        try:
            repository = await self._repositories.open(tenant, configuration.target)
            async with self._files.opened(repository, shard, None if newest else point_id) as file:
                yield file, repository, shard
        except ProblemError:
            raise
        except Preparing:
            raise preparing() from None
        except (NotFound, UnknownItem):
            raise not_found("restore point") from None
        except BadCursor as error:
            raise invalid("the cursor is none of this list") from error
        except Exception as error:
            raise _problem(self._judge(error)) from error


def _problem(outcome: Outcome) -> ProblemError:
    """An outage is said as one; what is damaged or denied needs a person."""
    if isinstance(outcome, Finished) and outcome.fatal is not None:
        return damaged(f"{outcome.fatal.error}: {outcome.fatal.detail}")
    return unavailable("storage, vault or documents do not answer; ask again shortly")


async def _header(file: SearchFile, asked: rpc.OneItem) -> Header:
    found = await asyncio.to_thread(file.item, asked.restore_point, asked.item)
    if found is None:
        raise not_found("item")
    return found


def _message(repository: Repository, shard: str, asked: rpc.OneItem, header: Header) -> Message:
    row = repository.item(shard, asked.restore_point, asked.item)
    body = repository.read(row) if row.has_body else b""
    if row.kind == "mail":
        mail = mime.parse(body)
        return item_views.message(header, rendering.shown(mail), mail)
    return item_views.message(header, rendering.limited(entry_of(row.kind, row.meta, body).text, ""), None)


def _listing(page: Page) -> Listing[Item]:
    items = [item_views.item(header) for header in page.headers]
    fits = _fitting(items)
    more = page.more or fits < len(items)
    return Listing[Item](items=tuple(items[:fits]), cursor=page.headers[fits - 1].position if more else None)


def _comparison(earlier: str, later: str, found: Differences) -> Comparison:
    changes = [
        ChangedItem(change=ItemChange(one.change), before=_shown(one.before), after=_shown(one.after))
        for one in found.page
    ]
    fits = _fitting(changes)
    more = found.more or fits < len(changes)
    return Comparison(
        earlier=earlier, later=later, **found.counts, items=tuple(changes[:fits]),
        cursor=found.page[fits - 1].key if more else None,
    )  # fmt: skip


def _shown(header: Header | None) -> Item | None:
    return None if header is None else item_views.item(header)


def _fitting(views: Sequence[V]) -> int:
    """How many of them, one at least, fit into one answer."""
    room = _ROOM
    for count, size in enumerate(_sizes(views)):
        room -= size
        if room < 0:
            return max(count, 1)
    return len(views)


def _sizes(views: Iterable[BaseModel]) -> Iterable[int]:
    return (len(view.model_dump_json().encode()) for view in views)
