"""Stream a restore point, or a part, as a ZIP, or one item or attachment: the stored bytes, nothing rebuilt."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

from backup_engine import IntegrityError, ItemRow, NotFound, Repository, UnknownItem
from backup_engine.exporting import ARCHIVES, MAIL, Wanted, part, selected
from backup_service.domain import mime
from backup_service.domain.export_order import ExportOrder
from backup_service.ports import Catalogue, Repositories
from chassis.clock import Clock
from contracts.names import ExportFormat, Source
from contracts.problem import damaged, not_found
from contracts.views import RestorePoint

_BREAKS = frozenset('"/\\')
"""What a name of a file must not hold anywhere."""


@dataclass(frozen=True)
class Archive:
    """What to call it, and its bytes, to be read in a thread. Its length is known when it has been read."""

    filename: str
    chunks: Iterator[bytes]
    media_type: str = "application/zip"


def archive_name(point: RestorePoint, export: ExportFormat) -> str:
    """What a person sees in the folder of downloads: whose mail, from when, in which form."""
    kind = "" if export is ExportFormat.EML else f".{export}"
    name = f"{point.resource_name or point.resource}-{point.taken_at:%Y%m%dT%H%M%SZ}{kind}.zip"
    return "".join(
        letter if letter.isprintable() and letter not in _BREAKS else "_" for letter in name.replace("@", "_at_")
    )


class ExportMailbox:
    def __init__(self, catalogue: Catalogue, repositories: Repositories, clock: Clock) -> None:
        self._catalogue = catalogue
        self._repositories = repositories
        self._clock = clock

    async def __call__(self, tenant: str, ticket: str) -> Archive:
        """Open what a ticket is for. Raises a not-found problem for anything but a fresh one."""
        order = await self._catalogue.redeem(tenant, ticket, self._clock.now())
        if order is None:
            raise not_found("download")
        point = await self._catalogue.restore_point(tenant, order.restore_point)
        if point is None:
            raise not_found("download")
        configuration = await self._catalogue.configuration(tenant, point.configuration)
        if configuration is None:
            raise not_found("backup configuration of the restore point")
        repository = await self._repositories.open(tenant, configuration.target)
        shard = f"{point.configuration}/{point.resource}"
        if order.item is not None:
            return await asyncio.to_thread(item_download, repository, shard, order)
        try:
            wanted = await asyncio.to_thread(_wanted, repository, shard, order)
        except NotFound:
            raise not_found("restore point") from None
        return Archive(archive_name(point, order.format), ARCHIVES[order.format](repository, shard, point.id, wanted))


_KINDS: dict[Source, tuple[str, ...]] = {
    Source.MAIL: (MAIL,),
    Source.CALENDAR: ("event", "event-attachment"),
    Source.CONTACTS: ("contact", "contact-photo"),
    Source.ADDRESS_BOOK: ("user", "group", "org-contact"),
}
"""Items of each source, as they are stored."""


def _wanted(repository: Repository, shard: str, order: ExportOrder) -> Wanted | None:
    taken = order.selection
    kinds = [kind for source in taken.sources for kind in _KINDS[source]]
    return selected(repository, shard, order.restore_point, taken.items, taken.folders, kinds=kinds)


def item_download(repository: Repository, shard: str, order: ExportOrder) -> Archive:
    """One item as it is stored, or one of its attachments. Raises problems. Blocking."""
    try:
        row = repository.item(shard, order.restore_point, order.item or "")
        if not row.has_body or (order.attachment is not None and row.kind != MAIL):
            raise not_found("attachment" if order.attachment is not None else "body of the item")
        if order.attachment is None and row.kind != MAIL:
            return Archive(_other_name(row), repository.read_stream(row), _MEDIA_TYPES.get(row.kind, _BYTES))
        mail = mime.parse(body := repository.read(row))
    except (UnknownItem, NotFound):
        raise not_found("item") from None
    except IntegrityError as error:
        raise damaged(str(error)) from error
    if order.attachment is None:
        return Archive(f"{part(mail.subject, 'no subject')}.eml", iter([body]), "message/rfc822")
    if order.attachment > len(mail.attachments):
        raise not_found("attachment")
    found = mail.attachments[order.attachment - 1]
    # Never its own type: a browser that shows what a stranger sent would run it here.
    return Archive(part(found.name, "attachment"), iter([found.content]), _BYTES)


_BYTES = "application/octet-stream"
_MEDIA_TYPES = {"event": "application/json", "contact": "application/json"}


def _other_name(row: ItemRow) -> str:
    """What is no mail has a name of its own, or is JSON."""
    name = str(row.meta.get("name") or "")
    return part(name, "attachment") if name else f"{row.kind}.json"
