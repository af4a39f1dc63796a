"""What the use cases and entry points need from outside."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from contracts.events import JobEvent, Request
from contracts.events.employees import EmployeeEvent
from contracts.operations.base import Operation, Req, Res
from gateway.domain import Asking, Caller


class Unauthenticated(Exception):
    """The bearer token is missing or not acceptable; the text says why and quotes nothing of it."""


class Callers(Protocol):
    async def caller_of(self, token: str) -> Caller:
        """Prove a bearer token; raises Unauthenticated, or ProblemError while the issuer's keys are out of reach."""
        ...


class Services(Protocol):
    """The other services, over the bus."""

    async def ask(self, operation: Operation[Req, Res], tenant: str | None, question: Req, asking: Asking) -> Res:
        """Ask a question; raises ProblemError with the service's problem, or `unavailable` without an answer."""
        ...

    async def request(self, request: Request) -> str:
        """Put a request onto the bus, once per id; returns the run it leads to. Raises ProblemError `unavailable`."""
        ...

    def listen(self, tenant: str, heard: Callable[[JobEvent], None]) -> AbstractAsyncContextManager[None]:
        """Hear the tenant's job events while the block runs; some may be lost. `heard` returns at once."""
        ...

    def listen_employees(self, heard: Callable[[EmployeeEvent], None]) -> AbstractAsyncContextManager[None]:
        """Hear the employee events of every tenant while the block runs; some may be lost. `heard` returns at once."""
        ...


@dataclass(frozen=True)
class OpenDownload:
    """Bytes on their way; whoever holds it calls `close`, whatever happens."""

    headers: Mapping[str, str]
    chunks: AsyncIterator[bytes]
    close: Callable[[], Awaitable[None]]


class Downloads(Protocol):
    async def open(self, tenant: str, ticket: str) -> OpenDownload:
        """Redeem a ticket; raises ProblemError `not-found` for a used, late or unknown one, else `unavailable`."""
        ...
