"""The other services over NATS."""

from chassis.bus import Bus, BusUnreachable
from chassis.bus import Caller as BusCaller
from contracts.events import Request
from contracts.problem import unavailable
from contracts.rpc import Operation, Req, Res
from gateway.domain import Asking


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
