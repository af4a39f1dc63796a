"""The other services over NATS."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import structlog
from pydantic import ValidationError

from chassis.bus import Bus, BusUnreachable
from chassis.listening import listening
from contracts import subjects
from contracts.caller import Caller as BusCaller
from contracts.envelope import Envelope
from contracts.events import AnyJobEvent, JobEvent, Request
from contracts.events.employees import EmployeeEvent
from contracts.operations.base import Operation, Req, Res
from contracts.problem import unavailable
from gateway.domain import Asking

log = structlog.get_logger(__name__)


class BusServices:
    """A `gateway.ports.Services`."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def ask(self, operation: Operation[Req, Res], tenant: str | None, question: Req, asking: Asking) -> Res:
        roles = tuple(sorted(asking.caller.roles))
        caller = BusCaller(asking.caller.subject, roles, asking.request_id)
        return await self._bus.ask(operation, tenant, question, caller)

    async def request(self, request: Request) -> str:
        try:
            return await self._bus.request(request)
        except BusUnreachable as error:
            raise unavailable("the bus did not confirm; repeat the request with the same Idempotency-Key") from error

    @asynccontextmanager
    async def listen(self, tenant: str, heard: Callable[[JobEvent], None]) -> AsyncIterator[None]:
        def read(found: Envelope) -> None:
            try:
                event = AnyJobEvent.model_validate_json(found.body, context={"type": found.type}).root
            except ValidationError:
                log.warning("job event of another version passed over", type=found.type)
                return
            heard(event)

        async with listening(self._bus, subjects.event(tenant, "job", "*"), read):
            yield

    @asynccontextmanager
    async def listen_employees(self, heard: Callable[[EmployeeEvent], None]) -> AsyncIterator[None]:
        def read(found: Envelope) -> None:
            try:
                event = EmployeeEvent.model_validate_json(found.body)
            except ValidationError:
                return  # about no single employee
            heard(event)

        async with listening(self._bus, subjects.event("*", EmployeeEvent.DOMAIN, "*"), read):
            yield
