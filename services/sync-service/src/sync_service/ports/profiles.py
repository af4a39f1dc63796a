"""Single profiles in Microsoft 365. Every failure is a ChangeRefused that names its cause."""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from sync_service.domain.directory_user import DirectoryUser
from sync_service.domain.profile_change import Values


@dataclass(frozen=True)
class ListedUser:
    """A user in a list, with the name it signs in with."""

    user: DirectoryUser
    sign_in_name: str


@dataclass(frozen=True)
class UserList:
    """A page of users; `link` asks for the next one, None means this was the last."""

    users: tuple[ListedUser, ...]
    link: str | None


class Profiles(Protocol):
    """The users of one tenant, one at a time."""

    async def read(self, user: str) -> DirectoryUser:
        """Give every field of the user with this object id; what is shown may lag seconds behind the last change."""
        ...

    async def write(self, user: str, values: Values) -> None:
        """Change these fields, all or none; repeating it changes nothing more."""
        ...

    async def groups_of(self, user: str) -> frozenset[str]:
        """Give the object ids of the groups somebody is in, and of the groups those are in."""
        ...

    async def listed(self, begins: str, link: str | None, limit: int) -> UserList:
        """List users whose name or address begins like this. Raises ValueError for a link that is none of this list."""
        ...


class ProfileAccess(Protocol):
    """Access to profiles, tenant by tenant."""

    def profiles(self, tenant: str) -> AbstractAsyncContextManager[Profiles]:
        """Connect for one question."""
        ...
