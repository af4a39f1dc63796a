"""Answers about the end of a tenant."""

from chassis.clock import Clock
from chassis.rpc import Call, RpcServer
from contracts import rpc
from contracts.offboarding import Holdings, OffboardingView
from contracts.operations import offboarding
from token_service.domain.offboarding import Offboarding
from token_service.usecases.offboard import Offboard


class OffboardingQuestions:
    def __init__(self, offboard: Offboard, clock: Clock) -> None:
        self._offboard = offboard
        self._clock = clock

    def bind(self, server: RpcServer) -> None:
        """Register all answers; call before the broker starts."""
        server.answer(offboarding.OFFBOARDING_GET, self.get)
        server.answer(offboarding.OFFBOARDING_BEGIN, self.begin)
        server.answer(offboarding.OFFBOARDING_CANCEL, self.cancel)
        server.answer(offboarding.EXPORT_DECIDE, self.decide_export)
        server.answer(offboarding.SHREDDING_ORDER, self.order_shredding)
        server.answer(offboarding.KEY_ATTEST, self.attest_key)

    async def get(self, call: Call[rpc.Nothing]) -> OffboardingView:
        return self._view(*await self._offboard.look(call.one_tenant()))

    async def begin(self, call: Call[rpc.Nothing]) -> OffboardingView:
        return self._view(*await self._offboard.begin(call.one_tenant(), call.caller))

    async def cancel(self, call: Call[rpc.Nothing]) -> OffboardingView:
        return self._view(*await self._offboard.cancel(call.one_tenant(), call.caller))

    async def decide_export(self, call: Call[offboarding.DecideExport]) -> OffboardingView:
        return self._view(*await self._offboard.decide_export(call.one_tenant(), call.question, call.caller))

    async def order_shredding(self, call: Call[offboarding.OrderShredding]) -> OffboardingView:
        return self._view(*await self._offboard.order_shredding(call.one_tenant(), call.question, call.caller))

    async def attest_key(self, call: Call[offboarding.AttestKey]) -> OffboardingView:
        return self._view(*await self._offboard.attest_key(call.one_tenant(), call.question, call.caller))

    def _view(self, record: Offboarding, holdings: Holdings | None) -> OffboardingView:
        return OffboardingView(
            tenant=record.tenant,
            state=record.state,
            deeds=record.deeds,
            keys=record.keys,
            holdings=holdings,
            block=record.block(holdings, self._clock.now()),
        )
