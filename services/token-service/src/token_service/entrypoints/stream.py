"""Events of others that this service acts on."""

from chassis.bus import Bus
from chassis.delivered import Delivered
from chassis.delivery import DeliveryPolicy, subscribe
from contracts.events.tokens import TokenRejected
from contracts.streams import TOKEN_REJECTED
from token_service.usecases.answer_rejection import AnswerRejection


def bind(bus: Bus, answer_rejection: AnswerRejection, policy: DeliveryPolicy) -> None:
    """Bind the durables; call before the broker starts."""

    async def on_rejected(message: Delivered[TokenRejected]) -> None:
        await answer_rejection(message.body)

    subscribe(bus, TOKEN_REJECTED, TokenRejected, on_rejected, policy)
