"""Restore points, exports, downloads and restores."""

from typing import Annotated

from fastapi import Query, Response
from fastapi.responses import StreamingResponse
from pydantic import ConfigDict
from starlette.types import Receive, Scope, Send

from contracts import rpc
from contracts.api import Accepted, Download, ExportBody, ItemDownloadBody, RestoreBody
from contracts.views import ItemProblem, Listing, RestorePoint
from gateway.entrypoints.backups import Id
from gateway.entrypoints.browsing import Key
from gateway.entrypoints.gate import PREFIX, Api, Asked, Creating, Gated, Tenant
from gateway.entrypoints.tenants import PageQuery
from gateway.ports import OpenDownload
from gateway.usecases import requests

api = Api("restores")


class RestorePointsQuery(rpc.RestorePointsOf):
    model_config = ConfigDict(frozen=True, extra="forbid")


@api.route("list_restore_points")
async def list_restore_points(
    gate: Gated, asking: Asked, tenant: Tenant, query: Annotated[RestorePointsQuery, Query()]
) -> Listing[RestorePoint]:
    """List restore points; each is complete by itself."""
    return await gate.services.ask(rpc.RESTORE_POINT_LIST, tenant, query, asking)


@api.route("open_export", status_code=201)
async def open_export(gate: Gated, asking: Asked, tenant: Tenant, restore_point: Id, body: ExportBody) -> Download:
    """Open an export of a restore point.

    The returned address can be fetched once, within a short time, with the same kind of bearer token.
    """
    question = rpc.OpenExport(restore_point=restore_point, format=body.format, selection=body.selection)
    return await requests.open_export(gate.services, tenant, question, asking=asking)


@api.route("open_item_download", status_code=201)
async def open_item_download(
    *, gate: Gated, asking: Asked, tenant: Tenant, restore_point: Id, item: Key, body: ItemDownloadBody
) -> Download:
    """Open the download of one item, or of one of its attachments: the stored bytes.

    The returned address can be fetched once, within a short time, with the same kind of bearer token.
    """
    question = rpc.OpenExport(restore_point=restore_point, item=item, attachment=body.attachment)
    return await requests.open_export(gate.services, tenant, question, asking=asking)


@api.route("download", response_class=StreamingResponse)
async def download(gate: Gated, tenant: Tenant, ticket: Id) -> StreamingResponse:
    """Fetch an export: a ZIP archive, streamed.

    A connection that ends early means that the archive is incomplete: open the export again.
    """
    return RelayedDownload(await gate.downloads.open(tenant, ticket))


@api.route("start_restore", status_code=202)
async def start_restore(
    gate: Gated, creation: Creating, tenant: Tenant, body: RestoreBody, response: Response
) -> Accepted:
    """Restore a restore point, or parts of it, into the original mailbox or another one.

    Nothing that exists there is changed or deleted, but for conflict=replace, which deletes an item after its stored
    state was created and compared. With dry_run nothing is written. The job of the run has the report.
    """
    at, asking = gate.clock.now(), creation.identified(body)
    accepted = await requests.start_restore(gate.services, tenant, body, at=at, asking=asking)
    response.headers["location"] = f"{PREFIX}/tenants/{tenant}/runs/{accepted.run}"
    return accepted


@api.route("list_restore_problems")
async def list_restore_problems(
    gate: Gated, asking: Asked, tenant: Tenant, job: Id, page: Annotated[PageQuery, Query()]
) -> Listing[ItemProblem]:
    """List every item that a restore job could not bring back, or not as it was, and why.

    The job itself shows the first 100.
    """
    question = rpc.ProblemsOf(job=job, cursor=page.cursor, limit=page.limit)
    return await gate.services.ask(rpc.RESTORE_PROBLEMS, tenant, question, asking)


class RelayedDownload(StreamingResponse):
    """Passes bytes on as they come; ends the upstream request when the client leaves, even before the first byte."""

    def __init__(self, opened: OpenDownload) -> None:
        super().__init__(opened.chunks, headers=opened.headers)
        self._opened = opened

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._opened.close()
