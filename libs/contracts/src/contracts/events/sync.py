"""The request for a sync of the employee directory."""

from typing import ClassVar

from pydantic import Field

from contracts.events.base import Request
from contracts.names import SyncKind


class SyncRequested(Request):
    """Someone wants the employee directory synchronised: everyone, or the users named by Entra object id."""

    DOMAIN: ClassVar[str] = "sync"
    NAME: ClassVar[str] = "requested"

    request: str
    kind: SyncKind | None = Field(
        default=None, description="left out: users when users are named, full when full is true, else incremental"
    )
    users: tuple[str, ...] = ()
    full: bool = False

    def key(self) -> tuple[str, ...]:
        return (self.tenant, self.request)

    @property
    def wanted(self) -> SyncKind:
        """The kind of sync that is asked for, however it is said."""
        if self.kind is not None:
            return self.kind
        if self.users:
            return SyncKind.USERS
        return SyncKind.FULL if self.full else SyncKind.INCREMENTAL
