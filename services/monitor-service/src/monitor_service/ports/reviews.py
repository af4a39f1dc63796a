"""What keeps reviews, and who is asked for them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from contracts.events import Event
from contracts.permissions import ProfileView
from contracts.reviews import Review
from contracts.views import Listing, TokenView


@dataclass(frozen=True)
class Enrolment:
    """A tenant whose reviews are made: since when it is known, and when to look next."""

    tenant: str
    since: datetime
    next_at: datetime


class Reviews(Protocol):
    """Reviews of all tenants. Every method may raise LedgerUnavailable."""

    async def enrol(self, tenant: str, now: datetime) -> None:
        """Make reviews of this tenant from now on; nothing happens when it is known."""
        ...

    async def due(self, now: datetime) -> Sequence[Enrolment]:
        """A bounded number of tenants to look at now, longest due first."""
        ...

    async def looked(self, enrolment: Enrolment, next_at: datetime) -> None:
        """Look again at `next_at`, unless another replica says so already."""
        ...

    async def known(self, tenant: str, review: str) -> bool: ...

    async def add(self, review: Review, events: Sequence[Event]) -> None:
        """Keep it, with what announces it; nothing happens when it exists."""
        ...

    async def overdue(self, now: datetime) -> Sequence[Review]:
        """A bounded number of open reviews whose time is over and was not said to be."""
        ...

    async def mark_overdue(self, review: Review, events: Sequence[Event]) -> None:
        """Say it once; nothing happens when it is done or was said."""
        ...

    async def complete(self, done: Review, events: Sequence[Event]) -> None:
        """Replace the open review by the done one; nothing happens when it is done already."""
        ...

    async def get(self, tenant: str, review: str) -> Review | None: ...

    async def page(self, tenant: str, cursor: str | None, limit: int, *, open_only: bool) -> Listing[Review]:
        """Newest first; the cursor is the review the page before ended with."""
        ...


class Tokens(Protocol):
    """What token-service knows of a tenant. Every method may raise ProblemError, also when it does not answer."""

    async def tokens(self, tenant: str) -> Sequence[TokenView]: ...

    async def profiles(self, tenant: str) -> Sequence[ProfileView]:
        """The app profiles, each with its last check of permissions."""
        ...
