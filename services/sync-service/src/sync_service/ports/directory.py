"""Microsoft 365 as a sync reads it. What fails raises what `graph_client.errors` says, and errors of the vault."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from sync_service.domain.directory_user import DirectoryUser


class CursorExpired(Exception):
    """Change tracking cannot go on from this link: begin at everybody."""


@dataclass(frozen=True)
class UserPage:
    """A page of users. Exactly one of `next_link` and `delta_link` is set, the second on the last page of a round."""

    users: tuple[DirectoryUser, ...]
    removed: tuple[str, ...]
    next_link: str | None
    delta_link: str | None


@dataclass(frozen=True)
class GroupsSince:
    """Whether any group, or the members of any, changed since a link, and the link to ask from next time."""

    changed: bool
    link: str


class Directory(Protocol):
    """Users and groups of one tenant."""

    @property
    def requests(self) -> int:
        """Requests made so far, repeated ones included."""
        ...

    def pages(self, link: str | None) -> AsyncIterator[UserPage]:
        """Walk through a round from `link`, or from everybody. Raises CursorExpired.

        Users of a round from None are told with every property that has a value; later ones perhaps only with what
        changed.
        """
        ...

    async def user(self, user: str) -> DirectoryUser | None:
        """Give a user with every property that has a value; None when there is none (any more)."""
        ...

    async def groups_since(self, link: str | None) -> GroupsSince:
        """Say what happened since `link`; from None on nothing has happened yet. Raises CursorExpired."""
        ...

    async def groups_named(self, name: str) -> tuple[str, ...]:
        """Give the object ids of the security groups with this display name, whatever the case."""
        ...

    async def group_is_named(self, group: str, name: str) -> bool:
        """Say whether this very group still exists as a security group of this name."""
        ...

    async def members(self, group: str) -> frozenset[str]:
        """Give the users in a group and in the groups in it; nobody when there is no such group (any more)."""
        ...

    async def groups_of(self, user: str) -> frozenset[str]:
        """Give the groups a user is in, by a group in a group too; none when there is no such user (any more)."""
        ...


class Directories(Protocol):
    """Access to Microsoft 365, tenant by tenant."""

    def open(self, tenant: str) -> AbstractAsyncContextManager[Directory]:
        """Connect for one run or question."""
        ...

    def token_refreshed(self, tenant: str) -> None:
        """Learn that a new token lies in the vault."""
        ...
