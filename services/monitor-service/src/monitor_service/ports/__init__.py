"""What the use cases need from the world."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from contracts.events import Event
from contracts.names import JobKind
from monitor_service.domain.entry import Entry, EntryKey
from monitor_service.domain.tally import Change, Tally


class LedgerUnavailable(Exception):
    """The ledger's store does not answer; nothing is known about a write that was under way."""

    remedy = "Start the document store or correct TENANTKEEP_MONGO_URL; job events wait on the bus meanwhile."


@dataclass(frozen=True)
class Letter:
    """A dead letter as the bus keeps it."""

    sequence: int
    id: str
    durable: str
    tenant: str
    at: datetime
    headers: Mapping[str, str]
    payload: bytes


class BusUnavailable(Exception):
    """The bus does not answer, or did not confirm; the same call again is harmless."""


class Refused(Exception):
    """The bus refuses the message for good; the text says why."""


class Letters(Protocol):
    """Dead letters on the bus, oldest first. Every method may raise BusUnavailable."""

    async def next(self, sequence: int, durable: str | None = None) -> Letter | None:
        """The first letter at or after this place, of this durable or of any; None behind the last."""
        ...

    async def publish_again(self, letter: Letter) -> None:
        """Send the payload to where it came from; a repeat for the same letter has no effect. May raise Refused."""
        ...


@dataclass(frozen=True)
class Replay:
    at: datetime
    by: str


class Replays(Protocol):
    """Which letters were replayed. Every method may raise LedgerUnavailable."""

    async def of(self, letters: Sequence[str]) -> Mapping[str, Replay]:
        """The replays of these letters, by id; a missing one was not replayed."""
        ...

    async def mark(self, letter: str, replay: Replay, events: Sequence[Event] = ()) -> Replay:
        """Remember a replay, with `events`; returns the first one, when there was one already."""
        ...


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

    async def ended(self, tenant: str, scope: Literal["job", "run"], since: datetime) -> Sequence[Entry]:
        """Jobs or runs of the tenant that ended after `since`, at most ten thousand of them, newest first."""
        ...

    async def commit(self, change: Change) -> bool:
        """Save the tally and its entries, both or neither, whenever the process dies.

        False, and nothing saved, when the stored tally is no longer the revision before the change's.
        """
        ...

    async def held_since(self, tenant: str, kind: JobKind, moment: datetime) -> bool:
        """True when a job that exists since `moment` or longer is held now."""
        ...
