"""A connection to the bus whose TLS handshake failed ends.

nats-py (2.16, nats-io/nats.py#718) waits for the end of such a connection before it tries again. The end is told to the
protocol that the handshake put in the place of the one waited for, so the wait never ends: a bus that is too busy for a
handshake within the time-out, at the start of a service, keeps that service from ever starting.
"""

import asyncio
import contextlib

from nats.aio.transport import TcpTransport

_LONGEST = 1.0
"""Seconds; a connection that ends in good order needs milliseconds."""

HANDSHAKE = 5
"""Seconds a server has for one step of a connection; nats-py's two are short for a machine at its limit."""

_wait_closed = TcpTransport.wait_closed


async def _bounded(transport: TcpTransport) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_LONGEST):
            await _wait_closed(transport)  # type: ignore[no-untyped-call] # nats-py says no types


def bound() -> None:
    """Let every connection of this process end in this way. Call before connecting; again does no harm."""
    TcpTransport.wait_closed = _bounded  # type: ignore[method-assign] # nats-py makes its transports itself
