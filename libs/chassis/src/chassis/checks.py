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
    """The bus answers a ping within a second."""
    return broker_answers(bus.broker)


def broker_answers(broker: NatsBroker) -> Check:
    """The same for a process that has no Bus yet."""

    async def connected() -> None:
        if not await broker.ping(timeout=1.0):
            raise ConnectionError("the bus does not answer")

    return connected
