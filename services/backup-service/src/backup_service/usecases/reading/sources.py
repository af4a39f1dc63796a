"""The sources that can be read: one line each."""

from collections.abc import Mapping
from typing import ClassVar, Protocol

from backup_service.ports import Workloads
from backup_service.usecases.reading.address_book import AddressBookSource
from backup_service.usecases.reading.calendars import CalendarSource
from backup_service.usecases.reading.contacts import ContactSource
from backup_service.usecases.reading.frame import Frame
from backup_service.usecases.reading.mail import MailSource
from contracts.names import Source


class SourceReader(Protocol):
    """Reads one source of one resource. Raises what its port raises, SessionLost, and the engine's errors."""

    kinds: ClassVar[frozenset[str]]
    """Kinds of the rows that are this source's; two sources never share one."""

    def __init__(self, workloads: Workloads, frame: Frame) -> None: ...

    async def read(self) -> None:
        """Bring the rows of these kinds to the state of the resource."""
        ...


READERS: Mapping[Source, type[SourceReader]] = {
    Source.MAIL: MailSource,
    Source.CALENDAR: CalendarSource,
    Source.CONTACTS: ContactSource,
    Source.ADDRESS_BOOK: AddressBookSource,
}
"""In the order of reading. A source that is not among them is refused when somebody asks for it."""
