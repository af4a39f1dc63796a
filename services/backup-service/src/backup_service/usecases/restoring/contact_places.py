"""Which contact folder of the mailbox each folder of the restore point corresponds to; missing ones are created."""

from collections.abc import Iterable, Mapping

from backup_engine.model import ItemRow
from backup_service.domain.contacts import DEFAULT
from backup_service.ports.contacts import ContactTarget
from backup_service.usecases.restoring.frame import RestoreFrame, Tally


class ContactPlaces:
    """Folder ids by key of the restore point's folder, "" for the default folder; None in a dry run for one to be made.

    In the original place a folder is the one with its id, else the one with its name below the same folder; the
    default folder, and what lay in a folder nobody knows any more, is the default folder of the mailbox.
    """

    def __init__(
        self, frame: RestoreFrame, tally: Tally, target: ContactTarget, folders: Mapping[str, ItemRow]
    ) -> None:
        self._frame = frame
        self._tally = tally
        self._target = target
        self._folders = folders
        self._found: dict[str, str | None] = {}
        self._opening: set[str] = set()

    async def find(self, wanted: Iterable[str]) -> dict[str, str | None]:
        return {key: await self._at(key) for key in sorted(wanted)}

    async def _at(self, key: str) -> str | None:
        row = None if key in self._opening else self._folders.get(key)
        known = key if row is not None and not row.meta.get("is_default") else DEFAULT
        if known not in self._found:
            self._opening.add(key)
            self._found[known] = await (self._of(row) if known and row is not None else self._top())
            self._opening.discard(key)
        return self._found[known]

    async def _top(self) -> str | None:
        top = self._frame.order.top
        return await self._named(DEFAULT, top) if top else DEFAULT

    async def _of(self, row: ItemRow) -> str | None:
        in_place = self._frame.in_place and not self._frame.order.top
        if in_place and await self._target.has_folder(self._frame.mailbox, row.key):
            return row.key
        parent = await self._at(row.parent)
        if parent is None:
            self._tally.folders_created += 1
            return None
        return await self._named(parent, str(row.meta["name"]))

    async def _named(self, parent: str, name: str) -> str | None:
        if self._frame.order.dry_run:
            found = await self._target.child(self._frame.mailbox, parent, name)
            self._tally.folders_created += found is None
            return found
        folder, created = await self._target.ensure_folder(self._frame.mailbox, parent, name)
        self._tally.folders_created += created
        return folder
