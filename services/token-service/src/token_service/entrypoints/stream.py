"""Events of others that this service acts on."""

from chassis.bus import Bus
from chassis.delivered import Delivered
from chassis.delivery import DeliveryPolicy, subscribe
from contracts.events.tokens import TokenRejected
from contracts.streams import TOKEN_REJECTED
from token_service.usecases.answer_rejection import AnswerRejection
from token_service.usecases.check_permissions import CheckPermissions


def bind(bus: Bus, answer_rejection: AnswerRejection, check: CheckPermissions, policy: DeliveryPolicy) -> None:
    """Bind the durables; call before the broker starts."""

    async def on_rejected(message: Delivered[TokenRejected]) -> None:
        await check.complained(message.body.tenant, message.body.profile)
        await answer_rejection(message.body)

    subscribe(bus, TOKEN_REJECTED, TokenRejected, on_rejected, policy)
