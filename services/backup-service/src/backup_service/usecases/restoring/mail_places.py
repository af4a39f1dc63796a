"""Which folder of the mailbox each folder of the restore point corresponds to; missing ones are created."""

from collections.abc import Iterable, Mapping

from backup_engine.model import ItemRow
from backup_service.ports import MailTarget
from backup_service.usecases.restoring.frame import RestoreFrame, Tally

_INBOX = "inbox"
_TOP = ""


class MailPlaces:
    """Folder ids by key of the restore point's folder; None in a dry run for one that would be created.

    In the original place a folder is the one with its id, else the one with its well-known name (display names are in
    the owner's language), else the one with its name below the same folder.
    """

    def __init__(self, frame: RestoreFrame, tally: Tally, target: MailTarget, folders: Mapping[str, ItemRow]) -> None:
        self._frame = frame
        self._order = frame.order
        self._tally = tally
        self._target = target
        self._folders = folders
        self._found: dict[str, str | None] = {}
        self._opening: set[str] = set()

    async def find(self, wanted: Iterable[str]) -> dict[str, str | None]:
        """Places of these folders; of one that nobody knows any more the top, in the original place the inbox."""
        return {key: await self._at(key) for key in sorted(wanted)}

    async def _at(self, key: str) -> str | None:
        key = key if key in self._folders and key not in self._opening else _TOP
        if key not in self._found:
            self._opening.add(key)
            self._found[key] = await (self._of(self._folders[key]) if key else self._top())
            self._opening.discard(key)
        return self._found[key]

    async def _top(self) -> str | None:
        if self._order.top:
            return await self._named("", self._order.top)
        return await self._target.folder(self._frame.mailbox, _INBOX)

    async def _of(self, row: ItemRow) -> str | None:
        apart = bool(row.meta.get("recoverable"))
        # What people had deleted for good comes back to where they see it.
        if not self._order.top and not apart and (found := await self._known(row)):
            return found
        parent: str | None = ""
        if row.parent in self._folders or self._order.top:
            parent = await self._at(row.parent)
        if parent is None:
            self._tally.folders_created += 1
            return None
        return await self._named(parent, str(row.meta["name"]), hidden=bool(row.meta.get("hidden")) and not apart)

    async def _known(self, row: ItemRow) -> str | None:
        """The very folder, in its mailbox, or the one of the same meaning in any."""
        names = [row.key] if self._frame.in_place else []
        names += [str(row.meta["well_known"])] if row.meta.get("well_known") else []
        for name in names:
            if found := await self._target.folder(self._frame.mailbox, name):
                return found
        return None

    async def _named(self, parent: str, name: str, *, hidden: bool = False) -> str | None:
        if self._order.dry_run:
            found = await self._target.child(self._frame.mailbox, parent, name)
            self._tally.folders_created += found is None
            return found
        folder, created = await self._target.ensure_folder(self._frame.mailbox, parent, name, hidden=hidden)
        self._tally.folders_created += created
        return folder
