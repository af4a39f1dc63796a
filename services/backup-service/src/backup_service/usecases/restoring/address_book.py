"""The address book cannot be restored into Microsoft 365, and says so."""

from typing import ClassVar

from backup_service.domain.address_book import KINDS
from backup_service.ports import RestoreTarget
from backup_service.usecases.restoring.frame import RestoreFrame
from contracts.errors import ErrorClass
from contracts.names import Source

WHY = (
    "the address book is the tenant's directory: Graph offers no way to write organisational contacts, and users and"
    " groups belong to Entra ID; export it as VCF"
)


class AddressBookRestore:
    """Implements SourceRestore: every entry that is wanted stays away, with the cause."""

    source: ClassVar = Source.ADDRESS_BOOK

    def __init__(self, target: RestoreTarget, frame: RestoreFrame) -> None:
        del target  # nothing is written
        self._frame = frame

    async def restore(self) -> None:
        wanted = sum([len(await self._frame.wanted(kind, {})) for kind in KINDS])
        if not wanted:
            return
        tally = self._frame.tally(self.source)
        tally.selected = wanted
        self._frame.problem(tally, self.source.value, ErrorClass.UNSUPPORTED_ITEM, WHY)
        tally.failed = wanted
