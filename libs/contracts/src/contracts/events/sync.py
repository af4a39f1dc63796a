"""The request for a directory sync. sync-service, which answers it, comes with its own issue."""

from typing import ClassVar

from contracts.events.base import Request


class SyncRequested(Request):
    """Someone wants the employee directory synchronised: everyone, or the users named by Entra object id."""

    DOMAIN: ClassVar[str] = "sync"
    NAME: ClassVar[str] = "requested"

    request: str
    users: tuple[str, ...] = ()
    full: bool = False

    def key(self) -> tuple[str, ...]:
        return (self.tenant, self.request)
