"""The state of tokens and permissions, asked of token-service over the bus."""

from collections.abc import Sequence

from chassis.bus import Bus
from chassis.clock import Clock
from chassis.ids import derived
from contracts import rpc
from contracts.bus_users import MONITOR_SERVICE
from contracts.caller import Caller
from contracts.operations.permissions import PROFILE_LIST
from contracts.permissions import ProfileView
from contracts.views import TokenView


class BusTokens:
    """Implements `ports.reviews.Tokens`."""

    def __init__(self, bus: Bus, clock: Clock) -> None:
        self._bus = bus
        self._clock = clock

    async def tokens(self, tenant: str) -> Sequence[TokenView]:
        return (await self._bus.ask(rpc.TOKEN_LIST, tenant, rpc.Nothing(), self._ourselves(tenant))).items

    async def profiles(self, tenant: str) -> Sequence[ProfileView]:
        return (await self._bus.ask(PROFILE_LIST, tenant, rpc.Nothing(), self._ourselves(tenant))).items

    def _ourselves(self, tenant: str) -> Caller:
        return Caller(MONITOR_SERVICE.name, (), derived(tenant, "review", self._clock.now().isoformat()))
