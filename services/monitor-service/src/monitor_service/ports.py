"""What the use cases need from the world."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from contracts.names import JobKind
from monitor_service.domain.entry import Entry, EntryKey
from monitor_service.domain.tally import Change, Tally


class LedgerUnavailable(Exception):
    """The ledger's store does not answer; nothing is known about a write that was under way."""

    remedy = "Start the document store or correct TENANTKEEP_MONGO_URL; job events wait on the bus meanwhile."


class Ledger(Protocol):
    """Entries and tallies. Every method may raise LedgerUnavailable."""

    async def open_tenant(self, tenant: str) -> None:
        """Make sure that a tally of zeros exists for every job kind; those that exist are left alone."""
        ...

    async def tally(self, tenant: str, kind: JobKind) -> Tally | None:
        """The newest tally. Entries read after this call are at least as new as the tally."""
        ...

    async def tallies(self, tenant: str | None = None) -> Sequence[Tally]:
        """The tallies of one tenant, or of all."""
        ...

    async def entries(self, keys: Sequence[EntryKey]) -> Mapping[EntryKey, Entry]:
        """What is known of these jobs and runs; a missing key is not known."""
        ...

    async def commit(self, change: Change) -> bool:
        """Save the tally and its entries, both or neither, whenever the process dies.

        False, and nothing saved, when the stored tally is no longer the revision before the change's.
        """
        ...

    async def held_since(self, tenant: str, kind: JobKind, moment: datetime) -> bool:
        """True when a job that exists since `moment` or longer is held now."""
        ...
