"""Start work: prove that what it concerns exists, then put the request onto the bus."""

from datetime import datetime
from typing import Any

from contracts import rpc
from contracts.api import Accepted, Download, RestoreBody, UpkeepBody
from contracts.events import BackupRequested, RestoreRequested, VerifyRequested
from gateway.domain import Asking
from gateway.ports import Services


async def start_backup(
    services: Services, tenant: str, configuration: str, *, at: datetime, asking: Asking
) -> Accepted:
    """Request a run of a backup configuration; the same request id leads to the same run."""
    await services.ask(rpc.CONFIGURATION_GET, tenant, rpc.ById(id=configuration), asking)
    event = BackupRequested(
        tenant=tenant, at=at, request=asking.request_id, configuration=configuration, **_requester(asking)
    )
    return Accepted(run=await services.request(event))


async def start_upkeep(
    services: Services, tenant: str, target: str, body: UpkeepBody, *, at: datetime, asking: Asking
) -> Accepted:
    """Request the upkeep of what a storage target holds; the same request id leads to the same run."""
    await services.ask(rpc.TARGET_GET, tenant, rpc.ById(id=target), asking)
    event = VerifyRequested(
        tenant=tenant,
        at=at,
        request=asking.request_id,
        target=target,
        kind=body.kind,
        whole=body.whole,
        **_requester(asking),
    )
    return Accepted(run=await services.request(event))


async def start_restore(
    services: Services, tenant: str, body: RestoreBody, *, at: datetime, asking: Asking
) -> Accepted:
    """Request a restore into a mailbox; the same request id leads to the same run."""
    await services.ask(rpc.RESTORE_POINT_GET, tenant, rpc.ById(id=body.restore_point), asking)
    event = RestoreRequested(tenant=tenant, at=at, request=asking.request_id, **dict(body), **_requester(asking))
    return Accepted(run=await services.request(event))


async def open_export(services: Services, tenant: str, question: rpc.OpenExport, *, asking: Asking) -> Download:
    """Open a download of a restore point; the URL works once."""
    ticket = await services.ask(rpc.EXPORT_OPEN, tenant, question, asking)
    return Download(url=f"/api/v1/tenants/{tenant}/downloads/{ticket.ticket}", filename=ticket.filename)


def _requester(asking: Asking) -> dict[str, Any]:
    return {"requester": asking.caller.subject, "requester_roles": tuple(sorted(asking.caller.roles))}
