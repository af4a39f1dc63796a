"""The sources that can be restored: one line each."""

from collections.abc import Mapping
from typing import ClassVar, Protocol

from backup_service.ports import RestoreTarget
from backup_service.usecases.restoring.address_book import AddressBookRestore
from backup_service.usecases.restoring.calendars import CalendarRestore
from backup_service.usecases.restoring.contacts import ContactRestore
from backup_service.usecases.restoring.frame import RestoreFrame
from backup_service.usecases.restoring.mail import MailRestore
from contracts.names import Source


class SourceRestore(Protocol):
    """Restores what a frame wants of one source; made for one job."""

    source: ClassVar[Source]

    def __init__(self, target: RestoreTarget, frame: RestoreFrame) -> None: ...

    async def restore(self) -> None:
        """Bring back every wanted item that is not there yet; what cannot be is told to the frame.

        Raises what Graph, storage and documents raise about more than one item. Started again after a crash at any
        step it makes no second copy, and finishes what was begun.
        """
        ...


RESTORERS: Mapping[Source, type[SourceRestore]] = {
    Source.MAIL: MailRestore,
    Source.CALENDAR: CalendarRestore,
    Source.CONTACTS: ContactRestore,
    Source.ADDRESS_BOOK: AddressBookRestore,
}
"""In the order of restoring."""
