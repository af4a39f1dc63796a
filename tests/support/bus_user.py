"""A connection to the embedded bus as one user, and what the server refused it."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import nats
from nats.aio.client import Client
from stack_fixture import RunningStack

from contracts.bus_users import inbox_prefix
from tenantkeep.stack import nats as stack_nats
from tenantkeep.stack import secrets, trust


@dataclass
class User:
    """A connection as one bus user, and what the server refused it."""

    connection: Client
    refused: list[str] = field(default_factory=list)

    def was_refused(self, verb: str, subject: str) -> bool:
        return any(f'permissions violation for {verb} to "{subject.lower()}"' in text for text in self.refused)


async def connect(stack: RunningStack, name: str) -> User:
    """As one of our own users."""
    return await connect_with(stack, secrets.nats_seed(stack.home, name), inbox_prefix(name))


async def connect_with(stack: RunningStack, seed: Path, inbox: str = "_INBOX") -> User:
    """As whoever the seed in this file belongs to."""
    refused: list[str] = []

    async def note(error: Exception) -> None:
        refused.append(str(error).lower())

    connection = await nats.connect(
        stack_nats.url(stack.ports),
        connect_timeout=10,  # a handshake on a busy machine
        tls=trust.context(stack.home.ca),
        tls_handshake_first=True,
        nkeys_seed=str(seed),
        inbox_prefix=inbox.encode(),
        error_cb=note,
        allow_reconnect=False,
    )
    return User(connection, refused)


async def settled(user: User, complete: Callable[[], bool]) -> None:
    """The refusals that must come have come (some arrive after the flush), and nothing more is on its way."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(5):
            while not complete():  # noqa: ASYNC110 - the server's errors come as callbacks
                await asyncio.sleep(0.02)
    await user.connection.flush()
    await asyncio.sleep(0.3)
