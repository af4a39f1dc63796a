"""The state of tokens, asked of token-service over the bus."""

from collections.abc import Sequence

from chassis.bus import Bus
from chassis.clock import Clock
from chassis.ids import derived
from contracts import rpc
from contracts.bus_users import MONITOR_SERVICE
from contracts.caller import Caller
from contracts.views import TokenView


class BusTokens:
    """Implements `ports.reviews.Tokens`."""

    def __init__(self, bus: Bus, clock: Clock) -> None:
        self._bus = bus
        self._clock = clock

    async def __call__(self, tenant: str) -> Sequence[TokenView]:
        caller = Caller(MONITOR_SERVICE.name, (), derived(tenant, "review", self._clock.now().isoformat()))
        return (await self._bus.ask(rpc.TOKEN_LIST, tenant, rpc.Nothing(), caller)).items
