"""What restore points hold: folders, items, messages, search, comparison."""

from typing import Annotated

from fastapi import Path, Query
from pydantic import ConfigDict, Field

from contracts import rpc
from contracts.browsing import Comparison, Folder, Item, ItemChange, ItemKey, Message
from contracts.names import Token
from contracts.views import Listing
from gateway.entrypoints.backups import Id
from gateway.entrypoints.gate import Api, Asked, Gated, Tenant
from gateway.entrypoints.tenants import PageQuery

api = Api("browsing")

Key = Annotated[ItemKey, Path(description="id of an item or folder, as a list gives it")]


class ItemsQuery(rpc.ItemsPage):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SearchQuery(rpc.SearchFilter):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CompareQuery(rpc.ItemsPage):
    model_config = ConfigDict(frozen=True, extra="forbid")

    other: Token = Field(alias="with", description="another restore point of the same mailbox")
    change: ItemChange | None = None


@api.route("list_folders")
async def list_folders(
    gate: Gated, asking: Asked, tenant: Tenant, restore_point: Id, page: Annotated[PageQuery, Query()]
) -> Listing[Folder]:
    """List the folders, calendars and contact folders of a restore point, with what lies in them.

    Questions about what a restore point holds are answered from a search file. While it is being made, the problem
    `preparing` (503) says so.
    """
    question = rpc.FoldersOf(restore_point=restore_point, cursor=page.cursor, limit=page.limit)
    return await gate.services.ask(rpc.BROWSE_FOLDERS, tenant, question, asking)


@api.route("list_items")
async def list_items(
    *, gate: Gated, asking: Asked, tenant: Tenant, restore_point: Id, folder: Key, page: Annotated[ItemsQuery, Query()]
) -> Listing[Item]:
    """List what lies directly in a folder, newest first."""
    question = rpc.ItemsOf(restore_point=restore_point, folder=folder, cursor=page.cursor, limit=page.limit)
    return await gate.services.ask(rpc.BROWSE_ITEMS, tenant, question, asking)


@api.route("get_item")
async def get_item(gate: Gated, asking: Asked, tenant: Tenant, restore_point: Id, item: Key) -> Item:
    """Show an item with all its people and attachments."""
    return await gate.services.ask(rpc.BROWSE_ITEM, tenant, rpc.OneItem(restore_point=restore_point, item=item), asking)


@api.route("get_message")
async def get_message(gate: Gated, asking: Asked, tenant: Tenant, restore_point: Id, item: Key) -> Message:
    """Show what is written in an item: as text and as sanitised HTML.

    The HTML has no scripts, forms, frames or remote content. Show it in a frame of its own all the same.
    """
    return await gate.services.ask(
        rpc.BROWSE_MESSAGE, tenant, rpc.OneItem(restore_point=restore_point, item=item), asking
    )


@api.route("search_items")
async def search_items(
    gate: Gated, asking: Asked, tenant: Tenant, restore_point: Id, query: Annotated[SearchQuery, Query()]
) -> Listing[Item]:
    """Search a restore point, or with `everywhere` all of its mailbox, newest first.

    Everything given must hold. Words are found whatever their case, accents and umlauts are: Müller, Mueller and
    Muller are one word.
    """
    question = rpc.SearchItems(restore_point=restore_point, **query.model_dump())
    return await gate.services.ask(rpc.BROWSE_SEARCH, tenant, question, asking)


@api.route("compare_restore_points")
async def compare_restore_points(
    gate: Gated, asking: Asked, tenant: Tenant, restore_point: Id, query: Annotated[CompareQuery, Query()]
) -> Comparison:
    """Compare two restore points of a mailbox: what was added, removed, changed or moved from the earlier one."""
    question = rpc.Compare(restore_point=restore_point, **query.model_dump())
    return await gate.services.ask(rpc.BROWSE_COMPARE, tenant, question, asking)
