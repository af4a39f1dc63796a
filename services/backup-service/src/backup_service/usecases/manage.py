"""Short commands: storage targets, export tickets."""

import secrets
from datetime import timedelta

from backup_service.domain.export_order import ExportOrder
from backup_service.ports import Catalogue, Repositories
from backup_service.usecases.export_mailbox import archive_name
from chassis.clock import Clock
from contracts.auditing import AuditAction, recorded
from contracts.caller import Caller
from contracts.problem import conflict, not_found
from contracts.restoring import RestoreSelection
from contracts.rpc import CreatedTarget, CreateTarget, OpenExport, RenewTarget
from contracts.views import DownloadTicket, RestorePoint, StorageTarget

TICKET_LIFE = timedelta(minutes=5)


class Manage:
    """Each command is idempotent by its request id."""

    def __init__(self, catalogue: Catalogue, repositories: Repositories, clock: Clock) -> None:
        self._catalogue = catalogue
        self._repositories = repositories
        self._clock = clock

    async def create_target(self, tenant: str, caller: Caller, wanted: CreateTarget) -> CreatedTarget:
        """Test the connection; save the target only if every step held."""
        where = wanted.model_dump(exclude={"id", "name"})
        steps = await self._repositories.probe(tenant, wanted.id, where)
        if not all(step.ok for step in steps):
            return CreatedTarget(target=None, steps=steps)
        now = self._clock.now()
        target = StorageTarget(tenant=tenant, **wanted.model_dump(), created_at=now, tested_at=now)
        made = recorded(AuditAction.TARGET_CREATE, target.id, tenant=tenant, caller=caller, at=now, after=wanted)
        await self._catalogue.add_target(target, [made])
        return CreatedTarget(target=target, steps=steps)

    async def renew_credentials(self, tenant: str, caller: Caller, wanted: RenewTarget) -> CreatedTarget:
        """Switch to other credentials if every step of the connection test holds with them."""
        target = await self._catalogue.target(tenant, wanted.id)
        if target is None:
            raise not_found("storage target")
        if target.credentials == wanted.credentials:
            return CreatedTarget(target=target, steps=())
        retired = (*target.retired, target.credentials or target.id)
        now = self._clock.now()
        changes = {"credentials": wanted.credentials, "retired": retired, "tested_at": now}
        renewed = target.model_copy(update=changes)
        steps = await self._repositories.probe(tenant, target.id, renewed.model_dump())
        if not all(step.ok for step in steps):
            return CreatedTarget(target=None, steps=steps)
        made = recorded(
            AuditAction.TARGET_RENEW, target.id, tenant=tenant, caller=caller, at=now, after={"name": target.name}
        )
        if not await self._catalogue.change_target(target, changes, [made]):
            raise conflict("somebody else has given the storage target other credentials meanwhile")
        return CreatedTarget(target=renewed, steps=steps)

    async def test_target(self, tenant: str, target_id: str) -> CreatedTarget:
        """The connection test of a saved target, with the credentials in the vault."""
        target = await self._catalogue.target(tenant, target_id)
        if target is None:
            raise not_found("storage target")
        steps = await self._repositories.probe(tenant, target_id, target.model_dump())
        return CreatedTarget(target=target, steps=steps)

    async def open_export(self, tenant: str, caller: Caller, wanted: OpenExport) -> DownloadTicket:
        """A single-use ticket for the download of a restore point, a part of it, or one item.

        What an item is called is not known here: the download itself says it.
        """
        point = await self._catalogue.restore_point(tenant, wanted.restore_point)
        if point is None:
            raise not_found("restore point")
        secret = secrets.token_urlsafe(32)
        now = self._clock.now()
        expires_at = now + TICKET_LIFE
        order = ExportOrder(point.id, wanted.format, wanted.selection, wanted.item, wanted.attachment)
        # In which form and whether all of it, never which items: their names are not for the audit.
        whole = wanted.item is None and wanted.selection == RestoreSelection()
        taken = {"format": wanted.format.value, "whole": whole}
        opened = recorded(AuditAction.RESTORE_POINT_EXPORT, point.id, tenant=tenant, caller=caller, at=now, after=taken)
        await self._catalogue.add_ticket(tenant, order, secret, expires_at, [opened])
        return DownloadTicket(ticket=secret, expires_at=expires_at, filename=_name(point, order))


def _name(point: RestorePoint, order: ExportOrder) -> str:
    if order.item is None:
        return archive_name(point, order.format)
    return "item" if order.attachment is None else f"attachment-{order.attachment}"
