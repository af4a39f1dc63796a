"""Hearing facts as they are published: a plain subscription, for those who show what happens.

Nothing is kept for the listener and nothing is repeated. Whoever must not miss a fact uses a durable
(`chassis.delivery`) or, as the progress of a run does, asks for the state from time to time.
"""

import contextlib
from collections.abc import AsyncIterator, Callable

import structlog
from nats.aio.msg import Msg

from chassis.bus import Bus
from contracts import envelope
from contracts.envelope import BadEnvelope, Envelope

log = structlog.get_logger()

Heard = Callable[[Envelope], None]
"""Called for every fact, in order; it returns at once and keeps what it wants in a bounded place of its own."""


@contextlib.asynccontextmanager
async def listening(bus: Bus, subject: str, heard: Heard) -> AsyncIterator[None]:
    """Call `heard` with what is published on `subject` while the block runs. The broker must have been started.

    The subscription survives a reconnect; what was published in between is lost. The bus user needs a grant for
    `subject` (`contracts.bus_users`); without it nothing is heard and the log says so.
    """

    async def take(message: Msg) -> None:
        try:
            found = envelope.decode(message.subject, message.headers or {}, message.data)
        except BadEnvelope as error:
            # The durables bury it with its reason; a listener has no business with it.
            log.warning("unreadable fact passed over", subject=message.subject, reason=str(error))
            return
        heard(found)

    subscription = await bus.broker.connection.subscribe(subject, cb=take)
    try:
        yield
    finally:
        await subscription.unsubscribe()
