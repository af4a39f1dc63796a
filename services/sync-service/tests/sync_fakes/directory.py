"""Microsoft 365 in memory, as a sync sees it; keeps the promises of GraphDirectory on the simulator.

Change tracking tells only what changed, deleted users are gone at once, links void when a test says so, and every
request is a step at which a test may change something or let the process die.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from graph_client.errors import GraphError
from sync_service.domain.directory_user import DirectoryUser
from sync_service.ports import CursorExpired, GroupsSince, UserPage

_EVERYTHING = frozenset({"*"})
_OPEN = -1
"""Where a round ends is not known before its first request."""


@dataclass
class Group:
    name: str
    members: set[str] = field(default_factory=set)
    """Object ids of users and of groups."""
    security: bool = True


class MemoryDirectory:
    """Implements ports.Directory and ports.Directories for one tenant, whatever its name."""

    def __init__(self, page: int = 3) -> None:
        self.users: dict[str, dict[str, Any]] = {}
        self.groups: dict[str, Group] = {}
        self.requests = 0
        self.failing: Callable[[], GraphError | None] = lambda: None
        self.step: Callable[[str], None] = lambda _request: None
        self._page = page
        self._changes: list[tuple[str, frozenset[str]]] = []
        self._group_changes = 0
        self._epoch = 0

    def put(self, user: str, *, guest: bool = False, **fields: Any) -> None:
        """Create a user, or set some of its fields."""
        known = self.users.get(user)
        changed = _EVERYTHING if known is None else frozenset(fields)
        self.users[user] = {"guest": guest, "account_enabled": True, **(known or {}), **fields}
        self._changes.append((user, changed))

    def delete(self, user: str) -> None:
        self.users.pop(user, None)
        self._changes.append((user, _EVERYTHING))

    def enrol(self, group: str, member: str, *, leave: bool = False) -> None:
        """Put a user or a group into a group, or take it out."""
        members = self.groups[group].members
        members.discard(member) if leave else members.add(member)
        self._group_changes += 1

    def add_group(self, group: str, name: str, *, security: bool = True) -> None:
        self.groups[group] = Group(name, security=security)
        self._group_changes += 1

    def remove_group(self, group: str) -> None:
        del self.groups[group]
        self._group_changes += 1

    def void_links(self) -> None:
        """Links given before lead nowhere."""
        self._epoch += 1

    @asynccontextmanager
    async def open(self, tenant: str) -> AsyncIterator["MemoryDirectory"]:
        yield self

    def token_refreshed(self, tenant: str) -> None:
        """Nothing is cached here."""

    async def pages(self, link: str | None) -> AsyncIterator[UserPage]:
        """A round ends where its first request found the end: what happens meanwhile is told in the next one."""
        position, since, horizon = self._read(link) if link else (0, 0, _OPEN)
        whole = since == 0
        while True:
            self._request("users")
            horizon = len(self._changes) if horizon == _OPEN else horizon
            told = list(
                dict.fromkeys(user for user, _ in self._changes[position : min(position + self._page, horizon)])
            )
            position = min(position + self._page, horizon)
            users = tuple(self._told(user, since, whole=whole) for user in told if user in self.users)
            removed = tuple(user for user in told if user not in self.users and not whole)
            self.step("users told")
            last = position >= horizon
            following = f"{self._epoch}/{position}/{horizon if last else since}/{_OPEN if last else horizon}"
            yield UserPage(users, removed, None if last else following, following if last else None)
            if last:
                return

    async def user(self, user: str) -> DirectoryUser | None:
        self._request("user")
        return self._told(user, 0, whole=True) if user in self.users else None

    async def groups_since(self, link: str | None) -> GroupsSince:
        self._request("groups")
        latest = f"{self._epoch}/{self._group_changes}/0/0"
        changed = link is not None and self._read(link)[0] != self._group_changes
        return GroupsSince(changed, latest)

    async def groups_named(self, name: str) -> tuple[str, ...]:
        self._request("group")
        found = [key for key, group in self.groups.items() if group.name.lower() == name.lower() and group.security]
        return tuple(sorted(found))

    async def group_is_named(self, group: str, name: str) -> bool:
        self._request("group")
        return group in self.groups and group in await self.groups_named(name)

    async def members(self, group: str) -> frozenset[str]:
        self._request("members")
        return frozenset(self._members(group, set()))

    async def groups_of(self, user: str) -> frozenset[str]:
        self._request("groups of")
        return frozenset(group for group in self.groups if user in self._members(group, set()))

    def _members(self, group: str, seen: set[str]) -> set[str]:
        if group in seen:
            return set()
        seen.add(group)
        found = set()
        for member in self.groups[group].members if group in self.groups else ():
            found |= self._members(member, seen) if member in self.groups else {member} & self.users.keys()
        return found

    def _request(self, what: str) -> None:
        self.requests += 1
        self.step(what)
        error = self.failing()
        if error is not None:
            raise error

    def _read(self, link: str) -> tuple[int, int, int]:
        epoch, position, since, horizon = (int(part) for part in link.split("/"))
        if epoch != self._epoch:
            raise CursorExpired
        return position, since, horizon

    def _told(self, user: str, since: int, *, whole: bool) -> DirectoryUser:
        fields = self.users[user]
        names = frozenset().union(*(names for key, names in self._changes[since:] if key == user))
        everything = whole or "*" in names
        given = {name: value for name, value in fields.items() if name != "guest" and (everything or name in names)}
        if everything:
            given = {name: value for name, value in given.items() if value not in (None, ())}
        return DirectoryUser(user, given, fields["guest"] if everything else None)
