"""Readiness checks every service needs, for `chassis.health`."""

from faststream.nats import NatsBroker

from chassis.bus import Bus
from chassis.documents import Database
from chassis.health import Check


def documents_answer(db: Database) -> Check:
    """The document store lets this user read. A ping would not do: it is answered without a login."""

    async def read() -> None:
        await db["readiness"].find_one({"_id": "probe"})

    return read


def bus_answers(bus: Bus) -> Check:
    """The bus answers within a second, and knows every subscription of this process."""
    return broker_answers(bus.broker)


def broker_answers(broker: NatsBroker) -> Check:
    """The same for a process that has no Bus yet."""

    async def subscribed() -> None:
        if not broker.running:
            raise ConnectionError("the bus is not subscribed to yet")
        # The server handles commands in order: whoever gets this answer has its subscriptions known as well.
        await (await broker.connect()).flush(timeout=1)

    return subscribed
