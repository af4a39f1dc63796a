"""A pull that ends late keeps what it holds.

FastStream (0.7.8) fills a batch with several pulls and ends it at nats-py's time-out. nats-py (2.16) says that with its
own TimeoutError or, when the time runs out between two of its requests, with the built-in one. That one FastStream does
not catch: its loop dies, is started again, and the messages it held come back after the ack wait, 30 seconds later.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol, cast

from nats.aio.msg import Msg
from nats.errors import TimeoutError as NatsTimeoutError
from nats.js import JetStreamContext


class _Subscriber(Protocol):
    """FastStream's subscriber for batches, as far as it matters here."""

    subscription: Any
    _create_subscription: Callable[[], Awaitable[None]]


class _Pulls:
    """A pull subscription whose time-out is always nats-py's own."""

    def __init__(self, pulled: JetStreamContext.PullSubscription) -> None:
        self._pulled = pulled

    async def fetch(self, batch: int, timeout: float | None) -> list[Msg]:  # noqa: ASYNC109 - nats-py's signature
        try:
            return await self._pulled.fetch(batch, timeout=timeout)
        except NatsTimeoutError:
            raise
        except TimeoutError as error:
            raise NatsTimeoutError from error

    async def unsubscribe(self) -> None:
        await self._pulled.unsubscribe()


def keep(subscriber: object) -> None:
    """Let this subscriber for batches pull in this way. Call before it starts."""
    found = cast("_Subscriber", subscriber)
    create = found._create_subscription  # noqa: SLF001 - FastStream offers no other place; a test guards it

    async def created() -> None:
        await create()
        found.subscription = _Pulls(found.subscription)

    found._create_subscription = created  # noqa: SLF001 - see above
